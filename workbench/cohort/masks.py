"""Write a label map onto the grid of the scan that it belongs to.

The workbench holds every volume in RAS+; a person's other tools hold it as the
scanner wrote it. A mask goes back with the axes, the affine and the codes of the
original file, bit for bit, so that it lies on the scan wherever both are opened.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from workbench.cohort.image_files import open_image, ras_order
from workbench.errors import SettingError
from workbench.files import replace_file

__all__ = ["write_mask"]

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
    mask = _empty_like(image, turned.astype(kind))
    content = mask.to_bytes()
    if name.endswith(".gz"):
        content = gzip.compress(content, 6, mtime=0)  # equal masks are equal files
    replace_file(path, lambda temporary: temporary.write_bytes(content))


def _empty_like(image: Any, labels: NDArray[Any]) -> Any:
    """Make a NIfTI image of `labels` that lies where `image` does, and says nothing else of it."""
    if not isinstance(image.header, nib.Nifti1Header):  # an Analyze file has no such fields
        return nib.Nifti1Image(labels, image.affine)
    kind = nib.Nifti2Image if isinstance(image.header, nib.Nifti2Header) else nib.Nifti1Image
    header = kind.header_class()
    for field in PLACE:
        header[field] = image.header[field]
    header.set_data_dtype(labels.dtype)
    header["pixdim"][:4] = image.header["pixdim"][:4]
    return kind(labels, None, header)
