"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


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
