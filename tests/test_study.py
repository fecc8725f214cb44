"""What is opened once for all rounds."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.cohort.split import split_cases
from workbench.errors import CohortError, SettingError
from workbench.jobs import finish
from workbench.study import initial_rows, open_data, rows_of

SMALL = 4


@pytest.fixture
def data(tmp_path):
    return finish(open_data("phantom", cases=SMALL, folder=tmp_path))


def test_no_case_is_in_pool_and_test_set(data):
    pool, test = set(data.images.cases), set(data.test_images.cases)
    assert pool | test == {case.id for case in data.cohort.cases}
    assert not pool & test
    assert {each.case for each in data.pool.ids} == pool
    assert data.images.size == data.test_images.size


def test_a_case_without_a_label_is_in_the_pool_and_never_drawn(tmp_path):
    cohort = finish(open_data("phantom", cases=SMALL, folder=tmp_path)).cohort
    unlabeled = split_cases(cohort).pool[0]
    copy = tmp_path / "copy"
    for case in cohort.cases:
        for path in (*case.images.values(), case.label):
            if (case.id, path) != (unlabeled, case.label):
                target = copy / path.relative_to(cohort.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
    data = finish(open_data(copy, folder=tmp_path / "stores"))
    rows = np.array([each.case == unlabeled for each in data.pool.ids])
    assert rows.any()
    assert not data.pool.eligible[rows].any()
    assert not rows[initial_rows(data.pool, int(data.pool.eligible.sum()), 0)].any()


def test_the_initial_set_is_decided_by_its_seed_alone(data):
    first, again, other = (initial_rows(data.pool, 9, seed).tolist() for seed in (1, 1, 2))
    assert first == again == sorted(set(first))
    assert first != other
    assert data.pool.eligible[first].all()


def test_whole_cases_can_be_drawn(data):
    rows = initial_rows(data.pool, 1, 0, "cases")
    (case,) = set(data.pool.case_of[rows].tolist())
    assert rows.tolist() == np.flatnonzero(data.pool.case_of == case).tolist()


@pytest.mark.parametrize("n", [0, 100_000])
def test_an_initial_set_out_of_range_is_refused_with_the_range(data, n):
    with pytest.raises(SettingError, match=r"Choose between 1 and \d+"):
        initial_rows(data.pool, n, 0)


def test_rows_are_found_by_name_in_the_order_given(data):
    names = [str(data.pool.ids[row]) for row in (7, 2, 30)]
    assert rows_of(data.pool, names).tolist() == [7, 2, 30]


def test_a_slice_that_is_gone_says_that_the_data_set_changed(data):
    with pytest.raises(CohortError, match="no slice gone/axial/0001 and 1 more.*changed since"):
        rows_of(data.pool, ["gone/axial/0001", "gone/axial/0002"])


def moved_labels(root, cohort_write, cases):
    """Give the labels of some cases another grid."""
    for case in cases:
        cohort_write(root / "labels" / f"case_{case}.nii.gz", np.ones((20, 18, 6), np.uint8))


@pytest.fixture
def folder(tmp_path):
    import nibabel as nib

    def write(path, array):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4)), path)

    rng = np.random.default_rng(0)
    for case in range(1, 5):
        label = np.zeros((20, 18, 7), np.uint8)
        label[4:9, 5:9, 2:5] = 1
        write(tmp_path / "images" / f"case_{case}.nii.gz", rng.normal(size=(20, 18, 7)))
        write(tmp_path / "labels" / f"case_{case}.nii.gz", label)
    return tmp_path, write


@pytest.mark.parametrize(("part", "said"), [("pool", "No case of the pool"), ("test", "held out")])
def test_labels_that_cannot_be_used_are_told_before_anything_is_trained(folder, part, said):
    from workbench.cohort.layouts import recognize

    root, write = folder
    (root / "images").rename(root / "imagesTr")
    (root / "labels").rename(root / "labelsTr")
    (root / "dataset.json").write_text('{"modality": {"0": "T1"}, "labels": {"1": "box"}}')
    for case in getattr(split_cases(recognize(root)), part):
        write(root / "labelsTr" / f"{case}.nii.gz", np.full((20, 18, 7), 5, np.uint8))
    with pytest.raises(CohortError, match=rf"{said}.*5 \(2,520 voxels\).*workbench cohort"):
        finish(open_data(root, folder=root / "stores"))


def test_cases_with_labels_on_another_grid_are_never_tested_on(folder):
    root, write = folder
    moved_labels(root, write, [2])
    data = finish(open_data(root, folder=root / "stores"))
    assert "case_2" in data.images.cases
    assert not data.pool.eligible[[each.case == "case_2" for each in data.pool.ids]].any()
    moved_labels(root, write, [1, 3])
    with pytest.raises(CohortError, match="has 1 labeled case.*20×18×6 voxels.*workbench cohort"):
        finish(open_data(root, folder=root / "stores"))
