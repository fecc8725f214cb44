"""Chains of suggestions: a source, the slice suggested from it, the slice suggested from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from workbench.reports.figures.panels import Panels
from workbench.reports.figures.pictures import LETTERS, grey_window
from workbench.reports.theme import blank_figure

if TYPE_CHECKING:
    from workbench.cohort.pool import SampleId

__all__ = ["Link", "chains_figure"]


@dataclass(frozen=True, eq=False)
class Link:
    """One slice of a chain.

    Parameters
    ----------
    id : SliceId or VolumeId
        The slice.
    round : int
        The round in which it was labeled, 0 for the initial set.
    picture : ndarray, shape (h, w)
        Its pixels.
    reference : ndarray of bool, shape (h, w)
        What is outlined.
    """

    id: SampleId
    round: int
    picture: NDArray[Any]
    reference: NDArray[Any]


def chains_figure(
    chains: Sequence[Sequence[Link]],
    spacing: tuple[float, float] = (1.0, 1.0),
    *,
    title: str = "",
) -> go.Figure:
    """Draw each chain as a row of slices, from its source onward (Dai 2022 fig. 5, right).

    Parameters
    ----------
    chains : sequence of sequence of Link
        The first of each is the source.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    title : str
        Heading of the figure.
    """
    if not chains:
        return blank_figure("Chains appear here once suggestions follow from labeled slices.")
    columns = max(3, *(len(chain) for chain in chains))
    titles = [
        [
            f"{'source' if place == 0 else '→ suggested'}, labeled in round {link.round}"
            f"<br><span style='font-size:11px'>{link.id.case} · {link.id.place}"
            f"</span>"
            for place, link in enumerate(chain)
        ]
        for chain in chains
    ]
    first = chains[0][0]
    panels = Panels(
        titles, first.picture.shape, spacing, letters=LETTERS[first.id.axis], columns=columns
    )
    for row, chain in enumerate(chains):
        window = grey_window(np.stack([link.picture for link in chain]))
        for column, link in enumerate(chain):
            panels.picture(row, column, link.picture, window)
            panels.contour(row, column, link.reference, "reference")
    return panels.finish(title=title)
