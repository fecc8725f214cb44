from __future__ import annotations

import numpy as np
import pytest

from workbench.reports.figures import learning_curve_figure, loss_curve_figure

POINTS = [
    (1_012, {"whole tumor": 0.5, "core": 0.3, "mean": 0.4}),
    (1_024, {"whole tumor": 0.6, "core": 0.4, "mean": 0.5}),
]


def test_a_learning_curve_has_a_line_for_each_region_with_the_given_dice() -> None:
    figure = learning_curve_figure(POINTS)
    lines = {each.meta: each for each in figure.data}
    assert set(lines) == {"whole tumor", "core", "mean"}
    assert list(lines["core"].x) == [1_012, 1_024]
    assert list(lines["core"].y) == [0.3, 0.4]


def test_a_region_that_a_round_does_not_score_leaves_a_gap() -> None:
    figure = learning_curve_figure([(5, {"a": 0.1}), (9, {"a": 0.2, "b": 0.3})])
    line = next(each for each in figure.data if each.meta == "b")
    assert np.isnan(line.y[0])
    assert line.y[1] == 0.3


def test_random_choice_is_a_grey_dashed_ghost_of_the_mean() -> None:
    figure = learning_curve_figure(POINTS, ghost=[(1_012, {"mean": 0.4}), (1_024, {"mean": 0.45})])
    ghost = figure.data[-1]
    assert ghost.name == "random choice, mean"
    assert ghost.line.dash == "dash"
    assert list(ghost.y) == [0.4, 0.45]


def test_the_validation_cases_are_a_dotted_line_of_their_mean() -> None:
    figure = learning_curve_figure(POINTS, validation=[(1_012, {"mean": 0.3})])
    line = figure.data[-1]
    assert (line.name, line.line.dash, list(line.y)) == ("validation cases, mean", "dot", [0.3])


def test_dice_is_drawn_from_zero_to_one_and_counts_with_separators() -> None:
    figure = learning_curve_figure(POINTS, total=2_000)
    assert tuple(figure.layout.yaxis.range) == (0, 1)
    assert figure.layout.xaxis.tickformat == ",d"
    assert figure.data[0].text[0] == "1,012 labeled slices (50.6% of the pool)"
    assert "Dice" in figure.layout.yaxis.title.text


def test_no_learning_curve_has_more_than_seven_lines() -> None:
    dice = {f"structure {i}": 0.1 * i for i in range(10)} | {"mean": 0.5}
    figure = learning_curve_figure([(12, dice)])
    assert len(figure.data) == 7
    assert figure.data[-1].meta == "mean"


@pytest.mark.parametrize("figure", [learning_curve_figure([]), loss_curve_figure({"model": ()})])
def test_an_empty_curve_says_when_it_will_appear(figure: object) -> None:
    assert len(figure.data) == 0  # type: ignore[attr-defined]
    assert figure.layout.annotations[0].text  # type: ignore[attr-defined]


def test_a_loss_curve_draws_every_step_of_each_network() -> None:
    losses = {"manifold": np.linspace(900, 500, 40), "model": np.linspace(0.9, 0.2, 20)}
    figure = loss_curve_figure(losses)
    for name, values in losses.items():
        line = next(each for each in figure.data if each.meta == name)
        np.testing.assert_allclose(line.y, values)
        np.testing.assert_array_equal(line.x, np.arange(1, len(values) + 1))
    assert figure.layout.xaxis.title.text == "training step"
