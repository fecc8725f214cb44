"""Learning curves of strategies side by side, with bands over their seeds.

A strategy looks the same here as on every other figure (`LineStyle`). At most
seven are told apart in one plot; others stay as thin grey lines, and
`strategy_panels` gives every one a panel of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.reports.figures.axis_titles import COSTS, UNITS, brief_cost, cost_title, measure
from workbench.reports.figures.menus import menu
from workbench.reports.palette import OTHERS, LineStyle, faint
from workbench.reports.theme import QUIET, blank_figure, dress

__all__ = ["strategy_curves_figure"]


def strategy_curves_figure(
    curves: pd.DataFrame,
    styles: Mapping[str, LineStyle],
    *,
    ceiling: pd.DataFrame | None = None,
    from_reference: bool = False,
) -> go.Figure:
    """Draw the learning curve of each strategy with a band over its seeds.

    Buttons choose what the curves are drawn against, a menu chooses metric and
    region; both work in a saved page.

    Parameters
    ----------
    curves : DataFrame
        A row for each strategy, round, metric and region: ``label, round, metric,
        region, mean, sd, n`` (over seeds; sd NaN where n is 1) and the columns of
        `COSTS` that were counted, means over seeds too.
    styles : mapping of str to LineStyle
        By label, the most important first; those in grey are drawn thin, without band.
    ceiling : DataFrame, optional
        ``metric, region, mean, sd, n`` of the full-data reference.
    from_reference : bool
        Whether labels came from the reference, so that they cost nobody anything: the axes say it.
    """
    if curves.empty:
        return blank_figure("Learning curves appear here once a run has finished a round.")
    views = list(dict.fromkeys(zip(curves["metric"], curves["region"], strict=True)))
    views.sort(key=lambda view: (list(UNITS).index(view[0]), view[1] != "mean"))
    names = [name for name in styles if name in set(curves["label"])]
    names.sort(key=lambda name: styles[name].color != OTHERS)  # grey ones lie below
    traces: list[go.Scatter] = []
    for name in names:
        if styles[name].color == OTHERS:
            others = sum(style.color == OTHERS for style in styles.values())
            traces.append(_grey_line(name, f"{others} others", told=name == names[0]))
            continue
        count = _seeds(curves[curves["label"] == name]["n"])
        traces.append(_band(name, styles[name]))
        traces.append(_line(name, styles[name], f"{name} ({count})", list(styles).index(name)))
    if ceiling is not None and len(ceiling):
        traces.append(_ceiling_line(_seeds(ceiling["n"])))
    figure = go.Figure(traces)
    drawn = [(trace.meta["label"], trace.meta["part"]) for trace in traces]
    across = {cost: _across(curves, drawn, cost) for cost in COSTS if cost in curves}
    upward = {view: _upward(curves, ceiling, drawn, view) for view in views}
    _apply(figure, x=across["slices"], **upward[views[0]])
    dress(figure, height=560)
    figure.update_xaxes(title_text=COSTS["slices"], tickformat=",", rangemode="tozero", nticks=9)
    figure.update_yaxes(title_text=measure(*views[0]), autorange=True)
    by_cost = [
        (brief_cost(cost), {"x": x}, {"xaxis.title.text": cost_title(cost, from_reference)})
        for cost, x in across.items()
    ]
    by_view = [
        (measure(*view), values, {"yaxis.title.text": measure(*view)})
        for view, values in upward.items()
    ]
    menus = [menu(by_cost)]
    if len(by_view) > 1:
        menus.append(menu(by_view, dropdown=True, above=42))
    figure.update_layout(
        margin={"t": 76 if len(menus) == 1 else 116},
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        updatemenus=menus,
    )
    return figure


def _grey_line(name: str, title: str, *, told: bool) -> go.Scatter:
    return go.Scatter(
        mode="lines",
        line={"color": OTHERS, "width": 1},
        name=title,
        legendgroup="others",
        showlegend=told,
        legendrank=2000,
        meta={"label": name, "part": "mean"},
        hovertemplate=f"{name}: %{{text}}<extra></extra>",
    )


def _band(name: str, style: LineStyle) -> go.Scatter:
    return go.Scatter(
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=faint(style.color),
        name=f"{name} ± 1 sd",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        meta={"label": name, "part": "band"},
    )


def _line(name: str, style: LineStyle, title: str, rank: int) -> go.Scatter:
    return go.Scatter(
        mode="lines+markers",
        line={"color": style.color, "width": 2, "dash": style.dash},
        marker={"color": style.color, "symbol": style.symbol, "size": 8},
        name=title,
        legendgroup=name,
        legendrank=1000 + rank,
        meta={"label": name, "part": "mean"},
        hovertemplate=f"{name}: %{{text}}<extra></extra>",
    )


def _ceiling_line(count: str) -> go.Scatter:
    return go.Scatter(
        mode="lines",
        line={"color": QUIET, "width": 1.6, "dash": "dot"},
        name=f"all data ({count})",
        legendrank=3000,
        meta={"label": "all data", "part": "mean"},
        hovertemplate="all data: %{text}<extra></extra>",
    )


def _across(curves: pd.DataFrame, drawn: Sequence[tuple[str, str]], cost: str) -> list[Any]:
    """The x of every trace: there and back for a band."""
    lines = _lines(curves)
    ends = [0.0, float(curves[cost].max())]
    found: list[Any] = []
    for name, part in drawn:
        if name not in lines:
            found.append(ends)
            continue
        x = lines[name].drop_duplicates("round")[cost].to_numpy(float)
        found.append(np.concatenate([x, x[::-1]]) if part == "band" else x)
    return [np.asarray(x, float).tolist() for x in found]


def _upward(
    curves: pd.DataFrame,
    ceiling: pd.DataFrame | None,
    drawn: Sequence[tuple[str, str]],
    view: tuple[str, str],
) -> dict[str, list[Any]]:
    """The y and the hover text of every trace, for one metric and region."""
    lines = _lines(curves)
    ys: list[Any] = []
    texts: list[Any] = []
    for name, part in drawn:
        if name not in lines:
            assert ceiling is not None
            top = ceiling[(ceiling["metric"] == view[0]) & (ceiling["region"] == view[1])]
            value = float(top["mean"].iloc[0]) if len(top) else np.nan
            ys.append(_plain([value, value]))
            texts.append([_said(row) for row in top.itertuples()][:1] * 2)
            continue
        rounds = lines[name].drop_duplicates("round")["round"]
        own = lines[name]
        own = own[(own["metric"] == view[0]) & (own["region"] == view[1])]
        own = own.set_index("round").reindex(rounds)
        mean, sd = own["mean"].to_numpy(float), own["sd"].to_numpy(float)
        if part == "band":
            ys.append(_plain(np.concatenate([mean + sd, (mean - sd)[::-1]])))
            texts.append([])
        else:
            ys.append(_plain(mean))
            texts.append([_said(row) for row in own.reset_index().itertuples()])
    return {"y": ys, "text": texts}


def _lines(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): part.sort_values("round") for name, part in curves.groupby("label")}


def _said(row: Any) -> str:
    spread = f" ± {row.sd:.3f}" if np.isfinite(row.sd) else ""
    where = f"round {row.round}, " if hasattr(row, "round") else ""
    seeds = "" if pd.isna(row.n) else f" (n = {int(row.n)})"
    return f"{where}{row.mean:.3f}{spread}{seeds}"


def _apply(figure: go.Figure, **values: Sequence[Any]) -> None:
    for key, each in values.items():
        for trace, value in zip(figure.data, each, strict=True):
            trace[key] = value


def _seeds(counts: pd.Series) -> str:
    """Say how many seeds stand behind a line."""
    known = counts.dropna().astype(int)
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return f"n = {low}" if low == high else f"n = {low} to {high}"


def _plain(values: Any) -> list[float | None]:
    """Floats for JSON: a value that is not finite leaves a gap."""
    return [float(v) if np.isfinite(v) else None for v in values]
