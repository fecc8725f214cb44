"""Small cohorts made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.cohort import Cohort
from workbench.cohort.opening import open_cohort
from workbench.jobs import finish

Write = Callable[..., Path]


@pytest.fixture
def write() -> Write:
    """Write an array as NIfTI; the affine is 1 mm RAS+ unless given."""

    def write(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
        return path

    return write


@pytest.fixture
def plain(tmp_path: Path, write: Write) -> Callable[..., Path]:
    """Make an images/ + labels/ cohort of random cubes with a labeled box."""

    def make(cases: int = 4, shape: tuple[int, ...] = (20, 18, 7), value: int = 1) -> Path:
        rng = np.random.default_rng(0)
        for case in range(1, cases + 1):
            label = np.zeros(shape, np.uint8)
            label[4:9, 5:9, 2:5] = value
            image = rng.normal(50, 10, shape).astype(np.float32) + 40 * label
            write(tmp_path / "images" / f"case_{case}.nii.gz", image)
            write(tmp_path / "labels" / f"case_{case}.nii.gz", label)
        return tmp_path

    return make


@pytest.fixture
def phantom() -> Cohort:
    """Six cases of the embedded cohort, made once for all tests."""
    return finish(open_cohort("phantom", cases=6))
