"""Opening a cohort by its headers, against reading its volumes: ``make bench`` prints both.

A cohort of 1,000 made cases shows that no voxel is read: each file ends after its header.
"""

from __future__ import annotations

import json
import os
import threading
import time

import nibabel as nib
import numpy as np

from workbench.cohort import indexing
from workbench.cohort.opening import open_cohort
from workbench.cohort.volumes import read_header
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
        f"computing; goal 5 s), {warm:.2f} s afterwards (goal 1 s); {os.cpu_count()} cores; "
        f"by reading every volume {naive:.2f} s ({naive / warm:.0f}×)"
    )


def headers_only(folder, cases):
    """A labeled cohort of the Decathlon's layout whose files end where their voxels would begin."""
    for part, dtype in (("imagesTr", np.float32), ("labelsTr", np.uint8)):
        (folder / part).mkdir(parents=True)
        header = nib.Nifti1Header()
        header.set_data_dtype(dtype)
        header.set_data_shape((240, 240, 155))
        header.set_sform(np.eye(4), "scanner")
        header["magic"], header["vox_offset"] = b"n+1", 352
        content = header.binaryblock + bytes(4)
        for number in range(cases):
            (folder / part / f"case_{number:04d}.nii").write_bytes(content)
    listed = [
        {"image": f"./imagesTr/case_{i:04d}.nii", "label": f"./labelsTr/case_{i:04d}.nii"}
        for i in range(cases)
    ]
    settings = {
        "name": "made",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "tumor"},
        "numTraining": cases,
        "training": listed,
    }
    (folder / "dataset.json").write_text(json.dumps(settings))


def test_opening_1000_cases_reads_their_headers_only_and_in_parallel(
    benchmark, tmp_path, monkeypatch
):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    headers_only(tmp_path / "made", 1000)
    readers = []

    def noting(path):
        readers.append(threading.get_ident())
        return read_header(path)

    monkeypatch.setattr(indexing, "read_header", noting)
    begun = time.perf_counter()
    cohort = finish(open_cohort(tmp_path / "made"))
    cold = time.perf_counter() - begun
    assert len(cohort.cases) == 1000
    assert all(case.label for case in cohort.cases)
    assert cohort.problems == ()
    again = benchmark.pedantic(lambda: finish(open_cohort(tmp_path / "made")), rounds=1)
    assert again == cohort
    assert len(readers) == 2000, "every header once"
    threads = len({*readers} - {threading.get_ident()})
    assert threads > 1
    print(
        f"\nopening 1,000 made cases: {cold:.2f} s at first ({threads} threads), "
        f"{benchmark.stats.stats.min:.2f} s afterwards; {os.cpu_count()} cores"
    )
