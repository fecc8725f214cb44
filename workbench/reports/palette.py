"""Colors and marks, once, for the live views and the still pictures alike.

States take the Okabe–Ito colors, which stay apart under every common color
blindness; values take cividis. A state never differs by color alone: each has a
mark of its own as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CIVIDIS",
    "CLASS_COLORS",
    "CONE_EDGE",
    "CONE_FILL",
    "LINES",
    "MARKS",
    "OKABE_ITO",
    "OTHERS",
    "PATTERNS",
    "PREDICTION",
    "REFERENCE",
    "LineStyle",
    "Mark",
    "class_styles",
    "faint",
    "line_color",
    "line_styles",
]

#: The Okabe–Ito colors by name (Okabe & Ito 2008, "Color universal design").
OKABE_ITO: Final[Mapping[str, str]] = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "reddish purple": "#CC79A7",
    "grey": "#8A8A8A",
}


@dataclass(frozen=True)
class Mark:
    """How one state of a slice is drawn.

    ``symbol`` is plotly's name of the mark; ``size`` its diameter in pixels.
    """

    label: str
    color: str
    symbol: str
    size: float
    opacity: float = 1.0


#: How each state of a point is drawn on a latent map, in drawing order.
MARKS: Final[Mapping[str, Mark]] = {
    "unlabeled": Mark("unlabeled", OKABE_ITO["grey"], "circle", 5, 0.45),
    "inside": Mark("inside a cone, near z′", OKABE_ITO["orange"], "circle", 5, 0.55),
    "labeled": Mark("labeled", OKABE_ITO["blue"], "square", 7, 0.9),
    "source": Mark("source z", OKABE_ITO["black"], "circle-open", 13),
    "shifted": Mark("shifted z′", OKABE_ITO["vermilion"], "x-thin-open", 9),
    "suggestion": Mark("suggestion", OKABE_ITO["vermilion"], "star", 15),
    "outside_cone": Mark("suggestion outside its cone", OKABE_ITO["vermilion"], "star-open", 15),
}

#: A cone on a 2-D latent space: a light fill, a thin edge.
CONE_FILL: Final = "rgba(230, 159, 0, 0.10)"
CONE_EDGE: Final = "rgba(196, 130, 0, 0.65)"

#: Contours on a picture: the reference is drawn solid, the prediction dashed.
REFERENCE: Final = OKABE_ITO["bluish green"]
PREDICTION: Final = OKABE_ITO["vermilion"]

#: Fills of classes on a grey picture: seven colors bright enough on black, then the same ones
#: hatched one way, the other way, and dotted.
CLASS_COLORS: Final = tuple(
    OKABE_ITO[name]
    for name in (
        *("orange", "sky blue", "reddish purple", "bluish green"),
        *("yellow", "vermilion", "blue"),
    )
)
PATTERNS: Final = ("solid", "hatched", "hatched back", "dotted")

#: Lines of a plot in order; no plot has more than these seven.
LINES: Final = (
    OKABE_ITO["blue"],
    OKABE_ITO["vermilion"],
    OKABE_ITO["bluish green"],
    OKABE_ITO["reddish purple"],
    OKABE_ITO["orange"],
    OKABE_ITO["sky blue"],
    OKABE_ITO["black"],
)

#: Nine evenly spaced colors of cividis (Nuñez, Anderton & Renslow 2018), dark to light.
CIVIDIS: Final = (
    "#00224E",
    "#123570",
    "#3B496C",
    "#575D6D",
    "#707173",
    "#8A8678",
    "#A59C74",
    "#C3B369",
    "#FEE838",
)


def class_styles(count: int) -> list[tuple[str, int]]:
    """Give each class of a label map a color and a pattern.

    Parameters
    ----------
    count : int
        Classes, the background (class 0) included.

    Returns
    -------
    list of (str, int)
        Color and position in `PATTERNS` of every class; the background's are not drawn. The
        first 28 foreground classes differ.
    """
    repeats = len(CLASS_COLORS)
    styles = [
        (CLASS_COLORS[i % repeats], i // repeats % len(PATTERNS)) for i in range(max(count - 1, 0))
    ]
    return [(OKABE_ITO["black"], 0), *styles] if count else []


def line_color(index: int) -> str:
    """Return the color of line `index` of a plot, counted from 0.

    After seven lines the colors repeat: draw fewer, or tell them apart by dash too.
    """
    return LINES[index % len(LINES)]


def faint(color: str) -> str:
    """Return a color (``#RRGGBB``) so thin that what lies below stays visible."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


#: Lines beyond the seventh: all alike, thin, and told apart in panels of their own.
OTHERS: Final = "#B0B5BA"

_SYMBOLS = ("square", "diamond", "triangle-up", "cross", "triangle-down", "star")
_DASHES = ("solid", "longdash", "dashdot", "solid", "longdash", "dashdot")


@dataclass(frozen=True)
class LineStyle:
    """How one strategy is drawn on every plot; ``symbol`` and ``dash`` are plotly's names."""

    color: str
    symbol: str
    dash: str


def line_styles(ranked: Sequence[str], reference: str = "random") -> dict[str, LineStyle]:
    """Give each strategy a look of its own, at most seven of them in color.

    Parameters
    ----------
    ranked : sequence of str
        Strategies, the most important first.
    reference : str
        Drawn in black and dashed wherever it stands in the ranking.

    Returns
    -------
    dict of str to LineStyle
        In the order of `ranked`. The first six beside the reference are told apart by
        color, symbol and dash; the others share `OTHERS`.
    """
    styles: dict[str, LineStyle] = {}
    told = 0
    for name in ranked:
        if name == reference:
            styles[name] = LineStyle(OKABE_ITO["black"], "circle", "dash")
        elif told < len(_SYMBOLS):
            styles[name] = LineStyle(LINES[told], _SYMBOLS[told], _DASHES[told])
            told += 1
        else:
            styles[name] = LineStyle(OTHERS, "circle-open", "solid")
    return styles
