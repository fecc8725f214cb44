from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.reports.cones import MAX_CONES, ConeFinder, cone_reach, inside_cones
from workbench.strategies.base import Suggestions
from workbench.strategies.needs import Shift


def made_up(seed, n=200, d=3, m=5):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d))
    sources = np.arange(m)
    return z, Shift(1.0, sources, z[sources], z[sources] + rng.normal(0, 0.4, (m, d))), rng


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6), d=st.integers(2, 6), angle=st.floats(1, 179), far=st.floats(0.1, 4)
)
def test_points_inside_are_those_of_the_definition(seed, d, angle, far):
    z, shift, _ = made_up(seed, d=d)
    reach = np.full(5, far, dtype=np.float32)
    expected = np.zeros(len(z), dtype=bool)
    for start, apex in zip(shift.z, shift.shifted, strict=True):
        for row, point in enumerate(z):
            away, axis = point - apex, apex - start
            distance = np.linalg.norm(away)
            cosine = away @ axis / np.linalg.norm(axis)
            inside = cosine >= np.cos(np.radians(angle)) * distance
            expected[row] |= bool(inside and distance <= np.float32(far))
    assert np.array_equal(inside_cones(z, shift, angle, reach), expected)


def test_no_condition_highlights_nothing():
    z, shift, _ = made_up(0)
    assert not ConeFinder(z).inside(shift, 180.0, np.ones(5, np.float32)).any()


def test_a_source_without_direction_has_no_cone():
    z, shift, _ = made_up(0)
    still = Shift(1.0, shift.sources, shift.z, shift.z)
    assert not inside_cones(z, still, 90.0, np.ones(5, np.float32)).any()


def test_a_cone_reaches_beyond_its_farthest_pick():
    _, shift, _ = made_up(0)
    picks = Suggestions(
        rows=np.array([50, 51, 52]), source=np.array([1, 1, 4]), distance=np.array([2.0, 4.0, 0.01])
    )
    reach = cone_reach(shift, picks, neighbor_distance=0.1)
    assert reach == pytest.approx([0, 5.0, 0, 0, 0.3])


def test_a_pick_of_no_source_opens_no_cone():
    _, shift, _ = made_up(0)
    picks = Suggestions(rows=np.array([50]), source=np.array([-1]), distance=np.array([np.nan]))
    assert not cone_reach(shift, picks, 0.1).any()


def test_no_more_cones_are_drawn_than_can_be_told_apart():
    _, shift, _ = made_up(0, n=300, m=100)
    picks = Suggestions(rows=np.arange(100, 200), source=np.arange(100), distance=np.ones(100))
    assert (cone_reach(shift, picks, 0.1) > 0).sum() == MAX_CONES
