"""Thousands of damaged files: a reader gives what nibabel gives, or one of our sentences."""

from __future__ import annotations

import gzip
import warnings
from collections import Counter

import nibabel as nib
import numpy as np
import pytest

from workbench.cohort.volumes import read_header, read_image, read_label
from workbench.errors import VolumeError

#: Mutated files of each kind of damage.
COUNT = 600
#: Fields that say what the file is; a change there is only ever refused.
MAGIC = {"sizeof_hdr", "magic"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Whole files of several types, unpacked: name to bytes and header class."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(0)
    affine = np.diag([-1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = [20, -7, 11]
    rotated = affine.copy()
    rotated[:3, :3] = nib.eulerangles.euler2mat(0.3, -0.2, 0.1) @ affine[:3, :3]
    made = {
        "counts": nib.Nifti1Image(rng.integers(-900, 900, (9, 7, 5)).astype(np.int16), affine),
        "floats": nib.Nifti1Image(rng.normal(size=(6, 8, 7)).astype(np.float32), rotated),
        "labels": nib.Nifti1Image(rng.integers(0, 4, (9, 7, 5)).astype(np.uint8), affine),
        "doubles": nib.Nifti1Image(rng.normal(size=(5, 4, 3)), affine),
        "second": nib.Nifti2Image(rng.integers(0, 99, (5, 6, 4)).astype(np.int16), rotated),
    }
    big = nib.Nifti1Header(endianness=">")
    big.set_data_dtype(np.int16)
    made["big-endian"] = nib.Nifti1Image(rng.integers(0, 900, (9, 7, 5)).astype(">i2"), affine, big)
    scaled = nib.Nifti1Image(rng.integers(0, 99, (4, 5, 6)).astype(np.int16), affine)
    scaled.header.set_slope_inter(0.5, -3)
    made["scaled"] = scaled
    found = {}
    for name, image in made.items():
        nib.save(image, folder / f"{name}.nii")
        found[name] = ((folder / f"{name}.nii").read_bytes(), type(image.header))
    return found


def change_a_field(rng, content, header):
    """Write other bytes, often extreme ones, into one field of the header."""
    fields = header.template_dtype.fields
    name = rng.choice([each for each in fields if each not in MAGIC])
    dtype, start = fields[str(name)][:2]
    width = dtype.base.itemsize
    at = start + width * int(rng.integers(dtype.itemsize // width))
    new = {
        0: lambda: rng.bytes(width),
        1: lambda: b"\xff" * width,
        2: lambda: b"\0" * width,
        3: lambda: b"\x7f" + b"\xff" * (width - 1),
        4: lambda: int(rng.integers(256)).to_bytes(width, "little"),
        5: lambda: np.asarray(rng.normal(0, 100)).astype("<f8" if width == 8 else "<f4").tobytes(),
    }[int(rng.integers(6))]()
    return content[:at] + new[:width].ljust(width, b"\0") + content[at + width :], str(name)


def damage_the_body(rng, content):
    """Change, cut, repeat or insert bytes, most of them after the header."""
    at = int(rng.integers(8, len(content)))
    length = int(rng.integers(1, 40))
    kind = ("flip", "cut", "repeat", "insert", "drop")[int(rng.integers(5))]
    if kind == "flip":
        bit = bytes([content[at] ^ (1 << int(rng.integers(8)))])
        return content[:at] + bit + content[at + 1 :], kind
    if kind == "cut":
        return content[:at], kind
    if kind == "repeat":
        return content + content[at:], kind
    if kind == "insert":
        return content[:at] + rng.bytes(length) + content[at:], kind
    return content[:at] + content[at + length :], kind


def as_nibabel_reads_it(path):
    """Voxels and affine in RAS+ by nibabel alone, or None where it refuses."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            image = nib.as_closest_canonical(nib.load(path))
            return np.asanyarray(image.dataobj), image.affine
        except Exception:
            return None


def read_both_ways(path):
    """Read a file with every reader of ours and compare with nibabel; tell what came of it."""
    told = "refused"
    theirs = as_nibabel_reads_it(path)
    try:
        header = read_header(path)
    except VolumeError as error:
        assert path.name in str(error)
        header = None
    for read in (lambda: read_image({"image": path}), lambda: read_label(path)):
        try:
            ours = read()
        except VolumeError as error:
            assert path.name in str(error)
            continue
        assert header is not None, "voxels were read of a file whose header was refused"
        told = "accepted"
        data, affine = (ours.data[0], ours.affine) if hasattr(ours, "data") else (ours[0], ours[1])
        assert data.shape == header.shape
        np.testing.assert_array_equal(affine, header.affine)
        if theirs is None:
            continue
        with np.errstate(all="ignore"):
            expected = theirs[0].reshape(data.shape)
            if data.dtype == np.float32:
                expected = expected.astype(np.float32)
                expected[~np.isfinite(expected)] = 0
            else:
                expected = np.rint(expected)
        np.testing.assert_array_equal(data, expected)
        np.testing.assert_array_equal(affine, theirs[1])
        told = "equal"
    return told


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "nii"])
@pytest.mark.parametrize("damage", ["header field", "body"])
def test_a_damaged_file_is_read_as_nibabel_reads_it_or_refused(originals, tmp_path, damage, packed):
    rng = np.random.default_rng([len(damage), packed])
    names = list(originals)
    found = Counter()
    for number in range(COUNT // 2):
        content, header = originals[names[number % len(names)]]
        path = tmp_path / f"{number}.nii{'.gz' if packed else ''}"
        if damage == "header field":
            content, kind = change_a_field(rng, content, header)
            content = gzip.compress(content, 1) if packed else content
        else:
            content, kind = damage_the_body(rng, gzip.compress(content, 1) if packed else content)
        path.write_bytes(content)
        try:
            found[read_both_ways(path)] += 1
        except Exception as error:
            error.add_note(f"{names[number % len(names)]}, file {number}: {kind}")
            raise
        path.unlink()
    assert found["refused"] > COUNT / 50
    if damage == "header field" or not packed:
        assert found["equal"] > COUNT / 10


def test_a_damaged_header_of_a_pair_is_read_as_nibabel_reads_it_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    nib.save(
        nib.AnalyzeImage(rng.integers(0, 900, (6, 5, 4, 1)).astype(np.int16), np.eye(4)),
        tmp_path / "pair.img",
    )
    path = tmp_path / "pair.hdr"
    whole = path.read_bytes()
    found = Counter()
    for _ in range(COUNT // 4):
        path.write_bytes(change_a_field(rng, whole, nib.AnalyzeHeader)[0])
        found[read_both_ways(path)] += 1
    assert found["equal"] > COUNT / 20
