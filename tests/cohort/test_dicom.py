from __future__ import annotations

import shutil
from collections import Counter

import nibabel as nib
import numpy as np
import pydicom
import pytest
from scipy import ndimage

from tests.cohort.dicom_files import (
    BY_RT_UTILS,
    POSITION,
    ROOT,
    SPACING,
    SQUARE,
    ct_array,
    organ_masks,
    write_rtstruct,
    write_series,
)
from workbench.cohort.contours import ORGANS, organ_named, read_contours
from workbench.cohort.dicom import open_series
from workbench.cohort.label_maps import file_stamp
from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.layouts import recognize
from workbench.cohort.masks import write_mask
from workbench.cohort.recipes import Recipe
from workbench.cohort.store import build_store
from workbench.cohort.volumes import read_header, read_image, read_label, to_ras
from workbench.errors import CohortError, SettingError, VolumeError
from workbench.jobs import finish

VALUES = {organ: value for value, organ in enumerate(ORGANS, 1)}


@pytest.fixture
def patient(tmp_path):
    """A patient of the AAPM challenge: a folder for the CT and one for the RTSTRUCT."""
    folder = tmp_path / "LCTSC" / "LCTSC-S1-001" / "study"
    write_series(folder / "ct", ct_array(), spacing=SQUARE)
    (folder / "rt").mkdir()
    shutil.copy(BY_RT_UTILS, folder / "rt" / "1-1.dcm")
    return tmp_path / "LCTSC"


def corners(columns, rows, slice_):
    """Contour in DICOM's mm around voxels, half a voxel outside of their centers."""
    low_c, high_c, low_r, high_r = columns[0] - 0.5, columns[1] + 0.5, rows[0] - 0.5, rows[1] + 0.5
    ring = [(low_c, low_r), (high_c, low_r), (high_c, high_r), (low_c, high_r)]
    return np.array([(c, r, slice_) for c, r in ring]) * SPACING + POSITION


# ------------------------------------------------------------------ the CT
def test_a_series_is_the_array_it_was_made_from_at_its_place(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    found = read_image({"CT": tmp_path / "ct"})
    np.testing.assert_array_equal(found.data[0], ct_array()[::-1, ::-1])  # DICOM is LPS
    np.testing.assert_allclose(found.spacing, SPACING)
    first = np.linalg.inv(found.affine) @ [-POSITION[0], -POSITION[1], POSITION[2], 1]
    np.testing.assert_allclose(first, [35, 29, 0, 1], atol=1e-9)
    assert read_header(tmp_path / "ct").shape == (36, 30, 8)


@pytest.mark.filterwarnings("ignore:The DICOM readers are highly experimental")
def test_a_slice_lies_where_nibabel_puts_it(tmp_path):
    from nibabel.nicom.dicomwrappers import wrapper_from_file

    files = write_series(tmp_path / "ct", ct_array(), orientation=(0.8, 0.6, 0, -0.6, 0.8, 0))
    theirs = wrapper_from_file(files[0]).affine  # (row, column, slice), LPS
    ours = open_series(tmp_path / "ct").affine
    in_lps = np.diag([-1, -1, 1, 1]) @ ours
    np.testing.assert_allclose(in_lps[:, [0, 1, 3]], theirs[:, [1, 0, 3]], atol=1e-9)


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, -1, 0), (0.8, 0.6, 0, -0.6, 0.8, 0)],
)
def test_a_series_of_any_orientation_keeps_every_voxel_at_its_place(tmp_path, orientation):
    array = ct_array()[:7, :6, :5]
    write_series(tmp_path / "ct", array, orientation=orientation)
    found = read_image({"CT": tmp_path / "ct"})
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    for c, r, s in ((0, 0, 0), (6, 5, 4), (2, 0, 3), (0, 4, 1)):
        place = np.array(POSITION) + c * SPACING[0] * across + r * SPACING[1] * down
        place = place + s * SPACING[2] * np.cross(across, down)
        index = np.linalg.inv(found.affine) @ [-place[0], -place[1], place[2], 1]
        np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
        assert found.data[0][tuple(np.rint(index[:3]).astype(int))] == array[c, r, s]


