"""Runs that several tests compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.experiments.results import Results, read_results

from .made_runs import SIX, better, make_full, make_run, random


@pytest.fixture(scope="session")
def compared(tmp_path_factory) -> Path:
    """Seven seeds of two strategies, two of a third, and what all data gives at three seeds."""
    place = tmp_path_factory.mktemp("runs")
    for seed in range(7):
        make_run(place / f"random-{seed}", dice=random, seed=seed, cases=SIX)
        make_run(place / f"entropy-{seed}", "entropy", better, seed=seed, cases=SIX)
    for seed in range(2):
        make_run(place / f"oracle-{seed}", "oracle", better, seed=seed, cases=SIX)
    for seed in range(3):
        make_full(place / f"full-{seed}", 0.7, seed=seed, cases=SIX)
    return place


@pytest.fixture(scope="session")
def found(compared) -> Results:
    return read_results([compared])
