from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.cohort.image_files import stem_of
from workbench.cohort.volumes import read_header, read_image, read_label
from workbench.errors import VolumeError

ORIENTATIONS = [
    "".join(letters)
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for letters in itertools.product(*axes)
]


REFUSED = {
    "corrupt/empty.nii.gz": "is empty (0 bytes)",
    "corrupt/truncated.nii.gz": "ends before its last voxel",
    "corrupt/text.nii.gz": "is a text file",
    "corrupt/lfs_pointer.nii.gz": "git lfs pull",
    "corrupt/header_ok_data_short.nii": "ends before its last voxel",
    "4d_image_11frames.nii.gz": "11 images along its fourth axis",
    "rgb24_ct_perfusion.nii.gz": "holds colors",
    "is_not_there.nii.gz": "cannot be opened",
}


@pytest.mark.parametrize("file", REFUSED)
def test_a_file_that_is_no_volume_is_refused_with_its_reason(shared_data, file):
    with pytest.raises(VolumeError, match=r"\.nii") as caught:
        read_image({"image": shared_data / "odd" / file})
    assert REFUSED[file] in str(caught.value)


def test_every_other_odd_file_has_the_voxels_that_nibabel_reads(shared_data):
    odd = shared_data / "odd"
    others = [
        path for path in odd.rglob("*.nii*") if path.relative_to(odd).as_posix() not in REFUSED
    ]
    assert len(others) == 10
    for path in others:
        found = read_image({"image": path})
        theirs = nib.as_closest_canonical(nib.load(path))
        expected = np.asanyarray(theirs.dataobj).astype(np.float32)
        expected[~np.isfinite(expected)] = 0
        np.testing.assert_array_equal(found.data[0], expected)
        np.testing.assert_array_equal(found.affine, theirs.affine)
        assert bool(found.notes) == path.name.startswith("nan_voxels")


def test_one_image_in_four_orientations_gives_the_same_voxels(shared_data):
    odd = shared_data / "odd"
    expected = read_image({"image": odd / "orient_RAS_image.nii.gz"})
    for name in ("AIL", "LIA", "PSR"):
        found = read_image({"image": odd / f"orient_{name}_image.nii.gz"})
        assert found.data.shape == expected.data.shape
        np.testing.assert_allclose(found.affine, expected.affine, atol=0.5)
        assert np.corrcoef(found.data.ravel(), expected.data.ravel())[0, 1] > 0.98


def test_a_label_in_another_orientation_lies_on_its_image(shared_data):
    label, affine = read_label(shared_data / "odd/orient_AIL_draw_label.nii.gz")
    image = read_image({"image": shared_data / "odd/orient_AIL_image.nii.gz"})
    assert label.shape == image.data.shape[1:]
    np.testing.assert_allclose(affine, image.affine, atol=1e-4)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_is_read_as_ras(tmp_path, codes):
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = [-3, 7, 11]
    original = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(codes))
    )
    nib.save(original.as_reoriented(turn), tmp_path / "turned.nii.gz")
    found = read_image({"image": tmp_path / "turned.nii.gz"})
    header = read_header(tmp_path / "turned.nii.gz")
    np.testing.assert_array_equal(found.data[0], array)
    np.testing.assert_allclose(found.affine, affine)
    np.testing.assert_allclose(found.spacing, [1, 2, 3])
    assert header.shape == (4, 5, 6)
    np.testing.assert_allclose(header.affine, affine)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(angles=st.tuples(*[st.floats(-0.6, 0.6)] * 3))
def test_an_oblique_grid_keeps_every_voxel_at_its_place(tmp_path, angles):
    rotation = nib.eulerangles.euler2mat(*angles)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-2.0, 1.0, 1.5])
    array = np.random.default_rng(0).integers(1, 999, (3, 4, 5)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, affine), tmp_path / "oblique.nii")
    found = read_image({"image": tmp_path / "oblique.nii"})
    stored = nib.load(tmp_path / "oblique.nii").affine
    for index in ((0, 0, 0), (2, 3, 4), (1, 0, 3)):
        at = stored @ [*index, 1]
        back = np.rint(np.linalg.solve(found.affine, at)[:3]).astype(int)
        assert found.data[0][tuple(back)] == array[index]


def test_big_endian_and_oblique_files_are_read(shared_data):
    for file in ("bigendian_avg152T1_RL.nii.gz", "oblique_ct_pitch.nii.gz", "tiny_7x5x3.nii.gz"):
        data = read_image({"image": shared_data / "odd" / file}).data
        assert data.dtype == np.float32
        assert data.dtype.isnative
        assert data.max() > 0


def test_voxels_that_are_not_finite_become_zero_and_are_told(shared_data, tmp_path, write):
    found = read_image({"image": shared_data / "odd/nan_voxels_from_mha.nii.gz"})
    assert np.isfinite(found.data).all()
    assert "106 voxels that are NaN or infinite" in found.notes[0]
    array = np.ones((3, 3, 3), np.float32)
    array[0, 0, 0] = np.inf
    found = read_image({"image": write(tmp_path / "inf.nii.gz", array)})
    assert found.data[0, 0, 0, 0] == 0
    assert len(found.notes) == 1


def test_an_image_without_any_finite_voxel_is_refused(tmp_path, write):
    file = write(tmp_path / "nan.nii.gz", np.full((3, 3, 3), np.nan, np.float32))
    with pytest.raises(VolumeError, match="no finite voxel"):
        read_image({"image": file})


