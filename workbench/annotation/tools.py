"""Tools that compute what is drawn: pure functions of a slice, its label map and a few numbers.

::

    smart_fill     a click takes the connected pixels of like intensity
    superpixels    small regions of like intensity, to be painted one by one
    grow           scribbles spread to where the picture changes (random walker)
    copy_from      the label map of the nearest annotated slice
    interpolate    between the nearest annotated slices on both sides

`TOOLS` holds those that answer with a label map; a session calls them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.canvas import Canvas
from workbench.errors import SettingError

__all__ = [
    "TOOLS",
    "UNMARKED",
    "copy_from",
    "grow",
    "interpolate",
    "smart_fill",
    "superpixels",
]

Map = NDArray[np.uint8]

#: A pixel of a map of scribbles on which nothing is scribbled.
UNMARKED = 255
#: More pixels than this are thinned out before scribbles are grown: solving takes a second then.
MOST_PIXELS = 160 * 160
#: Scribbles grow in the rectangle around them, wider by this share of its sides.
MARGIN = 0.1
#: How much a change of intensity holds the random walker up.
BETA = 130.0


def smart_fill(
    canvas: Canvas, *, row: int, column: int, label: int, tolerance: float, channel: int = 0
) -> Map:
    """Label the connected pixels whose intensity is like that of one pixel.

    Parameters
    ----------
    canvas : Canvas
        The slice.
    row, column : int
        The pixel.
    label : int
        What they get.
    tolerance : float
        Largest difference of intensity, in standard deviations of the scan.
    channel : int
        The channel that is compared.

    Returns
    -------
    ndarray of uint8, shape (h, w)

    Raises
    ------
    SettingError
        If the pixel, the label or the channel does not exist.
    """
    from skimage.segmentation import flood

    image = _channel(canvas, channel)
    _check_label(canvas, label)
    if not (0 <= row < image.shape[0] and 0 <= column < image.shape[1]):
        raise SettingError(
            f"Row {row}, column {column} lies outside of the slice, which has {image.shape[0]} "
            f"rows and {image.shape[1]} columns."
        )
    inside = flood(image, (row, column), tolerance=max(float(tolerance), 0.0))  # type: ignore[no-untyped-call]
    return np.where(inside, np.uint8(label), canvas.classes)


def superpixels(
    image: NDArray[np.float32], size: float, *, compactness: float = 0.1
) -> NDArray[np.int32]:
    """Part a slice into small regions of like intensity (SLIC).

    Parameters
    ----------
    image : ndarray of float, shape (h, w)
        One channel.
    size : float
        Pixels along a side of a region, about.
    compactness : float
        Higher: squarer; lower: truer to the borders in the picture.

    Returns
    -------
    ndarray of int32, shape (h, w)
        Number of the region of each pixel, from 0; every region is connected.

    References
    ----------
    Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods".
    """
    from skimage.segmentation import slic

    low, high = np.percentile(image, (1, 99))
    scaled = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float64)
    wanted = max(round(image.size / max(float(size), 1.0) ** 2), 1)
    found = slic(
        scaled,
        n_segments=wanted,
        compactness=compactness,
        sigma=0.5,
        start_label=0,
        channel_axis=None,
    )
    return np.asarray(found, dtype=np.int32)


def grow(canvas: Canvas, *, scribbles: Map, channel: int = 0) -> Map:
    """Spread scribbles over the rectangle around them, up to where the intensity changes.

    Labels that are not scribbled stay as they are, and so does all outside of the rectangle.

    Parameters
    ----------
    canvas : Canvas
        The slice.
    scribbles : ndarray of uint8, shape (h, w)
        Label of each scribbled pixel, 0 for background; `UNMARKED` elsewhere.
    channel : int
        The channel whose borders count.

    Returns
    -------
    ndarray of uint8, shape (h, w)

    Raises
    ------
    SettingError
        If not at least two labels are scribbled, or one of them does not exist.

    References
    ----------
    Grady 2006, "Random walks for image segmentation".
    """
    image = _channel(canvas, channel)
    drawn = np.asarray(scribbles)
    if drawn.shape != image.shape:
        raise SettingError(
            f"The scribbles have the shape {drawn.shape}, the slice has {image.shape}."
        )
    labels = [int(each) for each in np.unique(drawn) if each != UNMARKED]
    for each in labels:
        _check_label(canvas, each)
    if len(labels) < 2:
        raise SettingError(
            "Scribble on at least two things that differ, such as a structure and the "
            "background (key 0) around it; then let the scribbles grow."
        )
    around = _around(drawn != UNMARKED)
    grown = _walk(image[around], drawn[around], labels)
    result = canvas.classes.copy()
    part = result[around]
    replaced = np.isin(part, [0, *labels])
    part[replaced] = grown[replaced]
    return np.where(drawn != UNMARKED, drawn, result)


def copy_from(canvas: Canvas, *, side: Literal["before", "after"]) -> Map:
    """Take over the label map of the nearest annotated slice on one side.

    Raises
    ------
    SettingError
        If no slice on that side is annotated.
    """
    neighbor = canvas.before if side == "before" else canvas.after
    if neighbor is None:
        raise SettingError(
            f"No slice {side} this one is annotated in its case, so there is nothing to copy."
        )
    return neighbor.classes.copy()


def interpolate(canvas: Canvas) -> Map:
    """Draw what lies between the nearest annotated slices before and after.

    The signed distances to the border of each class are averaged, weighted by how near the
    slices are; a pixel gets the class that it lies deepest in. A class that only one of them
    has shrinks towards the other and is gone half-way.

    Raises
    ------
    SettingError
        If there is no annotated slice on one of the sides.

    References
    ----------
    Raya & Udupa 1990, "Shape-based interpolation of multidimensional objects".
    """
    before, after = canvas.before, canvas.after
    if before is None or after is None:
        missing = "before" if before is None else "after"
        raise SettingError(
            f"Interpolation needs an annotated slice on both sides; none {missing} this one is "
            f"annotated in its case."
        )
    share = before.distance / (before.distance + after.distance)
    result = np.zeros_like(before.classes)
    deepest = np.zeros(result.shape)
    for label in np.union1d(np.unique(before.classes), np.unique(after.classes)):
        if label == 0:
            continue
        lower, upper = (
            _signed_distance(each.classes == label, canvas.spacing) for each in (before, after)
        )
        if lower is None or upper is None:
            present = lower if upper is None else upper
            assert present is not None
            absent = np.full(result.shape, -present.max())
            lower, upper = (present, absent) if upper is None else (absent, present)
        depth = (1 - share) * lower + share * upper
        deeper = depth > deepest
        result[deeper], deepest[deeper] = label, depth[deeper]
    return result


def _channel(canvas: Canvas, channel: int) -> NDArray[np.float32]:
    if not 0 <= channel < len(canvas.image):
        raise SettingError(f"There is no channel {channel}; the slice has {len(canvas.image)}.")
    return np.asarray(canvas.image[channel], np.float32)


def _check_label(canvas: Canvas, label: int) -> None:
    if not 0 <= label < canvas.class_count:
        raise SettingError(f"There is no label {label}; labels are 0 to {canvas.class_count - 1}.")


def _around(marked: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rectangle around what is marked, a little wider."""
    slices = []
    for axis in (0, 1):
        where = np.flatnonzero(marked.any(axis=1 - axis))
        first, last = int(where[0]), int(where[-1])
        wider = 2 + round(MARGIN * (last - first))
        slices.append(slice(max(first - wider, 0), last + wider + 1))
    return slices[0], slices[1]


