"""The latent map as a still: points, sources, arrows, cones and picks.

One trace for each state, drawn in the order of `palette.MARKS`, so that the
rare marks lie over the common ones. A cone is drawn as a wedge only where the
latent space is two-dimensional and shown on its own axes; on every other map an
angle of the plane is not the angle of the condition, so the points inside the
d-dimensional cones are highlighted instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from workbench.reports.cones import cone_reach, inside_cones
from workbench.reports.palette import CONE_EDGE, CONE_FILL, MARKS, OKABE_ITO
from workbench.reports.theme import dress

if TYPE_CHECKING:
    from workbench.cohort.pool import Pool
    from workbench.latent.project import Projection
    from workbench.strategies.base import Suggestions
    from workbench.strategies.needs import Shift

__all__ = ["latent_map_figure", "wedge"]

#: Above this many points the map is drawn by WebGL, which has no limit that matters here.
MANY_POINTS = 6_000

#: Below this displacement, in neighbor distances, an arrow shows a direction only.
DIRECTION_ONLY = 0.01

Floats = NDArray[np.float64]


def latent_map_figure(
    projection: Projection,
    pool: Pool,
    *,
    shift: Shift | None = None,
    suggestions: Suggestions | None = None,
    max_angle: float | None = None,
    neighbor_distance: float | None = None,
    z: Floats | None = None,
    color: NDArray[Any] | None = None,
    color_name: str = "",
    title: str = "",
    height: int = 560,
) -> go.Figure:
    """Draw a latent map with all that the gradients say.

    Parameters
    ----------
    projection : Projection
        Where each row of the pool lies on the map.
    pool : Pool
        Which rows are labeled.
    shift : Shift, optional
        The sources with z and z': rings, crosses and arrows.
    suggestions : Suggestions, optional
        The picks: stars, hollow outside their cone.
    max_angle : float, optional
        Half-angle of the cones in degrees; None or 180 and more draws none.
    neighbor_distance : float, optional
        u. If the median displacement is under 0.01 u, arrows are drawn dashed
        and at a fixed length: they show a direction only.
    z : ndarray, shape (n, d), optional
        Latent codes of the pool; with them, free points inside the cones are
        highlighted on maps where no wedge may be drawn.
    color : ndarray of float, shape (n,), optional
        Value of each row, drawn in cividis; None colors by state.
    color_name : str
        What `color` measures, with its unit.
    title : str
        Heading of the figure.
    height : int
        Pixels.

    Returns
    -------
    plotly Figure
        Traces named by state; `customdata` of a point trace holds its rows.
    """
    xy = np.asarray(projection.xy, dtype=np.float64)
    figure = go.Figure()
    gl = len(xy) > MANY_POINTS
    names = np.array([str(slice_id) for slice_id in pool.ids], dtype=object)
    wedges = projection.latent_2d and max_angle is not None and max_angle < 180
    ends = None
    reach = np.zeros(0)
    if shift is not None and len(shift.sources):
        ends, direction_only = _arrow_ends(projection, shift, xy, neighbor_distance)
        reach = _reach(shift, suggestions, neighbor_distance, xy)
        if wedges and max_angle is not None:
            _add_wedges(figure, ends, max_angle, reach, gl)
    _add_points(figure, xy, names, pool, color, color_name, gl)
    if shift is not None and ends is not None:
        if z is not None and max_angle is not None and max_angle < 180 and not wedges:
            inside = inside_cones(z, shift, max_angle, reach.astype(np.float32)) & pool.free
            _add_marks(figure, "inside", xy[inside], np.flatnonzero(inside), names, gl)
        _add_arrows(figure, ends, xy, direction_only, gl)
        _add_marks(figure, "source", xy[shift.sources], shift.sources, names, gl)
        _add_marks(figure, "shifted", ends[1], shift.sources, names, gl, "z′ of ")
    if suggestions is not None and len(suggestions.rows):
        flags = suggestions.flags or ("",) * len(suggestions.rows)
        out = np.array([flag == "outside_cone" for flag in flags])
        for state, chosen in (("suggestion", ~out), ("outside_cone", out)):
            rows = suggestions.rows[chosen]
            _add_marks(figure, state, xy[rows], rows, names, gl)
    dress(figure, title=title, height=height)
    figure.update_xaxes(title_text=projection.axes[0], showgrid=False)
    figure.update_yaxes(
        title_text=projection.axes[1], showgrid=False, scaleanchor="x", scaleratio=1
    )
    figure.update_layout(legend={"x": 1.01, "y": 1, "xanchor": "left", "yanchor": "top"})
    if color is not None:
        figure.update_layout(
            legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"}, margin={"b": 120}
        )
    return figure


def wedge(apex: Floats, axis: Floats, max_angle: float, radius: float) -> Floats:
    """Outline a cone in the plane.

    Parameters
    ----------
    apex : ndarray, shape (2,)
        z', where the cone opens.
    axis : ndarray, shape (2,)
        z' − z, the middle of the cone.
    max_angle : float
        Half-angle in degrees.
    radius : float
        How far the wedge is drawn; the condition itself has no end.

    Returns
    -------
    ndarray, shape (points, 2)
        A closed polygon that starts and ends at the apex.
    """
    middle = np.arctan2(axis[1], axis[0])
    half = np.radians(max_angle)
    angles = np.linspace(middle - half, middle + half, max(5, int(max_angle / 3)))
    arc = apex + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.vstack([apex, arc, apex])


def _scatter(gl: bool) -> Any:
    """SVG where it is small enough to stay sharp in print, else WebGL."""
    return go.Scattergl if gl else go.Scatter


def _marker(state: str, gl: bool) -> dict[str, Any]:
    mark = MARKS[state]
    if gl and state in ("unlabeled", "inside"):  # many points: small and faint, or they merge
        mark = replace(mark, size=0.6 * mark.size, opacity=0.5 * mark.opacity)
    marker: dict[str, Any] = {
        "color": mark.color,
        "symbol": mark.symbol,
        "size": mark.size,
        "opacity": mark.opacity,
    }
    if state == "suggestion":
        marker["line"] = {"color": "white", "width": 1}
    elif mark.symbol.endswith("-open"):
        marker["line"] = {"color": mark.color, "width": 2}
    return marker


def _add_marks(
    figure: go.Figure,
    state: str,
    xy: Floats,
    rows: NDArray[Any],
    names: NDArray[Any],
    gl: bool,
    prefix: str = "",
) -> None:
    if len(rows) == 0:
        return
    figure.add_trace(
        _scatter(gl)(
            x=xy[:, 0],
            y=xy[:, 1],
            mode="markers",
            name=f"{MARKS[state].label} ({len(rows):,})",
            meta=state,
            marker=_marker(state, gl),
            customdata=np.asarray(rows, dtype=np.int32),
            text=[prefix + name for name in names[rows]],
            hovertemplate="%{text}<extra>" + MARKS[state].label + "</extra>",
        )
    )


def _add_points(
    figure: go.Figure,
    xy: Floats,
    names: NDArray[Any],
    pool: Pool,
    color: NDArray[Any] | None,
    color_name: str,
    gl: bool,
) -> None:
    known = np.zeros(len(xy), dtype=bool) if color is None else np.isfinite(color)
    for state, chosen in (("unlabeled", ~pool.labeled), ("labeled", pool.labeled)):
        _add_marks(figure, state, xy[chosen & ~known], np.flatnonzero(chosen & ~known), names, gl)
        rows = np.flatnonzero(chosen & known)
        if color is None or len(rows) == 0:
            continue
        marker = {
            **_marker(state, gl),
            "color": color[rows],
            "opacity": 0.85,
            "coloraxis": "coloraxis",
        }
        figure.add_trace(
            _scatter(gl)(
                x=xy[rows, 0],
                y=xy[rows, 1],
                mode="markers",
                name=f"{state} ({len(rows):,})",
                meta=state,
                marker=marker,
                customdata=rows.astype(np.int32),
                text=list(names[rows]),
                hovertemplate="%{text}<br>" + color_name + " %{marker.color:.3g}<extra></extra>",
            )
        )
    if known.any():
        bar = {"title": {"text": color_name, "side": "right"}, "thickness": 12, "outlinewidth": 0}
        figure.update_layout(coloraxis={"colorscale": "Cividis", "colorbar": bar})


def _arrow_ends(
    projection: Projection, shift: Shift, xy: Floats, neighbor_distance: float | None
) -> tuple[tuple[Floats, Floats], bool]:
    """Tails and heads of the arrows on the map; True where they only show a direction."""
    step = np.asarray(shift.shifted - shift.z, dtype=np.float64)
    length = np.linalg.norm(step, axis=1, keepdims=True)
    tails = xy[shift.sources]
    tiny = neighbor_distance is not None and bool(
        np.median(length) < DIRECTION_ONLY * neighbor_distance
    )
    if not tiny or neighbor_distance is None:
        return (tails, np.asarray(projection.place(shift.shifted), dtype=np.float64)), False
    unit = np.divide(step, length, out=np.zeros_like(step), where=length > 0)
    reach = np.linalg.norm(np.ptp(xy, axis=0)) * 0.06
    heads = np.asarray(projection.place(shift.z + 3 * neighbor_distance * unit), dtype=np.float64)
    drawn = heads - tails
    size = np.linalg.norm(drawn, axis=1, keepdims=True)
    return (tails, tails + np.divide(drawn * reach, size, where=size > 0, out=drawn * 0)), True


def _add_arrows(
    figure: go.Figure, ends: tuple[Floats, Floats], extent: Floats, direction_only: bool, gl: bool
) -> None:
    tails, heads = ends
    pause = np.full(len(tails), np.nan)
    name = "z → z′ (direction only)" if direction_only else "z → z′"
    figure.add_trace(
        _scatter(gl)(
            x=np.column_stack([tails[:, 0], heads[:, 0], pause]).ravel(),
            y=np.column_stack([tails[:, 1], heads[:, 1], pause]).ravel(),
            mode="lines",
            name=name,
            meta="arrow",
            line={
                "color": OKABE_ITO["black"],
                "width": 1.4,
                "dash": "dot" if direction_only else "solid",
            },
            hoverinfo="skip",
        )
    )
    moved = np.linalg.norm(heads - tails, axis=1) > 0
    angle = np.degrees(np.arctan2(*(heads - tails)[moved].T))  # clockwise from up, as plotly turns
    drawn = (heads - tails)[moved]
    length = np.linalg.norm(drawn, axis=1, keepdims=True)
    gap = 0.012 * float(np.linalg.norm(np.ptp(extent, axis=0)))  # leaves the cross at z' visible
    middle = tails[moved] + np.maximum(0.75, 1 - gap / length) * drawn
    figure.add_trace(
        _scatter(gl)(
            x=middle[:, 0],
            y=middle[:, 1],
            mode="markers",
            meta="arrow head",
            marker={
                "symbol": "triangle-up",
                "size": 8,
                "angle": angle,
                "color": OKABE_ITO["black"],
            },
            showlegend=False,
            hoverinfo="skip",
        )
    )


def _reach(
    shift: Shift, suggestions: Suggestions | None, neighbor_distance: float | None, xy: Floats
) -> Floats:
    """How far each cone is shown, in latent units; without picks all alike."""
    if suggestions is None:
        return np.full(len(shift.sources), 0.06 * float(np.linalg.norm(np.ptp(xy, axis=0))))
    return cone_reach(shift, suggestions, neighbor_distance or 0.0).astype(np.float64)


def _add_wedges(
    figure: go.Figure, ends: tuple[Floats, Floats], max_angle: float, reach: Floats, gl: bool
) -> None:
    outlines = []
    for tail, head, radius in zip(*ends, reach, strict=True):
        if radius > 0 and np.linalg.norm(head - tail) > 0:
            outlines.append(wedge(head, head - tail, max_angle, radius))
            outlines.append(np.full((1, 2), np.nan))
    if not outlines:
        return
    path = np.vstack(outlines)
    figure.add_trace(
        _scatter(gl)(
            x=path[:, 0],
            y=path[:, 1],
            mode="lines",
            fill="toself",
            fillcolor=CONE_FILL,
            line={"color": CONE_EDGE, "width": 0.8},
            name=f"cone, half-angle {max_angle:.0f}°",
            meta="cone",
            hoverinfo="skip",
        )
    )
