"""Max-cover and farthest-first against the plainest loops."""

from __future__ import annotations

import multiprocessing
import resource
from itertools import islice

import numpy as np
import pytest

from workbench.jobs import finish
from workbench.strategies import coverage
from workbench.strategies.coverage import farthest_first, max_cover, unit_length
from workbench.strategies.ranking import representative_ranks


def greedy_plainly(similarity, candidates, picks, covered):
    """Try every candidate each time; the first of the best is picked."""
    chosen, left = [], sorted(candidates)
    covered = covered.copy()
    for _ in range(picks):
        gained = [round(float(np.maximum(similarity[c], covered).sum()), 9) for c in left]
        best = left.pop(int(np.argmax(gained)))
        chosen.append(best)
        covered = np.maximum(covered, similarity[best])
    return chosen, covered


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("block", [7, 4_000_000])
def test_max_cover_picks_as_plain_greedy_does(seed, block, monkeypatch):
    monkeypatch.setattr(coverage, "BLOCK", block)
    rng = np.random.default_rng(seed)
    n, f = int(rng.integers(2, 70)), int(rng.integers(1, 5))
    unit = unit_length(rng.normal(size=(n, f)))
    candidates = rng.choice(n, int(rng.integers(1, n + 1)), replace=False)
    expected, reached = greedy_plainly(unit @ unit.T, candidates, len(candidates), np.full(n, -1.0))
    covered = np.full(n, -1.0)
    assert list(max_cover(unit, candidates, covered)) == expected
    np.testing.assert_allclose(covered, reached)


def test_max_cover_goes_on_from_what_is_covered_already():
    unit = unit_length(np.random.default_rng(3).normal(size=(40, 3)))
    covered = np.full(40, -1.0)
    first = list(islice(max_cover(unit, np.arange(20), covered), 4))
    second = list(islice(max_cover(unit, np.arange(20, 40), covered), 4))
    similarity = unit @ unit.T
    expected, reached = greedy_plainly(similarity, range(20), 4, np.full(40, -1.0))
    assert first == expected
    assert second == greedy_plainly(similarity, range(20, 40), 4, reached)[0]


def test_equal_samples_are_picked_in_order():
    unit = unit_length(np.ones((30, 4)))
    assert list(max_cover(unit, np.arange(30)[::-1])) == list(range(30))


def test_a_sample_of_zeros_covers_nothing_and_harms_nothing():
    unit = unit_length(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1]]))
    assert sorted(max_cover(unit, np.arange(3))) == [0, 1, 2]
    assert np.isfinite(unit).all()


def farthest_plainly(points, centers, free, picks):
    """Distances to all centers, each time anew."""
    centers, open_, chosen = list(centers), free.copy(), []
    for _ in range(picks):
        if centers:
            apart = [min(((p - points[c]) ** 2).sum() for c in centers) for p in points]
        else:
            apart = [-((p - points[free].mean(axis=0)) ** 2).sum() for p in points]
        row = int(np.argmax(np.where(open_, np.round(apart, 9), -np.inf)))
        open_[row] = False
        centers.append(row)
        chosen.append(row)
    return chosen


@pytest.mark.parametrize("labeled", [0, 1, 5])
@pytest.mark.parametrize("seed", range(5))
def test_farthest_first_picks_as_a_plain_loop_does(seed, labeled):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 3))
    free = np.ones(40, dtype=bool)
    centers = rng.choice(40, labeled, replace=False)
    free[centers] = False
    free[rng.choice(40, 5, replace=False)] = False
    found = list(islice(farthest_first(points, centers, free), 12))
    assert found == farthest_plainly(points, centers, free, 12)


def test_the_lower_row_is_farthest_at_a_tie():
    points = np.array([[0.0], [2.0], [-2.0], [1.0], [2.0]])
    free = np.array([False, True, True, True, True])
    assert list(farthest_first(points, np.array([0]), free)) == [1, 2, 3, 4]


def pick_from_a_full_size_pool(answer):
    """Pick in every way from 39,000 samples; the target of a child process."""
    rng = np.random.default_rng(0)
    n = 39_000
    features = rng.uniform(size=(n, 512)).astype(np.float32)
    centers = list(islice(farthest_first(features, np.arange(400), np.ones(n, dtype=bool)), 400))
    unit, covered = unit_length(features), np.full(n, -1.0)
    chunks = [
        list(islice(max_cover(unit, np.arange(start, start + 20), covered), 10))
        for start in range(0, 200, 20)
    ]
    ranks = finish(representative_ranks(rng.normal(size=(n, 3)), 50, 0.2, 15))
    picked = len(set(centers)), sum(map(len, chunks)), len(set(ranks.tolist()))
    answer.put((picked, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


@pytest.mark.slow
def test_a_full_size_pool_needs_less_than_two_gigabytes():
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    child = context.Process(target=pick_from_a_full_size_pool, args=(answer,))
    child.start()
    picked, peak = answer.get(timeout=600)
    child.join()
    assert picked == (400, 100, 39_000)
    assert peak < 2 * 2**30
