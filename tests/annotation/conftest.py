from __future__ import annotations

import multiprocessing

import pytest

from tests.annotation.made import CLASSES
from workbench.annotation import Ledger


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "run/annotations.sqlite", images_key="k", classes=CLASSES) as opened:
        yield opened


@pytest.fixture(scope="session")
def processes():
    """Start processes that have imported everything: a hundredth of a second each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.annotation.made"])
    return context
