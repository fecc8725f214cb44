"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from workbench.cohort.pool import Pool
from workbench.jobs import finish
from workbench.study import Study

from .experiments.tiny import tiny_config

ROOT = Path(__file__).parent.parent

# Benchmarks measure time; a busy machine is no error of the code.
settings.register_profile("workbench", deadline=None)
settings.load_profile("workbench")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; a test that needs it says so when it is absent."""
    folder = Path(os.environ.get("WORKBENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"The shared real images are not at {folder}. "
            f"Set WORKBENCH_SHARED_DATA to their folder."
        )
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests share one cache of their own and never touch the user's."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("WORKBENCH_CACHE", os.environ.get("WORKBENCH_TEST_CACHE", str(folder)))


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Four cases and their manifold, in a cache of their own."""
    from workbench.experiments.simulate import prepare
    from workbench.models.compute import Compute  # torch takes seconds to import

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.mktemp("study")))
        return finish(prepare(tiny_config(), Compute(threads=1)))


@pytest.fixture
def pool(study: Study) -> Pool:
    """The pool of the study with two slices labeled in round 0 and two in round 1."""
    rows = np.flatnonzero(study.data.pool.eligible)[[3, 9, 20, 33]]
    return study.data.pool.with_labeled(rows[:2], 0).with_labeled(rows[2:], 1)
