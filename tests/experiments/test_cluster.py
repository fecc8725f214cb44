"""Sweeps on Dask: killed workers, failing runs, Ctrl-C, and what runs have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench.experiments.cluster import RunOutcome, run_sweep
from workbench.experiments.runs import Run, rounds_of
from workbench.experiments.sweep import Sweep, read_sweep
from workbench.jobs import Progress, finish
from workbench.models.compute import Compute

from .tiny import bare_cache, story

ROOT = Path(__file__).parents[2]

COMMON = """\
[common]
cases = 4
rounds = 1
budget = 3
initial = 4
precision = "float32"
manifold = { z_dim = 2, epochs = 2, min_steps = 8, max_steps = 8 }
segmentation = { features = [4, 4, 8, 8, 8, 4], epochs = 1, min_steps = 12, batch_size = 4 }

[[strategies]]
name = "random"
[[strategies]]
name = "gradient-guided"
scale = "sign"
"""


def sweep_of(folder: Path, more: str = "", seeds: int = 1) -> Sweep:
    path = folder / "sweep.toml"
    path.write_text(f"seeds = {seeds}\n{COMMON}{more}", encoding="utf-8")
    return read_sweep(path, threads=1)


def stories(folder: Path, sweep: Sweep) -> dict[str, object]:
    return {run.name: story(folder / run.name) for run in sweep.runs}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a cache of its own, for what is compared in this module."""
    folder = tmp_path_factory.mktemp("sweeps")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def undisturbed(base: Path) -> tuple[Sweep, Path, tuple[RunOutcome, ...]]:
    """A sweep on a scheduler of its own, with one failing run and one in a foreign folder."""
    from distributed import LocalCluster

    more = '[[strategies]]\nname = "tests.experiments.broken:Broken"\nseeds = 1\n'
    more += f"log = '{base / 'attempts'}'\n"
    more += '[[strategies]]\nname = "oracle"\nseeds = 1\n'
    sweep, runs = sweep_of(base, more, seeds=2), base / "runs"
    stranger = next(run for run in sweep.runs if run.name == "oracle,seed=0")
    Run.create(runs / stranger.name, sweep.runs[0].config, Compute())  # with another strategy
    with LocalCluster(
        processes=False,  # nothing to import again
        n_workers=1,
        threads_per_worker=2,
        protocol="tcp://",
        host="127.0.0.1",
        memory_limit=None,
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        work = run_sweep(sweep, runs, scheduler=cluster.scheduler_address)
        return sweep, runs, finish(work)


def test_every_run_of_a_sweep_is_finished_or_reported(undisturbed):
    sweep, runs, outcomes = undisturbed
    assert [outcome.name for outcome in outcomes] == [run.name for run in sweep.runs]
    finished = [outcome for outcome in outcomes if not outcome.error]
    assert {outcome.name for outcome in finished} == {
        "random,seed=0", "gradient-guided,scale=sign,seed=0",
        "random,seed=1", "gradient-guided,scale=sign,seed=1",
    }  # fmt: skip
    for outcome in finished:
        assert len(Run.load(runs / outcome.name).rounds) == 2
        assert "each with a reference" in outcome.pool


def test_a_run_that_raises_is_tried_again_and_told_with_its_trace(undisturbed, base):
    _, runs, outcomes = undisturbed
    broken = next(outcome for outcome in outcomes if outcome.name.startswith("Broken"))
    assert "ZeroDivisionError: the plug-in divides by zero" in broken.error
    assert (base / "attempts").read_text() == "tried\ntried\n"
    trace = (runs / broken.name / "error.txt").read_text()
    assert "in select" in trace


def test_a_folder_with_other_settings_is_reported_and_left_alone(undisturbed):
    _, runs, outcomes = undisturbed
    stranger = next(outcome for outcome in outcomes if outcome.name == "oracle,seed=0")
    assert "holds a run with other settings: strategy is" in stranger.error
    assert rounds_of(runs / stranger.name) == 0


def test_strategies_share_split_initial_set_and_first_weights_at_one_seed(undisturbed):
    _, runs, _ = undisturbed
    first = {
        name: (Run.load(runs / name).rounds[0], (runs / name / "rounds/000/weights.safetensors"))
        for name in ("random,seed=0", "gradient-guided,scale=sign,seed=0", "random,seed=1")
    }
    (a, a_weights), (b, b_weights), (other, other_weights) = first.values()
    assert a.labeled == b.labeled != other.labeled
    assert set(a.cases) == set(b.cases) == set(other.cases), "one split for all seeds"
    assert a.losses == b.losses != other.losses
    assert a_weights.read_bytes() == b_weights.read_bytes() != other_weights.read_bytes()
    assert a.suggested != b.suggested


def test_what_runs_share_is_computed_once(undisturbed, base):
    assert len(list((base / "cache" / "manifolds").iterdir())) == 1
    assert len(list((base / "cache" / "manifolds").glob("*/latents.npz"))) == 1


def test_finished_runs_are_skipped_without_starting_anything(undisturbed, base):
    sweep, runs, _ = undisturbed
    finished = tuple(run for run in sweep.runs if rounds_of(runs / run.name) == 2)
    progress: list[Progress] = []
    again = finish(run_sweep(Sweep(sweep.path, finished), runs), progress.append)
    assert not progress
    assert [outcome.seconds for outcome in again] == [0.0] * len(finished)
    assert all("each with a reference" in outcome.pool for outcome in again)


def workers_of(command: psutil.Process) -> list[psutil.Process]:
    return [
        child
        for child in command.children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


@pytest.mark.slow
def test_a_sweep_whose_workers_are_killed_ends_with_the_same_picks(
    undisturbed, tmp_path, base, monkeypatch
):
    monkeypatch.setenv("WORKBENCH_CACHE", str(bare_cache(base / "killed", base / "cache")))
    sweep = sweep_of(tmp_path)
    killed: list[int] = []
    addresses: set[str] = set()

    def kill_some(progress: Progress) -> None:
        processes = workers_of(psutil.Process())
        for each in (psutil.Process(), *processes):
            addresses.update(
                found.laddr.ip for found in each.net_connections() if found.status == "LISTEN"
            )
        if progress.metrics.get("running") and not killed:
            os.kill(processes[0].pid, signal.SIGKILL)
            killed.append(processes[0].pid)

    outcomes = finish(run_sweep(sweep, tmp_path / "runs", workers=2), kill_some)
    assert len(killed) == 1
    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert addresses == {"127.0.0.1"}, "nothing listens beyond this machine"
    assert stories(tmp_path / "runs", sweep) == stories(undisturbed[1], sweep)


def _hear_ctrl_c() -> None:
    """Undo what a shell does to background jobs, where these tests may run: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
def test_ctrl_c_leaves_a_state_that_the_same_command_continues(undisturbed, tmp_path, base):
    sweep, runs = sweep_of(tmp_path), tmp_path / "runs"
    environment = {
        **os.environ,
        "WORKBENCH_CACHE": str(bare_cache(base / "stopped", base / "cache")),
    }
    command = [sys.executable, "-m", "workbench.cli", "sweep", str(sweep.path)]
    command += ["--out", str(runs), "--workers", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE, start_new_session=True, preexec_fn=_hear_ctrl_c,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(runs.glob("*/rounds/000/round.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = workers_of(psutil.Process(process.pid))
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "run the same command to go on" in told
    assert "Traceback" not in told
    assert len(workers) == 1
    assert not any(worker.is_running() for worker in workers)
    assert any(rounds_of(runs / run.name) < 2 for run in sweep.runs)
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "2 of 2 runs are finished" in again.stdout
    assert "wall time" in again.stdout
    assert stories(runs, sweep) == stories(undisturbed[1], sweep)
