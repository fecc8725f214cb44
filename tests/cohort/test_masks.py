from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.masks import write_mask
from workbench.cohort.volumes import read_image, read_label
from workbench.errors import SettingError

GRID = ("qform_code", "sform_code", "srow_x", "quatern_b", "qoffset_x", "xyzt_units")
ORIENTED = [
    "orient_AIL_draw_label.nii.gz",
    "orient_AIL_image.nii.gz",
    "orient_LIA_image.nii.gz",
    "orient_PSR_image.nii.gz",
    "orient_RAS_image.nii.gz",
]


def assert_on_the_grid_of(original, path):
    first, second = nib.load(original), nib.load(path)
    assert second.shape == first.shape[:3]
    np.testing.assert_array_equal(second.affine, first.affine)
    assert nib.aff2axcodes(second.affine) == nib.aff2axcodes(first.affine)
    for field in GRID:
        np.testing.assert_array_equal(second.header[field], first.header[field])
    np.testing.assert_array_equal(second.header["pixdim"][:4], first.header["pixdim"][:4])
    np.testing.assert_array_equal(second.get_qform(), first.get_qform())


def test_the_oriented_files_are_all_of_them(shared_data):
    assert sorted(path.name for path in (shared_data / "odd").glob("orient_*")) == ORIENTED


@pytest.mark.parametrize(
    "file", [*ORIENTED, "oblique_ct_pitch.nii.gz", "bigendian_avg152T1_RL.nii.gz"]
)
def test_a_mask_goes_back_onto_the_grid_of_its_scan_exactly(shared_data, tmp_path, file):
    original = shared_data / "odd" / file
    data = read_image({"image": original}).data[0]
    labels = np.digitize(data, [data.max() * 0.2, data.max() * 0.6]).astype(np.uint8)
    path = tmp_path / "mask.nii.gz"
    write_mask(labels, original, path)
    assert_on_the_grid_of(original, path)
    voxels = np.asanyarray(nib.load(original).dataobj).astype(np.float32)
    expected = np.digitize(voxels, [data.max() * 0.2, data.max() * 0.6])
    np.testing.assert_array_equal(np.asanyarray(nib.load(path).dataobj), expected)
    np.testing.assert_array_equal(read_label(path)[0], labels)
    assert nib.load(path).get_data_dtype() == np.uint8


def test_a_label_that_is_read_and_written_is_the_same_file_of_labels(shared_data, tmp_path):
    original = shared_data / "odd/orient_AIL_draw_label.nii.gz"
    path = tmp_path / "again.nii"
    write_mask(read_label(original)[0], original, path)
    np.testing.assert_array_equal(
        np.asanyarray(nib.load(path).dataobj), np.asanyarray(nib.load(original).dataobj)
    )
    assert_on_the_grid_of(original, path)


@pytest.mark.parametrize("codes", ["LPS", "SAL", "PIR"])
def test_nifti_2_and_its_affine_go_back_too(tmp_path, codes):
    affine = nib.orientations.inv_ornt_aff(
        nib.orientations.axcodes2ornt(tuple(codes)), (4, 5, 6)
    ) @ np.diag([1.1, 2.2, 3.3, 1])
    original = tmp_path / "scan.nii.gz"
    image = nib.Nifti2Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), affine)
    image.set_qform(affine, 3)
    nib.save(image, original)
    labels = (read_image({"image": original}).data[0]).astype(np.int32) * 1000
    write_mask(labels, original, tmp_path / "mask.nii.gz")
    assert_on_the_grid_of(original, tmp_path / "mask.nii.gz")
    assert isinstance(nib.load(tmp_path / "mask.nii.gz"), nib.Nifti2Image)
    np.testing.assert_array_equal(read_label(tmp_path / "mask.nii.gz")[0], labels)


def test_a_mask_of_another_shape_or_name_is_refused(shared_data, tmp_path):
    original = shared_data / "odd/orient_AIL_image.nii.gz"
    with pytest.raises(SettingError, match="which has 79×67×64"):
        write_mask(np.zeros((3, 4, 5), np.uint8), original, tmp_path / "mask.nii.gz")
    with pytest.raises(SettingError, match=r"end in .nii.gz"):
        write_mask(np.zeros((64, 79, 67), np.uint8), original, tmp_path / "mask.mha")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def analyze(tmp_path):
    """Write a scan as an Analyze pair, as IBSR18 has them, with a singleton fourth axis."""

    def write(name, array):
        image = nib.AnalyzeImage(array[..., None], np.diag([-1.5, 1.0, 2.0, 1.0]))
        nib.save(image, tmp_path / f"{name}.img")
        return tmp_path / f"{name}.hdr"

    return write


def test_analyze_pairs_are_read_and_their_masks_written(analyze, tmp_path):
    array = np.random.default_rng(0).integers(0, 900, (6, 7, 5)).astype(np.int16)
    header = analyze("IBSR_01_ana", array)
    found = read_image({"t1": header})
    np.testing.assert_array_equal(found.data[0], array[::-1])  # the file runs to the left
    np.testing.assert_allclose(found.spacing, [1.5, 1, 2])
    labels, affine = read_label(analyze("IBSR_01_segTRI_ana", (array % 4).astype(np.uint8)))
    np.testing.assert_array_equal(affine, found.affine)
    np.testing.assert_array_equal(labels, found.data[0] % 4)
    write_mask(labels, header, tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(
        nib.load(tmp_path / "mask.nii.gz").affine, nib.load(header).affine
    )
    np.testing.assert_array_equal(
        np.asanyarray(nib.load(tmp_path / "mask.nii.gz").dataobj), array % 4
    )
