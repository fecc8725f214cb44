"""Sweep files: what they expand to, and what is said about a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import SettingError
from workbench.experiments.sweep import read_sweep
from workbench.experiments.sweep_file import line_of

ROOT = Path(__file__).parents[2]

GOOD = """\
seeds = 2
full_data = true

[common]
source = "phantom"
cases = 4
protocol = "iterative"
rounds = 2
initial = 4
[common.manifold]
z_dim = 2

[[strategies]]
name = "random"
seeds = [0, 7]

[[strategies]]
name = "gradient-guided"
max_angle = [60, 180]
manifold.z_dim = [2, 3]
segmentation.features = [4, 4, 8, 8, 8, 4]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_lists_expand_and_seeds_come_one_after_the_other(tmp_path):
    sweep = read_sweep(written(tmp_path, GOOD), threads=1)
    features = "features=4-4-8-8-8-4"
    assert [run.name for run in sweep.runs] == [
        "full-data,seed=0",
        "random,seed=0",
        f"gradient-guided,max_angle=60,z_dim=2,{features},seed=0",
        f"gradient-guided,max_angle=60,z_dim=3,{features},seed=0",
        f"gradient-guided,max_angle=180,z_dim=2,{features},seed=0",
        f"gradient-guided,max_angle=180,z_dim=3,{features},seed=0",
        "full-data,seed=1",
        f"gradient-guided,max_angle=60,z_dim=2,{features},seed=1",
        f"gradient-guided,max_angle=60,z_dim=3,{features},seed=1",
        f"gradient-guided,max_angle=180,z_dim=2,{features},seed=1",
        f"gradient-guided,max_angle=180,z_dim=3,{features},seed=1",
        "random,seed=7",
    ]


def test_every_run_has_the_settings_of_the_file(tmp_path):
    runs = {run.name: run.config for run in read_sweep(written(tmp_path, GOOD), threads=1).runs}
    full, guided = (
        runs["full-data,seed=1"],
        runs[next(name for name in runs if "180,z_dim=3" in name)],
    )
    assert (full.initial, full.rounds, full.seed) == ("100 %", 0, 1)
    assert (guided.initial, guided.budget, guided.epochs) == (4, ("0.5 %", "1 %"), 10)
    assert guided.strategy["parameters"]["max_angle"] == 180
    assert guided.strategy["parameters"]["sources"] == "all", "a parameter of the protocol"
    assert (guided.manifold_config().z_dim, guided.threads) == (3, 1)
    assert guided.segmentation_config().features == (4, 4, 8, 8, 8, 4)
    assert full.manifold_config().z_dim == 2


@pytest.mark.parametrize(
    ("line", "runs"),
    [
        ("segmentation.patch = [32, 48, 32]", ["patch=32-48-32"]),
        ("segmentation.patch = [[32, 32], [48, 48]]", ["patch=32-32", "patch=48-48"]),
        ("segmentation.features = [4, 4, 8, 8, 8, 4]", ["features=4-4-8-8-8-4"]),
        ("manifold.width = [4, 8, 8, 16]", ["width=4-8-8-16"]),
        ("manifold.z_dim = [2, 3]", ["z_dim=2", "z_dim=3"]),
    ],
)
def test_a_setting_that_is_a_list_itself_is_one_value(tmp_path, line, runs):
    text = f'[[strategies]]\nname = "gradient-guided"\n{line}\n'
    found = read_sweep(written(tmp_path, text)).runs
    assert [run.name for run in found] == [f"gradient-guided,{run},seed=0" for run in runs]


def test_the_settings_of_all_runs_are_not_expanded(tmp_path):
    text = '[common]\nunit = "volumes"\nrecipe = { spacing = [2, 3, 3], size = [32, 48, 32] }\n'
    runs = read_sweep(written(tmp_path, f'{text}[[strategies]]\nname = "random"\n')).runs
    assert [run.config.image_recipe().spacing for run in runs] == [(2, 3, 3)]
    assert runs[0].config.image_recipe().size == (32, 48, 32)


