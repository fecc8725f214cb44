"""Turn a volume into slices that a network can take, as a radiologist sees them.

Slices are radiological: the patient's right is at the left of the picture; an
axial slice has anterior on top, a coronal and a sagittal one superior, and a
sagittal slice looks to the left. So an array can be shown without turning it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.pool import Axis
from workbench.errors import SettingError

__all__ = [
    "Recipe",
    "as_slices",
    "common_size",
    "display_order",
    "fit",
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


@dataclass(frozen=True)
class Recipe:
    """How volumes become slices.

    Parameters
    ----------
    axis : {"axial", "coronal", "sagittal"}
        Direction that is cut across.
    size : tuple of int, length 2, optional
        Rows and columns; not given: the smallest multiples of 16 that hold every case.
    scaling : {"zscore", "window", "none"}
        Mean 0 and deviation 1 over the non-zero voxels of each volume and channel; or `window`
        mapped to 0 to 1, for CT; or intensities as they are.
    drop_blank_ends : bool
        Leave out slices at both ends in which every channel is constant.
    window : tuple of float, length 2
        Lowest and highest intensity that scaling "window" keeps apart, such as Hounsfield units
        (by default air to dense bone's lower end, which holds lungs and soft tissue); what lies
        beyond is clipped. Not used by the other scalings.
    """

    axis: Axis = "axial"
    size: tuple[int, int] | None = None
    scaling: Literal["zscore", "window", "none"] = "zscore"
    drop_blank_ends: bool = True
    window: tuple[float, float] = (-1000.0, 400.0)

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise SettingError(
                f"The axis is {self.axis!r}. Slices are cut along one of {', '.join(AXES)}."
            )
        if self.scaling not in ("zscore", "window", "none"):
            raise SettingError(
                f"The scaling is {self.scaling!r}. Known are 'zscore' (mean 0, deviation 1 over "
                f"the non-zero voxels), 'window' (for CT) and 'none'."
            )
        low, high = self.window
        if not low < high or not np.isfinite(high - low):
            raise SettingError(
                f"The window goes from {low:g} to {high:g}. Its first value must be below its "
                f"second, for example -1000 and 400 Hounsfield units."
            )
        if self.size is not None:
            rows, columns = self.size
            if min(rows, columns) < MULTIPLE or rows % MULTIPLE or columns % MULTIPLE:
                raise SettingError(
                    f"The slice size is {rows}×{columns}. Rows and columns must be multiples of "
                    f"{MULTIPLE}, for example 64×64."
                )

    def record(self) -> dict[str, Any]:
        """Return what decides the content of slices, as plain values.

        The window is left out where it is not used: a store keeps the name that it had before
        there was one.
        """
        content = asdict(self)
        if self.scaling != "window":
            del content["window"]
        return content


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


def fit(slices: NDArray[T], size: tuple[int, int]) -> NDArray[T]:
    """Pad with 0 or crop rows and columns to `size`, keeping the middle in the middle.

    Parameters
    ----------
    slices : ndarray, shape (..., row, column)
    size : tuple of int, length 2
    """
    result = np.zeros((*slices.shape[:-2], *size), slices.dtype)
    source, target = [], []
    for have, want in zip(slices.shape[-2:], size, strict=True):
        take = min(have, want)
        source.append(slice((have - take) // 2, (have - take) // 2 + take))
        target.append(slice((want - take) // 2, (want - take) // 2 + take))
    result[..., target[0], target[1]] = slices[..., source[0], source[1]]
    return result
