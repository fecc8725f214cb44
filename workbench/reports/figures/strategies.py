"""Strategies side by side: learning curves, structures, losses, time.

Every figure takes tidy tables (one value in a row) and the `LineStyle` of each
strategy, so that a strategy looks the same on all of them. At most seven
strategies are told apart in one plot; others stay as thin grey lines, and
`each_strategy_figure` gives every one a panel of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from workbench.reports.palette import OKABE_ITO, OTHERS, LineStyle
from workbench.reports.theme import QUIET, blank_figure, dress, wrap

__all__ = [
    "COSTS",
    "each_strategy_figure",
    "loss_by_round_figure",
    "seconds_figure",
    "strategy_curves_figure",
    "structures_figure",
]

#: What a curve can be drawn against: column of the table, and title of the axis.
COSTS: Mapping[str, str] = {
    "slices": "slices annotated",
    "shown": "slices shown (three for each suggested one)",
    "cases": "cases (with at least one annotated slice)",
    "pixels": "pixels (of the annotated slices)",
}

#: What each metric measures, with its unit, in the order in which they are told.
UNITS: Mapping[str, str] = {
    "dice": "Dice",
    "hd": "Hausdorff distance (mm)",
    "hd95": "95 % Hausdorff distance (mm)",
}

Styles = Mapping[str, LineStyle]


def measure(metric: str, region: str) -> str:
    """Name a measure and its unit: ``"Dice, anterior"``, ``"Dice, mean of the regions"``."""
    return f"{UNITS.get(metric, metric)}, {'mean of the regions' if region == 'mean' else region}"


def strategy_curves_figure(
    curves: pd.DataFrame,
    styles: Styles,
    *,
    ceiling: pd.DataFrame | None = None,
    costs: Sequence[str] = tuple(COSTS),
    title: str = "",
) -> go.Figure:
    """Draw the learning curve of each strategy with a band over its seeds.

    Buttons choose what the curves are drawn against, a menu chooses metric and
    region; both work in a saved page.

    Parameters
    ----------
    curves : DataFrame
        A row for each strategy, round, metric and region: ``label, round, metric,
        region, mean, sd, n`` (over seeds; sd NaN where n is 1) and the columns of
        `costs`, means over seeds too.
    styles : mapping of str to LineStyle
        By label, the most important first; those in grey are drawn thin, without band.
    ceiling : DataFrame, optional
        ``metric, region, mean, sd, n`` of the full-data reference.
    costs : sequence of str
        Keys of `COSTS` that can be chosen, the first one shown at first.
    title : str
        Heading of the figure.
    """
    if curves.empty:
        return blank_figure("Learning curves appear here once a run has finished a round.")
    views = list(dict.fromkeys(zip(curves["metric"], curves["region"], strict=True)))
    views.sort(key=lambda view: (list(UNITS).index(view[0]), view[1] != "mean"))
    names = [name for name in styles if name in set(curves["label"])]
    names.sort(key=lambda name: styles[name].color != OTHERS)  # grey ones lie below
    figure = go.Figure()
    drawn: list[tuple[str, str]] = []
    grey_told = False
    for name in names:
        style = styles[name]
        seeds = _seeds(curves[curves["label"] == name]["n"])
        if style.color == OTHERS:
            line = {"color": OTHERS, "width": 1}
            label, legend = (
                f"{sum(s.color == OTHERS for s in styles.values())} others",
                not grey_told,
            )
            grey_told = True
            figure.add_trace(
                go.Scatter(
                    mode="lines",
                    line=line,
                    opacity=0.7,
                    name=label,
                    legendgroup="others",
                    legendrank=2000,
                    showlegend=legend,
                    meta={"label": name, "part": "mean"},
                    hovertemplate=f"{name}: %{{text}}<extra></extra>",
                )
            )
            drawn.append((name, "mean"))
            continue
        figure.add_trace(
            go.Scatter(
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=_faint(style.color),
                name=f"{name} ± 1 sd",
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip",
                meta={"label": name, "part": "band"},
            )
        )
        drawn.append((name, "band"))
        figure.add_trace(
            go.Scatter(
                mode="lines+markers",
                line={"color": style.color, "width": 2, "dash": style.dash},
                marker={"color": style.color, "symbol": style.symbol, "size": 8},
                name=f"{name} ({seeds})",
                legendgroup=name,
                legendrank=1000 + list(styles).index(name),
                meta={"label": name, "part": "mean"},
                hovertemplate=f"{name}: %{{text}}<extra></extra>",
            )
        )
        drawn.append((name, "mean"))
    if ceiling is not None and len(ceiling):
        figure.add_trace(
            go.Scatter(
                mode="lines",
                line={"color": QUIET, "width": 1.6, "dash": "dot"},
                name=f"all data ({_seeds(ceiling['n'])})",
                legendrank=3000,
                meta={"label": "all data", "part": "mean"},
                hovertemplate="all data: %{text}<extra></extra>",
            )
        )
        drawn.append(("all data", "mean"))
    across = {cost: _across(curves, drawn, cost) for cost in costs}
    upward = {view: _upward(curves, ceiling, drawn, view) for view in views}
    _apply(figure, x=across[costs[0]], **upward[views[0]])
    dress(figure, title=title, height=520)
    figure.update_xaxes(title_text=COSTS[costs[0]], tickformat=",", rangemode="tozero", nticks=9)
    figure.update_yaxes(title_text=measure(*views[0]), autorange=True)
    figure.update_layout(
        margin={"t": 108 if title else 76},
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        updatemenus=[
            _menu(
                [
                    (COSTS[cost].split(" (")[0], {"x": x}, {"xaxis.title.text": COSTS[cost]})
                    for cost, x in across.items()
                ],
                x=0,
            ),
            *(
                [
                    _menu(
                        [
                            (measure(*view), values, {"yaxis.title.text": measure(*view)})
                            for view, values in upward.items()
                        ],
                        x=1,
                        dropdown=True,
                    )
                ]
                if len(views) > 1
                else []
            ),
        ],
    )
    return figure


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


def _menu(
    choices: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
    *,
    x: float,
    dropdown: bool = False,
) -> dict[str, Any]:
    return {
        "type": "dropdown" if dropdown else "buttons",
        "direction": "down" if dropdown else "right",
        "x": x,
        "xanchor": "right" if dropdown else "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": 0, "l": 0, "r": 0},
        "showactive": True,
        "bgcolor": "white",
        "bordercolor": "#d0d7de",
        "font": {"size": 12},
        "buttons": [
            {"method": "update", "label": label, "args": [traces, layout]}
            for label, traces, layout in choices
        ],
    }


def each_strategy_figure(
    curves: pd.DataFrame,
    styles: Styles,
    *,
    reference: str = "random",
    cost: str = "slices",
    metric: str = "dice",
    region: str = "mean",
    title: str = "",
) -> go.Figure:
    """Give every strategy a panel of its own, over the reference and the others in grey.

    Parameters
    ----------
    curves, styles
        As for `strategy_curves_figure`.
    reference : str
        The strategy that every panel shows beside its own, if there is one of that label.
    cost : str
        A key of `COSTS`.
    metric, region : str
        What is drawn.
    title : str
        Heading of the figure.
    """
    chosen = curves[(curves["metric"] == metric) & (curves["region"] == region)]
    lines = _lines(chosen)
    names = [name for name in styles if name in lines and name != reference]
    if not names:
        return blank_figure("A panel for each strategy appears here once there are two of them.")
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=min(0.3, 52 / (190 * rows)),
        subplot_titles=[wrap(name, 34) for name in names],
    )
    told: set[str] = set()
    for index, name in enumerate(names):
        place = {"row": index // columns + 1, "col": index % columns + 1}
        for other in [*names, *([reference] if reference in lines else [])]:
            if other not in (name, reference):
                _panel_line(figure, lines[other], cost, other, "the others", told, place)
        if reference in lines:
            _panel_line(figure, lines[reference], cost, reference, reference, told, place)
        own = lines[name]
        x, mean, sd = (own[key].to_numpy(float) for key in (cost, "mean", "sd"))
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([mean + sd, (mean - sd)[::-1]]),
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=_faint(OKABE_ITO["blue"]),
                showlegend=False,
                hoverinfo="skip",
                meta={"label": name, "part": "band"},
            ),
            **place,
        )
        _panel_line(figure, own, cost, name, "the strategy named above, ± 1 sd", told, place)
    dress(figure, title=title, height=120 + 190 * rows + (30 if title else 0))
    figure.update_xaxes(tickformat=",", nticks=5, rangemode="tozero")
    figure.update_annotations(font_size=12)
    for column in range(1, columns + 1):
        last = max(i // columns + 1 for i in range(len(names)) if i % columns + 1 == column)
        figure.update_xaxes(title_text=COSTS[cost].split(" (")[0], row=last, col=column)
        figure.update_xaxes(showticklabels=True, row=last, col=column)
    for row in range(1, rows + 1):
        figure.update_yaxes(title_text=UNITS.get(metric, metric), row=row, col=1)
    figure.update_layout(
        margin={"t": 84 if title else 40},
        legend={"orientation": "h", "x": 0, "y": -70 / (190 * rows), "yanchor": "top"},
    )
    return figure


def _panel_line(
    figure: go.Figure,
    line: pd.DataFrame,
    cost: str,
    label: str,
    part: str,
    told: set[str],
    place: Mapping[str, int],
) -> None:
    looks: dict[str, Any] = {"color": OKABE_ITO["blue"], "width": 2.4}
    if part == "the others":
        looks = {"color": OTHERS, "width": 0.8}
    elif part == label:
        looks = {"color": OKABE_ITO["black"], "width": 1.6, "dash": "dash"}
    figure.add_trace(
        go.Scatter(
            x=line[cost].to_numpy(float),
            y=line["mean"].to_numpy(float),
            mode="lines",
            line=looks,
            opacity=0.6 if part == "the others" else 1,
            name=part,
            legendgroup=part,
            showlegend=part not in told,
            meta={"label": label, "part": "mean"},
            hovertemplate=f"{label}: %{{y:.3f}}<extra></extra>",
        ),
        **place,
    )
    told.add(part)


def structures_figure(
    cases: pd.DataFrame, styles: Styles, *, metric: str = "dice", title: str = ""
) -> go.Figure:
    """Draw a box for each strategy and structure, over the test cases.

    Parameters
    ----------
    cases : DataFrame
        ``label, case, region, value``: a test case's score, averaged over seeds.
    styles : mapping of str to LineStyle
        By label; the first is drawn uppermost.
    metric : str
        What `value` measures: ``"dice"``, ``"hd"`` or ``"hd95"``.
    title : str
        Heading of the figure.
    """
    cases = cases[np.isfinite(cases["value"].to_numpy(float))]
    if cases.empty:
        return blank_figure("Boxes appear here once a run has scored its test cases.")
    regions = list(dict.fromkeys(cases["region"]))
    names = [name for name in styles if name in set(cases["label"])]
    regions.sort(key=lambda region: region != "mean")
    columns = 2 if len(regions) == 4 else min(3, len(regions))
    rows = -(-len(regions) // columns)
    above, between, below = (84 if title else 40), 72, 60
    inner = rows * (24 * len(names) + 20) + (rows - 1) * between
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=between / inner if rows > 1 else 0,
        subplot_titles=["mean of the regions" if each == "mean" else each for each in regions],
    )
    for index, region in enumerate(regions):
        for name in names:
            own = cases[(cases["region"] == region) & (cases["label"] == name)]
            figure.add_trace(
                go.Box(
                    x=own["value"].to_numpy(float),
                    y=[name] * len(own),
                    text=own["case"].astype(str).tolist(),
                    name=name,
                    meta={"label": name, "region": region},
                    orientation="h",
                    boxpoints="outliers",
                    line={"color": styles[name].color, "width": 1.4},
                    fillcolor=_faint(styles[name].color),
                    marker={"size": 3, "color": styles[name].color},
                    showlegend=False,
                    hovertemplate="%{text}: %{x:.3f}<extra>" + name + "</extra>",
                ),
                row=index // columns + 1,
                col=index % columns + 1,
            )
    dress(figure, title=title, height=above + inner + below)
    figure.update_annotations(font_size=12)
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], showgrid=False, automargin=True
    )
    figure.update_xaxes(nticks=6, matches="x")
    for index in range(len(regions)):
        if index + columns >= len(regions):
            figure.update_xaxes(
                title_text=UNITS.get(metric, metric),
                row=index // columns + 1,
                col=index % columns + 1,
            )
    figure.update_layout(margin={"t": above, "b": below})
    return figure


def loss_by_round_figure(
    losses: Mapping[str, Sequence[Sequence[Sequence[float]]]],
    styles: Styles,
    *,
    what: str = "training loss",
    title: str = "",
) -> go.Figure:
    """Draw a loss over the training of all rounds, one line for each strategy (Dai 2022 fig. 8).

    Parameters
    ----------
    losses : mapping of str to nested sequences of float
        By label: for each run, for each round, the loss of every step. Rounds may have
        different numbers of steps; each takes the same width on the axis.
    styles : mapping of str to LineStyle
        By label; those in grey are drawn thin.
    what : str
        Title of the vertical axis.
    title : str
        Heading of the figure.
    """
    shown = {name: losses[name] for name in styles if any(any(run) for run in losses.get(name, ()))}
    if not shown:
        return blank_figure("Loss curves appear here once a run has trained.")
    figure = go.Figure()
    grey_told = False
    for name in sorted(shown, key=lambda name: styles[name].color != OTHERS):
        style, runs = styles[name], shown[name]
        x, y = _by_round(runs)
        grey = style.color == OTHERS
        figure.add_trace(
            go.Scatter(
                x=x,
                y=_plain(y),
                mode="lines",
                line={"color": style.color, "width": 1 if grey else 2, "dash": style.dash},
                opacity=0.7 if grey else 1,
                name="others" if grey else f"{name} (n = {len(runs)})",
                legendgroup="others" if grey else name,
                legendrank=2000 if grey else 1000 + list(styles).index(name),
                showlegend=not (grey and grey_told),
                meta={"label": name},
                hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
            )
        )
        grey_told |= grey
    dress(figure, title=title, height=420)
    rounds = max(len(run) for runs in shown.values() for run in runs)
    figure.update_xaxes(
        title_text="training of round (its steps from the tick to the next one)",
        tickvals=list(range(rounds)),
        ticktext=[str(index) for index in range(rounds)],
        range=[0, rounds],
    )
    figure.update_yaxes(title_text=what)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"})
    return figure


#: Points that the loss of one round is drawn with.
_POINTS = 24


def _by_round(
    runs: Sequence[Sequence[Sequence[float]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over runs of the loss in equal parts of each round, a gap between rounds."""
    rounds = max(len(run) for run in runs)
    table = np.full((len(runs), rounds, _POINTS + 1), np.nan)
    for i, run in enumerate(runs):
        for j, steps in enumerate(run):
            parts = np.array_split(np.asarray(steps, float), min(_POINTS, max(len(steps), 1)))
            means = np.array([part.mean() if len(part) else np.nan for part in parts])
            places = (np.arange(_POINTS) * len(means)) // _POINTS
            table[i, j, :_POINTS] = means[places]
    known = np.isfinite(table)
    mean = np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    mean[~known.any(axis=0)] = np.nan
    x = np.arange(rounds)[:, None] + (np.arange(_POINTS + 1) + 0.5) / (_POINTS + 1)
    return x.ravel(), mean.ravel()


