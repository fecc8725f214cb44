"""Batches and rates that are known in advance."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import SettingError, TrainingError
from workbench.training.loop import check_finite, cosine_rate, epoch_batches, in_order


@given(st.integers(2, 200), st.integers(1, 40), st.integers(0, 3))
def test_an_epoch_visits_every_row_once_in_batches_of_nearly_equal_size(count, size, epoch):
    batches = epoch_batches(np.arange(count), size, seed=0, round=0, epoch=epoch)
    sizes = [len(batch) for batch in batches]
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("changed", ["seed", "round", "epoch"])
def test_seed_round_and_epoch_each_decide_the_order(changed):
    where = {"seed": 1, "round": 1, "epoch": 1}
    first, again, other = (
        np.concatenate(epoch_batches(np.arange(50), 8, **where)).tolist()
        for where in (where, where, {**where, changed: 2})
    )
    assert first == again != other


def test_a_single_row_is_given_twice_for_batch_norm():
    assert [b.tolist() for b in epoch_batches(np.array([7]), 4, seed=0, round=0, epoch=0)] == [
        [7, 7]
    ]


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(SettingError, match="at least 1"):
        epoch_batches(np.arange(3), 0, seed=0, round=0, epoch=0)


@given(st.integers(0, 100), st.integers(1, 30))
def test_batches_in_order_hold_every_sample_once(count, size):
    parts = list(in_order(count, size))
    assert [i for part, _ in parts for i in range(count)[part]] == list(range(count))
    assert [done for _, done in parts] == [min(part.stop, count) for part, _ in parts]


def test_the_rate_rises_then_falls_to_a_hundredth():
    rates = [cosine_rate(2.0, step, 100, warmup=10) for step in range(101)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 5)
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(2.0 * 0.505)
    assert rates[100] == pytest.approx(0.02)
    assert all(a >= b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_says_what_to_do(value):
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        check_finite(value, "U-Net")
