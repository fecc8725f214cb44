from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.strategies.base import Budget, Evidence
from workbench.strategies.baselines import Oracle, Random
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import Latents, ReferenceDice, Shift, ShiftedLatents

from .made_up import evidence

SOURCES = np.array([3, 7, 20, 41, 66])

#: What was picked when the latents were committed; sources take turns.
PICKED = {
    60.0: [37, 32, 34, 77, 10, 0, 13, 1, 72, 26, 31, 8],
    20.0: [37, 32, 33, 77, 26, 0, 13, 19, 72, 10, 31, 1],
    180.0: [23, 32, 34, 68, 10, 13, 1, 21, 77, 4, 0, 8],
}


def committed(strategy):
    """Eighty committed codes, five of which are labeled; source 7 has no gradient."""
    table = np.loadtxt(Path(__file__).with_name("latents.csv"), delimiter=",", skiprows=1)
    z, shifted = table[:, :3], table[:, 3:]
    labeled_in = np.full(80, -1, dtype=np.int32)
    labeled_in[SOURCES] = 0
    return Evidence(
        case_of=np.repeat(np.arange(8), 10).astype(np.int32),
        eligible=np.ones(80, dtype=bool),
        labeled_in=labeled_in,
        values={
            Latents(): z,
            strategy.shift(): Shift(1.0, SOURCES, z[SOURCES], shifted[SOURCES]),
        },
    )


@pytest.mark.parametrize("angle", PICKED)
def test_picks_from_committed_latents_never_change(angle):
    strategy = GradientGuided(max_angle=angle)
    found = strategy.select(committed(strategy), Budget(12), np.random.default_rng(0))
    assert found.rows.tolist() == PICKED[angle]
    assert found.source.tolist() == [*SOURCES, *SOURCES, *SOURCES[:2]]


def test_a_small_budget_from_committed_latents_never_changes():
    strategy = GradientGuided()
    found = strategy.select(committed(strategy), Budget(3), np.random.default_rng(0))
    assert found.source.tolist() == [20, 41, 66]


def test_sources_are_told_as_rows_of_the_pool_with_their_marks():
    strategy = GradientGuided(max_angle=20)
    found = strategy.select(committed(strategy), Budget(5), np.random.default_rng(0))
    assert found.source.tolist() == SOURCES.tolist()
    assert found.flags[1] == "no_direction"
    inside = np.array([flag == "" for flag in found.flags])
    assert (found.angle[inside] <= 20).all()


def test_moving_the_angle_asks_for_nothing_new():
    strategy = GradientGuided()
    assert strategy.needs() == replace(strategy, max_angle=10).needs()
    assert strategy.needs() != replace(strategy, alpha=3.0).needs()


def test_the_need_carries_every_setting_of_the_step():
    strategy = GradientGuided(alpha=0.5, scale="sign", sources="all", displacement=3)
    assert ShiftedLatents(0.5, 3, "sign", "all") in strategy.needs()


def test_without_labels_rows_are_drawn_at_random_and_marked():
    strategy = GradientGuided()
    seen = evidence(needs=strategy.needs())
    found = strategy.select(seen, Budget(4), np.random.default_rng(0))
    assert found.flags == ("no_direction",) * 4
    assert found.source.tolist() == [-1] * 4


def test_the_oracle_takes_the_lowest_dice_and_unknown_ones_last():
    seen = evidence((0,), needs=[ReferenceDice()])
    dice = seen.values[ReferenceDice()]
    dice[:] = np.arange(12) / 12
    dice[[1, 2]] = np.nan
    found = Oracle().select(seen, Budget(11), np.random.default_rng(0))
    assert found.rows.tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]


def test_random_draws_every_free_row_about_equally_often():
    seen, rng = evidence((0, 1)), np.random.default_rng(0)
    counts = np.zeros(12)
    for _ in range(2000):
        counts[Random().select(seen, Budget(3), rng).rows] += 1
    assert counts[:2].sum() == 0
    assert np.abs(counts[2:] - 600).max() < 120