def seconds_figure(seconds: pd.DataFrame, styles: Styles, *, title: str = "") -> go.Figure:
    """Draw the wall time of a round by strategy: training and suggesting.

    Parameters
    ----------
    seconds : DataFrame
        ``label, training, suggesting``: mean seconds of a round.
    styles : mapping of str to LineStyle
        By label; the first is drawn uppermost.
    title : str
        Heading of the figure.
    """
    if seconds.empty:
        return blank_figure("Times appear here once a run has finished a round.")
    rows = seconds.set_index("label")
    names = [name for name in styles if name in rows.index]
    figure = go.Figure()
    for part, color, pattern in (
        ("training", OKABE_ITO["sky blue"], ""),
        ("suggesting", OKABE_ITO["vermilion"], "/"),
    ):
        figure.add_trace(
            go.Bar(
                x=rows.loc[names, part].to_numpy(float),
                y=names,
                orientation="h",
                name=part,
                meta=part,
                marker={"color": color, "pattern": {"shape": pattern, "fillmode": "replace"}},
                hovertemplate="%{y}: %{x:.3g} s<extra>" + part + "</extra>",
            )
        )
    dress(figure, title=title, height=110 + 24 * len(names) + (30 if title else 0))
    figure.update_xaxes(title_text="seconds a round (wall time)", tickformat=",")
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], showgrid=False, automargin=True
    )
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    )
    return figure


def _seeds(counts: pd.Series) -> str:
    """Say how many seeds stand behind a line."""
    known = counts.dropna().astype(int)
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return f"n = {low}" if low == high else f"n = {low} to {high}"


def _plain(values: Any) -> list[float | None]:
    """Floats for JSON: a value that is not finite leaves a gap."""
    return [float(v) if np.isfinite(v) else None for v in values]


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
