"""Runs that take seconds, made once for all tests of reports."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.experiments.tiny import tiny_config
from workbench.experiments.simulate import simulate
from workbench.jobs import finish


@functools.cache
def tiny_run(name: str, seed: int = 0) -> Path:
    """Run one strategy; the folder is ``NAME-SEED``."""
    folder = everything() / f"{name}-{seed}"
    finish(simulate(tiny_config(strategy={"name": name}, seed=seed), folder))
    return folder


@functools.cache
def everything() -> Path:
    """The folder that all of these runs lie in."""
    return kept_until_the_end("workbench-report-")


def kept_until_the_end(prefix: str) -> Path:
    """Make a folder that is removed when the last test has run."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
