"""A grid of pictures with their titles, contours and notes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale, unlabel_rgb
from plotly.subplots import make_subplots

from workbench.cohort.label_maps import foreground
from workbench.reports.palette import PREDICTION, REFERENCE
from workbench.reports.theme import dress, wrap

__all__ = ["Panels", "png"]

#: Width that a page gives a figure, in pixels; decides the height of a grid.
PAGE_WIDTH = 980

_CONTOURS = {
    "reference": {"color": REFERENCE, "width": 1.5, "dash": "solid"},
    "prediction": {"color": PREDICTION, "width": 1.5, "dash": "dash"},
}


class Panels:
    """Draw pictures in a grid, all of one shape, square in millimeters.

    Parameters
    ----------
    titles : sequence of sequence of str
        Title of each panel, row by row; it decides how many panels a row has.
    shape : tuple of int
        Height and width of a picture in pixels.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    letters : tuple of str
        Orientation letters at the left, right, top and bottom.
    columns : int
        Columns of the grid.
    tight : bool
        Small gaps, for many small pictures.
    """

    def __init__(
        self,
        titles: Sequence[Sequence[str]],
        shape: tuple[int, ...],
        spacing: tuple[float, float],
        *,
        letters: tuple[str, str, str, str] = ("", "", "", ""),
        columns: int,
        tight: bool = False,
    ) -> None:
        self._shape = (int(shape[0]), int(shape[1]))
        self._ratio = spacing[0] / spacing[1]
        self._letters = letters
        self._rows, self._columns = len(titles), columns
        names = [name for row in titles for name in [*row, *[""] * (columns - len(row))]]
        aspect = self._shape[0] * self._ratio / self._shape[1]
        cell = (PAGE_WIDTH - 60) / columns * (0.98 if tight else 0.93)
        self._above = 8 if tight else 62 if any("<br>" in name for name in names) else 46
        self._top = self._above if not tight else 24 if any(titles[0]) else 8
        between = (self._rows - 1) * self._above
        self._height = int(self._rows * min(cell * aspect, 300) + between + 62 + self._top)
        self.figure = make_subplots(
            rows=self._rows,
            cols=columns,
            subplot_titles=names,
            horizontal_spacing=0.008 if tight else 0.025,
            vertical_spacing=min(self._above / self._height, 0.9 / max(self._rows - 1, 1)),
        )
        self._named: set[str] = set()
        self._used: set[tuple[int, int]] = set()

    def picture(
        self, row: int, column: int, picture: NDArray[Any], window: tuple[float, float]
    ) -> None:
        """Draw one picture in grey, from black at `window[0]` to white at `window[1]`."""
        low, high = window
        grey = np.clip((np.asarray(picture, float) - low) / (high - low), 0, 1)
        self._image(row, column, (255 * grey).round().astype(np.uint8))

    def values(self, row: int, column: int, values: NDArray[Any], top: float | None = None) -> None:
        """Draw values of at least 0 in cividis, up to `top` or their 99.5th percentile."""
        top = (float(np.percentile(values, 99.5)) if top is None else top) or 1.0
        levels = np.linspace(0, 1, 256)
        table = np.array([unlabel_rgb(c) for c in sample_colorscale("Cividis", levels)])
        index = (255 * np.clip(np.asarray(values, float) / top, 0, 1)).astype(np.uint8)
        self._image(row, column, table[index].round().astype(np.uint8))

    def colors(self, row: int, column: int, pixels: NDArray[np.uint8]) -> None:
        """Draw a picture that has its colors already, shape (h, w, 3)."""
        self._image(row, column, pixels)

    def legend(self, name: str, color: str) -> None:
        """Say what a color means."""
        self.figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                marker={"color": color, "symbol": "square", "size": 11},
                name=name,
            ),
            1,
            1,
        )

    def contour(self, row: int, column: int, mask: NDArray[Any] | None, kind: str) -> None:
        """Outline the foreground of a mask; `kind` is ``"reference"`` or ``"prediction"``."""
        marked = None if mask is None else foreground(np.asarray(mask))
        if marked is None or not marked.any():
            return
        from skimage.measure import find_contours

        padded = np.pad(marked, 1).astype(float)
        lines = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
        path = np.vstack([np.vstack([line - 1, [[np.nan, np.nan]]]) for line in lines])
        self.figure.add_trace(
            go.Scatter(
                x=path[:, 1],
                y=path[:, 0],
                mode="lines",
                line=_CONTOURS[kind],
                name=kind,
                meta=kind,
                legendgroup=kind,
                showlegend=kind not in self._named,
                hoverinfo="skip",
            ),
            row + 1,
            column + 1,
        )
        self._named.add(kind)

    def color_bar(self, row: int, top: float, name: str) -> None:
        """Say beside a row what the colors of its `values` mean, from 0 to `top`."""
        _, (low, high) = self._domain(row, 0)
        self.figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                marker={
                    "colorscale": "Cividis",
                    "cmin": 0,
                    "cmax": top or 1.0,
                    "showscale": True,
                    "colorbar": {
                        "title": {"text": wrap(name, 17), "side": "right", "font": {"size": 11}},
                        "exponentformat": "power",
                        "thickness": 12,
                        "x": 1.0,
                        "len": high - low,
                        "y": (low + high) / 2,
                        "nticks": 4,
                    },
                },
                showlegend=False,
                hoverinfo="skip",
            ),
            row + 1,
            1,
        )

    def say(self, row: int, column: int, text: str) -> None:
        """Write in an empty panel."""
        self.note(row, column, text, centered=True)

    def note(self, row: int, column: int, text: str, *, centered: bool = False) -> None:
        """Write facts into the place of a panel."""
        x, y = self._domain(row, column)
        at = sum(x) / 2 if centered else x[0] + 0.01
        self._annotate(
            text, at, sum(y) / 2, xanchor="center" if centered else "left", align="left", size=13
        )

    def row_names(self, names: Sequence[str]) -> None:
        """Write a name at the left of each row."""
        for row, name in enumerate(names):
            _, y = self._domain(row, 0)
            self._annotate(name, -0.006, sum(y) / 2, xanchor="right", size=12)
        self.figure.update_layout(margin={"l": 16 + 7 * max(map(len, names))})

    def finish(self, *, title: str = "") -> go.Figure:
        """Dress the figure and hide all axes; a title may have lines, joined by ``<br>``."""
        head = 34 + 17 * title.count("<br>") if title else 0
        dress(self.figure, title=title, height=self._height + head)
        if title:
            self.figure.update_layout(title={"y": 1, "yanchor": "top", "pad": {"t": 12}})
        h, w = self._shape
        self.figure.update_xaxes(
            visible=False, range=[-0.5, w - 0.5], constrain="domain", automargin=False
        )
        self.figure.update_yaxes(
            visible=False, range=[h - 0.5, -0.5], constrain="domain", automargin=False
        )
        for index in range(self._rows * self._columns):
            suffix = "" if index == 0 else str(index + 1)
            self.figure.layout[f"yaxis{suffix}"].update(
                scaleanchor=f"x{suffix}", scaleratio=self._ratio
            )
        if self._letters[0] and self._used:
            self._orient(*min(self._used))
        self.figure.update_annotations(selector={"yanchor": "bottom"}, font_size=12)
        self.figure.update_layout(
            margin={"l": 12, "r": 12, "t": self._top + head, "b": 36},
            legend={"orientation": "h", "x": 0, "y": -0.01, "yanchor": "top"},
        )
        return self.figure

    def _image(self, row: int, column: int, pixels: NDArray[np.uint8]) -> None:
        self._used.add((row, column))
        self.figure.add_trace(go.Image(source=png(pixels), hoverinfo="skip"), row + 1, column + 1)

    def _orient(self, row: int, column: int) -> None:
        h, w = self._shape
        left, right, top, bottom = self._letters
        places = (
            (left, 0, h / 2, "left", "middle"),
            (right, w - 1, h / 2, "right", "middle"),
            (top, w / 2, 0, "center", "top"),
            (bottom, w / 2, h - 1, "center", "bottom"),
        )
        suffix = self._suffix(row, column)
        for text, x, y, xanchor, yanchor in places:
            self.figure.add_annotation(
                text=text,
                x=x,
                y=y,
                xref=f"x{suffix}",
                yref=f"y{suffix}",
                xanchor=xanchor,
                yanchor=yanchor,
                showarrow=False,
                font={"size": 11, "color": "white"},
            )

    def _suffix(self, row: int, column: int) -> str:
        index = row * self._columns + column
        return "" if index == 0 else str(index + 1)

    def _domain(self, row: int, column: int) -> tuple[tuple[float, float], tuple[float, float]]:
        suffix = self._suffix(row, column)
        layout = self.figure.layout
        return layout[f"xaxis{suffix}"].domain, layout[f"yaxis{suffix}"].domain

    def _annotate(
        self,
        text: str,
        x: float,
        y: float,
        *,
        xanchor: str = "center",
        yanchor: str = "middle",
        align: str = "center",
        size: int,
    ) -> None:
        self.figure.add_annotation(
            text=text,
            x=x,
            y=y,
            xref="paper",
            yref="paper",
            xanchor=xanchor,
            yanchor=yanchor,
            align=align,
            showarrow=False,
            font={"size": size},
        )


def png(pixels: NDArray[np.uint8]) -> str:
    """Encode a picture, shape (h, w) or (h, w, 3), as the URI of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
