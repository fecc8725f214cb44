"""Open the file of a volume, or say in a sentence why it cannot be one.

Files are NIfTI or Analyze; a folder is a DICOM series (`workbench.cohort.dicom`).
What nibabel would refuse less clearly is refused here by the first bytes, and no
memory is taken for voxels that a file cannot hold.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from workbench.errors import VolumeError
from workbench.words import times

__all__ = [
    "check_promise",
    "ends_early",
    "is_nifti",
    "is_unread",
    "open_image",
    "ras_order",
    "stem_of",
]

#: No voxel lies farther from the origin than this, mm; a header that says so is damaged.
FARTHEST = 1e9
#: Bytes that one byte of a gzip stream can stand for, at most.
MOST_PACKED = 1032
EXTENSIONS = (".nii.gz", ".nii", ".hdr")
#: Volumes, and parts of them, in formats that are not read.
UNREAD = (".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
ORIENTATIONS: Any = nib.orientations  # untyped functions of a typed package


def is_nifti(path: Path) -> bool:
    """Tell by the name whether a file is a volume (macOS ``._`` files are not).

    NIfTI files are, and the ``.hdr`` of a pair, which stands for its ``.img`` too.
    """
    return path.name.lower().endswith(EXTENSIONS) and not path.name.startswith(".")


def is_unread(path: Path) -> bool:
    """Tell by the name whether a file is a volume, or a slice, in a format that is not read."""
    return path.name.lower().endswith(UNREAD) and not path.name.startswith(".")


def stem_of(path: Path) -> str:
    """Name of a volume's file without its extension."""
    name = path.name
    for extension in EXTENSIONS:
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return path.stem


def open_image(path: Path) -> Any:
    """Open a file with nibabel, and refuse what can never be a volume, with a reason.

    A folder is opened as a DICOM series.

    Raises
    ------
    VolumeError
        If the file cannot be read, or does not hold gray values in three axes or more.
    """
    if path.is_dir():
        from workbench.cohort.dicom import open_series

        return open_series(path)
    _look(path)
    try:
        with np.errstate(all="ignore"):
            image: Any = nib.load(path)
            dtype = image.get_data_dtype()
            np.linalg.norm(image.affine)  # nibabel works it out only now
    except Exception as error:  # nibabel raises many types for a header that it cannot parse
        raise VolumeError(
            f"{path} is not a NIfTI file, although its name says so ({error}). A volume is a "
            f"NIfTI file (.nii or .nii.gz) or an Analyze pair (.hdr and .img): convert or copy it "
            f"again from its source."
        ) from error
    if dtype.fields is not None or dtype.kind not in "iufb":
        raise VolumeError(
            f"{path} holds colors or complex numbers (type {dtype}), but a volume holds one gray "
            f"value in each voxel. Export the gray-value image instead of a color overlay."
        )
    if len(image.shape) < 3 or min(image.shape) < 1:
        raise VolumeError(
            f"{path} has the shape {times(image.shape)}, but a volume has three axes. Stack the "
            f"slices of one scan into a single 3-D file, for example with fslmerge -z."
        )
    return image


def check_promise(path: Path, image: Any) -> None:
    """Refuse a header that promises more than its file can hold, before memory is taken for it."""
    if path.is_dir():  # every slice of a DICOM series is checked for itself
        return
    promised = math.prod(image.shape) * image.get_data_dtype().itemsize
    file = Path(image.file_map["image"].filename)  # another one than `path` in a pair
    size = file.stat().st_size * (MOST_PACKED if file.name.lower().endswith(".gz") else 1)
    if promised > size:
        raise VolumeError(ends_early(path, image.shape))


def ends_early(path: Path, shape: tuple[int, ...]) -> str:
    """Say of a file that it was cut off."""
    return (
        f"{path} ends before its last voxel: its header promises {times(shape)} voxels. It was "
        f"cut off, probably while copying or downloading: copy it again."
    )


def ras_order(path: Path, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find which way each axis of a file runs, as `nibabel.io_orientation` tells it.

    Raises
    ------
    VolumeError
        If the affine of the file at `path` places no voxel.
    """
    usable = (
        np.isfinite(affine).all()
        and np.abs(affine).max() < FARTHEST
        and abs(np.linalg.det(affine[:3, :3])) > 1e-12
    )
    order: NDArray[np.float64] | None = ORIENTATIONS.io_orientation(affine) if usable else None
    if order is None or np.isnan(order).any():
        raise VolumeError(
            f"{path} has an affine that places no voxel (singular or without bounds), so left, "
            f"right and spacing are unknown. Convert it again from its source, or repair its "
            f"header."
        )
    return order


def _look(path: Path) -> None:
    """Refuse by the first bytes what nibabel would refuse less clearly."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise VolumeError(
            f"{path} cannot be opened ({error.strerror or error}). Check that the file is there "
            f"and that you may read it."
        ) from error
    if size == 0:
        raise VolumeError(
            f"{path} is empty (0 bytes). A volume is a NIfTI file (.nii or .nii.gz): copy or "
            f"download it again."
        )
    if start.startswith(b"version https://git-lfs"):
        raise VolumeError(
            f"{path} is a Git LFS pointer of {size} bytes, not the volume itself. Run 'git lfs "
            f"pull' in the repository that it comes from."
        )
    if not start.strip(b"\t\n\r" + bytes(range(0x20, 0x7F))):
        raise VolumeError(
            f"{path} is a text file of {size} bytes that begins {start[:20].decode()!r}, not a "
            f"NIfTI file. A failed download leaves such a page: download it again."
        )
    zipped = start.startswith(b"\x1f\x8b")
    if path.suffix.lower() == ".hdr" and not path.with_suffix(".img").is_file():
        raise VolumeError(
            f"{path} is the header of a pair, but {path.with_suffix('.img').name} with its voxels "
            f"is not beside it. Copy both files, or convert the pair to one .nii.gz."
        )
    if zipped != path.name.lower().endswith(".gz"):
        raise VolumeError(
            f"{path} is {'' if zipped else 'not '}gzip-compressed, against what its name says. "
            f"Rename it to end in {'.nii.gz' if zipped else '.nii'} if it is a NIfTI file."
        )