def test_a_cohort_is_named_relative_to_the_file(tmp_path):
    (tmp_path / "cohort").mkdir()
    text = '[common]\nsource = "cohort"\n[[strategies]]\nname = "random"\n'
    run = read_sweep(written(tmp_path, text)).runs[0]
    assert Path(run.config.source) == tmp_path / "cohort"


def test_runs_of_the_same_settings_run_once(tmp_path):
    text = '[[strategies]]\nname = "gradient-guided"\n[[strategies]]\nname = "gradient-guided"\n'
    text += "max_angle = [60, 90]\nmanifold.z_dim = 3\n"  # 60 and 3 are the defaults
    sweep = read_sweep(written(tmp_path, text))
    names = [run.name for run in sweep.runs]
    assert names == ["gradient-guided,seed=0", "gradient-guided,max_angle=90,z_dim=3,seed=0"]
    assert sweep.repeated == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("rounds = 2", "round = 2", 8, "'round' is not known. Did you mean 'rounds'"),
        ("seeds = 2", "sedes = 2", 1, "'sedes' is not known. Did you mean 'seeds'"),
        ("z_dim = 2\n", "zdim = 2\n", 11, "'zdim' is not known. Did you mean 'z_dim'"),
        ("max_angle", "max_angel", 19, "'max_angel' is not known. Did you mean 'max_angle'"),
        ("segmentation.features", "segmentation.featurs", 21, "Did you mean 'features'"),
        ('"random"', '"randm"', 14, "Did you mean 'random'"),
        ('"iterative"', '"iteratif"', 7, "Did you mean 'iterative'"),
        ("initial = 4", 'initial = "lots"', 9, "initial is 'lots'"),
        ("[60, 180]", "[60, 270]", 19, "max_angle is 270"),
        ("[60, 180]", "[]", 19, "max_angle is an empty list"),
        ("seeds = [0, 7]", "seeds = [0, -1]", 15, "seeds is"),
        ('"iterative"', '["iterative"]', 7, "No protocol is called ['iterative']"),
        ("full_data = true", "full_data = 3", 2, "true, false or a table"),
        ("rounds = 2", "rounds = -2", 8, "rounds is -2"),
        ("z_dim = 2\n", "z_dim = 0\n", 11, "z_dim is 0"),
        ('name = "random"\n', "", 13, "needs a name"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path, old, new, line, words):
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SettingError) as caught:
        read_sweep(path)
    assert f"sweep.toml, line {line}: " in str(caught.value)
    assert words in str(caught.value)


def test_what_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(SettingError, match="line 2"):
        read_sweep(written(tmp_path, "seeds = 2\n[common\n"))
    with pytest.raises(SettingError, match="describes no run"):
        read_sweep(written(tmp_path, "seeds = 2\n"))


def test_a_file_that_cannot_be_opened_is_told_in_a_sentence(tmp_path):
    with pytest.raises(SettingError, match=r"There is no sweep file .*none\.toml\. Name a TOML"):
        read_sweep(tmp_path / "none.toml")
    with pytest.raises(SettingError, match="is a folder and no sweep file"):
        read_sweep(tmp_path)
    (tmp_path / "image.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="is not text in UTF-8"):
        read_sweep(tmp_path / "image.toml")


def test_the_line_of_a_key_is_found_in_any_writing():
    text = "[a]\nx.y = 1\n[a.b]\nz = 2\n[[c]]\nx = 1\n[[c]]\nx = { y = 2 }\n[c.d]\ne = 1\n"
    assert line_of(text, ("a", "x", "y")) == 2
    assert line_of(text, ("a", "b", "z")) == 4
    assert line_of(text, ("c", 0, "x")) == 6
    assert line_of(text, ("c", 1, "x", "y")) == 8
    assert line_of(text, ("c", 1, "d", "e")) == 10


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("notebooks/*/*.toml")), ids=lambda path: path.stem
)
def test_every_sweep_file_of_the_repository_can_be_read(path):
    assert read_sweep(path).runs


def test_a_sweep_is_read_and_spread_without_torch():
    program = (
        "import sys; from pathlib import Path;"
        "from workbench.experiments.cluster import run_sweep;"
        "from workbench.experiments.sweep import read_sweep;"
        "read_sweep(Path('notebooks/sweeps/demo.toml'));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
