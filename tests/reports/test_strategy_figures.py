"""Figures that put strategies side by side show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.reports.made_up import REGIONS, made_up_cases, made_up_curves
from workbench.reports.figures.axis_titles import COSTS
from workbench.reports.figures.strategy_curves import strategy_curves_figure
from workbench.reports.figures.strategy_panels import each_strategy_figure
from workbench.reports.figures.strategy_training import loss_by_round_figure, seconds_figure
from workbench.reports.figures.structures import structures_figure
from workbench.reports.palette import OTHERS, line_styles

FEW = ("random", "gradient-guided", "entropy")
MANY = (*FEW, "margin", "bald", "core-set", "dal", "oracle", "least-confidence")


def traces(figure, part):
    return {
        trace.meta["label"]: trace
        for trace in figure.data
        if trace.meta and trace.meta.get("part") == part
    }


def test_a_curve_is_the_mean_and_its_band_one_sd_around_it():
    curves = made_up_curves(FEW)
    figure = strategy_curves_figure(curves, line_styles(FEW))
    line = traces(figure, "mean")["entropy"]
    assert line.x == (10, 20, 30, 40)
    assert line.y == pytest.approx([0.718, 0.738, 0.758, 0.778])
    band = traces(figure, "band")["entropy"]
    assert band.x == (10, 20, 30, 40, 40, 30, 20, 10)
    assert band.y == pytest.approx([0.728, 0.748, 0.768, 0.788, 0.768, 0.748, 0.728, 0.708])
    assert line.name == "entropy (n = 3)"


def test_buttons_change_what_the_curves_are_drawn_against():
    figure = strategy_curves_figure(made_up_curves(FEW), line_styles(FEW))
    buttons = figure.layout.updatemenus[0].buttons
    place = [trace.meta["label"] for trace in figure.data].index("random") + 1
    assert [button.args[0]["x"][place] for button in buttons] == [
        [10, 20, 30, 40],
        [10, 40, 70, 100],
        [5, 10, 15, 20],
        [30_720, 61_440, 92_160, 122_880],
    ]
    counted = [COSTS[cost] for cost in ("slices", "shown", "cases", "pixels")]
    assert [button.args[1]["xaxis.title.text"] for button in buttons] == counted


def test_a_menu_chooses_metric_and_region_and_begins_with_the_mean_dice():
    figure = strategy_curves_figure(made_up_curves(FEW), line_styles(FEW))
    assert figure.layout.yaxis.title.text == "Dice, mean of the regions"
    menu = {button.label: button for button in figure.layout.updatemenus[1].buttons}
    assert len(menu) == 2 * len(REGIONS)
    place = [trace.meta["label"] for trace in figure.data].index("random") + 1
    hd = menu["95 % Hausdorff distance (mm), posterior"]
    assert hd.args[0]["y"][place] == pytest.approx([6.0, 5.5, 5.0, 4.5])


def test_all_data_is_a_line_across():
    ceiling = pd.DataFrame([{"metric": "dice", "region": "mean", "mean": 0.85, "sd": 0.01, "n": 3}])
    curves = made_up_curves(FEW)
    figure = strategy_curves_figure(curves, line_styles(FEW), ceiling=ceiling)
    line = traces(figure, "mean")["all data"]
    assert line.y == (0.85, 0.85)
    assert line.x == (0, 40)


def test_one_seed_has_no_band():
    curves = made_up_curves(FEW, n=1).assign(sd=np.nan)
    figure = strategy_curves_figure(curves, line_styles(FEW))
    assert set(traces(figure, "band")["random"].y) == {None}


def test_at_most_seven_lines_are_told_apart_by_color_and_no_two_alike():
    styles = line_styles(MANY)
    colored = [style for style in styles.values() if style.color != OTHERS]
    assert len(colored) == 7
    assert len(set(colored)) == 7
    assert len({style.symbol for style in colored}) == 7
    figure = strategy_curves_figure(made_up_curves(MANY), styles)
    grey = [trace for trace in figure.data if trace.line.color == OTHERS]
    assert len(grey) == 2
    assert sum(trace.showlegend for trace in grey) == 1
    assert "2 others" in grey[0].name


def test_random_looks_the_same_wherever_it_stands():
    assert line_styles(FEW)["random"] == line_styles(FEW[::-1])["random"]


def test_every_strategy_has_a_panel_with_its_own_line_over_random():
    figure = each_strategy_figure(made_up_curves(MANY), line_styles(MANY))
    titles = [note.text.replace("<br>", " ") for note in figure.layout.annotations]
    assert titles == list(MANY[1:])
    bands = traces(figure, "band")
    assert list(bands) == list(MANY[1:])


def test_boxes_hold_the_score_of_every_test_case():
    cases = made_up_cases(FEW)
    figure = structures_figure(cases, line_styles(FEW))
    boxes = {(box.meta["label"], box.meta["region"]): box for box in figure.data}
    assert len(boxes) == len(FEW) * len(REGIONS)
    own = cases[(cases["label"] == "entropy") & (cases["region"] == "anterior")]
    assert np.array_equal(boxes["entropy", "anterior"].x, own["value"])


@pytest.mark.parametrize(("cases", "points"), [(10, "all"), (11, "outliers")])
def test_a_box_of_few_cases_shows_every_one(cases, points):
    figure = structures_figure(made_up_cases(FEW, cases), line_styles(FEW))
    assert {box.boxpoints for box in figure.data} == {points}


def test_panels_of_structures_follow_the_first_one_and_it_follows_none():
    figure = structures_figure(made_up_cases(FEW), line_styles(FEW))
    axes = list(figure.select_xaxes())
    assert [axis.matches for axis in axes] == [None, "x", "x"]
    assert all(axis.showticklabels for axis in axes)


def test_boxes_leave_out_what_is_not_defined():
    cases = made_up_cases(FEW)
    cases.loc[0, "value"] = np.nan
    figure = structures_figure(cases, line_styles(FEW), metric="hd95")
    lengths = {(box.meta["label"], box.meta["region"]): len(box.x) for box in figure.data}
    own = (cases.loc[0, "label"], cases.loc[0, "region"])
    assert lengths.pop(own) == 19
    assert set(lengths.values()) == {20}


def test_a_training_loss_is_averaged_over_runs_round_by_round():
    losses = {"random": [[[1.0] * 48, [0.5] * 48], [[0.8] * 48, [0.3] * 30]]}
    line = loss_by_round_figure(losses, line_styles(["random"])).data[0]
    first = [y for x, y in zip(line.x, line.y, strict=True) if x < 1 and np.isfinite(y)]
    second = [y for x, y in zip(line.x, line.y, strict=True) if x > 1 and np.isfinite(y)]
    assert first == pytest.approx([0.9] * 24)
    assert second == pytest.approx([0.4] * 24)


def test_a_round_of_few_steps_takes_the_same_width():
    line = loss_by_round_figure({"a": [[[3.0, 1.0]]]}, line_styles(["a"])).data[0]
    assert line.y[:-1] == pytest.approx([3.0] * 12 + [1.0] * 12)


def test_seconds_are_stacked_by_what_they_were_spent_on():
    seconds = pd.DataFrame({"label": FEW, "training": [9.0, 8, 7], "suggesting": [0.0, 1, 2]})
    bars = {bar.meta: bar for bar in seconds_figure(seconds, line_styles(FEW)).data}
    assert list(bars["suggesting"].x) == [0, 1, 2]
    assert list(bars["training"].y) == list(FEW)
