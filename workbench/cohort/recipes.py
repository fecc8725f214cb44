"""How scans become samples: slices, or volumes of one size.

A recipe is a value, so a store is named by it; what it does to voxels is in `preprocess`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.pool import Axis
from workbench.cohort.preprocess import (
    AXES,
    MULTIPLE,
    as_slices,
    common_size,
    display_order,
    resample,
    resampled_shape,
    standardize,
    windowed,
    without_blank_ends,
)
from workbench.errors import SettingError

if TYPE_CHECKING:
    from workbench.cohort.volumes import Header, Volume

__all__ = ["Cut", "Recipe", "VolumeRecipe"]


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
