"""Opening a cohort by its headers, against reading its volumes: ``make bench`` prints both."""

from __future__ import annotations

import time

import nibabel as nib
import numpy as np

from workbench.cohort.opening import open_cohort
from workbench.jobs import finish


def by_reading_volumes(folder):
    """The obvious way: load every image and label to know shapes and affines."""
    shapes = []
    for path in sorted((folder / "imagesTr").glob("*.nii.gz")):
        image, label = nib.load(path), nib.load(folder / "labelsTr" / path.name)
        assert image.get_fdata().shape == label.get_fdata().shape
        assert np.allclose(image.affine, label.affine)
        shapes.append(image.shape)
    return shapes


def test_opening_a_cohort_of_260_cases(benchmark, shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    folder = shared_data / "hippocampus"
    start = time.perf_counter()
    shapes = by_reading_volumes(folder)
    naive = time.perf_counter() - start
    start, busy = time.perf_counter(), time.process_time()
    cohort = finish(open_cohort(folder))
    cold, busy = time.perf_counter() - start, time.process_time() - busy
    assert len(cohort.cases) == len(shapes) == 260
    again = benchmark.pedantic(lambda: finish(open_cohort(folder)), rounds=3)
    assert again == cohort
    warm = benchmark.stats.stats.min
    print(
        f"\nopening 260 cases of the Decathlon: {cold:.2f} s at first ({busy:.2f} s of it "
        f"computing), {warm:.2f} s afterwards; "
        f"by reading every volume {naive:.2f} s ({naive / warm:.0f}×)"
    )
