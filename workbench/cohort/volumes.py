"""Read a volume from its file to RAS+, or say in a sentence why it cannot be read.

Files are NIfTI or Analyze; a folder is a DICOM series (`workbench.cohort.dicom`).

Every array of the workbench runs from left to right, posterior to anterior and
inferior to superior (RAS+), whatever the order in the file. An oblique grid
keeps its voxels: its axes are put into the nearest order, nothing is resampled.
Voxels that are not finite become 0 in an image, with a note in `Volume.notes`;
a label map that holds such voxels, or fractions, is refused, because no class
could be meant by them. An Analyze file (a pair of .hdr and .img) does not say
where left is; like nibabel, we take its first axis to run from right to left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from workbench.cohort.image_files import check_promise, ends_early, open_image, ras_order
from workbench.errors import VolumeError
from workbench.words import times

__all__ = [
    "Header",
    "Volume",
    "check_same_grid",
    "read_header",
    "read_image",
    "read_label",
    "to_ras",
]

#: Largest distance between two grids that count as one, in voxels.
GRID_TOLERANCE = 0.1
#: Largest distance of a label from a whole number (scaled files round).
WHOLE_TOLERANCE = 1e-3
ORIENTATIONS: Any = nib.orientations  # untyped functions of a typed package


def spacing_of(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between neighboring voxels along each axis, shape (3,), mm."""
    spacing: NDArray[np.float64] = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return spacing


@dataclass(frozen=True)
class Header:
    """What a file says about itself, in RAS+ order, without its voxels.

    Parameters
    ----------
    shape : tuple of int, length 3
        Voxels along x, y, z.
    frames : int
        Length of the fourth axis; 1 for a 3-D file.
    spacing : tuple of float, length 3
        Voxel size in mm.
    affine : ndarray, shape (4, 4)
        Voxel index to mm, RAS+.
    dtype : str
        Type of the voxels in the file.
    """

    shape: tuple[int, int, int]
    frames: int
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    dtype: str


@dataclass(frozen=True, eq=False)
class Volume:
    """One scan in RAS+.

    Parameters
    ----------
    data : ndarray of float32, shape (c, x, y, z)
        A channel for each image file, in the order asked for; always finite.
    affine : ndarray, shape (4, 4)
        Voxel index to mm.
    notes : tuple of str
        Sentences on what was changed while reading, such as replaced voxels.
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel size along x, y, z, shape (3,), mm."""
        return spacing_of(self.affine)


def read_image(paths: Mapping[str, Path]) -> Volume:
    """Read the channels of one scan.

    Parameters
    ----------
    paths : mapping of str to Path
        Channel name to file. Where several channels name the same file, it is
        4-D and holds them in this order along its fourth axis.

    Raises
    ------
    VolumeError
        If a file cannot be read, or two channels lie on different grids.
    """
    arrays: list[NDArray[np.float32]] = []
    notes: list[str] = []
    first: tuple[Path, tuple[int, ...], NDArray[np.float64]] | None = None
    opened: dict[Path, tuple[NDArray[Any], NDArray[np.float64]]] = {}
    names = list(paths)
    for name in names:
        path = paths[name]
        sharing = [other for other in names if paths[other] == path]
        if path not in opened:
            opened = {path: _read(path, frames=len(sharing))}
        raw, affine = opened[path]
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite and is replaced below
            array = raw[..., sharing.index(name)].astype(np.float32)
        if first is None:
            first = (path, array.shape, affine)
        else:
            check_same_grid(first[0], first[1], first[2], path, array.shape, affine)
        finite = np.isfinite(array)
        bad = int(array.size - np.count_nonzero(finite))
        if bad == array.size:
            raise VolumeError(
                f"{path} holds no finite voxel: all {bad:,} are NaN or infinite. Convert it again "
                f"from its source, or take it out of the folder."
            )
        if bad:
            array[~finite] = 0.0
            notes.append(
                f"{path.name} holds {bad:,} voxels that are NaN or infinite; they were set to 0. "
                f"Convert the file again from its source if they lie inside the body."
            )
        arrays.append(array)
    if first is None:
        raise VolumeError("A scan needs at least one image file, but none was named.")
    return Volume(np.stack(arrays), first[2], tuple(notes))


