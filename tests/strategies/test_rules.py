"""Each strategy's rule against an example worked out by hand, or the plainest program for it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.strategies import get_strategy
from workbench.strategies.base import Budget, Evidence, choose
from workbench.strategies.baselines import ForegroundRandom
from workbench.strategies.ensemble import DAL
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.gradient_voting import GradientVoting, select_by_votes
from workbench.strategies.needs import (
    Disagreement,
    Features,
    Latents,
    PredictedLoss,
    PredictedShare,
    ReferenceForeground,
    Shift,
    Uncertainty,
)
from workbench.strategies.representative import CoreSet
from workbench.strategies.uncertainty import (
    BALD,
    ClaSPPE,
    Entropy,
    LeastConfidence,
    Margin,
    MCDropout,
    PowerBALD,
)

from .made_up import evidence_for
from .test_coverage import greedy_plainly


def seen(values, labeled=(), cases=None, round=1):
    """Evidence of these values, all rows eligible."""
    n = len(next(value for value in values.values() if not isinstance(value, (Shift, tuple))))
    labeled_in = np.full(n, -1, dtype=np.int32)
    labeled_in[list(labeled)] = 0
    case_of = np.arange(n) if cases is None else np.asarray(cases)
    return Evidence(case_of.astype(np.int32), np.ones(n, dtype=bool), labeled_in, values, round)


def rows(strategy, found, budget, seed=0, unit="slices"):
    return choose(strategy, found, Budget(budget, unit), np.random.default_rng(seed)).rows.tolist()


# ---------------------------------------------------------------- one number for each sample
@pytest.mark.parametrize(
    ("strategy", "need"),
    [
        (LeastConfidence(), Uncertainty("least_confidence")),
        (Margin(), Uncertainty("margin")),
        (Entropy(), Uncertainty("entropy")),
        (MCDropout(), Uncertainty("variance", 5, "sum")),
        (MCDropout(passes=3, reduction="mean"), Uncertainty("variance", 3, "mean")),
        (BALD(), Uncertainty("mutual_information", 5)),
        (get_strategy("learning-loss"), PredictedLoss()),
    ],
)
def test_the_samples_of_highest_value_are_taken(strategy, need):
    found = seen({need: np.array([0.2, 0.9, 0.1, 0.9, 0.5])}, labeled=[3])
    assert need in strategy.needs()
    assert rows(strategy, found, 3) == [1, 4, 0]


def test_power_bald_draws_in_proportion_to_the_information():
    need = Uncertainty("mutual_information", 5)
    found = seen({need: np.array([0.1, 0.2, 0.3, 0.4, 5.0])}, labeled=[4])
    drawn = Counter(rows(PowerBALD(), found, 1, seed)[0] for seed in range(4000))
    assert [drawn[row] / 4000 for row in range(5)] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0], abs=0.03
    )


def test_very_cold_power_bald_is_bald():
    need = Uncertainty("mutual_information", 5)
    values = np.array([0.3, 0.0, 0.2, 0.4])
    assert rows(PowerBALD(coldness=1e6), seen({need: values}), 4) == [3, 0, 2, 1]


# ---------------------------------------------------------------- foreground at random
@pytest.mark.parametrize(("share", "least"), [(0.0, 0), (0.33, 3), (0.66, 7), (1.0, 10)])
def test_a_share_of_the_draw_has_foreground(share, least):
    has = np.arange(400) < 40
    values = {PredictedShare(): np.stack([1.0 - 0.1 * has, 0.1 * has], axis=1)}
    drawn = [rows(ForegroundRandom(share), seen(values), 10, seed) for seed in range(200)]
    counts = np.array([has[each].sum() for each in drawn])
    assert counts.min() >= least
    assert counts.mean() == pytest.approx(least + 0.1 * (10 - least), abs=0.5)


def test_too_little_foreground_is_filled_up_from_the_rest():
    values = {ReferenceForeground(): np.array([0.0, 1.0, 0.0, np.nan, 0.0])}
    found = rows(ForegroundRandom(1.0, "reference"), seen(values), 3)
    assert found[0] == 1
    assert len(found) == 3


# ---------------------------------------------------------------- ClaSP PE
def test_predicted_classes_take_turns_before_the_most_uncertain_are_added():
    entropy = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    share = np.zeros((7, 4))
    share[:, 0] = 1.0
    share[[2, 4], 1] = 0.1  # class 1, the rarest
    share[[3, 5, 6], 2] = 0.1  # class 2
    share[4, 2] = 0.1  # both; class 3 is predicted nowhere
    found = seen({Uncertainty("entropy"): entropy, PredictedShare(): share})
    strategy = ClaSPPE(stratified=0.6, strength=0.0)
    assert rows(strategy, found, 5) == [2, 3, 4, 0, 1]
    assert rows(ClaSPPE(stratified=0.0, strength=0.0), found, 3) == [0, 1, 2]
    assert rows(ClaSPPE(stratified=1.0, strength=0.0), found, 6) == [2, 3, 4, 5, 6, 0]


def test_the_noise_of_clasp_pe_fades_from_round_to_round():
    entropy = np.linspace(0.5, 0.1, 20)
    share = np.tile([1.0, 0.0], (20, 1))
    values = {Uncertainty("entropy"): entropy, PredictedShare(): share}
    hits = [
        np.mean(
            [len({*rows(ClaSPPE(), seen(values, round=r), 5, s)} & {*range(5)}) for s in range(99)]
        )
        for r in (1, 4, 30)
    ]
    assert hits[0] < hits[1] < hits[2] == 5


# ---------------------------------------------------------------- DAL and core-set
def dal_plainly(disagreement, features, free, unlabeled, budget, candidates, picks):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = (unit @ unit.T)[:, unlabeled]
    ranked = sorted(np.flatnonzero(free), key=lambda row: (-disagreement[row], row))
    chosen, covered = [], np.full(len(unlabeled), -1.0)
    for start in range(0, len(ranked), candidates):
        wanted = min(picks, budget - len(chosen), len(ranked) - start)
        found, covered = greedy_plainly(
            similarity, ranked[start : start + candidates], wanted, covered
        )
        chosen += found
    left = [row for row in ranked if row not in chosen]
    return [*chosen, *left][:budget]


@pytest.mark.parametrize("budget", [1, 4, 9, 30, 60])
@pytest.mark.parametrize("seed", range(3))
def test_dal_picks_chunk_by_chunk_what_covers_the_unlabeled_pool(seed, budget):
    rng = np.random.default_rng(seed)
    values = {Disagreement(): rng.uniform(size=60).round(1), Features(): rng.uniform(size=(60, 4))}
    labeled = rng.choice(60, 8, replace=False)
    found = seen(values, labeled)
    unlabeled = np.flatnonzero(~found.labeled)
    expected = dal_plainly(
        values[Disagreement()], values[Features()], found.free, unlabeled, budget, 6, 3
    )
    assert rows(DAL(candidates=6, picks=3), found, budget) == expected


@pytest.mark.parametrize(("space", "need"), [("features", Features()), ("latents", Latents())])
def test_core_set_takes_what_is_farthest_from_everything_labeled(space, need):
    found = seen({need: np.array([[0.0], [1.0], [10.0], [-6.0], [4.0]])}, labeled=[0])
    assert rows(CoreSet(space), found, 3) == [2, 3, 4]


# ---------------------------------------------------------------- voting directions
def directions(strategy, z, sources, shifted):
    """Evidence of sources whose z' is given in each direction, shape (t, m, d)."""
    first, *others = (Shift(1.0, sources, z[sources], each) for each in shifted)
    values = {Latents(): z, strategy.shift(): first, strategy.varied(): tuple(others)}
    return seen(values, labeled=sources)


