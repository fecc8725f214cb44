"""What is done to the voxels of a scan to make slices of it, as a radiologist sees them.

The `recipes` say what is wanted. Slices are radiological: the patient's right is at the left
of the picture; an axial slice has anterior on top, a coronal and a sagittal one superior, and
a sagittal slice looks to the left. So an array can be shown without turning it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.pool import Axis

__all__ = [
    "as_slices",
    "common_size",
    "display_order",
    "fit",
    "middle",
    "resample",
    "standardize",
    "windowed",
    "without_blank_ends",
]

T = TypeVar("T", bound=np.generic)

#: Display (slice, row, column) to RAS+ axes; every row and column runs backwards.
AXES: dict[Axis, tuple[int, int, int]] = {
    "axial": (2, 1, 0),
    "coronal": (1, 2, 0),
    "sagittal": (0, 2, 1),
}
#: In-plane sizes are multiples of this, so that a U-Net can halve them four times.
MULTIPLE = 16


def display_order(values: Iterable[Any], axis: Axis) -> tuple[Any, Any, Any]:
    """Put something given for x, y, z into the order slice, row, column."""
    x_y_z = tuple(values)
    slice_, row, column = AXES[axis]
    return x_y_z[slice_], x_y_z[row], x_y_z[column]


def common_size(shapes: Iterable[tuple[int, int, int]], axis: Axis) -> tuple[int, int]:
    """Smallest rows and columns, multiples of 16, that hold every RAS+ shape."""
    rows_columns = np.array([display_order(shape, axis)[1:] for shape in shapes])
    rows, columns = -(-rows_columns.max(axis=0) // MULTIPLE) * MULTIPLE
    return int(rows), int(columns)


def as_slices(volume: NDArray[T], axis: Axis) -> NDArray[T]:
    """View a volume as radiological slices.

    Parameters
    ----------
    volume : ndarray, shape (..., x, y, z)
        RAS+.

    Returns
    -------
    ndarray, shape (..., slice, row, column)
        A view; slices keep their RAS+ order, rows and columns are turned for display.
    """
    start = volume.ndim - 3
    order = (*range(start), *(start + a for a in AXES[axis]))
    return volume.transpose(order)[..., ::-1, ::-1]


def middle(images: NDArray[T]) -> NDArray[T]:
    """Return what can be shown of images at a glance: of volumes their middle slices.

    Parameters
    ----------
    images : ndarray, shape (m, c, h, w) or (m, c, d, h, w)

    Returns
    -------
    ndarray, shape (m, c, h, w)
    """
    return images[:, :, images.shape[2] // 2] if images.ndim == 5 else images


def standardize(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each channel to mean 0 and deviation 1 over its voxels that are not 0.

    Parameters
    ----------
    data : ndarray of float32, shape (c, x, y, z)
        Voxels of exactly 0 are background and stay 0; negative ones are not background.

    Returns
    -------
    ndarray of float32, shape (c, x, y, z)
        A channel without contrast becomes 0 everywhere.
    """
    scaled = np.zeros_like(data)
    for channel, values in enumerate(data):
        inside = values != 0
        chosen = values[inside].astype(np.float64)
        if chosen.size == 0:
            continue
        deviation = chosen.std()
        if deviation > 1e-6 * max(abs(chosen).max(), 1e-30):
            scaled[channel][inside] = (chosen - chosen.mean()) / deviation
    return scaled


def windowed(data: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float32]:
    """Clip intensities to a window, and scale it to 0 to 1.

    Parameters
    ----------
    data : ndarray of float32, any shape
    window : tuple of float, length 2
        Becomes 0 and 1. The padding of slices is 0 too: the lowest intensity, air in a CT.
    """
    low, high = np.float32(window[0]), np.float32(window[1])
    return (data.clip(low, high) - low) / (high - low)


def without_blank_ends(slices: NDArray[np.float32]) -> slice:
    """Which slices remain when those without any contrast are taken off both ends.

    Parameters
    ----------
    slices : ndarray, shape (c, slice, row, column)

    Returns
    -------
    slice
        All of them where every slice is blank.
    """
    contrast = (slices.max(axis=(2, 3)) > slices.min(axis=(2, 3))).any(axis=0)
    filled = np.flatnonzero(contrast)
    if filled.size == 0:
        return slice(0, slices.shape[1])
    return slice(int(filled[0]), int(filled[-1]) + 1)


def resampled_shape(
    shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float] | None
) -> tuple[int, ...]:
    """Voxels along each axis when a grid of some spacing is resampled to the wanted one."""
    if wanted is None:
        return tuple(shape)
    return tuple(
        max(round(n * have / want), 1) for n, have, want in zip(shape, spacing, wanted, strict=True)
    )


def resample(
    volume: NDArray[T],
    spacing: tuple[float, float, float],
    wanted: Sequence[float] | None,
    order: Literal[0, 1],
) -> tuple[NDArray[T], tuple[float, float, float]]:
    """Resample a volume to another spacing; its outer edges stay where they are.

    Parameters
    ----------
    volume : ndarray, shape (..., d, h, w)
    spacing, wanted : tuple of float
        Distance of slices, rows and columns, mm: what it is, and what it shall be; None leaves
        the volume as it is.
    order : {0, 1}
        Nearest neighbor for labels, linear for images.

    Returns
    -------
    ndarray, shape (..., d', h', w')
    spacing : tuple of float
        The one reached: a whole number of voxels fills the same extent.
    """
    shape = volume.shape[-3:]
    target = resampled_shape(shape, spacing, wanted)
    if target == shape:
        return volume, spacing
    from scipy.ndimage import zoom

    factors = [new / old for new, old in zip(target, shape, strict=True)]
    flat = volume.reshape(-1, *shape)
    parts = [zoom(part, factors, order=order, mode="nearest", grid_mode=True) for part in flat]
    reached = tuple(mm / factor for mm, factor in zip(spacing, factors, strict=True))
    return np.stack(parts).reshape(*volume.shape[:-3], *target), reached  # type: ignore[return-value]


def fit(slices: NDArray[T], size: tuple[int, ...]) -> NDArray[T]:
    """Pad with 0 or crop the last axes to `size`, keeping the middle in the middle.

    Parameters
    ----------
    slices : ndarray, shape (..., row, column) or (..., slice, row, column)
    size : tuple of int, length 2 or 3
    """
    axes = len(size)
    result = np.zeros((*slices.shape[:-axes], *size), slices.dtype)
    source, target = [], []
    for have, want in zip(slices.shape[-axes:], size, strict=True):
        take = min(have, want)
        source.append(slice((have - take) // 2, (have - take) // 2 + take))
        target.append(slice((want - take) // 2, (want - take) // 2 + take))
    everything = (slice(None),) * (slices.ndim - axes)
    result[everything + tuple(target)] = slices[everything + tuple(source)]
    return result
