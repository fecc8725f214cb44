"""The mode that divides a score by what a label is predicted to cost."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.errors import SettingError, UnknownStrategyError
from workbench.experiments.config import RunConfig
from workbench.strategies import from_record, get_strategy, record, strategies
from workbench.strategies.base import Budget
from workbench.strategies.conditions import Dropout
from workbench.strategies.cost_aware import CostAware, Scored
from workbench.strategies.needs import PredictedEffort, Uncertainty
from workbench.strategies.registry import BUILT_IN

from .made_up import evidence_for

SCORED = ["oracle", "least-confidence", "margin", "entropy", "mc-dropout", "bald"]


def test_it_takes_the_highest_score_for_its_cost():
    strategy = CostAware("entropy", opening=10.0)
    seen = evidence_for(strategy)
    entropy, effort = np.linspace(1, 2, 12), np.linspace(0, 100, 12)
    seen.values.update({Uncertainty("entropy"): entropy, PredictedEffort(5): effort})
    found = strategy.select(seen, Budget(12), np.random.default_rng(0))
    np.testing.assert_allclose(found.scores, entropy / (effort + 10))
    assert found.rows.tolist() == list(range(12)), "what is certain here is cheap, too"
    dear = CostAware("entropy", opening=1e6)
    assert dear.select(seen, Budget(1), np.random.default_rng(0)).rows.tolist() == [11]


def test_a_case_is_worth_its_mean_score_for_its_mean_effort():
    strategy = CostAware("entropy", opening=1.0)
    seen = evidence_for(strategy)
    entropy, effort = np.ones(12), np.repeat([9.0, 1.0, 4.0], 4)
    seen.values.update({Uncertainty("entropy"): entropy, PredictedEffort(5): effort})
    scores = strategy.select(seen.by_case(), Budget(1, "cases"), np.random.default_rng(0)).scores
    np.testing.assert_allclose(scores, [0.1, 0.5, 0.2])


@pytest.mark.parametrize("name", SCORED)
def test_strategies_with_a_score_rank_by_it(name):
    strategy = get_strategy(name)
    seen = evidence_for(strategy, (0, 5))
    scores = strategy.scores(seen)
    free = seen.free
    assert (scores[free] >= 0).all()
    chosen = strategy.select(seen, Budget(12), np.random.default_rng(0)).rows
    assert (np.diff(scores[chosen]) <= 0).all()


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - set(SCORED)))
def test_strategies_without_a_score_are_refused_before_anything_is_trained(name):
    assert not issubclass(strategies()[name], Scored)
    with pytest.raises(SettingError, match=r"has no score.*entropy, mc-dropout"):
        RunConfig(
            strategy={"name": "cost-aware", "parameters": {"strategy": name}}
        ).query_strategy()


def test_an_unknown_strategy_is_named():
    with pytest.raises(UnknownStrategyError, match="entropie"):
        CostAware("entropie")


def test_passes_and_dropout_are_shared_with_the_strategy():
    strategy = CostAware("mc-dropout", passes=3, p=0.25)
    assert strategy.needs() == {
        Dropout(0.25), PredictedEffort(3), Uncertainty("variance", 3, "sum"),
    }  # fmt: skip


def test_it_is_saved_and_made_again():
    strategy = CostAware("bald", passes=4, opening=20.0)
    assert from_record(json.loads(json.dumps(record(strategy)))) == strategy


@pytest.mark.parametrize("wrong", [{"opening": 0}, {"passes": 1}, {"p": 1.0}])
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(SettingError):
        CostAware(**wrong)
