"""The command line, called as a user calls it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import nibabel
import numpy as np
import pytest
import websocket
from typer.testing import CliRunner

from workbench.cli import app, parse_settings
from workbench.cli.notebook import copy_notebook, notebooks_folder
from workbench.cli.progress import Lines
from workbench.errors import SettingError
from workbench.experiments.runs import Run
from workbench.jobs import Progress

ROOT = Path(__file__).parent.parent

TINY = [
    "--cases", "4", "--rounds", "1", "--budget", "3", "--initial", "4", "--threads", "1",
    "--set", "manifold.epochs=1", "--set", "manifold.min_steps=5", "--set", "manifold.max_steps=5",
    "--set", "segmentation.features=[4,4,8,8,8,4]", "--set", "segmentation.min_steps=10",
    "--set", "segmentation.epochs=1",
]  # fmt: skip


def workbench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("command", [[], ["lab"], ["cohort"], ["simulate"]])
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_a_cohort_is_imported_with_a_word_on_what_was_made(tmp_path):
    from workbench.cohort.phantom import make_phantom
    from workbench.jobs import finish

    source = finish(make_phantom(cases=4))
    asked = ["import", str(source), str(tmp_path / "made"), "--layout", "brats", "--task", "WT"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "4 cases in the layout MSD, task 'WT'" in result.output
    assert (tmp_path / "made" / "dataset.json").is_file()
    result = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path), "--format", "monai"])
    assert "'monai' is not known" in str(result.exception)


@pytest.fixture
def write_case():
    """Write the scan and the label of a case of a plain folder, 1 mm."""

    def write(root: Path, name: str, label: np.ndarray, shape: tuple[int, ...] = (12, 10, 8)):
        image = np.random.default_rng(0).normal(50, 10, shape).astype(np.float32)
        for kind, array in (("images", image), ("labels", label)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), root / kind / f"{name}.nii.gz")

    return write


def test_an_import_tells_every_case_and_label_that_it_leaves_out_once(tmp_path, write_case):
    root, ones = tmp_path / "mine", np.ones((12, 10, 8), np.uint8)
    for name in "abcde":
        write_case(root, name, ones[:6] if name == "b" else ones)
    (root / "images" / "a.nii.gz").write_bytes(b"")
    nibabel.save(nibabel.load(root / "images" / "c.nii.gz"), root / "images" / "c.nii")
    result = CliRunner().invoke(app, ["import", str(root), str(tmp_path / "made")])
    assert result.exit_code == 0, result.output
    for reason in ("a.nii.gz is empty", "b.nii.gz has 6×10×8 voxels", "c occurs 2 times"):
        assert result.stderr.count(reason) == 1
    assert "3 cases in the layout MSD" in result.stdout
    assert "2 with a label; 3 problems told above" in result.stdout


def test_an_import_of_which_nothing_is_left_says_why_and_the_folder_can_be_used_again(
    tmp_path, write_case
):
    root, ones = tmp_path / "mine", np.ones((12, 10, 8), np.uint8)
    asked = ["import", str(root), str(tmp_path / "made")]
    for name in "ab":
        write_case(root, name, ones)
        (root / "images" / f"{name}.nii.gz").write_bytes(b"")
    said = str(CliRunner().invoke(app, asked).exception)
    assert re.search(r"converted\. a: .*a\.nii\.gz is empty.* tells 1 more problem\.", said)
    write_case(root, "a", ones)
    assert CliRunner().invoke(app, asked).exit_code == 0


def test_an_import_resamples_channels_where_it_is_told_to(tmp_path, write_case):
    root, ones = tmp_path / "mine", np.ones((12, 10, 8), np.uint8)
    for name in ("a_0000", "b_0000"):
        write_case(root, name, ones)
    for name in "ab":
        (root / "labels" / f"{name}_0000.nii.gz").rename(root / "labels" / f"{name}.nii.gz")
        image = nibabel.Nifti1Image(np.full((6, 5, 4), 7, np.float32), np.diag([2.0, 2, 2, 1]))
        nibabel.save(image, root / "images" / f"{name}_0001.nii.gz")
    asked = ["import", str(root), str(tmp_path / "made")]
    assert "With --resample" in str(CliRunner().invoke(app, asked).exception)
    result = CliRunner().invoke(app, [*asked, "--resample"])
    assert result.exit_code == 0, result.output
    assert "2 cases in the layout MSD" in result.stdout
    assert result.stdout.endswith("2 with a label.\n")
    assert result.stderr.count("a_0001.nii.gz was resampled to the voxel grid of") == 1
    scan = nibabel.load(tmp_path / "made/imagesTr/a.nii.gz")
    first = nibabel.load(root / "images/a_0000.nii.gz")
    np.testing.assert_array_equal(scan.get_fdata()[..., 0], first.get_fdata())
    np.testing.assert_array_equal(scan.get_fdata()[:11, :9, :7, 1], 7)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "made/labelsTr/a.nii.gz").dataobj, ones)


def test_an_import_takes_unknown_label_values_as_background_where_it_is_told_to(
    tmp_path, write_case
):
    root, label = tmp_path / "mine", np.ones((12, 10, 8), np.uint8)
    write_case(root, "a", label)
    write_case(root, "b", np.where(np.indices(label.shape)[0] < 2, 9, label).astype(np.uint8))
    declared = {"labels": {"0": "background", "1": "tumor"}, "modality": {"0": "MR"}}
    for kind in ("images", "labels"):
        (root / kind).rename(root / f"{kind}Tr")
    pairs = [{"image": f"imagesTr/{n}.nii.gz", "label": f"labelsTr/{n}.nii.gz"} for n in "ab"]
    (root / "dataset.json").write_text(json.dumps({**declared, "training": pairs}))
    asked = ["import", str(root), str(tmp_path / "made")]
    result = CliRunner().invoke(app, asked)
    assert "with --unknown-labels background" in result.stderr
    assert "1 with a label; 1 problem told above" in result.stdout
    result = CliRunner().invoke(app, [*asked, "--unknown-labels", "background", "--overwrite"])
    assert "b: b.nii.gz holds unknown label values, taken as background: 9 (160" in result.stderr
    assert result.stdout.endswith("2 with a label.\n")
    made = np.asanyarray(nibabel.load(tmp_path / "made/labelsTr/b.nii.gz").dataobj)
    np.testing.assert_array_equal(made, np.indices(label.shape)[0] >= 2)
    result = CliRunner().invoke(app, [*asked, "--unknown-labels", "guess"])
    assert "unknown_labels is 'guess'" in str(result.exception)


def test_a_cohort_is_described_with_its_layout_and_label_counts():
    result = CliRunner().invoke(app, ["cohort", "phantom", "--cases", "4"])
    assert result.exit_code == 0, result.output
    for word in ("BraTS", "whole tumor", "flair", "edema", "can be used"):
        assert word in result.output


def test_an_unusable_folder_ends_with_a_sentence_and_status_1(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    result = workbench("cohort", str(tmp_path))
    assert result.returncode == 1
    assert "imagesTr" in result.stderr
    assert "Traceback" not in result.stderr


def test_images_without_labels_are_said_to_open_for_annotation_with_status_0(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("one", "two"):
        noise = np.random.default_rng(0).normal(size=(20, 18, 7)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(noise, np.eye(4)), tmp_path / "images" / f"{name}.nii.gz")
    result = CliRunner().invoke(app, ["cohort", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert """labels={"1": "tumor"}), with the names of its classes.""" in result.output


def test_a_simulation_is_saved_and_goes_on_when_it_is_run_again(tmp_path):
    out = tmp_path / "run"
    first = CliRunner().invoke(app, ["simulate", "--out", str(out), *TINY])
    assert first.exit_code == 0, first.output
    assert "whole tumor" in first.output
    assert [len(each.labeled) for each in Run.load(out).rounds] == [4, 3]
    before = (out / "rounds" / "001" / "round.json").read_text()
    more = [
        "2" if word == "1" and TINY[i - 1] == "--rounds" else word for i, word in enumerate(TINY)
    ]
    second = CliRunner().invoke(app, ["simulate", "--out", str(out), *more])
    assert second.exit_code == 0, second.output
    assert len(Run.load(out).rounds) == 3
    assert (out / "rounds" / "001" / "round.json").read_text() == before


def test_a_finished_simulation_says_so_and_runs_nothing(tmp_path, monkeypatch):
    out = tmp_path / "run"
    first = CliRunner().invoke(app, ["simulate", "--out", str(out), *TINY])
    assert first.exit_code == 0, first.output
    assert "already finished" not in first.output
    monkeypatch.setattr("workbench.experiments.simulate.prepare", None)  # fails if it is called
    again = CliRunner().invoke(app, ["simulate", "--out", str(out), *TINY])
    assert again.exit_code == 0, again.output
    assert "was already finished; nothing was run" in again.output
    table = [line for line in first.output.splitlines() if re.match(r" +[01] ", line)]
    assert len(table) == 2
    assert all(line in again.output for line in table)


@pytest.mark.slow
def test_a_log_gets_a_line_for_a_stage_and_no_bars(tmp_path):
    result = workbench("simulate", "--out", str(tmp_path / "run"), *TINY)
    assert result.returncode == 0, result.stderr
    assert "\r" not in result.stderr
    stages = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert "scoring the model" in stages
    assert len(stages) < 40


def test_a_long_stage_is_told_now_and_then(monkeypatch):
    now = 100.0
    monkeypatch.setattr("workbench.cli.progress.time.monotonic", lambda: now)
    lines: list[str] = []
    shown = Lines(every=30, write=lines.append)
    for step in range(101):
        shown.show(Progress("training", step, 100))
        now += 1.0
    shown.show(Progress("rounds", 0, 7))
    now += 30.0
    shown.show(Progress("rounds", 0, 7, {"finished": 1, "running": 2}))
    assert lines == [
        "training",
        "training: 30%",
        "training: 60%",
        "training: 90%",
        "rounds",
        "rounds: 0%, finished 1, running 2",
    ]


def test_an_unknown_strategy_names_the_known_ones(tmp_path):
    result = workbench("simulate", "--out", str(tmp_path / "x"), "--strategy", "randm")
    assert result.returncode == 1
    assert "Did you mean 'random'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_settings_are_read_as_json_where_they_are_json():
    assert parse_settings(["strategy.alpha=null", "manifold.z_dim=2", "strategy.scale=raw"]) == {
        "strategy": {"alpha": None, "scale": "raw"},
        "manifold": {"z_dim": 2},
    }


@pytest.mark.parametrize("text", ["alpha=1", "strategy.alpha", "nowhere.alpha=1"])
def test_a_setting_of_another_form_is_refused(text):
    with pytest.raises(SettingError, match=r"section\.name=value"):
        parse_settings([text])


def test_a_section_of_a_setting_is_guessed():
    with pytest.raises(SettingError, match="Did you mean 'segmentation'"):
        parse_settings(["segmentations.epochs=2"])


def parameters_of(copy: Path) -> dict[str, object]:
    """Run the cells tagged ``parameters`` of a notebook and return what they assign."""
    notebook = nbformat.read(copy, as_version=4)
    nbformat.validate(notebook)
    values: dict[str, object] = {}
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            exec(cell.source, values)
    return values


def edit(copy: Path, before: str, after: str) -> str:
    text = copy.read_text(encoding="utf-8")
    assert before in text
    copy.write_text(text.replace(before, after), encoding="utf-8")
    return copy.read_text(encoding="utf-8")


@pytest.fixture
def originals(tmp_path, monkeypatch) -> Path:
    """Notebooks that a test may change."""
    folder = tmp_path / "originals"
    folder.mkdir()
    for path in notebooks_folder().glob("*.ipynb"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("workbench.cli.notebook.notebooks_folder", lambda: folder)
    return folder


def test_a_copy_holds_its_cohort_in_the_cell_of_parameters_and_nowhere_else(tmp_path):
    cohort = tmp_path / 'my é "cohort"'
    cohort.mkdir()
    copy, said = copy_notebook(str(cohort), tmp_path / "work")
    assert copy.name == f"workbench-{cohort.name}.ipynb"
    assert "was made" in said
    assert parameters_of(copy)["source"] == str(cohort)
    cells = nbformat.read(copy, as_version=4).cells
    assert sum("source =" in cell.source for cell in cells) == 1
    assert '# "phantom", the embedded cohort' in cells[1].source  # the comments are kept
    assert parameters_of(notebooks_folder() / "01_workbench.ipynb")["source"] == "phantom"


def test_a_copy_leaves_labeling_to_the_person_and_the_original_turns_the_loop(tmp_path):
    copy, _ = copy_notebook("phantom", tmp_path)
    assert copy == tmp_path / "workbench.ipynb"
    assert parameters_of(copy)["turn_loop"] is False
    assert parameters_of(notebooks_folder() / "01_workbench.ipynb")["turn_loop"] is True
    lines = nbformat.read(copy, as_version=4).cells[1].source.splitlines()
    assert len({line.index("#") for line in lines}) == 1  # the comments keep their column


def test_a_copy_that_a_person_edited_is_kept_and_a_newer_one_is_told(tmp_path, originals):
    copy, _ = copy_notebook("phantom", tmp_path)
    mine = edit(copy, "seed = 0", "seed = 7")
    assert copy_notebook("phantom", tmp_path) == (copy, f"Opening your {copy}.")
    edit(originals / "01_workbench.ipynb", "The cohort", "All the cases")
    _, said = copy_notebook("phantom", tmp_path)
    assert copy.read_text(encoding="utf-8") == mine
    assert "You edited it, so it is kept" in said
    assert "rename yours" in said


def test_a_copy_that_was_only_run_follows_the_original(tmp_path, originals):
    copy, _ = copy_notebook("phantom", tmp_path)
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1].execution_count = 3
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="run")]
    notebook.cells.append(nbformat.v4.new_code_cell(""))  # JupyterLab's, at the end
    nbformat.write(notebook, copy)
    run = copy.read_text(encoding="utf-8")
    copy_notebook("phantom", tmp_path)
    assert copy.read_text(encoding="utf-8") == run
    edit(originals / "01_workbench.ipynb", "The cohort", "All the cases")
    _, said = copy_notebook("phantom", tmp_path)
    assert "was not edited, so it was replaced" in said
    assert "All the cases" in copy.read_text(encoding="utf-8")


def test_outputs_of_an_original_do_not_reach_a_copy(tmp_path, originals):
    path = originals / "01_workbench.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="left behind")]
    nbformat.write(notebook, path)
    copy, _ = copy_notebook("phantom", tmp_path)
    assert "left behind" not in copy.read_text(encoding="utf-8")


def test_a_file_that_is_no_notebook_is_left_alone(tmp_path):
    (tmp_path / "workbench.ipynb").write_text('{"mine": true}')
    with pytest.raises(SettingError, match="Rename or remove it"):
        copy_notebook("phantom", tmp_path)
    assert (tmp_path / "workbench.ipynb").read_text() == '{"mine": true}'


def test_the_teaching_notebook_is_copied_by_its_name(tmp_path):
    copy, _ = copy_notebook("phantom", tmp_path, "02_gradient_guided")
    assert copy == tmp_path / "gradient_guided.ipynb"
    assert "cases" in parameters_of(copy)


@pytest.mark.parametrize(
    ("cohort", "name", "sentence"),
    [
        ("none", "01_workbench", "There is no folder"),
        (".", "02_gradient_guided", "is about the embedded cohort"),
        ("phantom", "workbench", "Name one of these: 01_workbench, 02_gradient_guided"),
    ],
)
def test_lab_says_what_it_cannot_open(tmp_path, monkeypatch, cohort, name, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=sentence):
        copy_notebook(cohort, tmp_path / "work", name)
    assert not (tmp_path / "work").exists()


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[subprocess.Popen[str], list[str], int]]:
    """``workbench lab`` over SSH with its first port taken: process, what it said, that port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        own = {
            f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")
        }
        own["JUPYTERLAB_SETTINGS_DIR"] = str(tmp_path / "settings")
        own["SSH_CONNECTION"] = "192.0.2.1 5000 192.0.2.2 22"
        folder = str(tmp_path / "my work")
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", "lab", f"--port={port}", "--folder", folder],
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            said: list[str] = []
            while not (said and "Open this" in said[-1]) and (line := process.stdout.readline()):
                said.append(line)
            yield process, said, port
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def test_lab_ends_with_an_address_that_opens_the_copy_and_stops_at_ctrl_c(server):
    process, said, taken = server
    found = re.fullmatch(r"Open this address: (http://127\.0\.0\.1:(\d+)/)(\S+)\n", said[-1])
    assert found, said
    host, port, rest = found.groups()
    assert int(port) != taken
    assert any(f"ssh -N -L {port}:127.0.0.1:{port} " in line for line in said)
    page, query = rest.split("?")
    assert page == "lab/tree/workbench.ipynb"
    with urllib.request.urlopen(f"{host}{rest}", timeout=30) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{host}api/contents/workbench.ipynb?{query}") as answer:
        assert json.load(answer)["type"] == "notebook"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{host}api/contents/workbench.ipynb")
    news = f"{host}lab/api/settings/@jupyterlab/apputils-extension:notification?{query}"
    with urllib.request.urlopen(news) as answer:
        assert json.load(answer)["schema"]["properties"]["fetchNews"]["default"] == "false"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert "JupyterLab was stopped." in process.stdout.read()