def test_a_mask_is_written_onto_the_grid_of_its_series(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    found = read_image({"CT": tmp_path / "ct"})
    labels = (found.data[0] > 300).astype(np.uint8)
    write_mask(labels, tmp_path / "ct", tmp_path / "mask.nii.gz")
    again, affine = read_label(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(again, labels)
    np.testing.assert_allclose(affine, found.affine, atol=1e-5)
    raw = np.asanyarray(nib.load(tmp_path / "mask.nii.gz").dataobj)
    np.testing.assert_array_equal(raw, ct_array() > 300)


# ------------------------------------------------------------------ the contours
def test_contours_of_an_independent_program_give_the_masks_but_for_their_borders(patient):
    """Tolerance: voxels of the border, through whose centers rt-utils draws, up to 5 %."""
    study = patient / "LCTSC-S1-001" / "study"
    labels, _ = read_contours(study / "rt" / "1-1.dcm", study / "ct", VALUES)
    in_plane = np.ones((3, 3, 1), bool)
    for name, mask in organ_masks().items():
        found = labels == VALUES[organ_named(name)]
        inside = ndimage.binary_erosion(mask, in_plane)
        outside = ~ndimage.binary_dilation(mask, in_plane)
        assert mask.any()
        assert found[inside].all()
        assert not found[outside].any()
        assert abs(np.count_nonzero(found) / np.count_nonzero(mask) - 1) < 0.05


def test_a_contour_around_voxels_gives_exactly_these_and_one_inside_it_a_hole(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    path = write_rtstruct(
        tmp_path / "rs.dcm",
        {
            "Heart": [corners((5, 14), (6, 20), 3), corners((8, 10), (9, 12), 3)],
            "esophagus": [corners((12, 13), (16, 17), 3), corners((12, 13), (16, 17), 4)],
            "Heart PRV": [corners((0, 30), (0, 20), 3)],
        },
    )
    labels, _ = read_contours(path, tmp_path / "ct", VALUES)
    expected = np.zeros(labels.shape, int)
    expected[5:15, 6:21, 3] = VALUES["Heart"]
    expected[8:11, 9:13, 3] = 0
    expected[12:14, 16:18, 3:5] = VALUES["Esophagus"]  # the smaller one stays
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    ("text", "organ"),
    [
        ("SpinalCord", "SpinalCord"),
        ("Spinal Cord", "SpinalCord"),
        ("SPINAL_CORD", "SpinalCord"),
        ("cord", "SpinalCord"),
        ("Lung_L", "Lung_L"),
        ("LUNG-LEFT", "Lung_L"),
        ("lt lung", "Lung_L"),
        ("LungRt", "Lung_R"),
        ("RLUNG", "Lung_R"),
        ("Heart", "Heart"),
        ("Oesophagus", "Esophagus"),
        ("Lungs - GTV", None),
        ("Lung", None),
        ("Heart PRV", None),
        ("SpinalCord+5mm", None),
        ("External", None),
        ("", None),
    ],
)
def test_organs_are_known_by_the_names_that_clinics_give_them(text, organ):
    assert organ_named(text) == organ


def test_an_rtstruct_of_another_series_is_refused(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    path = write_rtstruct(tmp_path / "rs.dcm", {"Heart": []}, series=ROOT + "555")
    with pytest.raises(VolumeError, match=r"was drawn on the series .*4\.555, but .* holds"):
        read_contours(path, tmp_path / "ct", VALUES)


def test_contours_that_leave_the_series_or_mean_one_organ_twice_are_refused(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    for contours, said in (
        ({"Heart": [corners((5, 9), (5, 9), 11)]}, "slice number 11.0 of 0 to 7"),
        ({"Heart": [corners((5, 9), (5, 9), 2.5)]}, "lies in no slice"),
        ({"heart": [], "HEART": []}, "more than one structure for Heart: 'heart' and 'HEART'"),
    ):
        path = write_rtstruct(tmp_path / "rs.dcm", contours)
        with pytest.raises(VolumeError, match=said):
            read_contours(path, tmp_path / "ct", VALUES)
    path = write_rtstruct(tmp_path / "rs.dcm", {"heart": [], "Heart": [corners((5, 9), (5, 9), 2)]})
    assert np.count_nonzero(read_contours(path, tmp_path / "ct", VALUES)[0]) == 25


# ------------------------------------------------------------------ what is refused
def test_missing_slices_are_told(tmp_path):
    files = write_series(tmp_path / "ct", ct_array())
    files[3].unlink()
    files[4].unlink()
    with pytest.raises(VolumeError, match=r"lacks 2 slices: most are 3 mm apart.* up to 9 mm"):
        read_image({"CT": tmp_path / "ct"})


def test_two_slice_distances_are_told(tmp_path):
    write_series(tmp_path / "ct", ct_array())
    for path in write_series(
        tmp_path / "more",
        ct_array(),
        spacing=(*SPACING[:2], 5.0),
        position=(*POSITION[:2], POSITION[2] + 8 * SPACING[2]),
    ):
        path.rename(tmp_path / "ct" / f"more_{path.name}")
    with pytest.raises(VolumeError, match="slices at distances from 3 to 5 mm"):
        read_image({"CT": tmp_path / "ct"})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"spacing": (2.0, 1.25, 3.0)}, "another PixelSpacing"),
        ({"orientation": (1, 0, 0, 0, 0, -1)}, "another ImageOrientationPatient"),
        ({"series": ROOT + "2"}, "holds 2 CT series"),
        ({}, "two slices at one place"),
    ],
)
def test_slices_that_make_no_single_volume_are_told(tmp_path, other, said):
    write_series(tmp_path / "ct", ct_array())
    for path in write_series(tmp_path / "other", ct_array()[..., :3], **other):
        path.rename(tmp_path / "ct" / f"other_{path.name}")
    with pytest.raises(VolumeError, match=said):
        read_image({"CT": tmp_path / "ct"})


