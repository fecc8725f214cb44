"""Runs that take seconds, made once for all tests of reports."""

from __future__ import annotations

import functools
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
    return Path(tempfile.mkdtemp(prefix="workbench-report-"))
