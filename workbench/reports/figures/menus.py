"""Choices beside a figure that also work in a saved page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["menu"]


def menu(
    choices: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
    *,
    dropdown: bool = False,
    above: int = 0,
) -> dict[str, Any]:
    """Make a row of buttons above the plot, or a menu, which a narrow page needs.

    Parameters
    ----------
    choices : sequence of (str, mapping, mapping)
        Words, and what they change in the traces and in the layout.
    dropdown : bool
        A menu instead of buttons.
    above : int
        Pixels between it and the plot, such as 42 for one above a row of buttons.
    """
    return {
        "type": "dropdown" if dropdown else "buttons",
        "direction": "down" if dropdown else "right",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": above, "l": 0, "r": 0},
        "showactive": True,
        "bgcolor": "white",
        "bordercolor": "#d0d7de",
        "font": {"size": 12},
        "buttons": [
            {"method": "update", "label": label, "args": [traces, layout]}
            for label, traces, layout in choices
        ],
    }
