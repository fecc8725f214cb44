"""Curves over what is labeled and over training steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.reports.figures.axis_titles import brief_cost, cost_title
from workbench.reports.figures.menus import menu
from workbench.reports.palette import OKABE_ITO, line_color
from workbench.reports.theme import blank_figure, dress, thousands

__all__ = ["LABELED", "learning_curve_figure", "loss_curve_figure"]

#: Names the axis that every curve has: how many slices, or volumes, are labeled.
LABELED = "labeled"
#: One point of a learning curve: how much is labeled, and Dice by region.
Point = tuple[int, Mapping[str, float]]

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "x")


def learning_curve_figure(
    points: Sequence[Point],
    *,
    ghost: Sequence[Point] | None = None,
    validation: Sequence[Point] = (),
    total: int | None = None,
    scans: int | None = None,
    noun: str = "slice",
    title: str = "",
    costs: Mapping[str, Sequence[float]] | None = None,
    cost: str = LABELED,
    from_reference: bool = False,
) -> go.Figure:
    """Draw Dice by the number of labeled slices, or volumes, one line for each region.

    Where somebody drew the labels, a menu chooses what the curve is drawn against instead.

    Parameters
    ----------
    points : sequence of (int, mapping of str to float)
        How many are labeled, and the Dice of every region, round by round. A region
        called ``"mean"`` is drawn thick and last.
    ghost : sequence of (int, mapping of str to float), optional
        The same for random choice; only its mean is drawn, grey and dashed.
    validation : sequence of (int, mapping of str to float)
        The same for the validation cases, where there are any; only its mean is drawn, dotted.
        A value for each of `points`, if there are `costs`.
    total : int, optional
        Size of the pool; the hover text then gives the share as well.
    scans : int, optional
        All scans, those held out for testing included, where volumes are labeled; the axis then
        tells the share of the pool and the share of all scans.
    noun : str
        What is labeled: "slice" or "volume".
    title : str
        Heading of the figure.
    costs : mapping of str to sequence of float, optional
        What each of `points` had cost, by name (`axis_titles.COSTS`). Random choice is not drawn
        against them, because nobody drew its labels.
    cost : str
        What is shown first: `LABELED`, or one of `costs`.
    from_reference : bool
        Whether some labels came from the reference, so that they cost nobody anything.
    """
    if not points:
        return blank_figure(
            "The learning curve starts with the first round: "
            f"Dice on the test cases by the number of labeled {noun}s."
        )
    figure = go.Figure()
    regions = list(dict.fromkeys(name for _, dice in points for name in dice))
    regions.sort(key=lambda name: name == "mean")
    for index, region in enumerate(regions[-7:]):
        color = OKABE_ITO["black"] if region == "mean" else line_color(index)
        figure.add_trace(
            _dice_line(
                points,
                region,
                total,
                noun,
                name=f"mean of {len(regions) - 1} regions" if region == "mean" else region,
                line={"color": color, "width": 2.6 if region == "mean" else 1.6},
                marker={"color": color, "size": 8, "symbol": _SYMBOLS[index]},
            )
        )
    if ghost:
        region = "mean" if any("mean" in dice for _, dice in ghost) else next(iter(ghost[0][1]))
        figure.add_trace(
            _dice_line(
                ghost,
                region,
                total,
                noun,
                name=f"random choice, {region}",
                line={"color": OKABE_ITO["grey"], "width": 2, "dash": "dash"},
                marker={"color": OKABE_ITO["grey"], "size": 6, "symbol": "circle-open"},
            )
        )
    if validation:
        figure.add_trace(
            _dice_line(
                validation,
                "mean",
                total,
                noun,
                name="validation cases, mean",
                line={"color": OKABE_ITO["black"], "width": 2, "dash": "dot"},
                marker={"color": OKABE_ITO["black"], "size": 7, "symbol": "x-thin-open"},
            )
        )
    dress(figure, title=title, height=380)
    largest = max(count for count, _ in [*points, *(ghost or [])])
    figure.update_xaxes(
        title_text=f"labeled {noun}s", tickformat=",d", range=[0, 1.08 * largest], nticks=8
    )
    figure.update_yaxes(title_text="Dice on the test cases (0 to 1)", range=[0, 1.0], dtick=0.2)
    if total and scans:
        counts = sorted({count for count, _ in points})
        figure.update_xaxes(
            title_text=f"labeled {noun}s: number, share of the training pool, share of all scans",
            tickvals=counts,
            ticktext=[f"{n}<br>{n / total:.0%} of pool<br>{n / scans:.0%} of all" for n in counts],
        )
        figure.update_layout(height=410, margin={"b": 100})
    if costs:
        _offer_costs(figure, noun, costs, cost, from_reference)
    return figure


def _offer_costs(
    figure: go.Figure,
    noun: str,
    costs: Mapping[str, Sequence[float]],
    chosen: str,
    from_reference: bool,
) -> None:
    """Add a menu of what the lines are drawn against, and draw them against the chosen one."""
    axis = figure.layout.xaxis
    ticks = ("range", "tickvals", "ticktext")
    labeled = {f"xaxis.{name}": axis[name] for name in ("tickmode", *ticks)}
    shown: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        LABELED: (
            {"x": [each.x for each in figure.data], "text": [each.text for each in figure.data]},
            {"xaxis.title.text": axis.title.text, **labeled},
        )
    }
    for name, values in costs.items():
        said = [f"{brief_cost(name)}: {value:,.6g}" for value in values]
        shown[name] = (
            {"x": [list(values)] * len(figure.data), "text": [said] * len(figure.data)},
            {
                "xaxis.title.text": cost_title(name, from_reference),
                "xaxis.range": [0, 1.08 * max(values) or 1],
                "xaxis.tickmode": "auto",
            },
        )
    for name, (traces, _) in shown.items():
        traces["visible"] = [name == LABELED or not _is_random(each) for each in figure.data]
    for index, trace in enumerate(figure.data):
        trace.update({key: values[index] for key, values in shown[chosen][0].items()})
    figure.update_layout({k.replace(".", "_"): v for k, v in shown[chosen][1].items()})
    words = {LABELED: f"labeled {noun}s", **{name: brief_cost(name) for name in costs}}
    choice = menu([(words[name], *each) for name, each in shown.items()], dropdown=True)
    figure.update_layout(
        updatemenus=[{**choice, "active": list(shown).index(chosen)}],
        margin={"t": figure.layout.margin.t + 40},
        height=figure.layout.height + 40,
    )


def _is_random(trace: go.Scatter) -> bool:
    return bool(trace.line.dash == "dash")


def _dice_line(
    points: Sequence[Point],
    region: str,
    total: int | None,
    noun: str,
    *,
    name: str,
    line: Mapping[str, object],
    marker: Mapping[str, object],
) -> go.Scatter:
    counts = [count for count, _ in points]
    shares = [f" ({count / total:.1%} of the pool)" if total else "" for count in counts]
    return go.Scatter(
        x=counts,
        y=[dice.get(region, np.nan) for _, dice in points],
        mode="lines+markers",
        name=name,
        meta=region,
        line=line,
        marker=marker,
        text=[f"{thousands(n)} labeled {noun}s{s}" for n, s in zip(counts, shares, strict=True)],
        hovertemplate="%{text}<br>Dice %{y:.3f}<extra>" + name + "</extra>",
    )


_LOSS_TITLES = {
    "manifold": ("Data manifold (VAE)", "squared error + KL, per image"),
    "model": ("Segmentation model (U-Net)", "Dice loss"),
}


def loss_curve_figure(losses: Mapping[str, Sequence[float]], *, title: str = "") -> go.Figure:
    """Draw the training losses of the networks, a panel for each.

    Parameters
    ----------
    losses : mapping of str to sequence of float
        Loss of every step by network, ``"manifold"`` or ``"model"``; networks
        without steps are left out. A thick line shows the median of the 15
        steps around each one.
    title : str
        Heading of the figure.
    """
    shown = {name: np.asarray(values, float) for name, values in losses.items() if len(values)}
    if not shown:
        return blank_figure("Loss curves appear while a network trains.")
    titles = [_LOSS_TITLES.get(name, (name, "loss")) for name in shown]
    figure = make_subplots(
        rows=1,
        cols=len(shown),
        horizontal_spacing=0.12,
        subplot_titles=[heading for heading, _ in titles],
    )
    for column, (name, values) in enumerate(shown.items(), start=1):
        steps = np.arange(1, len(values) + 1)
        color = line_color(column - 1)
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=values,
                mode="lines",
                line={"color": color, "width": 1},
                opacity=0.35,
                name="every step",
                meta=name,
                legendgroup="step",
                showlegend=column == 1,
                hovertemplate="step %{x:,}<br>loss %{y:.4g}<extra></extra>",
            ),
            1,
            column,
        )
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=_running_median(values),
                mode="lines",
                line={"color": color, "width": 2.4},
                name="median of 15 steps",
                legendgroup="median",
                showlegend=column == 1,
                hoverinfo="skip",
            ),
            1,
            column,
        )
        figure.update_xaxes(title_text="training step", tickformat=",d", row=1, col=column)
        figure.update_yaxes(title_text=titles[column - 1][1], tickformat=",", row=1, col=column)
    dress(figure, title=title, height=360)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(nticks=6)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.28, "yanchor": "top"})
    return figure


def _running_median(values: np.ndarray, width: int = 15) -> np.ndarray:
    """Median of the `width` values around each one, fewer at the ends."""
    half = width // 2
    return np.array(
        [np.median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]
    )
