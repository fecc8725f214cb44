"""Turn a scan into slices or one volume that a network can take, as a radiologist sees them.

A recipe says how: `Recipe` cuts slices, `VolumeRecipe` keeps the volume whole, as a stack of
axial slices. Slices are radiological: the patient's right is at the left of the picture; an
axial slice has anterior on top, a coronal and a sagittal one superior, and a
sagittal slice looks to the left. So an array can be shown without turning it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.pool import Axis
from workbench.errors import SettingError

if TYPE_CHECKING:
    from workbench.cohort.volumes import Header, Volume

__all__ = [
    "Cut",
    "Recipe",
    "VolumeRecipe",
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


@dataclass(frozen=True, eq=False)
class Cut:
    """The samples that a recipe makes of one scan.

    Parameters
    ----------
    first : int
        RAS+ index of the first slice; 0 for a volume.
    images : ndarray of float32, shape (rows, c, h, w) or (1, c, d, h, w)
        As displayed, not yet of the common size.
    spacing : tuple of float
        Distance of slices, rows and columns, mm.
    """

    first: int
    images: NDArray[np.float32]
    spacing: tuple[float, float, float]


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
        _check_scaling(self.scaling, self.window)
        _check_size(self.size, 2)

    def record(self) -> dict[str, Any]:
        """Return what decides the content of images, as plain values."""
        return _record(self)

    def common_size(self, headers: Iterable[Header]) -> tuple[int, int]:
        """Rows and columns of every slice: the size asked for, or one that holds every scan."""
        return self.size or common_size((header.shape for header in headers), self.axis)

    def most_rows(self, header: Header) -> int:
        """Slices that a scan has at most."""
        return int(display_order(header.shape, self.axis)[0])

    def cut(self, volume: Volume) -> Cut:
        """Make the slices of a scan, without blank ends."""
        slices = as_slices(volume.data, self.axis)
        kept = without_blank_ends(slices) if self.drop_blank_ends else slice(0, slices.shape[1])
        slices = as_slices(_scaled(self, volume.data), self.axis)
        spacing = display_order((float(mm) for mm in volume.spacing), self.axis)
        return Cut(kept.start, slices[:, kept].transpose(1, 0, 2, 3), spacing)


@dataclass(frozen=True)
class VolumeRecipe:
    """How scans become volumes of one size, each a sample of its own (Rahimi).

    Parameters
    ----------
    spacing : float, or tuple of three float, optional
        Working distance of voxels (or of slices, rows and columns), mm; images are resampled to
        it linearly, labels by nearest neighbor. Not given: voxels as they are.
    size : tuple of int, length 3, optional
        Slices, rows and columns; not given: the smallest multiples of 16 that hold every case.
    scaling, window
        As in `Recipe`.
    """

    spacing: float | tuple[float, float, float] | None = None
    size: tuple[int, int, int] | None = None
    scaling: Literal["zscore", "window", "none"] = "zscore"
    window: tuple[float, float] = (-1000.0, 400.0)

    def __post_init__(self) -> None:
        _check_scaling(self.scaling, self.window)
        _check_size(self.size, 3)
        wanted = self._wanted()
        if wanted is not None and (len(wanted) != 3 or not all(0.05 <= mm <= 50 for mm in wanted)):
            raise SettingError(
                f"The working spacing is {self.spacing!r}. It is the distance of voxels in mm, "
                f"one number or three (slices, rows, columns) from 0.05 to 50, for example 2."
            )

    def record(self) -> dict[str, Any]:
        """Return what decides the content of images, as plain values."""
        return _record(self)

    @property
    def axis(self) -> Axis:
        """Volumes are stacks of axial slices."""
        return "axial"

    def _wanted(self) -> tuple[float, ...] | None:
        if self.spacing is None:
            return None
        if isinstance(self.spacing, (int, float)):
            return (float(self.spacing),) * 3
        return tuple(self.spacing)

    def common_size(self, headers: Iterable[Header]) -> tuple[int, int, int]:
        """Slices, rows and columns: the size asked for, or one that holds every scan."""
        if self.size is not None:
            return self.size
        shapes = [
            resampled_shape(
                display_order(header.shape, "axial"),
                display_order(header.spacing, "axial"),
                self._wanted(),
            )
            for header in headers
        ]
        slices, rows, columns = (
            -(-max(sides) // MULTIPLE) * MULTIPLE for sides in zip(*shapes, strict=True)
        )
        return slices, rows, columns

    def most_rows(self, header: Header) -> int:
        """One sample of each scan."""
        return 1

    def cut(self, volume: Volume) -> Cut:
        """Make one volume of a scan, at the working spacing."""
        data = _scaled(self, volume.data)
        spacing = display_order((float(mm) for mm in volume.spacing), "axial")
        images, spacing = resample(as_slices(data, "axial"), spacing, self._wanted(), order=1)
        return Cut(0, images[None], spacing)


def _scaled(recipe: Recipe | VolumeRecipe, data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the intensities of a scan, (c, x, y, z), as its recipe says."""
    if recipe.scaling == "zscore":
        return standardize(data)
    return windowed(data, recipe.window) if recipe.scaling == "window" else data


def _record(recipe: Recipe | VolumeRecipe) -> dict[str, Any]:
    """Return what decides the content of images, as plain values.

    The window is left out where it is not used: a store keeps the name that it had before
    there was one.
    """
    content = asdict(recipe)
    if recipe.scaling != "window":
        del content["window"]
    return content


def _check_scaling(scaling: str, window: tuple[float, float]) -> None:
    if scaling not in ("zscore", "window", "none"):
        raise SettingError(
            f"The scaling is {scaling!r}. Known are 'zscore' (mean 0, deviation 1 over "
            f"the non-zero voxels), 'window' (for CT) and 'none'."
        )
    low, high = window
    if not low < high or not np.isfinite(high - low):
        raise SettingError(
            f"The window goes from {low:g} to {high:g}. Its first value must be below its "
            f"second, for example -1000 and 400 Hounsfield units."
        )


def _check_size(size: tuple[int, ...] | None, length: int) -> None:
    if size is None:
        return
    sides_given = size if isinstance(size, tuple) else (size,)
    if len(sides_given) != length or any(
        side < MULTIPLE or side % MULTIPLE for side in sides_given
    ):
        sides, example = (
            ("Rows and columns", "64×64") if length == 2 else
            ("Slices, rows and columns", "48×64×48")
        )  # fmt: skip
        raise SettingError(
            f"The {'slice' if length == 2 else 'volume'} size is "
            f"{'×'.join(map(str, sides_given))}. "
            f"{sides} must be multiples of {MULTIPLE}, for example {example}."
        )


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
