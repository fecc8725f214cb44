"""Tables that a report shows as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from workbench.reports.theme import FONT, blank_figure, dress

if TYPE_CHECKING:
    from workbench.cohort.pool import Pool
    from workbench.strategies.base import Suggestions

__all__ = ["suggestions_figure"]

_REMARKS = {"": "", "outside_cone": "outside its cone", "no_direction": "no direction"}


def suggestions_figure(
    suggestions: Suggestions | None,
    pool: Pool,
    neighbor_distance: float | None = None,
    *,
    title: str = "",
) -> go.Figure:
    """List what is suggested with the reasons for each.

    Parameters
    ----------
    suggestions : Suggestions or None
        The picks, most wanted first.
    pool : Pool
        Gives the rows their names.
    neighbor_distance : float, optional
        u; distances are then given in u, else in latent units.
    title : str
        Heading of the table.
    """
    if suggestions is None or len(suggestions.rows) == 0:
        return blank_figure("Suggestions appear here once a model has been trained.")
    unit = neighbor_distance or 1.0
    ids = [pool.ids[row] for row in suggestions.rows]
    columns: dict[str, list[str]] = {
        "rank": [str(rank) for rank in range(1, len(ids) + 1)],
        "case": [each.case for each in ids],
        ids[0].noun: [each.place for each in ids],
    }
    if suggestions.scores is not None:
        columns["score"] = [f"{suggestions.scores[row]:.4g}" for row in suggestions.rows]
    if suggestions.source is not None:
        columns["found from"] = [str(pool.ids[row]) for row in suggestions.source]
    if suggestions.distance is not None:
        heading = "distance to z′ (u)" if neighbor_distance else "distance to z′"
        columns[heading] = [f"{distance / unit:.2f}" for distance in suggestions.distance]
    if suggestions.angle is not None:
        columns["angle"] = [
            f"{angle:.0f}°" if np.isfinite(angle) else "–" for angle in suggestions.angle
        ]
    if suggestions.flags is not None:
        columns["remark"] = [_REMARKS.get(flag, flag) for flag in suggestions.flags]
    figure = go.Figure(
        go.Table(
            header={
                "values": [f"<b>{name}</b>" for name in columns],
                "align": "left",
                "fill_color": "white",
                "line_color": "#d0d7de",
                "font": {"family": FONT, "size": 12},
                "height": 28,
            },
            cells={
                "values": list(columns.values()),
                "align": "left",
                "fill_color": "white",
                "line_color": "#e6e8eb",
                "font": {"family": FONT, "size": 12},
                "height": 24,
            },
            columnwidth=[max(len(name), *map(len, cells)) + 2 for name, cells in columns.items()],
        )
    )
    above = 40 if title else 4
    dress(figure, title=title, height=above + 28 + 24 * len(ids) + 14)
    figure.update_layout(margin={"l": 4, "r": 4, "t": above, "b": 4})
    return figure
