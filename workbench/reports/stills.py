"""Still pictures that show themselves at the end of a cell."""

from __future__ import annotations

import plotly.graph_objects as go

__all__ = ["Stills"]


class Stills(list[go.Figure]):
    """A list of figures that draws every one of them when a cell ends with it.

    They are plain figures, so they stay visible in a saved notebook and in a
    report made without a browser.
    """

    def _ipython_display_(self) -> None:
        for figure in self:
            figure.show()
