"""Toys shared by the tests of training."""

from __future__ import annotations

import pytest

from workbench.models.compute import Compute


@pytest.fixture
def compute() -> Compute:
    return Compute("cpu", "float32", True, 1)
