"""Our own variants of gradient-guided sampling, against what they are said to do."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.strategies import get_strategy
from workbench.strategies.base import Budget, Evidence
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.gradient_variants import GradientDrawn, GradientSpread
from workbench.strategies.needs import Latents, Shift

SOURCES = np.array([1, 8, 22, 40])


def seen(strategy, z, shifted, sources=SOURCES, marked=None):
    labeled_in = np.full(len(z), -1, np.int32)
    labeled_in[sources] = 0
    shift = Shift(1.0, sources, z[sources], shifted, marked)
    values = {Latents(): z, **dict.fromkeys(strategy.needs() - {Latents()}, shift)}
    return Evidence(np.zeros(len(z), np.int32), np.ones(len(z), bool), labeled_in, values)


def cloud(n=200):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(n, 3))
    return z, z[SOURCES] + 0.3 * rng.normal(size=(4, 3))


def rows(strategy, evidence, budget, seed=1):
    return strategy.select(evidence, Budget(budget), np.random.default_rng(seed)).rows


def test_a_draw_of_the_whole_pool_is_gradient_guided_sampling():
    strategy = GradientDrawn(draw=1e9)
    evidence = seen(strategy, *cloud())
    guided = GradientGuided(displacement=4.0, sources="all")
    assert rows(strategy, evidence, 12).tolist() == rows(guided, evidence, 12).tolist()


def test_a_draw_as_large_as_the_budget_is_random_sampling():
    z, shifted = cloud()
    counts = np.zeros(len(z))
    for seed in range(300):
        counts[rows(GradientDrawn(draw=1), seen(GradientDrawn(), z, shifted), 20, seed)] += 1
    assert counts[SOURCES].sum() == 0
    free = np.delete(counts, SOURCES)
    assert free.min() > 0.5 * free.mean()
    assert free.max() < 1.6 * free.mean()


def test_the_gradients_choose_within_the_draw():
    strategy = GradientDrawn(draw=2, max_angle=180)
    z = np.linspace(0.0, 1.0, 101)[:, None]
    found = strategy.select(
        seen(strategy, z, np.array([[1.0]]), np.array([0])), Budget(10), np.random.default_rng(0)
    )
    # Twenty are drawn from all over; the ten nearest to z' = 1 among them are taken, in order.
    assert np.all(np.diff(z[found.rows, 0]) < 0)
    assert 0.2 < z[found.rows, 0].min() < 0.8


def test_what_is_picked_lies_apart_from_what_is_labeled_and_from_each_other():
    z, shifted = cloud()
    strategy = GradientSpread(apart=0.5)
    picked = rows(strategy, seen(strategy, z, shifted), 10)

    def to_labeled(points):
        return np.linalg.norm(points[:, None] - z[SOURCES], axis=2).min(axis=1)

    far = np.median(to_labeled(np.delete(z, SOURCES, axis=0)))
    assert to_labeled(z[picked]).min() >= far
    between = np.linalg.norm(z[picked][:, None] - z[picked], axis=2)
    # There is room for some picks at that distance, and for the others at half of it.
    assert between[np.triu_indices(10, 1)].min() >= far / 2


def test_of_those_apart_each_source_takes_the_nearest_in_its_cone():
    z = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [-3.0]])
    strategy = GradientSpread(apart=0.5, max_angle=90)
    evidence = seen(strategy, z, np.array([[0.5]]), np.array([0]))
    # Half of the free ones lie nearer than 3: row 3 is the first apart, row 5 lies behind.
    assert rows(strategy, evidence, 1).tolist() == [3]


def test_a_source_whose_cone_is_empty_is_marked():
    z = np.array([[0.0], [-1.0], [-3.0]])
    strategy = GradientSpread(apart=0.0, max_angle=60)
    evidence = seen(strategy, z, np.array([[0.5]]), np.array([0]))
    found = strategy.select(evidence, Budget(2), np.random.default_rng(0))
    assert found.flags == ("outside_cone", "outside_cone")
    assert found.source.tolist() == [0, 0]


@pytest.mark.parametrize("kind", [GradientDrawn, GradientSpread])
def test_only_sources_with_foreground_are_followed(kind):
    z, shifted = cloud()
    marked = np.array([False, True, False, True])
    for strategy, followed in ((kind(), {8, 40}), (kind(marked=False), {1, 8, 22, 40})):
        evidence = seen(strategy, z, shifted, marked=marked)
        found = strategy.select(evidence, Budget(12), np.random.default_rng(0))
        assert set(found.source.tolist()) == followed


@pytest.mark.parametrize("kind", [GradientDrawn, GradientSpread])
def test_where_no_source_has_foreground_all_are_followed(kind):
    z, shifted = cloud()
    evidence = seen(kind(), z, shifted, marked=np.zeros(4, bool))
    found = kind().select(evidence, Budget(12), np.random.default_rng(0))
    assert set(found.source.tolist()) == set(SOURCES.tolist())


@pytest.mark.parametrize("name", ["gradient-drawn", "gradient-spread"])
def test_parameters_out_of_range_are_refused(name):
    own = {"gradient-drawn": {"draw": 0.5}, "gradient-spread": {"apart": 1.0}}[name]
    for wrong in (own, {"marked": "yes"}, {"max_angle": 181}, {"displacement": 0}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            get_strategy(name, **wrong)