def listen(channels: str, seconds: float) -> None:
    """Stay connected to a kernel, answering pings as browsers do."""
    connection = websocket.create_connection(channels, timeout=30)
    assert json.loads(connection.recv())["msg_type"] == "status"  # the kernel answers
    over = time.monotonic() + seconds
    connection.settimeout(1)  # less than from ping to ping: those begin the wait anew
    while time.monotonic() < over:
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            connection.recv()  # raises where the server has ended it
    connection.close()


@pytest.mark.parametrize(
    "seconds", [0.0, pytest.param(65.0, marks=pytest.mark.slow, id="beyond two pings")]
)
def test_lab_says_nothing_more_when_the_copy_is_opened_with_a_kernel(server, seconds):
    process, said, _ = server
    page = said[-1].split()[-1]
    host, token = page.partition("lab/")[0], page.partition("token=")[2]

    def ask(path: str, data: bytes | None = None) -> dict[str, object]:
        sent = urllib.request.Request(
            f"{host}api/{path}", data, {"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return json.load(answer)

    assert ask("contents/workbench.ipynb?content=1")["type"] == "notebook"
    kernel = ask("kernels", b"{}")["id"]
    channels = (
        f"ws{host.removeprefix('http')}api/kernels/{kernel}/channels?session_id=me&token={token}"
    )
    listen(channels, seconds)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stdout.read() == "JupyterLab was stopped.\n"


def test_the_package_holds_the_notebooks_by_name():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    files = declared["data-files"]["share/suggestive-workbench/notebooks"]
    tracked = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    assert files == [f"notebooks/{path.name}" for path in tracked]


def test_importing_the_workbench_imports_no_heavy_package():
    code = (
        "import sys, workbench, workbench.cli; "
        "print([name for name in ('torch', 'monai', 'umap', 'sklearn', 'IPython', 'ipywidgets') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_notebooks_are_found():
    assert (notebooks_folder() / "01_workbench.ipynb").is_file()


def test_the_choices_of_a_cohort_are_written_into_the_copy(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    copy, _ = copy_notebook(str(data), tmp_path, settings={"task": "WT", "layout": "BraTS"})
    text = copy.read_text(encoding="utf-8")
    assert "settings = {'task': 'WT', 'layout': 'BraTS'}" in text
    with pytest.raises(SettingError, match="takes no layout, task"):
        copy_notebook("phantom", tmp_path, "02_gradient_guided", {"task": "WT"})


def test_a_layout_and_a_task_are_told_by_the_command(shared_data):
    folder = str(shared_data / "brats_layout")
    result = CliRunner().invoke(app, ["cohort", folder, "--task", "WT", "--layout", "brats"])
    for word in ("BraTS layout", "because", "task      WT", "1, 2, 4", "whole tumor"):
        assert word in result.output


def test_settings_of_an_older_run_are_the_defaults():
    from workbench.experiments.config import RunConfig

    added = ("layout", "task", "unknown_labels", "resample")
    old = {name: value for name, value in RunConfig().to_json().items() if name not in added}
    assert RunConfig.from_json(old) == RunConfig()