def _walk(image: NDArray[np.float32], scribbles: Map, labels: list[int]) -> Map:
    """Solve for the label of every pixel, or of every second one where there are many."""
    from skimage.segmentation import random_walker

    step = 1
    while image[::step, ::step].size > MOST_PIXELS:
        step += 1
    height, width = image.shape
    marked = np.zeros((height, width), np.int32)
    for number, label in enumerate(labels, start=1):
        marked[scribbles == label] = number
    small = marked
    if step > 1:  # a thin scribble must not fall between the pixels
        padded = np.pad(marked, ((0, -height % step), (0, -width % step)))
        h, w = (side // step for side in padded.shape)
        small = padded.reshape(h, step, w, step).max(axis=(1, 3))
    low, high = np.percentile(image, (1, 99))
    scaled = np.clip((image[::step, ::step] - low) / max(float(high - low), 1e-6), 0, 1)
    numbers = random_walker(scaled.astype(np.float64), small, beta=BETA, mode="bf")
    full = np.repeat(np.repeat(numbers, step, axis=0), step, axis=1)
    table = np.array([0, *labels], np.uint8)
    return np.asarray(table[np.maximum(full[:height, :width], 0)])


def _signed_distance(
    mask: NDArray[np.bool_], spacing: tuple[float, float]
) -> NDArray[np.float64] | None:
    """Distance to the border of a mask in mm, positive inside; None of an empty mask."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return None
    inside = distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1]
    outside = distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(inside - outside)


#: Tools that answer with a label map, by the name under which they are kept in the ledger.
TOOLS: Mapping[str, Callable[..., Map]] = {
    "smart fill": smart_fill,
    "scribbles": grow,
    "copy": copy_from,
    "interpolate": interpolate,
}
