from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.masks import read_mask, write_mask
from workbench.cohort.volumes import read_image, read_label
from workbench.errors import SettingError, VolumeError

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


# ------------------------------------------------------------ programs that place a scan otherwise
def affine_of(angle, spacing=(1.0, 1.2, 3.0), offset=(5.0, -7.0, 11.0)):
    """Turned about z, in degrees."""
    found = np.eye(4)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    found[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag(spacing)
    found[:3, 3] = offset
    return found


LABELS = np.random.default_rng(4).integers(0, 3, (6, 7, 5)).astype(np.uint8)
#: Where ITK puts a scan that says nothing of its place: the first voxel at 0, axes L and P.
ITKS_OWN = np.diag([-1.0, -1.2, 3.0, 1.0])


def scan_without_codes(folder):
    image = nib.Nifti1Image(LABELS.astype(np.int16), None)
    image.header.set_zooms((1.0, 1.2, 3.0))
    nib.save(image, folder / "scan.nii.gz")
    return folder / "scan.nii.gz", ITKS_OWN


def scan_with_two_places(folder):
    image = nib.Nifti1Image(LABELS.astype(np.int16), None)
    image.set_sform(affine_of(50), 4)
    image.set_qform(affine_of(-3), 1)
    nib.save(image, folder / "scan.nii.gz")
    return folder / "scan.nii.gz", affine_of(-3)


def scan_in_analyze(folder):
    image = nib.AnalyzeImage(LABELS.astype(np.int16), None)
    image.header.set_zooms((1.0, 1.2, 3.0))
    nib.save(image, folder / "scan.img")
    return folder / "scan.hdr", ITKS_OWN


@pytest.fixture(params=[scan_without_codes, scan_with_two_places, scan_in_analyze])
def placed(request, tmp_path):
    """A scan, its labels as they are read, and where ITK sees its voxels."""
    scan, place = request.param(tmp_path)
    labels, _ = read_label(scan)
    return scan, labels, place


@pytest.mark.parametrize("turn", [False, True])
def test_a_mask_that_was_drawn_where_itk_sees_the_scan_is_taken_voxel_by_voxel(
    placed, tmp_path, turn
):
    scan, labels, place = placed
    drawn = nib.Nifti1Image(LABELS, place)
    drawn.set_qform(place, 1)
    if turn:
        drawn = nib.as_closest_canonical(drawn)
    nib.save(drawn, tmp_path / "drawn.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "drawn.nii.gz", scan), labels)


def test_a_mask_says_of_its_place_what_the_scan_says_and_comes_back(placed, tmp_path):
    scan, labels, _ = placed
    write_mask(labels, scan, tmp_path / "mask.nii.gz")
    one, other = nib.load(scan), nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(other.dataobj), LABELS)
    np.testing.assert_array_equal(other.affine, one.affine)
    np.testing.assert_allclose(other.header.get_zooms(), one.header.get_zooms())
    codes = [int(one.header[f]) if f in one.header else 0 for f in ("qform_code", "sform_code")]
    assert [int(other.header[f]) for f in ("qform_code", "sform_code")] == codes
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nii.gz", scan), labels)


def test_a_mask_that_lies_elsewhere_is_refused(placed, tmp_path):
    scan, _, place = placed
    for name, wrong in {
        "beside": place + np.array([[0, 0, 0, 2.0], [0] * 4, [0] * 4, [0] * 4]),
        "mirrored": place @ np.diag([-1.0, 1.0, 1.0, 1.0]),
    }.items():
        nib.save(nib.Nifti1Image(LABELS, wrong), tmp_path / f"{name}.nii.gz")
        with pytest.raises(VolumeError, match="must lie on the same voxel grid"):
            read_mask(tmp_path / f"{name}.nii.gz", scan)


def test_an_spm_origin_stays_in_the_mask(tmp_path):
    image = nib.Spm99AnalyzeImage(LABELS.astype(np.int16), None)
    image.header.set_zooms((1.0, 1.2, 3.0))
    image.header.set_origin_from_affine(affine_of(0, offset=(-2, -3, -4)))
    nib.save(image, tmp_path / "scan.img")
    labels, affine = read_label(tmp_path / "scan.hdr")
    write_mask(labels, tmp_path / "scan.hdr", tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(read_label(tmp_path / "mask.nii.gz")[1], affine)
    np.testing.assert_array_equal(
        read_mask(tmp_path / "mask.nii.gz", tmp_path / "scan.hdr"), labels
    )
