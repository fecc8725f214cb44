"""The commands for many runs, called as a user calls them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from workbench.cli import app
from workbench.errors import SettingError, StrategyError
from workbench.experiments.cluster import RunOutcome
from workbench.experiments.runs import Run
from workbench.jobs import Progress, Work
from workbench.strategies import registry, strategies

from .test_cli import TINY

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "notebooks/sweeps/demo.toml"


def test_every_strategy_is_listed_with_parameters_needs_and_source():
    told = CliRunner().invoke(app, ["strategies"]).output
    for name in strategies():
        assert f"\n{name}\n" in f"\n{told}"
    assert "max_angle = 60" in told
    assert "needs: latent code of every row; where the loss gradient moves" in told
    assert not re.search(r"\(00\d\)|Latents|0\.6666", told)
    assert told.count("source: ") == len(strategies())


def test_one_strategy_is_told_in_full():
    told = CliRunner().invoke(app, ["strategies", "gradient-guided"]).output
    assert "Parameters\n----------" in told
    assert "\nrandom\n" not in told


def test_an_unknown_strategy_ends_with_the_nearest_name():
    command = [sys.executable, "-m", "workbench.cli", "strategies", "gradient-guide"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1
    assert "Did you mean 'gradient-guided'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broken_plug_in_is_named_and_the_other_strategies_are_listed(monkeypatch):
    from importlib.metadata import EntryPoint, EntryPoints

    point = EntryPoint("cannot-tell", "tests.experiments.broken:CannotTell", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))
    monkeypatch.setattr(registry, "BUILT_IN", {"random": registry.BUILT_IN["random"]})
    ended = CliRunner().invoke(app, ["strategies"])
    assert ended.exit_code == 0
    assert "\nrandom\n" in f"\n{ended.output}"
    assert "cannot-tell cannot be used: CannotTell.needs raised KeyError" in ended.output


def test_a_sweep_with_a_broken_plug_in_is_refused_with_its_line(tmp_path):
    path = tmp_path / "sweep.toml"
    names = ("random", "tests.experiments.broken:CannotTell")
    path.write_text("".join(f'[[strategies]]\nname = "{name}"\n' for name in names))
    ended = CliRunner().invoke(app, ["sweep", str(path), "--dry"])
    assert isinstance(ended.exception, SettingError)
    assert "sweep.toml, line 4: CannotTell.needs raised KeyError" in str(ended.exception)


def test_a_simulation_whose_strategy_raises_ends_with_a_sentence_that_names_it(tmp_path):
    log, out = tmp_path / "tries", tmp_path / "run"
    chosen = ["--strategy", "tests.experiments.broken:Broken", "--set", f"strategy.log={log}"]
    ended = CliRunner().invoke(app, ["simulate", "--out", str(out), *TINY, *chosen])
    assert isinstance(ended.exception, StrategyError)
    assert str(ended.exception).startswith("Broken.select raised ZeroDivisionError: the plug-in")
    assert log.read_text() == "tried\n"


def test_a_dry_sweep_lists_its_runs_and_starts_nothing(tmp_path):
    result = CliRunner().invoke(app, ["sweep", str(DEMO), "--out", str(tmp_path / "x"), "--dry"])
    assert result.exit_code == 0, result.output
    assert "gradient-guided,max_angle=180,seed=1" in result.output.splitlines()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("error", "status"), [("", 0), ("It broke.", 1)])
def test_a_failed_run_is_listed_and_decides_the_status(tmp_path, monkeypatch, error, status):
    def outcomes(*given: object, **options: object) -> Work[tuple[RunOutcome, ...]]:
        yield Progress("rounds", 0, 2)
        return (
            RunOutcome("random,seed=0", 3.0, pool="The pool has 1,200 slices."),
            RunOutcome("margin,seed=0", 3.0, error),
        )

    monkeypatch.setattr("workbench.experiments.cluster.run_sweep", outcomes)
    result = CliRunner().invoke(app, ["sweep", str(DEMO), "--out", str(tmp_path / "runs")])
    assert result.exit_code == status
    assert result.output.count("The pool has 1,200 slices.") == 1
    assert f"{2 - status} of 2 runs are finished; wall time 0 min 0 s." in result.output
    assert ("margin,seed=0\n    It broke." in result.output) == bool(error)
    assert (tmp_path / "runs/sweep.toml").read_text() == DEMO.read_text()


def test_a_simulation_takes_shares_protocols_and_counts_candidates(tmp_path):
    small = [text for text in TINY if text not in ("--rounds", "1", "--budget", "3")]
    small[small.index("--initial") + 1] = "3 %"
    options = ["--protocol", "iterative-small", "--rounds", "1", "--threads", "1"]
    small = [text for text in small if text != "--threads"]
    command = ["simulate", "--out", str(tmp_path / "run"), *small, *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert " slices, each with a reference." in result.output
    config = Run.load(tmp_path / "run").config
    assert (config.initial, config.budget, config.epochs) == ("3 %", "6 %", 10)
    assert config.strategy["parameters"]["sources"] == "all"
