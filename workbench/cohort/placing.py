"""Where the samples of a case lie in its scan: label maps go both ways here.

From the scan's grid to the slices or the volume that are stored and displayed,
and back. For slices the way back is exact, but for what the recipe's size cuts
off; a volume at a working spacing comes back by nearest neighbor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.pool import SampleId, SliceId
from workbench.cohort.preprocess import as_slices, display_order, fit, resample, resampled_shape
from workbench.cohort.volumes import Header

__all__ = ["lay_out", "to_samples", "to_scan"]


def to_samples(
    classes: NDArray[np.uint8],
    ids: Sequence[SampleId],
    header: Header,
    spacing: Sequence[float],
    size: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Cut the label map of a scan as its images were cut.

    Parameters
    ----------
    classes : ndarray of uint8, shape (x, y, z)
        RAS+.
    ids : sequence of SliceId, or one VolumeId
        Samples of the case.
    header : Header
        Of the scan.
    spacing : sequence of float, length 3
        Distance of slices, rows and columns of the samples, mm.
    size : tuple of int
        Of every sample: (h, w), or (d, h, w) of a volume.

    Returns
    -------
    ndarray of uint8, shape (m, h, w) or (1, d, h, w)
    """
    return fit(lay_out(classes, ids, header, spacing), size)


def lay_out(
    classes: NDArray[np.uint8], ids: Sequence[SampleId], header: Header, spacing: Sequence[float]
) -> NDArray[np.uint8]:
    """Cut the label map of a scan as `to_samples` does, before it is padded or cropped."""
    whole = as_slices(classes, ids[0].axis)
    if isinstance(ids[0], SliceId):
        return whole[[each.index for each in ids if isinstance(each, SliceId)]]
    own = display_order(header.spacing, ids[0].axis)
    return resample(whole, own, spacing, order=0)[0][None]


def to_scan(
    maps: NDArray[np.uint8],
    ids: Sequence[SampleId],
    header: Header,
    spacing: Sequence[float],
    fill: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Put label maps of samples back where they lie in the scan.

    Parameters
    ----------
    maps : ndarray of uint8, shape (m, h, w) or (1, d, h, w)
        As stored and displayed, a map for each of `ids`.
    ids, header, spacing
        As of `to_samples`.
    fill : ndarray of uint8, shape (x, y, z)
        RAS+; what is kept where no map reaches: other slices, and what the size cut off.

    Returns
    -------
    ndarray of uint8, shape (x, y, z)
    """
    result = fill.copy()
    whole = as_slices(result, ids[0].axis)  # a view: what is set here is set there
    reached = np.ones(maps.shape, np.uint8)
    if maps.ndim == 3:
        shape = whole.shape[1:]
        places = [each.index for each in ids if isinstance(each, SliceId)]
        whole[places] = np.where(fit(reached, shape) > 0, fit(maps, shape), whole[places])
        return result
    own = display_order(header.spacing, ids[0].axis)
    working = float(spacing[0]), float(spacing[1]), float(spacing[2])
    shape = resampled_shape(whole.shape, own, working)
    back, mask = (
        resample(fit(each[0], shape), working, own, order=0)[0] for each in (maps, reached)
    )
    whole[:] = np.where(mask > 0, back, whole)
    return result
