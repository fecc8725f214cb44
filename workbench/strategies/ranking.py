"""Rank a pool once by how well each sample stands for others (ClsMC).

The latent space is divided into clusters, so that rare kinds of images have a
voice; candidates are picked in each by greedy max-cover; the candidates of all
clusters are then ranked by max-cover over the whole pool (Zheng 2019, Dai 2022
§3.2). No model, label or round matters, so one ranking serves a whole run: its
prefixes are the rounds.

Clusters are grown by Ward's criterion on a graph of nearest neighbors. That
takes memory in proportion to the samples times their neighbors, where the
unrestricted one needs every pair of samples.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.jobs import Progress, Work
from workbench.strategies.coverage import max_cover, unit_length

__all__ = ["representative_ranks", "ward_clusters"]

STAGE = "ranking the pool"


def representative_ranks(
    z: NDArray[np.float64], clusters: int, candidates: float, neighbors: int
) -> Work[NDArray[np.float64]]:
    """Rank samples by how well they represent the others.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Latent codes.
    clusters : int
        Clusters; as many as there are samples, at most.
    candidates : float
        Share of each cluster that is ranked by max-cover, at least one sample of each.
    neighbors : int
        Nearest neighbors of the graph.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 for the first. After the candidates come the other samples, those first that the
        candidates cover least; the lower row at a tie.
    """
    yield Progress(STAGE, 0, 3)
    cluster_of = ward_clusters(z, clusters, neighbors)
    yield Progress(STAGE, 1, 3)
    unit = unit_length(z)
    chosen: list[NDArray[np.int64]] = []
    for cluster in range(int(cluster_of.max(initial=-1)) + 1):
        members = np.flatnonzero(cluster_of == cluster)
        wanted = max(round(candidates * len(members)), 1)
        picks = islice(max_cover(unit[members], np.arange(len(members))), wanted)
        chosen.append(members[list(picks)])
        yield Progress(STAGE, 1, 3)
    yield Progress(STAGE, 2, 3)
    covered = np.full(len(z), -1.0)
    order: list[int] = []
    for row in max_cover(unit, np.concatenate([*chosen, np.zeros(0, np.int64)]), covered):
        order.append(row)
        if len(order) % 100 == 0:
            yield Progress(STAGE, 2, 3)
    ranks = np.full(len(z), np.inf)
    ranks[order] = np.arange(len(order))
    rest = np.flatnonzero(np.isinf(ranks))
    rest = rest[np.argsort(np.round(covered[rest], 9), kind="stable")]
    ranks[rest] = np.arange(len(order), len(z))
    return ranks


def ward_clusters(z: NDArray[np.float64], clusters: int, neighbors: int) -> NDArray[np.int64]:
    """Divide points into clusters of small variance, merging neighbors only.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Points.
    clusters, neighbors : int
        As in `representative_ranks`.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each point's cluster, from 0.
    """
    if clusters >= len(z):
        return np.arange(len(z))
    if clusters == 1:
        return np.zeros(len(z), dtype=np.int64)
    from sklearn.cluster import AgglomerativeClustering

    found = AgglomerativeClustering(
        n_clusters=clusters, linkage="ward", connectivity=_connected_graph(z, neighbors)
    ).fit(z)
    labels: NDArray[np.int64] = found.labels_.astype(np.int64)
    return labels


def _connected_graph(z: NDArray[np.float64], neighbors: int) -> Any:
    """Graph of nearest neighbors whose parts are joined where they are nearest.

    A graph in parts would be joined by scikit-learn, with all distances between two parts
    in memory.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import NearestNeighbors, kneighbors_graph

    graph = kneighbors_graph(z, min(neighbors, len(z) - 1), include_self=False)
    while True:
        count, part_of = connected_components(graph, directed=False)
        if count == 1:
            return graph
        ends: list[tuple[int, int]] = []
        for part in np.argsort(np.bincount(part_of), kind="stable")[:-1]:  # the largest is joined
            inside, outside = np.flatnonzero(part_of == part), np.flatnonzero(part_of != part)
            distance, nearest = (
                NearestNeighbors(n_neighbors=1).fit(z[outside]).kneighbors(z[inside])
            )
            first = int(np.argmin(distance[:, 0]))
            ends.append((int(inside[first]), int(outside[nearest[first, 0]])))
        one, other = np.array(ends).T
        graph = graph + coo_matrix((np.ones(len(ends)), (one, other)), graph.shape).tocsr()
