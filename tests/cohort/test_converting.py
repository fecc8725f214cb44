from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.cohort.dicom_files import BY_RT_UTILS, SQUARE, ct_array, write_series
from workbench.cohort import converting
from workbench.cohort.converting import to_msd
from workbench.cohort.label_maps import read_classes
from workbench.cohort.layouts import recognize
from workbench.cohort.volumes import read_image
from workbench.errors import CohortError, SettingError
from workbench.jobs import finish


def classes_of(cohort):
    found = {}
    for case in cohort.cases:
        volume = read_image(case.images)
        if case.label is not None:
            shape, affine = volume.data.shape[1:], volume.affine
            found[case.id] = read_classes(case, cohort, shape, affine)[0]
    return found


def assert_the_same_cohort(first, second):
    assert [case.id for case in second.cases] == [case.id for case in first.cases]
    assert second.classes == first.classes
    assert second.region_classes == first.region_classes
    for one, other in zip(first.cases, second.cases, strict=True):
        before, after = read_image(one.images), read_image(other.images)
        np.testing.assert_array_equal(after.data, before.data)
        np.testing.assert_allclose(after.affine, before.affine, atol=1e-4)
    before, after = classes_of(first), classes_of(second)
    assert before.keys() == after.keys()
    for case, classes in before.items():
        np.testing.assert_array_equal(after[case], classes)


def test_a_brats_cohort_becomes_a_decathlon_one(phantom, tmp_path):
    finish(to_msd(phantom, tmp_path / "Task01"))
    made = recognize(tmp_path / "Task01")
    assert made.layout == "MSD"
    assert_the_same_cohort(phantom, made)
    declared = json.loads((tmp_path / "Task01" / "dataset.json").read_text())
    assert declared["modality"] == {"0": "t1", "1": "t1ce", "2": "t2", "3": "flair"}
    assert declared["labels"]["0"] == "background"
    assert declared["numTraining"] == len(declared["training"]) == 6
    for pair in declared["training"]:
        image = nib.load(tmp_path / "Task01" / pair["image"])
        label = nib.load(tmp_path / "Task01" / pair["label"])
        assert image.shape == (*label.shape, 4)
        np.testing.assert_array_equal(image.affine, label.affine)
        assert set(np.unique(label.dataobj)) <= {0, 1, 2, 3}


def test_another_task_is_written_as_its_own_labels(phantom, tmp_path):
    task = phantom.with_task("WT")
    finish(to_msd(task, tmp_path / "Task02"))
    made = recognize(tmp_path / "Task02")
    assert len(made.classes) == 2
    assert_the_same_cohort(task, made)


def test_dicom_becomes_a_decathlon_cohort(tmp_path):
    write_series(tmp_path / "LCTSC" / "S1-001" / "ct", ct_array(), spacing=SQUARE)
    shutil.copy(BY_RT_UTILS, tmp_path / "LCTSC" / "S1-001")
    cohort = recognize(tmp_path / "LCTSC")
    finish(to_msd(cohort, tmp_path / "Task03"))
    made = recognize(tmp_path / "Task03")
    assert_the_same_cohort(cohort, made)
    image = nib.load(next((tmp_path / "Task03" / "imagesTr").iterdir()))
    assert image.get_data_dtype() == np.int16
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), ct_array())


@pytest.mark.parametrize("files", ["link", "copy"])
def test_files_that_are_right_are_linked_or_copied_and_the_same_call_goes_on(
    plain, tmp_path, monkeypatch, files
):
    cohort = recognize(plain())
    folder = tmp_path / "made"
    work = to_msd(cohort, folder, files)
    for _ in range(3):
        next(work)
    work.close()
    assert not (folder / "dataset.json").exists()
    before = {path: path.lstat().st_ino for path in (folder / "imagesTr").iterdir()}
    assert len(before) == 2
    finish(to_msd(cohort, folder, files))
    assert {path: path.lstat().st_ino for path in before} == before
    assert len(list((folder / "labelsTr").iterdir())) == 4
    for path in [*(folder / "imagesTr").iterdir(), *(folder / "labelsTr").iterdir()]:
        assert path.is_symlink() == (files == "link")
    assert_the_same_cohort(cohort, recognize(folder))


def test_nothing_is_overwritten_without_being_told(plain, tmp_path, phantom):
    cohort = recognize(plain())
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(CohortError, match=r"is not empty.*--overwrite"):
        finish(to_msd(cohort, folder))
    assert [path.name for path in folder.iterdir()] == ["precious.txt"]
    finish(to_msd(cohort, folder, overwrite=True))
    with pytest.raises(CohortError, match="is not empty"):
        finish(to_msd(phantom, folder))
    finish(to_msd(phantom, folder, overwrite=True))
    assert len(recognize(folder).cases) == 6
    assert (folder / "precious.txt").read_text() == "mine"
    with pytest.raises(SettingError, match="'link'"):
        finish(to_msd(cohort, tmp_path / "other", files="move"))


def test_cases_that_cannot_be_used_are_told(plain, tmp_path, write):
    root = plain()
    (root / "images" / "case_1.nii.gz").write_bytes(b"")
    write(root / "labels" / "case_2.nii.gz", np.ones((3, 3, 3), np.uint8))
    made = finish(to_msd(recognize(root), tmp_path / "made"))
    assert [problem.case for problem in made.problems] == ["case_1", "case_2"]
    again = recognize(tmp_path / "made")
    assert [(case.id, case.label is not None) for case in again.cases] == [
        ("case_2", False),
        ("case_3", True),
        ("case_4", True),
    ]


def test_pairs_and_single_frames_are_written_anew_with_their_values(tmp_path):
    array = np.random.default_rng(0).integers(0, 900, (6, 7, 5, 2)).astype(np.int16)
    affine = np.diag([-1.0, 2, 3, 1])
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "both.nii.gz")
    nib.save(nib.AnalyzeImage(array[..., :1], affine), tmp_path / "pair.img")
    for path, frame in (("both.nii.gz", 0), ("pair.hdr", None)):
        target = tmp_path / "made" / f"{path}.nii.gz"
        converting.put_channel(tmp_path / path, frame, target, "link")
        found = nib.load(target)
        assert found.get_data_dtype() == np.int16
        np.testing.assert_array_equal(np.asanyarray(found.dataobj), array[..., 0])
        np.testing.assert_array_equal(found.affine, nib.load(tmp_path / path).affine)
