"""What training was like, strategy by strategy: its loss in every round, and its wall time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from workbench.reports.palette import OKABE_ITO, OTHERS, LineStyle
from workbench.reports.theme import blank_figure, dress

__all__ = ["loss_by_round_figure", "seconds_figure"]


def loss_by_round_figure(
    losses: Mapping[str, Sequence[Sequence[Sequence[float]]]],
    styles: Mapping[str, LineStyle],
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
                y=y,
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


def seconds_figure(
    seconds: pd.DataFrame, styles: Mapping[str, LineStyle], *, title: str = ""
) -> go.Figure:
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
    figure.update_xaxes(title_text="seconds per round (wall time)", tickformat=",")
    figure.update_yaxes(
        categoryorder="array", categoryarray=names[::-1], showgrid=False, automargin=True
    )
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        legend={
            "orientation": "h",
            "traceorder": "normal",  # as the bars are stacked
            "x": 1,
            "xanchor": "right",
            "y": 1,
            "yanchor": "bottom",
        },
    )
    return figure
