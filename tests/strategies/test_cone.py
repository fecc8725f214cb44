from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.errors import SettingError
from workbench.strategies import cone
from workbench.strategies.cone import inside_cone, select_in_passes, warm_up

from .plain_loop import select_plainly

#: Coordinates on a coarse grid: many duplicates, ties, points at z' and zero steps.
GRID = st.integers(-3, 3).map(float)
ANGLES = st.sampled_from([0.0, 20.0, 50.0, 60.0, 100.0, 179.0, 180.0])


@st.composite
def problems(draw):
    """A pool, free rows, sources with z and z', an angle, a budget."""
    n, d, m = draw(st.integers(1, 80)), draw(st.integers(1, 4)), draw(st.integers(0, 6))
    z = draw(hnp.arrays(float, (n, d), elements=GRID))
    free = draw(hnp.arrays(bool, n))
    source_z = draw(hnp.arrays(float, (m, d), elements=GRID))
    shifted = draw(hnp.arrays(float, (m, d), elements=GRID))
    return z, free, source_z, shifted, draw(ANGLES), draw(st.integers(1, 90))


def force(patch, compiled):
    for name in ("COMPILED_FROM", "COMPILED_FROM_ONCE_WARM"):
        patch.setattr(cone, name, 0 if compiled else 10**15)


@pytest.fixture(params=["plain", "compiled"])
def search(request, monkeypatch):
    """Both searches must give the same answers."""
    force(monkeypatch, request.param == "compiled")


def choose(z, free, source_z, shifted, angle, budget, seed=0):
    return select_in_passes(z, free, source_z, shifted, angle, budget, np.random.default_rng(seed))


