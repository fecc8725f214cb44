"""Statistics against hand-made values, against scipy, and by what must always hold."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from workbench.errors import SettingError
from workbench.experiments.statistics import (
    area,
    bootstrap_interval,
    budget_needed,
    holm,
    mean_sd,
    signed_rank,
    win_matrix,
)

SCORES = st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 3))


def budgets(n: int) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.integers(1, 50), min_size=n, max_size=n).map(np.cumsum)


# -------------------------------------------------------------------------- areas
@given(st.integers(1, 8).flatmap(budgets), SCORES)
def test_the_area_of_a_constant_is_the_constant(budget, value):
    assert area(budget, np.full(len(budget), value)) == pytest.approx(value)


def test_an_area_is_that_of_its_trapezoids():
    assert area([10, 20, 40], [0.5, 0.7, 0.8]) == pytest.approx((10 * 0.6 + 20 * 0.75) / 30)
    many = area([10, 20, 40], [[0.5, 1], [0.7, 1], [0.8, 1]])
    assert many == pytest.approx([0.7, 1.0])


def test_the_area_does_not_depend_on_the_unit_of_the_budget():
    x, y = np.array([5.0, 9.0, 30.0]), [0.2, 0.4, 0.3]
    assert area(x, y) == pytest.approx(float(area(48 * 64 * x, y)))


def test_a_budget_that_does_not_grow_gives_the_mean():
    assert area([7, 7], [0.4, 0.6]) == pytest.approx(0.5)


@pytest.mark.parametrize(("budget", "scores"), [([1, 2], [1]), ([2, 1], [1, 1]), ([], [])])
def test_no_curve_has_no_area(budget, scores):
    with pytest.raises(SettingError, match="ascending order"):
        area(budget, scores)


# ------------------------------------------------------------------ budget needed
def test_the_budget_needed_lies_on_the_line_between_two_rounds():
    assert budget_needed([10, 20, 40], [0.5, 0.7, 0.8], 0.75) == pytest.approx(30)
    assert budget_needed([10, 20, 40], [0.5, 0.7, 0.8], 0.7) == pytest.approx(20)


def test_a_first_round_that_suffices_needs_no_more_and_a_target_may_be_out_of_reach():
    assert budget_needed([10, 20], [0.5, 0.4], 0.5) == 10
    assert budget_needed([10, 20], [0.5, 0.7], 0.71) == math.inf


@given(arrays(float, 5, elements=SCORES), SCORES, SCORES)
def test_a_higher_target_never_needs_less(scores, one, other):
    low, high = sorted((one, other))
    x = [1, 2, 4, 8, 16]
    assert budget_needed(x, scores, low) <= budget_needed(x, scores, high)


# ---------------------------------------------------------------------- intervals
def test_mean_and_sd_are_those_of_a_sample():
    assert mean_sd([1, 2, 3]) == (2.0, 1.0)
    mean, sd = mean_sd([4])
    assert mean == 4
    assert math.isnan(sd)


def test_the_bootstrap_interval_repeats_itself_and_holds_the_mean():
    values = np.random.default_rng(1).normal(5, 2, 40)
    low, high = bootstrap_interval(values)
    assert (low, high) == bootstrap_interval(values)
    assert low < values.mean() < high
    theory = stats.sem(values) * 1.96
    assert high - low == pytest.approx(2 * theory, rel=0.06)


def test_the_bootstrap_interval_is_that_of_scipy():
    values = np.random.default_rng(3).exponential(1, 25)
    scipys = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, vectorized=True
    ).confidence_interval
    assert bootstrap_interval(values) == pytest.approx((scipys.low, scipys.high), abs=0.03)


def test_of_one_value_there_is_no_interval():
    assert np.isnan(bootstrap_interval([3.0])).all()
    low, _ = bootstrap_interval(np.ones((1, 4)))
    assert low.shape == (4,)


@given(arrays(float, (5, 3), elements=SCORES))
def test_columns_are_resampled_together_and_intervals_stay_within_the_values(values):
    low, high = bootstrap_interval(values, draws=200)
    alone = [bootstrap_interval(column, draws=200) for column in values.T]
    assert np.allclose(np.transpose(alone), [low, high])
    assert (low >= values.min(axis=0) - 1e-9).all()
    assert (high <= values.max(axis=0) + 1e-9).all()


# -------------------------------------------------------------------- signed rank
@pytest.mark.parametrize("n", [5, 6, 10, 30, 50])
def test_the_signed_rank_test_is_the_exact_one_of_scipy(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank(differences) == pytest.approx(expected, rel=1e-9)


def test_many_differences_are_tested_by_the_normal_approximation():
    differences = np.random.default_rng(0).normal(0.2, 1, 51)
    assert signed_rank(differences) == pytest.approx(
        stats.wilcoxon(differences, method="approx").pvalue
    )


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_with_ties_every_pattern_of_signs_is_counted(differences):
    moved = np.array([d for d in differences if d], float)
    if not len(moved):
        assert signed_rank(differences) == 1
        return
    ranks = stats.rankdata(np.abs(moved))
    observed = ranks[moved > 0].sum()
    sums = np.array(
        [(ranks * signs).sum() for signs in itertools.product([0, 1], repeat=len(ranks))]
    )
    rarer = min((sums <= observed).mean(), (sums >= observed).mean())
    assert signed_rank(differences) == pytest.approx(min(1, 2 * rarer))


def test_six_wins_of_six_are_the_first_that_say_something():
    assert signed_rank(np.arange(1, 6)) == pytest.approx(0.0625)
    assert signed_rank(np.arange(1, 7)) == pytest.approx(0.03125)


@given(arrays(float, 12, elements=SCORES))
def test_the_test_does_not_ask_which_of_two_comes_first(differences):
    assert signed_rank(differences) == pytest.approx(signed_rank(-differences))
    assert 0 < signed_rank(differences) <= 1


def test_no_difference_at_all_has_p_1_and_nothing_has_none():
    assert signed_rank([0, 0]) == 1
    assert math.isnan(signed_rank([]))


# --------------------------------------------------------------------------- Holm
def test_holm_multiplies_by_what_is_left():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    corrected = holm([0.2, math.nan, 0.01])
    assert corrected[[0, 2]] == pytest.approx([0.2, 0.02])
    assert math.isnan(corrected[1])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_makes_a_p_value_smaller(p_values):
    given_, corrected = np.array(p_values), holm(p_values)
    assert (corrected >= given_).all()
    assert (corrected <= np.minimum(1, given_ * len(given_)) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(given_, kind="stable")]) >= 0).all()
    alone = holm(p_values[:1])
    assert alone[0] == p_values[0]


# ------------------------------------------------------------------- win matrices
def test_wins_are_counted_over_the_seeds_that_both_have():
    scores = [[3, 3, 3, 3], [1, 3, 5, math.nan], [math.nan, math.nan, math.nan, 9]]
    matrix = win_matrix(scores)
    assert matrix[0, 1] == 0  # one win, one tie, one loss
    assert matrix[0, 2] == -1
    assert math.isnan(matrix[1, 2])


@given(arrays(float, (4, 5), elements=st.one_of(st.integers(0, 3), st.just(math.nan))))
def test_a_win_of_one_is_a_loss_of_the_other(scores):
    matrix = win_matrix(scores)
    assert np.array_equal(matrix, -matrix.T, equal_nan=True)
    assert (np.abs(matrix[np.isfinite(matrix)]) <= 1).all()
