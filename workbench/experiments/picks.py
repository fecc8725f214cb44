"""Where the suggestions of a run lay: what a strategy does, apart from how well it does.

Distances are told in neighbor distances u of the run's own manifold, so runs on one
manifold can be compared; across z-dimensions u means something else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.label_source import foreground_pixels
from workbench.cohort.pool import Pool, SliceId
from workbench.experiments.runs import Run
from workbench.study import Study, rows_of

__all__ = ["Picks", "describe_picks"]


@dataclass(frozen=True)
class Picks:
    """What was suggested and labeled in all rounds of a run, the initial set left out.

    Parameters
    ----------
    marked : float
        Share of the suggestions whose reference has foreground, 0 to 1.
    cases : float
        Share of the pool's cases that they come from.
    adjacent : float
        Share that lay beside a slice labeled before, in the same case; NaN of volumes.
    to_labeled : float
        Median distance to the nearest sample labeled before, mean over rounds, u.
    cover : float
        Mean distance of all samples of the pool to the nearest labeled one at the end, u: how
        well what was labeled covers the manifold.
    cover_before : float
        The same of the initial set.
    outside : float
        Share that lay in no cone (see `workbench.strategies.cone`); NaN without cones.
    """

    marked: float
    cases: float
    adjacent: float
    to_labeled: float
    cover: float
    cover_before: float
    outside: float


def describe_picks(run: Run, study: Study) -> Picks | None:
    """Describe the suggestions of a run that were labeled.

    Parameters
    ----------
    run : Run
        A run with rounds.
    study : Study
        Its data and manifold, as `workbench.experiments.simulate.prepare` opens them.

    Returns
    -------
    Picks or None
        None where nothing was suggested.
    """
    pool, z = study.data.pool, study.latent.z
    u = study.latent.neighbor_distance
    rounds = [rows_of(pool, saved.labeled) for saved in run.rounds]
    picked = np.concatenate([np.zeros(0, np.int64), *rounds[1:]])
    if not len(picked):
        return None
    before = [np.concatenate(rounds[:index]) for index in range(1, len(rounds))]
    flags = [flag for saved in run.rounds[:-1] for flag in saved.details.get("flags", ())]
    foreground = foreground_pixels(study.data.labels)[picked]
    return Picks(
        marked=float(np.mean(foreground > 0)),
        cases=len(np.unique(pool.case_of[picked])) / len(np.unique(pool.case_of)),
        adjacent=_adjacent(pool, before, rounds[1:]),
        to_labeled=float(
            np.mean(
                [
                    np.median(_nearest(z[new], z[old]))
                    for new, old in zip(rounds[1:], before, strict=True)
                    if len(new)
                ]
            )
        )
        / u,
        cover=float(_nearest(z, z[np.concatenate(rounds)]).mean()) / u,
        cover_before=float(_nearest(z, z[rounds[0]]).mean()) / u,
        outside=float(np.mean([flag == "outside_cone" for flag in flags])) if flags else np.nan,
    )


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each point to the nearest of the others."""
    from scipy.spatial import cKDTree

    found: NDArray[np.float64] = cKDTree(others).query(points)[0]
    return found


def _adjacent(
    pool: Pool, before: list[NDArray[np.int64]], picked: list[NDArray[np.int64]]
) -> float:
    """Share of the picks that lie beside what was labeled before them."""
    beside = []
    for old, new in zip(before, picked, strict=True):
        labeled = {pool.ids[row] for row in old.tolist()}
        for row in new.tolist():
            each = pool.ids[row]
            if isinstance(each, SliceId):
                neighbors = (SliceId(each.case, each.axis, each.index + step) for step in (-1, 1))
                beside.append(any(neighbor in labeled for neighbor in neighbors))
    return float(np.mean(beside)) if beside else np.nan
