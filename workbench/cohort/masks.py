"""Write a label map onto the grid of the scan that it belongs to, and read one that lies there.

The workbench holds every volume in RAS+; a person's other tools hold it as the
scanner wrote it. A mask goes back with the axes, the affine and the codes of the
original file, bit for bit, so that it lies on the scan wherever both are opened.

Programs do not agree on where some scans lie: of a qform and an sform that differ nibabel takes
the sform, and ITK (3D Slicer, ITK-SNAP) the qform; of neither, or in an Analyze file, each has a
place of its own. They save a mask where they saw the scan, so each of these places is good.
"""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from workbench.cohort.image_files import open_image, ras_order
from workbench.cohort.volumes import check_same_grid, read_header, read_label
from workbench.errors import SettingError, VolumeError
from workbench.files import replace_file

__all__ = ["read_mask", "write_mask"]

#: Header fields that place the voxels in space.
PLACE = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
)  # fmt: skip
nib: Any = nibabel  # a typed package of untyped functions
RAS = np.array([[0, 1], [1, 1], [2, 1]])


def write_mask(labels: NDArray[Any], original: Path, path: Path) -> None:
    """Write a label map on the grid of an image file.

    Parameters
    ----------
    labels : ndarray of whole numbers, shape (x, y, z)
        RAS+, as the workbench read the original.
    original : Path
        The image: its shape, affine, orientation and qform and sform codes are taken over.
    path : Path
        The file that is made or replaced, ``.nii`` or ``.nii.gz``.

    Raises
    ------
    SettingError
        If the labels have another shape or the name another ending.
    VolumeError
        If the original cannot be read.
    StoreError
        If the file cannot be written.
    """
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        raise SettingError(
            f"{path} cannot be the name of a mask. Masks are NIfTI files: let it end in .nii.gz."
        )
    image = open_image(original)
    back = nib.orientations.ornt_transform(RAS, ras_order(original, image.affine))
    turned = nib.orientations.apply_orientation(labels, back)
    if turned.shape != image.shape[:3]:
        raise SettingError(
            f"The mask has {'×'.join(map(str, turned.shape))} voxels in the order of {original}, "
            f"which has {'×'.join(map(str, image.shape[:3]))}. A mask has one label for each voxel "
            f"of its scan."
        )
    kind = np.result_type(np.min_scalar_type(labels.min()), np.min_scalar_type(labels.max()))
    mask = _like(image, turned.astype(kind))
    content = mask.to_bytes()
    if name.endswith(".gz"):
        content = gzip.compress(content, 6, mtime=0)  # equal masks are equal files
    replace_file(path, lambda temporary: temporary.write_bytes(content))


def read_mask(path: Path, original: Path) -> NDArray[np.int32]:
    """Read a label map that was drawn on a scan.

    Parameters
    ----------
    path : Path
        The label map.
    original : Path
        The scan.

    Returns
    -------
    ndarray of int32, shape (x, y, z)
        RAS+, as the workbench reads the scan.

    Raises
    ------
    VolumeError
        If a file cannot be read, or the mask lies nowhere that a program places the scan.
    """
    values, affine = read_label(path)
    scan, image = read_header(original), open_image(original)
    try:
        check_same_grid(original, scan.shape, scan.affine, path, values.shape, affine)
    except VolumeError:
        for place in _places(image):
            moved = image.affine @ np.linalg.inv(place) @ affine  # as if it had been seen here
            order = nib.orientations.io_orientation(moved)
            turned: NDArray[np.int32] = nib.orientations.apply_orientation(values, order)
            moved = moved @ nib.orientations.inv_ornt_aff(order, values.shape)
            with contextlib.suppress(VolumeError):
                check_same_grid(original, scan.shape, scan.affine, path, turned.shape, moved)
                return turned
        raise
    return values


def _like(image: Any, labels: NDArray[Any]) -> Any:
    """Make a NIfTI image of `labels` that lies where `image` does, and says nothing else of it."""
    if not isinstance(image.header, nib.Nifti1Header):
        return _unplaced(image, labels) or nib.Nifti1Image(labels, image.affine)
    kind = nib.Nifti2Image if isinstance(image.header, nib.Nifti2Header) else nib.Nifti1Image
    header = kind.header_class()
    for field in PLACE:
        header[field] = image.header[field]
    header.set_data_dtype(labels.dtype)
    header["pixdim"][:4] = image.header["pixdim"][:4]
    return kind(labels, None, header)


def _unplaced(image: Any, labels: NDArray[Any]) -> Any:
    """Make a NIfTI image that says as little of its place as an Analyze file; else None."""
    if not isinstance(image.header, nib.AnalyzeImage.header_class):
        return None
    mask = nib.Nifti1Image(labels, None)
    mask.header.set_zooms(image.header.get_zooms()[:3])
    mask.header.set_xyzt_units("mm")
    mask = nib.Nifti1Image(labels, None, mask.header)
    unplaced = np.allclose(mask.header.get_base_affine(), image.affine)
    return mask if unplaced else None  # SPM keeps an origin


def _places(image: Any) -> list[NDArray[np.float64]]:
    """Affines by which other programs may place the voxels of a scan."""
    header = image.header
    if not isinstance(header, nib.AnalyzeImage.header_class):
        return []
    found = []
    if isinstance(header, nib.Nifti1Header):
        for read in (header.get_qform, header.get_sform):
            with contextlib.suppress(nib.spatialimages.HeaderDataError):  # no rotation at all
                found.append(read(coded=True)[0])
    coded = [each for each in found if each is not None and np.linalg.det(each[:3, :3])]
    x, y, z = header.get_zooms()[:3]
    return coded or [np.diag([-x, -y, z, 1.0])]  # ITK's own axes run to the left and back
