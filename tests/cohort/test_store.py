from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import socket
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.cohort import rows
from workbench.cohort import store as module
from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.layouts import recognize
from workbench.cohort.pool import SliceId
from workbench.cohort.preprocess import as_slices, fit, standardize
from workbench.cohort.recipes import Recipe
from workbench.cohort.store import build_store, first_pool, foreground_area, open_store
from workbench.cohort.volumes import read_image, read_label
from workbench.errors import CohortError, SettingError, StoreError
from workbench.jobs import finish


def ids(cohort):
    return [case.id for case in cohort.cases]


def built(root, tmp_path, recipe=None, cases=None):
    cohort = recognize(root)
    return cohort, finish(build_store(cohort, cases or ids(cohort), recipe, tmp_path / "stores"))


def test_rows_are_the_slices_of_the_volumes(phantom, tmp_path):
    store = finish(build_store(phantom, ids(phantom)[:2], Recipe(), tmp_path))
    labels = ReferenceLabels(store, phantom)
    assert store.images.dtype == np.float16
    assert store.size == (64, 64)
    for number, case in enumerate(phantom.cases[:2]):
        volume = read_image(case.images)
        expected = fit(as_slices(standardize(volume.data), "axial"), (64, 64))
        mask = fit(as_slices(read_label(case.label)[0], "axial"), (64, 64))
        for row in store.rows_of(case.id):
            name = store.ids[row]
            assert (name.case, name.axis) == (case.id, "axial")
            np.testing.assert_allclose(
                store.read([row])[0], expected[:, name.index], rtol=1e-3, atol=1e-3
            )
            assert store.case_of[row] == number
            values = np.array([0, 1, 2, 4])[labels.read([row])[0]]
            np.testing.assert_array_equal(values, mask[name.index])


@pytest.mark.parametrize(("axis", "size"), [("coronal", (16, 32)), ("sagittal", (16, 32))])
def test_every_axis_can_be_cut(plain, tmp_path, axis, size):
    _, store = built(plain(), tmp_path, Recipe(axis=axis))
    assert store.size == size
    assert store.axis == axis


def test_a_store_that_was_built_opens_without_any_work(phantom, tmp_path):
    first = finish(build_store(phantom, ids(phantom), Recipe(), tmp_path))
    work = build_store(phantom, ids(phantom), Recipe(), tmp_path)
    with pytest.raises(StopIteration) as stop:
        next(work)
    assert stop.value.value.key == first.key
    assert stop.value.value.ids == first.ids