def test_a_value_beyond_float32_counts_as_not_finite(tmp_path, write):
    array = np.ones((3, 3, 3))
    array[1, 1, 1] = 1e300
    found = read_image({"image": write(tmp_path / "huge.nii.gz", array)})
    assert found.data.max() == 1
    assert found.notes


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_a_label_map_with_fractions_is_refused(tmp_path, write, bad):
    array = np.zeros((3, 3, 3), np.float32)
    array[1, 1, 1] = bad
    with pytest.raises(VolumeError, match="not whole numbers"):
        read_label(write(tmp_path / "label.nii.gz", array))


@pytest.mark.parametrize("value", [3e9, -5e12, 2**40])
def test_a_label_map_with_values_beyond_any_label_is_refused(tmp_path, write, value):
    array = np.zeros((3, 3, 3), np.float64 if isinstance(value, float) else np.int64)
    array[1, 1, 1] = value
    image = nib.Nifti1Image(array, np.eye(4), dtype=array.dtype)
    nib.save(image, tmp_path / "label.nii.gz")
    with pytest.raises(VolumeError, match="it holds values from"):
        read_label(tmp_path / "label.nii.gz")


def test_a_header_that_promises_more_than_its_file_holds_takes_no_memory(tmp_path, write):
    file = write(tmp_path / "small.nii.gz", np.ones((4, 4, 4), np.int16))
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[42:48] = np.array([32767, 32767, 32767], "<i2").tobytes()  # dim[1:4]: 70 TB
    file.write_bytes(gzip.compress(content))
    with pytest.raises(VolumeError, match="32767×32767×32767 voxels"):
        read_image({"image": file})


def test_float_labels_with_whole_values_are_read(shared_data):
    for case in ("003", "243"):
        labels, _ = read_label(shared_data / f"hippocampus/labelsTr/hippocampus_{case}.nii.gz")
        assert set(np.unique(labels)) == {0, 1, 2}


def test_channels_of_one_four_dimensional_file_are_told_apart(tmp_path, write):
    array = np.random.default_rng(0).normal(size=(4, 5, 6, 2)).astype(np.float32)
    file = write(tmp_path / "both.nii.gz", array)
    found = read_image({"t1": file, "t2": file})
    np.testing.assert_array_equal(found.data, array.transpose(3, 0, 1, 2))


def test_channels_on_different_grids_are_refused(tmp_path, write):
    first = write(tmp_path / "a.nii.gz", np.ones((4, 4, 4), np.float32))
    smaller = write(tmp_path / "b.nii.gz", np.ones((4, 4, 3), np.float32))
    moved = np.eye(4)
    moved[0, 3] = 5
    away = write(tmp_path / "c.nii.gz", np.ones((4, 4, 4), np.float32), moved)
    with pytest.raises(VolumeError, match="4×4×3 voxels, but a.nii.gz has 4×4×4"):
        read_image({"a": first, "b": smaller})
    with pytest.raises(VolumeError, match=r"lies 5\.0 mm away"):
        read_image({"a": first, "c": away})


def test_a_name_that_lies_about_compression_is_told(tmp_path, write):
    file = write(tmp_path / "a.nii", np.ones((4, 4, 4), np.uint8))
    file.rename(tmp_path / "b.nii.gz")
    with pytest.raises(VolumeError, match="Rename it to end in .nii "):
        read_image({"image": tmp_path / "b.nii.gz"})
    packed = tmp_path / "c.nii"
    packed.write_bytes(gzip.compress((tmp_path / "b.nii.gz").read_bytes()))
    with pytest.raises(VolumeError, match=r"Rename it to end in .nii.gz"):
        read_image({"image": packed})


def test_a_damaged_gzip_stream_is_told(tmp_path, write):
    array = np.random.default_rng(0).integers(0, 9999, (30, 30, 30)).astype(np.int16)
    file = write(tmp_path / "a.nii.gz", array)
    damaged = bytearray(file.read_bytes())
    damaged[2000:2200] = b"\xff" * 200
    file.write_bytes(damaged)
    with pytest.raises(VolumeError, match="again"):
        read_image({"image": file})


def test_an_affine_that_places_nothing_is_refused(tmp_path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4))
    image.header["srow_x"] = image.header["srow_y"] = image.header["srow_z"] = 0
    image.header["sform_code"] = 1
    data = image.to_bytes()
    header = bytearray(data)
    header[280:328] = b"\0" * 48  # srow_x, srow_y, srow_z
    (tmp_path / "flat.nii").write_bytes(header)
    with pytest.raises(VolumeError, match="affine that places no voxel"):
        read_image({"image": tmp_path / "flat.nii"})


@pytest.mark.parametrize("fault", ["absent", "short"])
def test_half_of_a_pair_is_told(tmp_path, fault):
    pair = nib.AnalyzeImage(np.ones((4, 5, 6), np.int16), np.eye(4))
    nib.save(pair, tmp_path / "scan.img")
    if fault == "absent":
        (tmp_path / "scan.img").unlink()
    else:
        (tmp_path / "scan.img").write_bytes(b"123")
    said = {"absent": "scan.img with its voxels is not beside it", "short": "before its last voxel"}
    with pytest.raises(VolumeError, match=said[fault]):
        read_image({"image": tmp_path / "scan.hdr"})


def test_a_single_picture_is_no_volume(tmp_path, write):
    file = write(tmp_path / "flat.nii.gz", np.ones((5, 5), np.uint8))
    with pytest.raises(VolumeError, match="a volume has three axes"):
        read_header(file)


def test_the_stem_of_a_file_is_its_name_without_the_extension():
    assert [stem_of(Path(name)) for name in ("a.b.nii.gz", "c.nii", "D.NII.GZ")] == [
        "a.b",
        "c",
        "D",
    ]
