"""What every strategy promises; an installed plug-in takes these tests too."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from workbench.strategies import (
    describe,
    from_record,
    get_strategy,
    record,
    registry,
    strategies,
)
from workbench.strategies.base import Budget, QueryStrategy, check_suggestions, choose
from workbench.strategies.needs import Need

from .made_up import evidence_for


@pytest.mark.parametrize("name", strategies())
@pytest.mark.parametrize("labeled", [(), (0, 5), range(11), range(12)])
def test_any_strategy_suggests_distinct_unlabeled_slices(name, labeled):
    strategy = get_strategy(name)
    seen = evidence_for(strategy, labeled)
    found = strategy.select(seen, Budget(4), np.random.default_rng(0))
    check_suggestions(found, seen, Budget(4), strategy)
    assert len(found.rows) == min(4, 12 - len(labeled))
    assert len(set(found.rows)) == len(found.rows)
    assert not seen.labeled[found.rows].any()


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_leaves_ineligible_slices_alone(name):
    strategy = get_strategy(name)
    seen = evidence_for(strategy, (0,), ineligible=range(1, 9))
    found = strategy.select(seen, Budget(5), np.random.default_rng(0))
    assert sorted(found.rows) == [9, 10, 11]


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_repeats_its_choice_with_the_same_seed(name):
    strategy = get_strategy(name)
    chosen = [
        strategy.select(evidence_for(strategy, (0, 5)), Budget(4), np.random.default_rng(3)).rows
        for _ in range(2)
    ]
    assert chosen[0].tolist() == chosen[1].tolist()


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_changes_no_evidence(name):
    strategy = get_strategy(name)
    seen = evidence_for(strategy, (0, 5))
    before = [np.copy(value) for value in seen.values.values() if isinstance(value, np.ndarray)]
    for value in seen.values.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    strategy.select(seen, Budget(4), np.random.default_rng(0))
    after = [value for value in seen.values.values() if isinstance(value, np.ndarray)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_tells_the_reason_of_every_pick_or_of_none(name):
    strategy = get_strategy(name)
    found = strategy.select(evidence_for(strategy, (0, 5)), Budget(4), np.random.default_rng(0))
    for reason in (found.source, found.distance, found.angle, found.flags):
        assert reason is None or len(reason) == len(found.rows)
    if found.scores is not None:
        assert len(found.scores) == 12
        assert np.isnan(found.scores[[0, 5]]).all()


def choice(name, labeled, budget, **given):
    """What a strategy chooses, checked."""
    strategy = get_strategy(name)
    seen = evidence_for(strategy, labeled, **given)
    found = choose(strategy, seen, budget, np.random.default_rng(0))
    assert seen.free[found.rows].all()
    assert len(set(found.rows.tolist())) == len(found.rows)
    return found


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_fills_its_budget_where_all_slices_are_alike(name):
    assert len(choice(name, (0, 5), Budget(7), tied=True).rows) == 7


@pytest.mark.parametrize("name", strategies())
@pytest.mark.parametrize("labeled", [(), (3,)])
def test_any_strategy_suggests_all_there_is_if_the_budget_is_larger(name, labeled):
    found = choice(name, labeled, Budget(50))
    assert sorted(found.rows) == [row for row in range(12) if row not in labeled]


@pytest.mark.parametrize("name", strategies())
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    ("labeled", "wanted", "cases"),
    [((), 2, 2), (range(4), 1, 1), (range(4), 9, 2), ((0, 4), 2, 2), (range(12), 2, 0)],
)
def test_any_strategy_suggests_whole_cases(name, labeled, wanted, cases, tied):
    labeled = tuple(labeled)
    found = choice(name, labeled, Budget(wanted, "cases"), tied=tied)
    chosen = dict.fromkeys(row // 4 for row in found.rows.tolist())
    assert len(chosen) == cases
    free = [4 * case + i for case in chosen for i in range(4) if 4 * case + i not in labeled]
    assert found.rows.tolist() == free
    for reason in (found.source, found.distance, found.angle, found.flags):
        assert reason is None or len(reason) == len(free)
    if found.source is not None:
        assert set(found.source.tolist()) <= {-1, *labeled}


@pytest.mark.parametrize("name", strategies())
@pytest.mark.parametrize("labeled", [(), (2,)])
@pytest.mark.parametrize("unit", ["slices", "cases"])
def test_any_strategy_works_on_a_single_case(name, labeled, unit):
    found = choice(name, labeled, Budget(3, unit), case_of=[0] * 12)
    assert len(found.rows) == (3 if unit == "slices" else 12 - len(labeled))


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_is_a_frozen_value_with_hashable_needs(name):
    strategy = get_strategy(name)
    assert isinstance(strategy, QueryStrategy)
    assert dataclasses.is_dataclass(strategy)
    assert strategy == dataclasses.replace(strategy)
    assert all(isinstance(need, Need) for need in strategy.needs())
    assert strategy.needs() == get_strategy(name).needs()


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_survives_being_saved_as_json(name):
    strategy = get_strategy(name)
    assert from_record(json.loads(json.dumps(record(strategy)))) == strategy


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_says_in_one_line_what_it_does(name):
    told = describe(name)
    assert told["summary"].endswith(".")
    assert len(told["summary"]) < 100


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_any_strategy_of_ours_names_its_source(name):
    assert describe(name)["source"].endswith((".", ")"))
