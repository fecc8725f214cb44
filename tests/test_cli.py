"""The command line, called as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from workbench.cli import app, copy_notebook, parse_settings
from workbench.errors import SettingError
from workbench.experiments.runs import Run

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


def test_lab_opens_a_copy_that_names_the_cohort_and_keeps_one_that_is_there(tmp_path):
    cohort = tmp_path / "my cohort"
    cohort.mkdir()
    copy = copy_notebook(str(cohort), tmp_path / "work")
    notebook = nbformat.read(copy, as_version=4)
    assert any(str(cohort) in cell.source for cell in notebook.cells)
    copy.write_text(json.dumps({"mine": True}))
    assert copy_notebook(str(cohort), tmp_path / "work") == copy
    assert json.loads(copy.read_text()) == {"mine": True}


def test_lab_refuses_a_cohort_that_is_not_there(tmp_path):
    with pytest.raises(SettingError, match="There is no folder"):
        copy_notebook(str(tmp_path / "none"), tmp_path)


def test_importing_the_workbench_imports_no_heavy_package():
    code = (
        "import sys, workbench, workbench.cli; "
        "print([name for name in ('torch', 'monai', 'umap', 'sklearn', 'IPython', 'ipywidgets') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_notebooks_are_found(monkeypatch):
    from workbench.cli import notebooks_folder

    assert isinstance(notebooks_folder(), Path)
    assert (notebooks_folder() / "01_workbench.ipynb").is_file()