def test_files_that_cannot_be_read_are_told(tmp_path):
    files = write_series(tmp_path / "ct", ct_array())
    whole = files[2].read_bytes()
    files[2].write_bytes(whole[:-500])
    with pytest.raises(VolumeError, match=f"The pixels of .*{files[2].name} cannot be read"):
        read_image({"CT": tmp_path / "ct"})
    files[2].write_bytes(whole[:200])
    with pytest.raises(VolumeError, match=files[2].name):
        read_image({"CT": tmp_path / "ct"})
    for path in files[1:]:
        path.unlink()
    with pytest.raises(VolumeError, match="holds 1 CT slices"):
        read_image({"CT": tmp_path / "ct"})


def test_damaged_dicom_files_raise_nothing_but_our_errors(tmp_path):
    rng = np.random.default_rng(0)
    files = write_series(tmp_path / "ct", ct_array()[:12, :10, :3])
    struct = tmp_path / "rs.dcm"
    write_rtstruct(struct, {"Heart": [corners((2, 9), (2, 6), 1)]})
    found = Counter()
    for number in range(150):
        path = files[number % 3] if number % 2 else struct
        whole = path.read_bytes()
        at, length = int(rng.integers(132, min(len(whole), 1800))), int(rng.integers(1, 9))
        damaged = {
            0: whole[:at],
            1: whole[:at] + rng.bytes(length) + whole[at + length :],
            2: whole[:at] + rng.bytes(length) + whole[at:],
        }[number % 3]
        path.write_bytes(damaged)
        try:
            data = read_image({"CT": tmp_path / "ct"}).data
            labels, _ = read_contours(struct, tmp_path / "ct", VALUES)
            assert np.isfinite(data).all()
            assert labels.shape == data.shape[1:]
            found["read"] += 1
        except VolumeError:
            found["refused"] += 1
        path.write_bytes(whole)
    assert min(found.values()) > 15