def test_images_are_read_from_the_disk_as_needed(phantom, tmp_path):
    store = finish(build_store(phantom, ids(phantom), Recipe(), tmp_path))
    assert isinstance(store.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0
    assert store.read([3, 1]).dtype == np.float32


def test_the_key_follows_recipe_cases_and_files_but_no_label(plain, tmp_path):
    root = plain()
    cohort, store = built(root, tmp_path)
    others = [
        built(root, tmp_path, Recipe(size=(48, 48)))[1].key,
        built(root, tmp_path, Recipe(scaling="none"))[1].key,
        built(root, tmp_path, cases=ids(cohort)[:2])[1].key,
    ]
    assert len({store.key, *others}) == 4
    os.utime(root / "labels" / "case_1.nii.gz", (1, 1))
    assert built(root, tmp_path)[1].key == store.key
    os.utime(root / "images" / "case_1.nii.gz", (1, 1))
    assert built(root, tmp_path)[1].key != store.key


def test_a_changed_label_file_changes_the_labels(plain, write, tmp_path):
    root = plain()
    cohort, store = built(root, tmp_path)
    labels = ReferenceLabels(store, cohort)
    before, key = labels.foreground.sum(), labels.key
    assert ReferenceLabels(store, cohort).key == key
    label = np.zeros((20, 18, 7), np.uint8)
    label[2, 2, 2] = 1
    write(root / "labels" / "case_1.nii.gz", label)
    again, store = built(root, tmp_path)
    labels = ReferenceLabels(store, again)
    assert labels.foreground.sum() == before - 60 + 1
    assert labels.key != key


def test_pool_and_test_stores_have_one_size(plain, write, tmp_path):
    root = plain(cases=3)
    write(root / "images" / "case_3.nii.gz", np.random.default_rng(0).normal(size=(40, 50, 4)))
    (root / "labels" / "case_3.nii.gz").unlink()
    _, pool = built(root, tmp_path, cases=["case_1"])
    _, test = built(root, tmp_path, cases=["case_3"])
    assert pool.size == test.size == (64, 48)


def test_an_image_without_a_label_is_in_the_pool_but_not_eligible(plain, tmp_path):
    root = plain()
    (root / "labels" / "case_2.nii.gz").unlink()
    cohort, store = built(root, tmp_path)
    labels = ReferenceLabels(store, cohort)
    pool = first_pool(store, labels)
    rows = store.rows_of("case_2")
    assert not pool.eligible[list(rows)].any()
    assert pool.eligible.sum() == len(store) - len(rows)
    assert np.isnan(foreground_area(store, labels)[list(rows)]).all()


def test_areas_are_in_square_millimeters(tmp_path, write):
    image = np.random.default_rng(0).normal(size=(16, 16, 3)).astype(np.float32)
    label = np.zeros((16, 16, 3), np.uint8)
    label[3:6, 3:7, 1] = 5
    affine = np.diag([2.0, 3.0, 7.0, 1.0])
    write(tmp_path / "images" / "a.nii.gz", image, affine)
    write(tmp_path / "labels" / "a.nii.gz", label, affine)
    cohort, store = built(tmp_path, tmp_path)
    np.testing.assert_allclose(store.spacing, [[7, 3, 2]])
    labels = ReferenceLabels(store, cohort)
    np.testing.assert_allclose(foreground_area(store, labels), [0, 12 * 6, 0])
    assert labels.read([1]).max() == 1


def test_blank_end_slices_are_dropped_and_indices_still_count_in_the_volume(tmp_path, write):
    image = np.zeros((16, 16, 6), np.float32)
    image[4:9, 4:9, 2:5] = np.random.default_rng(0).normal(size=(5, 5, 3))
    write(tmp_path / "images" / "a.nii.gz", image)
    write(tmp_path / "labels" / "a.nii.gz", (image > 0).astype(np.uint8))
    _, store = built(tmp_path, tmp_path)
    assert store.ids == tuple(SliceId("a", "axial", index) for index in (2, 3, 4))
    _, whole = built(tmp_path, tmp_path, Recipe(drop_blank_ends=False))
    assert len(whole) == 6


def test_a_case_that_cannot_be_read_is_left_out_and_told(plain, tmp_path):
    root = plain()
    (root / "images" / "case_2.nii.gz").write_bytes(b"")
    cohort, store = built(root, tmp_path)
    assert store.cases == ("case_1", "case_3", "case_4")
    assert [problem.case for problem in store.problems] == ["case_2"]
    assert "is empty" in store.problems[0].sentence
    assert len(ReferenceLabels(store, cohort).available) == len(store)


def test_a_cohort_of_which_nothing_can_be_read_is_told(plain, tmp_path):
    root = plain(cases=2)
    for image in (root / "images").iterdir():
        image.write_bytes(image.read_bytes()[:2000])
    with pytest.raises(CohortError, match=r"Not one of 2 cases .* ends before its last voxel"):
        built(root, tmp_path)
    assert not list((tmp_path / "stores").iterdir())


@pytest.mark.parametrize("fault", ["shape", "affine", "value"])
def test_a_label_that_does_not_fit_is_no_label(phantom, tmp_path, write, fault):
    case = phantom.cases[0]
    label, affine = read_label(case.label)
    label = label.astype(np.uint8)
    if fault == "shape":
        label = label[:, :, :-1]
    elif fault == "affine":
        affine = affine + np.array([[0, 0, 0, 9.0]] + [[0] * 4] * 3)
    else:
        label[0, 0, 0] = 3
    wrong = replace(case, label=write(tmp_path / "wrong.nii.gz", label, affine))
    cohort = replace(phantom, cases=(wrong, *phantom.cases[1:]))
    store = finish(build_store(cohort, ids(cohort)[:2], Recipe(), tmp_path))
    labels = ReferenceLabels(store, cohort)
    said = {"shape": "64×64×44 voxels", "affine": "9.0 mm away", "value": "3 (1 voxels)"}
    assert said[fault] in labels.problems[0].sentence
    assert not labels.available[list(store.rows_of(case.id))].any()
    assert labels.available.any()


def test_the_label_that_does_not_match_its_ct_is_refused(shared_data, tmp_path):
    source = shared_data / "thorax_ct" / "thorax_ct_1p5mm"
    for name, file in (("images", "image.nii.gz"), ("labels", "MISMATCHED_heart_auto.nii.gz")):
        (tmp_path / name).mkdir()
        shutil.copy(source / file, tmp_path / name / "ct.nii.gz")
    cohort, store = built(tmp_path, tmp_path)
    labels = ReferenceLabels(store, cohort)
    assert "233×167×191 voxels" in labels.problems[0].sentence
    assert not labels.available.any()


def test_no_foreground_anywhere_is_told(plain, tmp_path):
    cohort, store = built(plain(value=0), tmp_path)
    with pytest.raises(CohortError, match="every labeled voxel is background"):
        first_pool(store, ReferenceLabels(store, cohort))


def test_labels_that_are_cut_off_are_told(plain, tmp_path):
    cohort, store = built(plain(), tmp_path, Recipe(size=(16, 16)))
    assert ReferenceLabels(store, cohort).problems == ()
    label = ReferenceLabels(store, cohort)
    assert label.read(range(len(store))).shape == (len(store), 16, 16)


def test_all_of_hippocampus_is_stored(shared_data, tmp_path):
    cohort, store = built(shared_data / "hippocampus", tmp_path)
    labels = ReferenceLabels(store, cohort)
    assert len(store.cases) == 260
    assert store.size == (64, 48)
    assert store.problems == labels.problems == ()
    assert labels.available.all()
    assert np.isfinite(store.read(np.arange(0, len(store), 97))).all()


def test_the_glioma_is_stored(shared_data, tmp_path):
    cohort, store = built(shared_data / "brats_layout", tmp_path)
    assert store.images.shape[1:] == (4, 240, 240)
    labels = ReferenceLabels(store, cohort)
    assert labels.foreground.sum() == 2_477 + 20_862 + 6_840


# ------------------------------------------------------------------ what can go wrong
def test_a_full_disk_leaves_nothing_half_built(plain, tmp_path, monkeypatch):
    root = plain()
    write_all = rows._write_all

    def full(file, content):
        if file.tell() > 10_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(file, content)

    monkeypatch.setattr(rows, "_write_all", full)
    with pytest.raises(StoreError, match="the disk is full"):
        built(root, tmp_path)
    assert list((tmp_path / "stores").iterdir()) == []
    monkeypatch.undo()
    assert len(built(root, tmp_path)[1].cases) == 4


def test_too_little_space_is_told_before_anything_is_written(plain, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 10, 0)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(StoreError, match="are free"):
        built(plain(), tmp_path)
    assert not (tmp_path / "stores").exists()


@pytest.fixture
def reads(monkeypatch):
    """Names of the cases whose volumes are read."""
    found = []
    read_case = module._read_case

    def counted(case, *rest):
        found.append(case.id)
        return read_case(case, *rest)

    monkeypatch.setattr(module, "_read_case", counted)
    return found


def content(store):
    return (store.folder / "images.npy").read_bytes()


def stopped(cohort, place, steps):
    """Build until so many cases are written, and stop."""
    work = build_store(cohort, ids(cohort), Recipe(), place)
    volumes = (progress for progress in work if progress.stage == "reading volumes")
    for _ in range(steps):
        next(volumes)
    work.close()


def test_a_build_that_is_stopped_goes_on_after_the_last_whole_case(plain, tmp_path, reads):
    cohort = recognize(plain(cases=12))
    whole = finish(build_store(cohort, ids(cohort), Recipe(), tmp_path / "whole"))
    stopped(cohort, tmp_path / "stores", steps=8)
    reads.clear()
    store = finish(build_store(cohort, ids(cohort), Recipe(), tmp_path / "stores"))
    assert sorted(reads) == sorted(ids(cohort)[8:])
    assert content(store) == content(whole)
    assert (store.folder / "index.json").read_text() == (whole.folder / "index.json").read_text()
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [store.key]


def test_rows_that_were_damaged_since_are_read_again(plain, tmp_path, reads):
    cohort = recognize(plain(cases=12))
    whole = finish(build_store(cohort, ids(cohort), Recipe(), tmp_path / "whole"))
    stopped(cohort, tmp_path / "stores", steps=8)
    (left,) = (tmp_path / "stores").iterdir()
    array = np.load(whole.folder / "images.npy", mmap_mode="r")
    row = whole.rows_of(ids(cohort)[5]).start
    with (left / "images.npy").open("r+b") as file:
        file.seek(128 + row * array[0].nbytes)
        file.write(b"\xff\xff\xff")
    reads.clear()
    store = finish(build_store(cohort, ids(cohort), Recipe(), tmp_path / "stores"))
    assert sorted(reads) == sorted(ids(cohort)[5:])
    assert content(store) == content(whole)


def test_a_disk_that_gives_back_something_else_is_told(plain, tmp_path, monkeypatch):
    write_all = rows._write_all
    monkeypatch.setattr(
        rows, "_write_all", lambda file, data: write_all(file, memoryview(bytes(len(data))))
    )
    with pytest.raises(StoreError, match="does not hold what was written"):
        built(plain(), tmp_path)
    assert list((tmp_path / "stores").iterdir()) == []


def _build_until_killed(root: Path, place: Path) -> None:
    cohort = recognize(root)
    work = build_store(cohort, ids(cohort), Recipe(), place)
    volumes = (progress for progress in work if progress.stage == "reading volumes")
    for step, _ in enumerate(volumes, 1):
        if step == 4:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_build_that_is_killed_goes_on(plain, tmp_path, reads):
    root = plain(cases=8)
    child = multiprocessing.get_context("spawn").Process(
        target=_build_until_killed, args=(root, tmp_path / "stores")
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    _, store = built(root, tmp_path)
    assert sorted(reads) == [f"case_{number}" for number in range(5, 9)]
    assert content(store) == content(built(root, tmp_path / "whole")[1])
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [store.key]


def test_what_a_killed_process_left_is_removed(plain, tmp_path):
    root = plain()
    _, store = built(root, tmp_path)
    host = socket.gethostname().replace(".", "-")
    left = store.folder.parent / f".{store.key}.{host}.999999999.abcdef01"
    left.mkdir()
    shutil.rmtree(store.folder)
    built(root, tmp_path)
    assert not left.exists()


def _build(root: Path, place: Path, start: object, answers: object) -> None:
    cohort = recognize(root)
    start.wait()
    store = finish(build_store(cohort, ids(cohort), Recipe(), place))
    labels = ReferenceLabels(store, cohort)
    answers.put(
        (store.key, float(store.read(range(len(store))).sum()), int(labels.foreground.sum()))
    )


def test_two_processes_build_one_store(plain, tmp_path):
    root = plain(cases=6)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    both = [
        context.Process(target=_build, args=(root, tmp_path / "stores", start, answers))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    found = {answers.get(timeout=60) for _ in both}
    for process in both:
        process.join()
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [found.pop()[0]]


def test_a_damaged_store_is_told(plain, tmp_path):
    _, store = built(plain(), tmp_path)
    (store.folder / "images.npy").write_bytes(b"")
    with pytest.raises(StoreError, match="Delete that folder"):
        open_store(store.folder)


@pytest.mark.parametrize("file", ["labels.npy", "foreground.npy", "problems.json"])
def test_damaged_label_maps_are_told_and_built_again(plain, tmp_path, file):
    cohort, store = built(plain(), tmp_path)
    labels = ReferenceLabels(store, cohort)
    before = labels.read(range(len(store)))
    (store.folder / labels.key / file).write_bytes(b"{")
    with pytest.raises(StoreError, match="Delete that folder"):
        ReferenceLabels(store, cohort)
    shutil.rmtree(store.folder / labels.key)
    np.testing.assert_array_equal(ReferenceLabels(store, cohort).read(range(len(store))), before)


def test_cases_that_are_not_there_or_named_twice_are_refused(plain, tmp_path):
    root = plain()
    for cases, said in (
        (["case_9"], "it has no case_9"),
        (["case_1", "case_1"], "named twice"),
    ):
        with pytest.raises(SettingError, match=said):
            built(root, tmp_path, cases=cases)
    _, store = built(root, tmp_path)
    with pytest.raises(SettingError, match="no case 'x'"):
        store.rows_of("x")