def scattered(n=400, m=20, d=3, step=0.5, seed=0):
    """A random pool whose first m rows are labeled sources."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d))
    free = np.ones(n, dtype=bool)
    free[:m] = False
    return z, free, z[:m], z[:m] + step * rng.normal(size=(m, d))


@pytest.mark.usefixtures("search")
@pytest.mark.parametrize("d", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("angle", [0.0, 30.0, 60.0, 120.0, 180.0])
@pytest.mark.parametrize("budget", [7, 20, 90])
def test_picks_are_those_of_a_plain_loop(d, angle, budget):
    problem = scattered(d=d, n=300)
    found = choose(*problem, angle, budget)
    rows, sources, flags = select_plainly(*problem, angle, budget, np.random.default_rng(0))
    assert found.rows.tolist() == rows
    assert found.source.tolist() == sources
    assert list(found.flags) == flags


@settings(max_examples=300)
@given(problems(), st.booleans())
def test_the_fast_forms_agree_with_the_plain_loop_on_ties_and_duplicates(problem, compiled):
    free = problem[1]
    with pytest.MonkeyPatch.context() as patch:
        force(patch, compiled)
        found = choose(*problem)
    rows, sources, flags = select_plainly(*problem, np.random.default_rng(0))
    # cosines of the fallback can tie but for their last bit; compare where they decide nothing
    if "outside_cone" not in flags:
        assert found.rows.tolist() == rows
    assert found.source.tolist() == sources
    assert len(found.rows) == len(rows) == len(set(found.rows.tolist()))
    assert free[found.rows].all()


@settings(max_examples=200)
@given(problems())
def test_an_unmarked_pick_lies_in_its_cone_and_a_marked_one_does_not(problem):
    z, _, source_z, shifted, angle, _ = problem
    found = choose(*problem)
    for row, source, flag in zip(found.rows, found.source, found.flags, strict=True):
        inside = inside_cone(z, source_z[source], shifted[source], angle)[row]
        assert inside == (flag != "outside_cone")
        assert (flag == "no_direction") == bool((source_z[source] == shifted[source]).all())


@settings(max_examples=100)
@given(problems())
def test_each_pass_serves_every_source_once_in_ascending_order(problem):
    found = choose(*problem)
    m = len(problem[2])
    if len(found.rows) >= m:
        for first in range(0, len(found.rows), max(m, 1)):
            served = found.source[first : first + m].tolist()
            assert served == list(range(len(served)))


@pytest.mark.usefixtures("search")
def test_arrays_that_cannot_be_written_are_searched_too():
    problem = scattered(n=300, m=6)
    expected = choose(*problem, 60, 200)  # queues are fetched again and again
    for array in problem:
        array.flags.writeable = False
    assert choose(*problem, 60, 200).rows.tolist() == expected.rows.tolist()


@pytest.mark.usefixtures("search")
def test_a_taken_sample_is_passed_over():
    z = np.array([[1.0], [2.0], [3.0], [4.0]])
    sources, shifted = np.zeros((2, 1)), np.full((2, 1), 0.5)
    found = choose(z, np.ones(4, dtype=bool), sources, shifted, 60, 4)
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.source.tolist() == [0, 1, 0, 1]


@pytest.mark.usefixtures("search")
def test_a_tie_in_distance_goes_to_the_lower_row():
    z = np.array([[5.0, 5.0], [1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    found = choose(z, np.ones(4, dtype=bool), [[-1.0, 0.0]], [[0.0, 0.0]], 60, 3)
    assert found.rows.tolist() == [1, 2, 3]


@pytest.mark.usefixtures("search")
def test_a_sample_at_the_shifted_source_satisfies_the_condition():
    z = np.array([[3.0, 0.0], [1.0, 0.0]])
    found = choose(z, np.ones(2, dtype=bool), [[0.0, 0.0]], [[1.0, 0.0]], 0, 1)
    assert found.rows.tolist() == [1]
    assert found.flags == ("",)
    assert np.isnan(found.angle[0])


@pytest.mark.usefixtures("search")
def test_an_empty_cone_gives_the_smallest_angle_among_the_fifty_nearest():
    behind = np.column_stack([-np.arange(1.0, 51.0), np.linspace(0.01, 0.5, 50)])
    behind[20, 1] = 30.0  # the least far behind in angle
    beyond = np.array([[-100.0, 5000.0]])  # a smaller angle yet, but the 51st nearest
    z = np.concatenate([behind, beyond])
    found = choose(z, np.ones(51, dtype=bool), [[-1.0, 0.0]], [[0.0, 0.0]], 60, 1)
    assert found.rows.tolist() == [20]
    assert found.flags == ("outside_cone",)
    assert found.angle[0] == pytest.approx(np.degrees(np.arctan2(30.0, -21.0)))


@pytest.mark.usefixtures("search")
def test_an_angle_of_zero_is_not_the_same_as_no_condition():
    z = np.array([[1.1, 0.4], [3.0, 0.0]])
    narrow = choose(z, np.ones(2, dtype=bool), [[0.0, 0.0]], [[1.0, 0.0]], 0, 1)
    off = choose(z, np.ones(2, dtype=bool), [[0.0, 0.0]], [[1.0, 0.0]], 180, 1)
    assert narrow.rows.tolist() == [1]
    assert off.rows.tolist() == [0]


@pytest.mark.usefixtures("search")
def test_a_zero_step_gives_the_nearest_sample_and_says_so():
    z = np.array([[2.0, 0.0], [-1.0, 0.0]])
    found = choose(z, np.ones(2, dtype=bool), [[0.0, 0.0]], [[0.0, 0.0]], 30, 1)
    assert found.rows.tolist() == [1]
    assert found.flags == ("no_direction",)
    assert np.isnan(found.angle[0])


def test_a_step_far_below_float32_still_has_its_direction():
    z = np.array([[-1.0, 0.0], [1.5, 0.0]])
    found = choose(z, np.ones(2, dtype=bool), [[0.0, 0.0]], [[1e-300, 0.0]], 60, 1)
    assert found.rows.tolist() == [1]
    assert found.flags == ("",)


def test_a_small_budget_serves_a_seeded_choice_of_sources_in_ascending_order():
    problem = scattered(m=20)
    first, again = choose(*problem, 60, 6, seed=1), choose(*problem, 60, 6, seed=1)
    other = choose(*problem, 60, 6, seed=2)
    assert first.source.tolist() == again.source.tolist() == sorted(set(first.source.tolist()))
    assert first.source.tolist() != other.source.tolist()


def test_a_budget_that_serves_every_source_draws_no_random_number():
    rng = np.random.default_rng(3)
    select_in_passes(*scattered(m=5), 60, 5, rng)
    assert rng.random() == np.random.default_rng(3).random()


def test_a_budget_above_what_is_free_takes_all_that_is_free():
    z, free, source_z, shifted = scattered(n=30, m=5)
    found = choose(z, free, source_z, shifted, 60, 99)
    assert sorted(found.rows.tolist()) == list(range(5, 30))


def test_the_angle_and_distance_of_a_pick_are_told():
    z = np.array([[1.0, 1.0]])
    found = choose(z, np.ones(1, dtype=bool), [[-1.0, 0.0]], [[0.0, 0.0]], 60, 1)
    assert found.angle[0] == pytest.approx(45.0)
    assert found.distance[0] == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("angle", [-1.0, 180.5, float("nan")])
def test_an_angle_out_of_range_is_refused_with_the_range(angle):
    with pytest.raises(SettingError, match="from 0 to 180"):
        choose(*scattered(), angle, 5)


def test_latent_codes_that_are_not_finite_are_refused():
    z, free, source_z, shifted = scattered()
    shifted[3, 1] = np.inf
    with pytest.raises(SettingError, match="in 1 rows"):
        choose(z, free, source_z, shifted, 60, 5)


def test_tiles_kept_from_the_last_search_change_no_pick():
    warm_up()
    rng = np.random.default_rng(0)
    pools = [rng.normal(size=(9_000, 3)) for _ in range(2)]
    for z in pools:
        z.flags.writeable = False
    for turn in range(6):
        z = pools[turn // 3]  # the first comes again, then another one
        free = rng.random(len(z)) < 0.7
        shifted = z[:12] + rng.normal(size=(12, 3))
        kept = select_in_passes(z, free, z[:12], shifted, 40.0, 30, rng)
        anew = select_in_passes(z.copy(), free, z[:12], shifted, 40.0, 30, rng)
        np.testing.assert_array_equal(kept.rows, anew.rows)
        assert free[kept.rows].all()


@settings(max_examples=200)
@given(problems(), st.booleans())
def test_without_fallback_nothing_outside_a_cone_is_picked(problem, compiled):
    with pytest.MonkeyPatch.context() as patch:
        force(patch, compiled)
        found = select_in_passes(*problem, np.random.default_rng(0), fallback=False)
    rows, sources, flags = select_plainly(*problem, np.random.default_rng(0), fallback=False)
    assert found.rows.tolist() == rows
    assert found.source.tolist() == sources
    assert list(found.flags) == flags
    assert "outside_cone" not in flags
