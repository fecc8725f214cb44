"""Small grey-scale pictures as PNG bytes.

Images cross to the browser as PNG, never as lists of numbers. Stored slices are
already oriented as they are displayed, so a picture only needs its grey window
and the shape of its pixels in millimeters.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

__all__ = ["grey_png", "picture_channel"]


def grey_png(image: ArrayLike, spacing: tuple[float, float] = (1.0, 1.0), height: int = 96) -> bytes:
    """Draw one image in grey.

    Parameters
    ----------
    image : array_like, shape (h, w)
        Any unit; shown between its 1st and 99.5th percentile. Values that are not finite
        are shown black.
    spacing : tuple of float
        Height and width of a pixel in mm; the picture keeps these proportions.
    height : int
        Height of the picture in pixels.

    Returns
    -------
    bytes
        A PNG.
    """
    grey = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    low, high = np.percentile(grey, [1.0, 99.5])
    span = float(high - low) or 1.0
    shades = np.clip((grey - low) / span * 255.0, 0.0, 255.0).astype(np.uint8)
    width = round(height * grey.shape[1] * spacing[1] / (grey.shape[0] * spacing[0]))
    picture = Image.fromarray(shades).resize((max(1, width), height), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=1)
    return file.getvalue()


def picture_channel(channels: tuple[str, ...]) -> int:
    """Choose the channel that shows most: FLAIR where there is one, else the first."""
    for index, name in enumerate(channels):
        if name.lower() in ("flair", "t2f"):
            return index
    return 0
