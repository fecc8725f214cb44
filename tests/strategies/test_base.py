"""What a strategy answers is checked before anything is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.experiments.broken import Broken as Raising
from workbench.errors import SettingError, StrategyError
from workbench.strategies.base import Budget, Suggestions, check_suggestions, choose, highest
from workbench.strategies.needs import Latents, Shift

from .made_up import evidence


@dataclass(frozen=True)
class Broken:
    """Answers what it was told to."""

    found: Any


def check(found, budget=3, labeled=(0, 1), ineligible=(2,)):
    return check_suggestions(found, evidence(labeled, ineligible), Budget(budget), Broken(found))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([3, 4, 3], "a row twice"),
        ([3, 1], "1 rows that are labeled or not eligible"),
        ([2], "1 rows that are labeled or not eligible"),
        ([3, 4, 5, 6], "4 rows for a budget of 3"),
        ([3, 12], "row 12, but the pool has rows 0 to 11"),
        ([3, -1], "row -1, but the pool has rows 0 to 11"),
        ([3.0, 4.0], "type float64"),
        ([True, False], "type bool"),
        ([[3, 4]], r"shape \(1, 2\)"),
    ],
)
def test_rows_that_cannot_be_labeled_are_refused_naming_the_strategy(rows, said):
    with pytest.raises(StrategyError, match=rf"^Broken\.select returned .*{said}"):
        check(Suggestions(np.array(rows)))


@pytest.mark.parametrize("found", [None, np.array([3]), [3]])
def test_what_is_no_suggestions_is_refused(found):
    with pytest.raises(StrategyError, match=r"must return Suggestions\(rows=…\)"):
        check(found)


@pytest.mark.parametrize(
    "reason",
    [
        {"source": np.array([0])},
        {"distance": np.zeros(3)},
        {"angle": np.zeros(1)},
        {"flags": ("",)},
        {"scores": np.zeros(2)},
    ],
)
def test_reasons_that_do_not_fit_the_rows_are_refused_by_name(reason):
    with pytest.raises(StrategyError, match=next(iter(reason))):
        check(Suggestions(np.array([3, 4]), **reason))


@pytest.mark.parametrize("unit", ["slices", "cases"])
def test_a_strategy_that_raises_is_named_with_its_line(unit, tmp_path):
    said = r"^Broken\.select raised ZeroDivisionError: .* by zero \(broken\.py, line \d+\)\. Mend"
    strategy = Raising(str(tmp_path / "tries"))
    with pytest.raises(StrategyError, match=said) as caught:
        choose(strategy, evidence(), Budget(1, unit), np.random.default_rng(0))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("rows", [[3, 5], (), np.array([5], np.uint8)])
def test_rows_are_handed_on_as_whole_numbers_of_one_type(rows):
    found = check(Suggestions(rows))
    assert found.rows.dtype == np.int64
    assert found.rows.tolist() == list(rows)


def test_what_was_not_declared_cannot_be_read():
    with pytest.raises(StrategyError, match=r"Latents\(\), which it did not declare"):
        evidence()[Latents()]


def test_the_highest_free_rows_are_taken_and_ties_go_to_the_lower_row():
    scores = np.array([9.0, 9, 9, 1, 5, 5, np.nan, 2, -9, 0, 0, 0])
    found = highest(scores, evidence((0, 1), ineligible=(2,)), Budget(9))
    assert found.rows.tolist() == [4, 5, 7, 3, 9, 10, 11, 8, 6]
    assert np.isnan(found.scores[[0, 1, 2]]).all()


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_a_budget_out_of_range_is_refused(n):
    with pytest.raises(SettingError, match="whole number of at least 1"):
        Budget(n)


def test_a_budget_above_the_pool_is_what_is_left_in_it():
    assert Budget(40).within(evidence(range(9))) == 3


def test_no_strategy_can_change_what_others_are_given():
    z = np.zeros((2, 3))
    shift = Shift(1.0, np.arange(2), z, z)
    with pytest.raises(ValueError, match="read-only"):
        shift.z[0] = 1
    z[0] = 1
    assert shift.z.max() == 0