def test_the_sample_nominated_by_most_directions_is_taken():
    z = np.array([[0.0, 0.0], [1.2, 0.0], [2.1, 0.9], [2.1, -0.9], [2.2, 0.0]])
    strategy = GradientVoting(directions=3, nominees=1, max_angle=90)
    # Row 1 is nearest to the plain z'; two of three directions nominate row 2.
    shifted = np.array([[[1.1, 0.0]], [[2.0, 0.8]], [[2.05, 0.85]]])
    found = directions(strategy, z, np.array([0]), shifted)
    assert rows(strategy, found, 1) == [2]
    assert rows(GradientGuided(max_angle=90), found, 1) == [1]


def test_votes_for_different_samples_are_settled_by_the_mean_of_the_directions():
    z = np.array([[0.0, 0.0], [3.0, 1.0], [3.0, -1.5]])
    strategy = GradientVoting(directions=2, nominees=1, max_angle=90)
    shifted = np.array([[[2.0, -1.2]], [[2.0, 0.9]]])
    assert rows(strategy, directions(strategy, z, np.array([0]), shifted), 1) == [1]


@pytest.mark.parametrize("angle", [20.0, 60.0, 180.0])
@pytest.mark.parametrize("budget", [3, 17, 40])
@pytest.mark.parametrize("nominees", [1, 6])
def test_in_one_direction_voting_is_gradient_guided_sampling(angle, budget, nominees):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(60, 3))
    sources = np.array([1, 8, 22, 40])
    shifted = z[sources] + rng.normal(size=(4, 3))
    shifted[2] = z[22]  # no direction
    strategy = GradientVoting(directions=1, nominees=nominees, max_angle=angle)
    found = directions(strategy, z, sources, shifted[None])
    ours = choose(strategy, found, Budget(budget), np.random.default_rng(1))
    theirs = choose(
        GradientGuided(max_angle=angle), found, Budget(budget), np.random.default_rng(1)
    )
    for name in ("rows", "source", "distance", "angle"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.flags == theirs.flags


# ---------------------------------------------------------------- whole cases
def test_a_case_scores_the_mean_of_its_slices_and_the_sum_where_the_paper_sums():
    values = np.array([0.4, 0.4, 0.4, 0.9, 0.1, np.nan, 0.7])
    cases = [0, 0, 0, 1, 1, 2, 2]
    mean = seen({Uncertainty("entropy"): values}, [5], cases)
    assert rows(Entropy(), mean, 3, unit="cases") == [6, 3, 4, 0, 1, 2]
    total = {Uncertainty("variance", 5, "sum"): values}
    assert rows(MCDropout(), seen(total, [5], cases), 1, unit="cases") == [0, 1, 2]
    assert rows(MCDropout(), seen(total, [0, 1, 5], cases), 1, unit="cases") == [2]


def test_a_case_moves_as_the_mean_of_its_sources():
    strategy = GradientGuided(max_angle=180)
    z = np.array([[0.0], [2.0], [5.0], [7.0], [-3.0], [-5.0]])
    sources = np.array([0, 1])
    shift = Shift(1.0, sources, z[sources], np.array([[-1.0], [-3.0]]))
    found = seen({Latents(): z, strategy.shift(): shift}, sources, cases=[0, 0, 1, 1, 2, 2])
    chosen = choose(strategy, found, Budget(1, "cases"), np.random.default_rng(0))
    assert chosen.rows.tolist() == [4, 5]  # mean z' = -2, mean code of case 2 = -4
    assert chosen.distance.tolist() == [2.0, 2.0]
    assert chosen.source.tolist() == [0, 0]


def test_a_case_that_is_labeled_in_part_is_free_and_only_its_rest_is_suggested():
    found = seen({Uncertainty("entropy"): np.array([0.9, 0.8, 0.1, 0.2])}, [0], [0, 0, 1, 1])
    by_case = found.by_case()
    assert by_case.free.tolist() == [True, True]
    assert by_case[Uncertainty("entropy")].tolist() == pytest.approx([0.85, 0.15])
    assert rows(Entropy(), found, 1, unit="cases") == [1]


def test_a_labeled_case_counts_since_its_latest_label():
    found = evidence_for(Entropy(), range(4))
    found.labeled_in[2] = 3
    assert found.by_case().labeled_in.tolist() == [3, -1, -1]


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("foreground-random", {"share": 1.5}),
        ("foreground-random", {"foreground": "guessed"}),
        ("mc-dropout", {"passes": 1}),
        ("mc-dropout", {"p": 1.0}),
        ("mc-dropout", {"reduction": "max"}),
        ("bald", {"passes": 2.5}),
        ("power-bald", {"coldness": 0}),
        ("dal", {"members": 1}),
        ("dal", {"picks": 30}),
        ("clsmc", {"clusters": 0}),
        ("clsmc", {"candidates": 0.0}),
        ("learning-loss", {"stop": 1.1}),
        ("learning-loss", {"bound": 0}),
        ("core-set", {"space": "pixels"}),
        ("clasp-pe", {"decay": 0}),
        ("gradient-voting", {"directions": 0}),
        ("gradient-voting", {"vary": "noise"}),
        ("gradient-voting", {"max_angle": 181}),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_its_name(name, wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        get_strategy(name, **wrong)


def test_a_budget_counts_slices_or_cases_only():
    with pytest.raises(SettingError, match="unit is 'patients'"):
        Budget(3, "patients")


def test_without_a_source_nobody_votes():
    z = np.random.default_rng(0).normal(size=(6, 2))
    nobody = np.empty((0, 2))
    picks = select_by_votes(
        z, np.ones(6, bool), nobody, nobody[None], 60.0, 3, 4, np.random.default_rng(0)
    )
    assert len(picks.rows) == 0


def test_directions_that_are_not_finite_are_refused():
    strategy = GradientVoting(directions=2)
    z, sources = np.zeros((4, 2)), np.array([0, 1])
    shifted = np.ones((2, 2, 2))
    shifted[1, 0, 1] = np.nan
    with pytest.raises(SettingError, match="after the step.*in 1 rows"):
        rows(strategy, directions(strategy, z, sources, shifted), 1)
