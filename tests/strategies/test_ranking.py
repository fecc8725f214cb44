"""ClsMC's one ranking: clusters, candidates of each, then over all."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from workbench.jobs import finish
from workbench.strategies.base import Budget, choose
from workbench.strategies.coverage import max_cover, unit_length
from workbench.strategies.needs import Latents, RepresentativeOrder
from workbench.strategies.ranking import representative_ranks, ward_clusters
from workbench.strategies.representative import ClsMC

from .made_up import evidence, evidence_for


def blobs(sizes=(30, 20, 10), seed=0):
    """Groups of points around corners that are far apart."""
    rng = np.random.default_rng(seed)
    corners = np.array([[9.0, 0.0], [0.0, 9.0], [-9.0, -9.0]])
    return np.concatenate(
        [corner + rng.normal(size=(size, 2)) for corner, size in zip(corners, sizes, strict=True)]
    )


def test_clusters_are_the_groups_that_lie_apart():
    found = ward_clusters(blobs(), 3, 5)
    assert len({*found[:30]}) == len({*found[30:50]}) == len({*found[50:]}) == 1
    assert len({*found}) == 3


def test_clusters_on_a_full_graph_are_those_of_ward_without_one():
    from scipy.cluster.hierarchy import fcluster, linkage

    z = np.random.default_rng(1).normal(size=(60, 3))
    found = ward_clusters(z, 7, 59)
    expected = fcluster(linkage(z, "ward"), 7, "maxclust")
    assert len(np.unique(np.stack([found, expected]), axis=1).T) == 7


@pytest.mark.parametrize(("clusters", "count"), [(1, 1), (2, 2), (12, 12), (60, 60), (99, 60)])
def test_there_are_as_many_clusters_as_asked_for(clusters, count):
    assert len(np.unique(ward_clusters(blobs(), clusters, 5))) == count


def test_parts_of_the_graph_are_joined_without_a_warning_and_equal_points_harm_nothing():
    z = np.repeat(np.random.default_rng(2).normal(size=(9, 2)) * 50, 6, axis=0)
    found = ward_clusters(z, 9, 3)
    assert [len({*found[start : start + 6]}) for start in range(0, 54, 6)] == [1] * 9
    assert len({*found}) == 9


def rank_plainly(z, clusters, share):
    """The same two steps, written down once more."""
    unit = unit_length(z)
    chosen = []
    for members in clusters:
        wanted = max(round(share * len(members)), 1)
        inner = islice(max_cover(unit[members], np.arange(len(members))), wanted)
        chosen += [members[i] for i in inner]
    return list(max_cover(unit, np.array(chosen)))


def test_the_ranking_is_max_cover_in_each_cluster_then_over_all():
    z = blobs()
    ranks = finish(representative_ranks(z, clusters=3, candidates=0.3, neighbors=5))
    groups = [np.arange(30), np.arange(30, 50), np.arange(50, 60)]
    expected = rank_plainly(z, groups, 0.3)
    assert np.argsort(ranks)[:18].tolist() == expected
    assert len(expected) == 18
    assert {row // 30 if row < 30 else 1 + (row >= 50) for row in expected[:3]} == {0, 1, 2}


def test_after_the_candidates_come_the_least_covered_samples():
    z = blobs()
    order = np.argsort(finish(representative_ranks(z, 3, 0.1, 5)))
    unit = unit_length(z)
    covered = (unit @ unit[order[:6]].T).max(axis=1)
    rest = covered[order[6:]]
    assert (np.diff(np.round(rest, 9)) >= 0).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_pool_of_hardly_anything_is_ranked(n):
    ranks = finish(representative_ranks(np.ones((n, 2)), 50, 0.2, 15))
    assert sorted(ranks) == list(range(n))


def test_prefixes_of_one_ranking_are_the_rounds():
    strategy = ClsMC()
    whole = choose(strategy, evidence_for(strategy), Budget(6), np.random.default_rng(0)).rows
    first = choose(strategy, evidence_for(strategy), Budget(2), np.random.default_rng(1)).rows
    later = evidence_for(strategy, first)
    second = choose(strategy, later, Budget(4), np.random.default_rng(2)).rows
    assert [*first, *second] == whole.tolist()


def test_cases_are_ranked_by_their_mean_codes():
    need = RepresentativeOrder(clusters=2, candidates=1.0)
    seen = evidence(needs=[Latents(), need])
    means = seen[Latents()].reshape(3, 4, 3).mean(axis=1)
    expected = finish(representative_ranks(means, 2, 1.0, 15))
    assert seen.by_case()[need].tolist() == expected.tolist()