def read_label(path: Path) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Read a label map.

    Returns
    -------
    labels : ndarray of int32, shape (x, y, z)
        Values as in the file.
    affine : ndarray, shape (4, 4)
        Voxel index to mm, RAS+.

    Raises
    ------
    VolumeError
        If the file cannot be read or holds values that are not whole numbers.
    """
    raw, affine = _read(path, frames=1)
    array = raw[..., 0]
    whole = array
    wrong = np.zeros(array.shape, np.bool_)
    if array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            whole = np.rint(array)
            wrong = ~(np.abs(array - whole) <= WHOLE_TOLERANCE)  # NaN is wrong too
    if wrong.any():
        example = array[wrong][0]
        raise VolumeError(
            f"{path} is not a label map: {int(wrong.sum()):,} of its voxels are not whole numbers "
            f"(such as {float(example):.4g}). Labels are whole numbers, 0 for background. It may "
            f"be an image or a probability map, or was resampled smoothly: resample labels with "
            f"nearest neighbor, or round a probability map at 0.5."
        )
    limits = np.iinfo(np.int32)
    if whole.dtype != np.bool_ and (whole.max() > limits.max or whole.min() < limits.min):
        raise VolumeError(
            f"{path} is not a label map: it holds values from {whole.min():.4g} to "
            f"{whole.max():.4g}. Labels are small whole numbers, 0 for background. It may be an "
            f"image, or was damaged: take it out of the labels, or copy it again."
        )
    return whole.astype(np.int32), affine


def read_header(path: Path) -> Header:
    """Read what a file says about itself, without its voxels (about a millisecond).

    Raises
    ------
    VolumeError
        If the file is no NIfTI file, or not one of gray values in 3-D or 4-D.
    """
    image = open_image(path)
    order = ras_order(path, image.affine)
    shape = [image.shape[int(np.flatnonzero(order[:, 0] == axis)[0])] for axis in range(3)]
    affine = image.affine @ ORIENTATIONS.inv_ornt_aff(order, image.shape[:3])
    spacing = spacing_of(affine)
    return Header(
        shape=(shape[0], shape[1], shape[2]),
        frames=int(np.prod(image.shape[3:], dtype=int)),
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        affine=affine,
        dtype=str(image.get_data_dtype()),
    )


def check_same_grid(
    first: Path,
    first_shape: tuple[int, ...],
    first_affine: NDArray[np.float64],
    second: Path,
    second_shape: tuple[int, ...],
    second_affine: NDArray[np.float64],
) -> None:
    """Raise `VolumeError` unless two RAS+ volumes have the same voxels.

    Grids count as one if no corner differs by more than a tenth of a voxel.
    """
    if tuple(first_shape) != tuple(second_shape):
        raise VolumeError(
            f"{second} has {times(second_shape)} voxels, but {first.name} has "
            f"{times(first_shape)}. The files of one case must lie on the same voxel grid: check "
            f"that they belong together, or resample one to the other (labels by nearest neighbor)."
        )
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in first_shape], indexing="ij"))
    points = np.vstack([corners.reshape(3, -1), np.ones((1, 8))])
    apart = np.linalg.norm(((first_affine - second_affine) @ points)[:3], axis=0).max()
    if apart > GRID_TOLERANCE * spacing_of(first_affine).min():
        raise VolumeError(
            f"{second} has the shape of {first.name} but lies {apart:.1f} mm away from it by its "
            f"affine. The files of one case must lie on the same voxel grid: copy the affine if "
            f"only the header is wrong, else resample one to the other."
        )


def _read(path: Path, frames: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Read the voxels of a file, shape (x, y, z, frames), and its RAS+ affine."""
    image = open_image(path)
    found = int(np.prod(image.shape[3:], dtype=int))
    if found != frames:
        wanted = "one image (3-D)" if frames == 1 else f"{frames} channels along its fourth axis"
        raise VolumeError(
            f"{path} holds {found} images along its fourth axis ({times(image.shape)}), but "
            f"{wanted} is expected. Split a series into 3-D files, for example with fslsplit, or "
            f"declare its channels in a dataset.json (MSD layout)."
        )
    ras_order(path, image.affine)  # refuses an affine that places nothing, before voxels are read
    check_promise(path, image)
    try:
        with np.errstate(all="ignore"):  # a scaled voxel beyond its type becomes infinite
            array = np.asanyarray(image.dataobj)
    except VolumeError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise VolumeError(ends_early(path, image.shape)) from error
    except Exception as error:  # a damaged gzip stream raises zlib.error and others
        raise VolumeError(
            f"{path} is damaged: its compressed voxels cannot be unpacked ({error}). Copy or "
            f"download it again."
        ) from error
    return to_ras(path, array.reshape(*image.shape[:3], frames), image.affine)


def to_ras(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Put the first three axes of the voxels of `path` in RAS+ order, with their affine.

    Raises
    ------
    VolumeError
        If the affine places no voxel.
    """
    order = ras_order(path, affine)
    turned: NDArray[Any] = ORIENTATIONS.apply_orientation(array, order)
    return turned, affine @ ORIENTATIONS.inv_ornt_aff(order, array.shape[:3])
