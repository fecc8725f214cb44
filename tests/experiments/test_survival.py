"""A run is killed, or its disk fills up, at any moment; the next attempt goes on.

Children are forked from a server that has imported everything already, so that
a trial takes the time of the work and not of the imports.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.experiments.runs import Run

from .tiny import run_to_the_end, story

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "tests.experiments.tiny",
        "workbench.experiments.simulate",
        "workbench.cohort.phantom",
        "workbench.training.segmentation",
        "workbench.training.manifold",
        "workbench.training.predict",
        "workbench.latent.probe",
        "workbench.latent.space",
    ]
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """An undisturbed run: its folder (cache beside it) and its seconds."""
    base = tmp_path_factory.mktemp("undisturbed")
    in_child(base)  # makes the phantom and warms the server
    shutil.rmtree(base / "run")
    for made in ("stores", "store", "unet", "manifold", "vae"):
        shutil.rmtree(base / "cache" / made, ignore_errors=True)
    begun = time.monotonic()
    in_child(base)
    return base, time.monotonic() - begun


def in_child(base: Path, kill_after: float | None = None) -> int | None:
    child = SERVER.Process(target=run_to_the_end, args=(base / "run", base / "cache"))
    child.start()
    if kill_after is not None:
        child.join(kill_after)
        if child.is_alive():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode


def copy_of_inputs(reference: Path, base: Path) -> Path:
    """Begin with the phantom's files and nothing else."""
    base.mkdir()
    for each in (reference / "cache").iterdir():
        if each.name.startswith("phantom"):
            shutil.copytree(each, base / "cache" / each.name)
    return base


@pytest.mark.slow
def test_a_run_killed_at_any_moment_suggests_the_same_afterwards(reference, tmp_path):
    undisturbed, seconds = reference
    rng = np.random.default_rng(7)
    for trial, moment in enumerate(rng.uniform(0.05, 1.0, size=20)):
        base = copy_of_inputs(undisturbed, tmp_path / str(trial))
        while in_child(base, kill_after=moment * seconds) != -signal.SIGKILL:
            shutil.rmtree(base)  # it was over: the machine has become faster
            base, moment = copy_of_inputs(undisturbed, base), 0.8 * moment
        assert in_child(base) == 0
        assert story(base / "run") == story(undisturbed / "run"), f"killed at {moment:.2f}"
        shutil.rmtree(base)


def fail_at(monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Let the write of this number find a full disk; return the names that were written."""
    written: list[str] = []
    real = os.replace

    def replace(source: str, target: str) -> None:
        written.append(str(target))
        if len(written) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    return written


@pytest.mark.slow
def test_whichever_write_fails_the_next_attempt_suggests_the_same(reference, tmp_path, monkeypatch):
    undisturbed, _ = reference
    number, ended = 0, False
    while not ended:
        number += 1
        base = copy_of_inputs(undisturbed, tmp_path / str(number))
        with monkeypatch.context() as patch:
            written = fail_at(patch, number)
            patch.setenv("WORKBENCH_CACHE", str(base / "cache"))
            try:
                run_to_the_end(base / "run", base / "cache")
                ended = len(written) < number
            except WorkbenchError as error:
                assert "No space left on device" in str(error) or "disk is full" in str(error)
        run_to_the_end(base / "run", base / "cache")
        assert story(base / "run") == story(undisturbed / "run"), f"write {number} failed"
        shutil.rmtree(base)
    assert number > 8, "a run writes stores, weights, rounds and more"


def test_a_run_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    cache = Path(os.environ["WORKBENCH_CACHE"])
    run_to_the_end(tmp_path / "whole", cache)
    run_to_the_end(tmp_path / "parts", cache, rounds=1)
    assert len(Run.load(tmp_path / "parts").rounds) == 2
    run_to_the_end(tmp_path / "parts", cache)
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
