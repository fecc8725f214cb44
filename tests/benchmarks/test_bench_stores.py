"""Stores: building one, drawing random batches from a large one, and one large case.

Every figure has the naive way beside it: a plain loop over nibabel, a sequential copy of
the same bytes, a z-score in double precision.
"""

from __future__ import annotations

import os
import time

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.layouts import recognize
from workbench.cohort.preprocess import as_slices, fit
from workbench.cohort.recipes import Recipe
from workbench.cohort.store import ImageStore, build_store
from workbench.jobs import finish

#: Size of the store of random bytes, and of its slices: a BraTS case has such.
GIGABYTES, SLICE = 4, (4, 240, 240)
BATCH = 32


def timed(function, times=3):
    """Seconds of the fastest of some calls."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def test_bench_building_a_store(benchmark, shared_data, tmp_path):
    cohort = recognize(shared_data / "hippocampus")
    ids = [case.id for case in cohort.cases]
    place = iter(tmp_path / str(number) for number in range(9))

    def naive():
        every = []
        for case in cohort.cases:
            image = nib.as_closest_canonical(nib.load(case.images["MRI"])).get_fdata()
            inside = image[image != 0]
            image = np.where(image != 0, (image - inside.mean()) / inside.std(), 0)
            nib.as_closest_canonical(nib.load(case.label)).get_fdata()
            every.append(fit(as_slices(image[None], "axial"), (64, 48))[0].astype(np.float16))
        np.save(tmp_path / "naive.npy", np.concatenate(every))

    benchmark.pedantic(
        lambda: finish(build_store(cohort, ids, Recipe(), next(place))), rounds=2, iterations=1
    )
    built, plain = benchmark.stats.stats.min, timed(naive, 1)
    print(
        f"\nstore of hippocampus, 260 cases with labels: {built:.1f} s (goal 60 s, "
        f"{os.cpu_count()} cores); a plain loop {plain:.1f} s"
    )


@pytest.fixture
def random_store(tmp_path):
    """A store of random intensities, as large as `GIGABYTES`."""
    count = int(GIGABYTES * 1e9 / (2 * np.prod(SLICE)))
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.float16, (count, *SLICE))
    for start in range(0, count, 64):
        part = images[start : start + 64]
        part.view(np.uint16)[:] = rng.integers(0x3000, 0x4800, part.shape, np.uint16)
    images.flush()
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    return ImageStore(
        tmp_path, "random", (), (), np.zeros(count, np.int32), (), images, np.zeros((0, 3)), ()
    )


def test_bench_random_batches(benchmark, random_store):
    images = random_store.images
    count = len(images) // BATCH * BATCH
    batches = np.random.default_rng(1).permutation(len(images))[:count].reshape(-1, BATCH)
    gigabytes = count * images[0].nbytes / 1e9

    def in_a_row(convert):
        for start in range(0, count, BATCH):
            batch = np.array(images[start : start + BATCH])
            if convert:
                batch.astype(np.float32)

    def at_random(convert):
        for rows in batches:
            random_store.read(rows) if convert else images[rows]

    with (random_store.folder / "images.npy").open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    cold = gigabytes / timed(lambda: at_random(convert=False), 1)
    benchmark.pedantic(lambda: at_random(convert=False), rounds=3, iterations=1)
    warm = gigabytes / benchmark.stats.stats.min
    copied = gigabytes / timed(lambda: in_a_row(convert=False))
    read = gigabytes / timed(lambda: at_random(convert=True), 1)
    converted = gigabytes / timed(lambda: in_a_row(convert=True), 1)
    print(
        f"\nrandom batches of {BATCH} from {gigabytes:.1f} GB: {warm:.2f} GB/s warm, {cold:.2f} "
        f"cold; sequential copy {copied:.2f}: {warm / copied:.2f} of it (goal 0.5)"
        f"\nthe same as float32: {read:.2f} GB/s; sequential {converted:.2f}: "
        f"{read / converted:.2f} of it"
    )


def test_bench_one_large_case(benchmark, tmp_path):
    rng = np.random.default_rng(0)
    shape = (240, 240, 155)
    brain = (np.indices(shape).T - np.array(shape) / 2) / (np.array(shape) / 2.5)
    inside = ((brain**2).sum(axis=-1) < 1).T
    for channel in range(4):
        data = (rng.normal(500, 120, shape) * inside).clip(0).astype(np.int16)
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"case_{channel:04d}.nii.gz")
    cohort = recognize(tmp_path)
    place = iter(tmp_path / str(number) for number in range(9))

    def naive():
        every = []
        for path in cohort.cases[0].images.values():
            data = nib.as_closest_canonical(nib.load(path)).get_fdata()
            data[data != 0] = (data[data != 0] - data[data != 0].mean()) / data[data != 0].std()
            every.append(data)
        np.save(tmp_path / "naive.npy", as_slices(np.stack(every), "axial").astype(np.float16))

    benchmark.pedantic(
        lambda: finish(build_store(cohort, ["case"], Recipe(), next(place))), rounds=2, iterations=1
    )
    taken, plain = benchmark.stats.stats.min, timed(naive, 1)
    print(f"\na case of 240×240×155×4: {taken:.1f} s (goal 4 s); nibabel and numpy {plain:.1f} s")