# ------------------------------------------------------------------ the cohort
def test_the_layout_is_recognized_and_its_slices_and_labels_stored(patient, tmp_path):
    other = patient / "LCTSC-S1-002" / "study"
    write_series(other / "ct", ct_array()[:30], series=ROOT + "2")
    write_rtstruct(
        other / "rs.dcm", {"Lung_L": [corners((3, 9), (4, 8), 2)], "GTV": []}, series=ROOT + "2"
    )
    third = patient / "LCTSC-S1-003"
    write_series(third, ct_array(), series=ROOT + "3")
    write_rtstruct(third / "rs", {"Heart": []}, series=ROOT + "888")
    cohort = recognize(patient)
    assert cohort.layout == "DICOM"
    assert [case.id for case in cohort.cases] == ["LCTSC-S1-001", "LCTSC-S1-002", "LCTSC-S1-003"]
    assert cohort.labels == dict(enumerate(ORGANS, 1))
    assert any("left out: GTV (1)" in problem.sentence for problem in cohort.problems)
    recipe = Recipe(scaling="window", window=(-1000, 1000))
    ids = [case.id for case in cohort.cases]
    store = finish(build_store(cohort, ids, recipe, tmp_path / "stores"))
    assert store.size == (32, 48)
    assert store.images.min() == 0
    assert store.images.max() == 1
    labels = ReferenceLabels(store, cohort)
    counted = np.bincount(store.case_of, labels.foreground > 0)
    assert counted[:2].tolist() == [8, 1]
    assert not labels.available[list(store.rows_of("LCTSC-S1-003"))].any()
    assert "was drawn on the series" in labels.problems[0].sentence


def test_a_series_that_changes_changes_its_stamp(tmp_path):
    files = write_series(tmp_path / "ct", ct_array())
    before = file_stamp(tmp_path / "ct", tmp_path)
    assert file_stamp(tmp_path / "ct", tmp_path) == before
    content = pydicom.dcmread(files[0])
    content.PatientName = "Some^Longer^Name"
    content.save_as(files[0])
    assert file_stamp(tmp_path / "ct", tmp_path) != before


def test_contours_and_series_meet_in_ras(patient):
    study = patient / "LCTSC-S1-001" / "study"
    labels, affine = read_contours(study / "rt" / "1-1.dcm", study / "ct", VALUES)
    turned, in_ras = to_ras(study / "ct", labels, affine)
    left = np.argwhere(turned == VALUES["Lung_L"]).mean(axis=0)
    right = np.argwhere(turned == VALUES["Lung_R"]).mean(axis=0)
    assert left[0] < right[0]  # drawn at high columns: the patient's left is at high x in LPS
    assert in_ras[0, 0] > 0


def test_a_folder_of_contours_alone_is_no_cohort(tmp_path):
    write_rtstruct(tmp_path / "rs.dcm", {"Heart": []})
    with pytest.raises(CohortError, match="no case of it can be used"):
        recognize(tmp_path)


@pytest.mark.parametrize("window", [(400, -1000), (5, 5), (0, float("inf"))])
def test_a_window_that_holds_nothing_is_refused(window):
    with pytest.raises(SettingError, match="The window goes from"):
        Recipe(scaling="window", window=window)


def test_the_window_counts_for_a_store_only_where_it_is_used():
    assert Recipe(window=(0, 9)).record() == Recipe().record()
    assert "window" not in Recipe().record()
    assert Recipe(scaling="window", window=(0, 9)).record()["window"] == (0, 9)
