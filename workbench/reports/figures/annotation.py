"""An annotated slice beside the same slice without its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import hex_to_rgb

from workbench.reports.figures.panels import Panels
from workbench.reports.figures.pictures import LETTERS, grey_window
from workbench.reports.palette import class_styles

__all__ = ["annotation_figure"]

#: How much of the picture the labels cover.
OPACITY = 0.45


def annotation_figure(
    picture: NDArray[Any],
    classes: NDArray[np.uint8],
    names: Sequence[str],
    spacing: tuple[float, float] = (1.0, 1.0),
    axis: str = "axial",
    *,
    title: str = "",
) -> go.Figure:
    """Draw a slice, and the same slice with its label map in the colors of the editor.

    Parameters
    ----------
    picture : ndarray, shape (h, w)
        One channel.
    classes : ndarray of uint8, shape (h, w)
        Class of every pixel.
    names : sequence of str
        Names of the classes, background first.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    axis : {"axial", "coronal", "sagittal"}
        Decides the orientation letters.
    title : str
        Heading of the figure.
    """
    row, column = spacing
    panels = Panels(
        [["slice", "annotation"]],
        picture.shape,
        (float(row), float(column)),
        letters=LETTERS[axis],
        columns=3,
    )
    low, high = grey_window(picture)
    panels.picture(0, 0, picture, (low, high))
    grey = 255 * np.clip((np.asarray(picture, float) - low) / (high - low), 0, 1)
    colored = np.repeat(grey[..., None], 3, axis=2)
    styles = class_styles(max(len(names), int(classes.max(initial=0)) + 1))
    drawn = [int(value) for value in np.unique(classes) if value]
    for value in drawn:
        inside = classes == value
        color = np.array(hex_to_rgb(styles[value][0]), float)
        colored[inside] = (1 - OPACITY) * colored[inside] + OPACITY * color
    panels.colors(0, 1, colored.round().astype(np.uint8))
    for value in drawn:
        name = names[value] if value < len(names) else f"label {value}"
        pixels = int((classes == value).sum())
        panels.legend(f"{name}: {pixels * row * column:,.0f} mm²", styles[value][0])
    return panels.finish(title=title)
