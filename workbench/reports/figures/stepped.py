"""Several states of one picture behind one slider, without a kernel.

A figure that is recomputed in Python is dead in a saved report. `stepped_figure`
holds all states at once and lets the browser switch between them, so that a
reader of the HTML moves the same slider as a person in the notebook.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from workbench.errors import SettingError
from workbench.reports.theme import FONT

__all__ = ["stepped_figure"]


def stepped_figure(
    figures: Sequence[go.Figure], labels: Sequence[str], *, name: str = "", start: int = 0
) -> go.Figure:
    """Put figures behind a slider that shows one of them at a time.

    Parameters
    ----------
    figures : sequence of plotly Figure
        One for each step; they share their layout, which is taken from the
        one shown first. Titles, annotations and the ranges of the first axes
        follow the slider; traces that steps share are kept once.
    labels : sequence of str
        Label of each step, with its unit.
    name : str
        What the slider changes, such as ``"α: "``.
    start : int
        The step shown first, from 0.

    Raises
    ------
    SettingError
        If there is no figure, or not one label for each.
    """
    if not figures or len(figures) != len(labels):
        raise SettingError(
            f"{len(figures)} figures were given with {len(labels)} labels. "
            f"A slider needs at least one figure, and a label for each."
        )
    traces: dict[str, tuple[object, set[int]]] = {}  # what steps share is kept once
    for step, figure in enumerate(figures):
        for trace in figure.data:
            traces.setdefault(trace.to_json(), (trace, set()))[1].add(step)
    whole = go.Figure(layout=figures[start].layout)
    for trace, shown_in in traces.values():
        whole.add_trace(trace)
        whole.data[-1].visible = start in shown_in
    steps = []
    for step, (figure, label) in enumerate(zip(figures, labels, strict=True)):
        update = {
            "annotations": [note.to_plotly_json() for note in figure.layout.annotations],
            "title.text": figure.layout.title.text or "",
            **{
                f"{axis}.range": list(figure.layout[axis].range)
                for axis in ("xaxis", "yaxis")
                if figure.layout[axis].range is not None
            },
        }
        visible = [step in shown_in for _, shown_in in traces.values()]
        steps.append({"method": "update", "label": label, "args": [{"visible": visible}, update]})
    height = whole.layout.height or 420
    margin = whole.layout.margin.b or 56
    whole.update_layout(
        height=height + 70,
        margin={"b": margin + 70},
        sliders=[
            {
                "active": start,
                "steps": steps,
                "currentvalue": {"prefix": name, "font": {"family": FONT, "size": 14}},
                "pad": {"t": 52, "b": 8},
                "len": 0.9,
                "x": 0.05,
                "transition": {"duration": 0},
            }
        ],
    )
    return whole
