"""How much is labeled when."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cohort.test_split import made
from workbench.cohort.pool import Pool, SliceId
from workbench.cohort.split import split_cases
from workbench.errors import SettingError
from workbench.experiments.protocols import PROTOCOLS, protocol
from workbench.experiments.schedule import make_schedule
from workbench.strategies.base import Budget, Evidence, choose
from workbench.strategies.baselines import Random
from workbench.study import initial_rows

from .tiny import tiny_config


def pool_of(cases: int, slices: int, without_label: int = 0) -> Pool:
    """Make a pool of equal cases, the last ones without a label."""
    ids = tuple(SliceId(f"c{c}", "axial", i) for c in range(cases) for i in range(slices))
    case_of = np.repeat(np.arange(cases), slices)
    eligible = case_of < cases - without_label
    return Pool(ids, case_of, eligible, np.full(len(ids), -1))


def test_shares_are_of_what_can_be_labeled():
    pool = pool_of(cases=10, slices=100, without_label=2)
    schedule = make_schedule(pool, "slices", "0.5 %", ["0.5%", "1 %", 7])
    assert (schedule.count, schedule.initial, schedule.budgets) == (800, 4, (4, 8, 7))
    by_case = make_schedule(pool, "cases", "25 %", 3)
    assert (by_case.count, by_case.initial, by_case.budgets) == (8, 2, (3,))


def test_the_iterative_protocol_is_that_of_the_paper():
    settings, parameters = protocol("iterative")
    assert parameters == {"sources": "all"}
    config = tiny_config(**settings)
    schedule = config.schedule(pool_of(cases=260, slices=150))
    assert schedule.initial == 195
    assert schedule.budgets == (195, *[390] * 8)
    schedule.check(config.rounds)


def test_rahimis_protocol_divides_fifty_scans_of_one_site_exactly():
    settings, _ = protocol("volumes")
    cohort = made("a" * 50)
    for seed in range(5):
        split = split_cases(
            cohort, settings["test_fraction"], seed, settings["validation_fraction"]
        )
        assert (len(split.pool), len(split.test), len(split.validation)) == (22, 22, 6)


def test_rahimis_protocol_labels_11_of_22_and_5_more_a_round_until_one_is_left():
    config = tiny_config(**protocol("volumes")[0])
    pool = pool_of(cases=22, slices=1)
    schedule = config.schedule(pool)
    schedule.check(config.rounds)
    pool = pool.with_labeled(initial_rows(pool, schedule.initial, 0, schedule.unit), 0)
    labeled = [int(pool.labeled.sum())]
    rng = np.random.default_rng(0)
    for index in range(config.rounds):
        evidence = Evidence(pool.case_of, pool.eligible, pool.labeled_in)
        budget = Budget(schedule.budget(index), schedule.unit)
        pool = pool.with_labeled(choose(Random(), evidence, budget, rng).rows, index + 1)
        labeled.append(int(pool.labeled.sum()))
    assert labeled == [11, 16, 21, 22]
    with pytest.raises(SettingError, match="after 3 of 4 rounds"):
        schedule.check(4)


def test_the_one_shot_protocol_by_cases_is_that_of_the_paper():
    config = tiny_config(**protocol("one-shot-cases")[0])
    schedule = config.schedule(pool_of(cases=260, slices=2))
    assert (schedule.initial, schedule.budgets, config.rounds) == (10, (10,), 1)


@pytest.mark.parametrize(("rounds", "budgets"), [(2, 2), (12, 12), (0, 1)])
def test_a_protocol_follows_the_rounds_that_are_asked_for(rounds, budgets):
    settings, _ = protocol("iterative", {"rounds": rounds})
    assert len(tiny_config(**settings).budget) == budgets


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_a_valid_run(name):
    config = tiny_config(**protocol(name)[0])
    config.schedule(pool_of(cases=100, slices=10)).check(config.rounds)


def test_an_unknown_protocol_is_refused_with_the_nearest_name():
    with pytest.raises(SettingError, match="Did you mean 'iterative'"):
        protocol("iteratif")


def test_a_share_of_less_than_one_is_refused():
    with pytest.raises(SettingError, match="'0.5 %' of 8 cases, which is less than one"):
        make_schedule(pool_of(cases=8, slices=50), "cases", "0.5 %", 1)


def test_a_schedule_whose_rounds_find_nothing_is_refused():
    schedule = make_schedule(pool_of(cases=2, slices=10), "slices", 8, 6)
    schedule.check(2)  # the second takes the last 6
    with pytest.raises(SettingError, match="after 2 of 3 rounds"):
        schedule.check(3)
    with pytest.raises(SettingError, match="one must be left for a round. Add cases"):
        make_schedule(pool_of(cases=1, slices=4), "cases", 1, 1).check(1)
    with pytest.raises(SettingError, match=r"between 1 and 19 with --initial \(initial = 19\)"):
        make_schedule(pool_of(cases=2, slices=10), "slices", "100 %", 1).check(1)


def test_all_may_be_labeled_where_nothing_is_to_be_suggested():
    pool = pool_of(cases=3, slices=5, without_label=1)
    schedule = make_schedule(pool, "slices", "100 %", 1)
    schedule.check(0)
    assert initial_rows(pool, schedule.initial, seed=0).tolist() == list(range(10))


def test_an_initial_set_of_cases_has_all_their_slices_that_can_be_labeled():
    pool = pool_of(cases=6, slices=4, without_label=3)
    rows = initial_rows(pool, 2, 0, "cases")
    assert len(rows) == 8
    assert len(np.unique(pool.case_of[rows])) == 2
    assert pool.eligible[rows].all()
    with pytest.raises(SettingError, match="5 cases, but the pool has 3"):
        initial_rows(pool, 5, 0, "cases")


def test_a_budget_above_what_is_left_of_the_pool_is_refused():
    make_schedule(pool_of(cases=2, slices=10), "slices", 8, 12).check(1)
    with pytest.raises(SettingError, match="budget is 13 slices .* has 12 that can be .*--budget"):
        make_schedule(pool_of(cases=2, slices=10), "slices", 8, 13).check(1)
