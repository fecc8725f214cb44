from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from workbench.errors import SettingError, StrategyError, UnknownStrategyError
from workbench.strategies import (
    describe,
    from_record,
    get_strategy,
    record,
    registry,
    strategies,
)
from workbench.strategies.base import Suggestions
from workbench.strategies.baselines import Random
from workbench.strategies.gradient_guided import GradientGuided


@dataclass(frozen=True)
class Lowest:
    """Take the lowest rows."""

    start: int = 0

    def needs(self):
        return frozenset()

    def select(self, evidence, budget, rng):
        return Suggestions(rows=np.flatnonzero(evidence.free)[self.start :][: budget.n])


@dataclass(frozen=True)
class Halved(Lowest):
    """Take the lowest rows from a half on."""

    def __post_init__(self):
        object.__setattr__(self, "start", self.start // 2)

    def select(self, evidence, budget, rng):
        return super().select(evidence, budget, rng)


class NoStrategy:
    """Has neither needs nor select."""


def plug_in(monkeypatch, name, value):
    points = EntryPoints([EntryPoint(name, value, registry.GROUP)])
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_a_misspelled_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownStrategyError, match="Did you mean 'gradient-guided'"):
        get_strategy("gradient_guided")


def test_an_unknown_parameter_is_answered_with_the_nearest_one():
    with pytest.raises(SettingError, match="Did you mean 'max_angle'"):
        get_strategy("gradient-guided", angle_max=30)


def test_a_parameter_for_a_strategy_that_has_none_is_refused():
    with pytest.raises(SettingError, match="It takes none"):
        get_strategy("random", seed=3)


def test_a_strategy_object_is_passed_through():
    strategy = Lowest(2)
    assert get_strategy(strategy) is strategy


def test_parameters_are_replaced_on_a_strategy_object():
    assert get_strategy(Lowest(2), start=5) == Lowest(5)


@pytest.mark.parametrize("thing", [Lowest, NoStrategy(), 3])
def test_what_is_no_strategy_object_is_refused(thing):
    with pytest.raises(StrategyError, match="not a query strategy"):
        get_strategy(thing)


def test_an_installed_plug_in_is_found_by_its_name(monkeypatch):
    plug_in(monkeypatch, "lowest", f"{__name__}:Lowest")
    assert get_strategy("lowest", start=1) == Lowest(1)
    assert list(strategies())[-1] == "lowest"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broken", "no_such_module_at_all:Strategy"),
        ("broken", f"{__name__}:NoStrategy"),
        ("random", f"{__name__}:Lowest"),
    ],
)
def test_a_broken_plug_in_is_skipped_with_a_warning_that_names_it(monkeypatch, name, value):
    plug_in(monkeypatch, name, value)
    with pytest.warns(UserWarning, match=name):
        found = strategies()
    assert set(found) == set(registry.BUILT_IN)
    assert found["random"] is Random


@pytest.mark.parametrize("given", [{"start": "x"}, {"start": None}])
def test_a_plug_in_that_cannot_be_made_is_named(given):
    with pytest.raises(StrategyError, match=r"^Halved\.__init__ raised TypeError: .*line \d+"):
        get_strategy(f"{__name__}:Halved", **given)
    with pytest.raises(StrategyError, match=r"^Halved\.__init__ raised TypeError"):
        get_strategy(Halved(), **given)


def test_a_plug_in_that_cannot_say_what_it_needs_is_named():
    name = "tests.experiments.broken:CannotTell"
    for ask in (get_strategy, describe):
        with pytest.raises(StrategyError, match=r"^CannotTell\.needs raised KeyError"):
            ask(name)


def test_a_strategy_object_is_saved_with_the_module_it_comes_from():
    saved = record(Lowest(4))
    assert saved == {"name": f"{__name__}:Lowest", "parameters": {"start": 4}}
    assert from_record(saved) == Lowest(4)


def test_a_saved_strategy_whose_module_is_gone_says_so():
    with pytest.raises(UnknownStrategyError, match="cannot be found"):
        from_record({"name": "gone_module:Strategy", "parameters": {}})


def test_a_strategy_is_described_with_parameters_and_needs():
    told = describe("gradient-guided")
    assert told["parameters"] == {
        "alpha": None,
        "displacement": 2.0,
        "scale": "l2",
        "sources": "last",
        "max_angle": 60.0,
        "fallback": True,
    }
    assert told["needs"] == [
        "latent code of every row",
        "where the loss gradient moves labeled samples in latent space",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0},
        {"alpha": -1e-3},
        {"alpha": float("nan")},
        {"alpha": "1"},
        {"displacement": 0},
        {"displacement": float("inf")},
        {"max_angle": -1},
        {"max_angle": 181},
        {"scale": "l1"},
        {"sources": "first"},
    ],
)
def test_a_parameter_out_of_range_is_refused_by_its_name(wrong):
    with pytest.raises(SettingError, match=f"^{next(iter(wrong))} is "):
        GradientGuided(**wrong)
