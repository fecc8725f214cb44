"""Turn arrays into the PNG bytes that cross to the browser.

A picture is sent once, as one PNG: a list of numbers in JSON would be ten times
its size. Where a person may change window and level, the picture keeps 16 bits:
the high byte in the red channel and the low byte in the green one, because a
browser reads back eight bits of each. The browser draws the window itself, so
that a drag of the mouse asks the kernel nothing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LETTERS",
    "contours",
    "deep_png",
    "grey",
    "on_black",
    "outside",
    "png",
    "sheet",
    "shrink",
    "telling",
    "window",
]

#: Letters at the left, right, top and bottom of a picture as it is displayed.
LETTERS = {
    "axial": ("R", "L", "A", "P"),
    "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}

#: Percentiles between which a picture is shown before anybody drags.
SHOWN = (0.5, 99.5)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode 8-bit pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w) or (h, w, 3) or (h, w, 4)
        Grey, RGB or RGBA.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def window(images: ArrayLike) -> tuple[float, float]:
    """Find the values that are shown black and white: robust extremes, never equal.

    Parameters
    ----------
    images : array_like of float, any shape
        Values that are not finite are left out.
    """
    values = np.asarray(images, dtype=np.float32)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, SHOWN))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def grey(images: ArrayLike, low: float, high: float) -> NDArray[np.uint8]:
    """Scale values to 0–255; `low` and below is black, `high` and above is white."""
    values = np.nan_to_num(np.asarray(images, dtype=np.float32), nan=low)
    scaled = np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5
    return scaled.astype(np.uint8)  # type: ignore[no-any-return]


def outside(images: ArrayLike) -> NDArray[np.bool_]:
    """Find the pixels outside the body: those that were filled with one value.

    Scaling by z-score leaves the surroundings at exactly 0, which is a middle
    grey; a reader expects them black.

    Parameters
    ----------
    images : array_like of float, shape (h, w) or (n, h, w)
        The value of the first corner counts as filling where at least a tenth
        of the pixels have it exactly.

    Returns
    -------
    ndarray of bool, same shape
    """
    values = np.asarray(images)
    same = values == values.reshape(-1)[0] if values.size else np.zeros(values.shape, dtype=bool)
    return np.asarray(same) if same.mean() >= 0.1 else np.zeros(values.shape, dtype=bool)


def on_black(
    images: ArrayLike, mask: NDArray[np.bool_], floor: float | None = None
) -> NDArray[np.float32]:
    """Give the pixels of `mask` the value `floor`; by default the lowest of the pictures."""
    values = np.array(images, dtype=np.float32)
    if mask.any() and not mask.all():
        values[mask] = np.nanmin(values) if floor is None else floor
    return values


def deep_png(image: ArrayLike) -> tuple[bytes, float, float]:
    """Encode a picture with 16 bits for each pixel.

    Parameters
    ----------
    image : array_like of float, shape (h, w)
        Any values; those that are not finite are drawn as the lowest.

    Returns
    -------
    encoded : bytes
        A PNG: red holds the high byte, green the low byte.
    low, high : float
        The values of 0 and 65,535.
    """
    values = np.asarray(image, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high <= low:
        high = low + 1.0
    scaled = np.rint(
        np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1, neginf=0) * 65535
    )
    deep = np.clip(scaled, 0, 65535).astype(np.uint16)
    split = np.zeros((*deep.shape, 3), dtype=np.uint8)
    split[..., 0] = deep >> 8
    split[..., 1] = deep & 255
    return png(split), low, high


def shrink(images: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """Reduce pictures by a whole factor so that no side exceeds `longest` pixels.

    Parameters
    ----------
    images : ndarray of float, shape (n, h, w)
        Averaged over blocks, so that thin structures do not vanish.
    longest : int
        Pixels.
    """
    factor = -(-max(images.shape[1:]) // longest)
    if factor <= 1:
        return images
    height, width = (size // factor * factor for size in images.shape[1:])
    blocks = images[:, :height, :width].reshape(
        len(images), height // factor, factor, width // factor, factor
    )
    return blocks.mean(axis=(2, 4), dtype=np.float32)  # type: ignore[no-any-return]


def telling(channels: Sequence[str]) -> int:
    """Return the number of the channel on which a tumor is easiest to see; else the first."""
    order = ("t1", "t1ce", "t1c", "t2", "flair")
    names = [name.lower() for name in channels]
    known = [name for name in reversed(order) if name in names]
    return names.index(known[0]) if known else 0


def sheet(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Lay pictures out in rows of one sheet, first picture at the top left.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w)
        Grey pictures; what is left of the last row stays black.
    columns : int
        Pictures in a row.
    """
    n, height, width = images.shape
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, height, width), dtype=np.uint8)
    padded[:n] = images
    laid = padded.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return laid.reshape(rows * height, columns * width)  # type: ignore[no-any-return]


def contours(
    classes: NDArray[np.uint8] | None, regions: Sequence[tuple[int, ...]]
) -> NDArray[np.float32]:
    """Outline every region of a class map.

    Parameters
    ----------
    classes : ndarray of uint8, shape (h, w), or None
        Class of every pixel; None has no outline.
    regions : sequence of tuple of int
        The classes that make up each region.

    Returns
    -------
    ndarray of float32, shape (2 * k,)
        Column, row, column, row, … in pixels, where (0, 0) is the top left
        *corner* of the first pixel; a pair of NaN ends each closed line.
    """
    if classes is None:
        return np.zeros(0, dtype=np.float32)
    from skimage.measure import find_contours

    pieces: list[NDArray[np.float32]] = []
    for members in regions:
        mask = np.pad(np.isin(classes, members).astype(np.float32), 1)
        for line in find_contours(mask, 0.5):  # type: ignore[no-untyped-call]
            # a padded center (1, 1) is the corner-based (0.5, 0.5)
            pieces.append((line[:, ::-1] - 0.5).astype(np.float32))
            pieces.append(np.full((1, 2), np.nan, dtype=np.float32))
    return np.concatenate(pieces).ravel() if pieces else np.zeros(0, dtype=np.float32)
