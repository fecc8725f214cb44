"""Where the loss gradients lead: choices replayed from the networks of finished runs.

A learning curve says whether a strategy is better than chance, and not why. Here the
saved network of a round is asked again: what would be suggested at other displacements,
against the gradient or in any direction, and how hard those samples are for that network,
how much foreground they have, how far they lie from what is labeled. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.cohort.label_source import foreground_pixels
from workbench.jobs import Work
from workbench.strategies.base import Budget, QueryStrategy, choose
from workbench.strategies.cone import Picks, select_in_passes
from workbench.strategies.needs import ShiftedLatents

if TYPE_CHECKING:
    from workbench.cohort.pool import Pool
    from workbench.experiments.runs import Run
    from workbench.study import Study

__all__ = ["DISPLACEMENTS", "compositions", "describe_manifold", "replay_choices"]

#: Median ‖z′ − z‖ that is tried, in neighbor distances u.
DISPLACEMENTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
#: Neighbors that a value at a point of the manifold is read from.
NEIGHBORS = 10
#: Random draws that are averaged.
DRAWS = 10


# ---------------------------------------------------------------- the manifold
def describe_manifold(study: Study) -> dict[str, float]:
    """Tell what the manifold knows of the slices, and how far apart they lie on it.

    Returns
    -------
    dict
        ``z_dim``; ``u``, in latent units; ``active``, dimensions in which slices differ;
        ``foreground`` and ``place``: how much of the variance of foreground pixels, and of the
        place of a slice in its case, the `NEIGHBORS` nearest slices of other cases explain;
        ``same_case``, the share of the nearest slices that are of the same case;
        ``beside`` and ``pair``, median distance of adjacent slices and of any two, u.
    """
    pool, latent = study.data.pool, study.latent
    z, u = latent.z, latent.neighbor_distance
    near = _neighbors(z)
    place = np.array([getattr(each, "index", 0) for each in pool.ids], dtype=np.float64)
    follows = np.flatnonzero((np.diff(pool.case_of) == 0) & (np.diff(place) == 1))
    a, b = np.random.default_rng(0).integers(0, len(z), (2, 10_000))
    return {
        "z_dim": z.shape[1],
        "u": u,
        "active": latent.active_dims,
        "foreground": _explained(foreground_pixels(study.data.labels), near, pool.case_of),
        "place": _explained(place, near, pool.case_of),
        "same_case": float((pool.case_of[near[:, :NEIGHBORS]] == pool.case_of[:, None]).mean()),
        "beside": _median(np.linalg.norm(z[follows + 1] - z[follows], axis=1)) / u,
        "pair": _median(np.linalg.norm(z[a] - z[b], axis=1)) / u,
    }


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _neighbors(z: NDArray[np.float64], count: int = 6 * NEIGHBORS) -> NDArray[np.int64]:
    """The nearest other rows of each row, nearest first: enough that some are of other cases."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(count, len(z) - 1)).fit(z)
    found: NDArray[np.int64] = search.kneighbors(return_distance=False)
    return found


def _explained(
    values: NDArray[np.float64], near: NDArray[np.int64], case_of: NDArray[np.integer]
) -> float:
    """Share of a value's variance that the mean over neighbors of other cases explains."""
    other = (case_of[near] != case_of[:, None]) & ~np.isnan(values[near])
    other &= np.cumsum(other, axis=1) <= NEIGHBORS
    count = other.sum(axis=1)
    known = (count > 0) & ~np.isnan(values)
    if not known.any() or values[known].var() == 0:
        return np.nan
    sums = np.where(other, np.nan_to_num(values[near]), 0.0).sum(axis=1)
    error = values[known] - sums[known] / count[known]
    return float(1 - np.mean(error**2) / values[known].var())


# ---------------------------------------------------------------- choices of saved networks
def replay_choices(
    run: Run, index: int, study: Study, strategies: Mapping[str, QueryStrategy]
) -> Work[list[dict[str, Any]]]:
    """Let a saved network choose again, in many ways, what to label after a round.

    Parameters
    ----------
    run : Run
        Slices were its unit; its labels are where every choice starts from.
    index : int
        The round whose network is asked.
    study : Study
        Data and manifold of the run.
    strategies : mapping of str to QueryStrategy
        Asked too, by a label; those that train a network of their own are left out.

    Returns
    -------
    list of dict
        One for each choice: ``choice`` (``"random"``, ``"nearest to z"``; ``"gradient"``,
        ``"reversed"`` and ``"any direction"`` with ``displacement`` in u and ``max_angle`` in
        degrees; or a label), and of its suggestions ``hardness`` (mean 1 − foreground Dice of
        the network), ``loss``, ``marked`` (share with foreground), ``foreground`` (pixels),
        ``to_labeled`` (median distance to the nearest labeled sample, u), ``cover`` (mean
        distance of the pool to the nearest labeled or suggested one, u), ``apart`` (median
        distance to the nearest other suggestion, u), ``cases`` (for each suggestion),
        ``outside`` (share in no cone) and ``explained`` (share of the variance of hardness over
        the pool that neighbors on the manifold explain).
    """
    from workbench.evidence import EvidenceSource
    from workbench.experiments.simulate import load_round_model
    from workbench.training.predict import score_rows

    pool = run.pool_after(study.data.pool, index + 1)
    study = replace(study, seed=run.config.seed)
    model = load_round_model(run, index, study)
    data = study.data
    every = np.arange(len(pool))
    criterion = study.segmentation.criterion
    scores = yield from score_rows(
        model, data.images, data.labels, every, study.compute, criterion=criterion
    )
    source = EvidenceSource(study, pool, model, index, tabulate=False)
    probe = yield from source.probe(ShiftedLatents(sources="all"))
    measured = _Measures(pool, study, 1 - scores["dice"], scores["loss"])
    budget = len(run.rounds[1].labeled)
    z, free = study.latent.z, pool.free
    rng = np.random.default_rng((run.config.seed, index))
    rows: list[dict[str, Any]] = []

    def tell(choice: str, picked: Iterable[NDArray[np.int64]], **more: Any) -> None:
        told = pd.DataFrame([measured.of(each) for each in picked]).mean().to_dict()
        where = {"run": run.folder.name, "round": index, "choice": choice}
        rows.append({**where, **told, "explained": measured.explained, **more})

    def guided(shifted: NDArray[np.float64], max_angle: float) -> Picks:
        return select_in_passes(z, free, probe.z, shifted, max_angle, budget, rng)

    tell(
        "random",
        [rng.choice(np.flatnonzero(free), budget, replace=False) for _ in range(DRAWS)],
    )
    tell("nearest to z", [guided(probe.z, 180.0).rows])
    along = probe.gradients
    for displacement in DISPLACEMENTS:
        alpha = probe.calibrate(displacement)
        shifts = {"gradient": probe.at(alpha)}
        probe.gradients = -along
        shifts["reversed"] = probe.at(alpha)
        probe.gradients = along
        length = np.linalg.norm(shifts["gradient"] - probe.z, axis=1, keepdims=True)
        shifts["any direction"] = probe.z + length * _directions(probe.z.shape, rng)
        for choice, shifted in shifts.items():
            for max_angle in (60.0, 180.0):
                picks = guided(shifted, max_angle)
                tell(
                    choice,
                    [picks.rows],
                    displacement=displacement,
                    max_angle=max_angle,
                    outside=float(np.mean([flag == "outside_cone" for flag in picks.flags])),
                )
    for label, strategy in strategies.items():
        if not source.fits(strategy.needs()):
            continue
        evidence = yield from source.gather(strategy.needs())
        draws = [choose(strategy, evidence, Budget(budget), rng).rows for _ in range(3)]
        tell(label, draws)
    return rows


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Directions without preference, of length 1."""
    drawn = rng.normal(size=shape)
    unit: NDArray[np.float64] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


class _Measures:
    """What is told of a choice after one round."""

    def __init__(
        self,
        pool: Pool,
        study: Study,
        hardness: NDArray[np.float64],
        loss: NDArray[np.float64],
    ) -> None:
        self.pool, self.z, self.u = pool, study.latent.z, study.latent.neighbor_distance
        self.hardness, self.loss = hardness, loss
        self.foreground = foreground_pixels(study.data.labels)
        self.explained = _explained(hardness, _neighbors(self.z), pool.case_of)
        self.to_labeled = self._to_nearest(np.flatnonzero(pool.labeled))

    def of(self, rows: NDArray[np.int64]) -> dict[str, float]:
        near = self._to_nearest(rows)
        apart = self._to_nearest(rows, beside=1)[rows]
        return {
            "hardness": float(np.nanmean(self.hardness[rows])),
            "loss": float(np.nanmean(self.loss[rows])),
            "marked": float(np.nanmean(self.foreground[rows] > 0)),
            "foreground": float(np.nanmean(self.foreground[rows])),
            "to_labeled": float(np.median(self.to_labeled[rows])),
            "cover": float(np.minimum(self.to_labeled, near).mean()),
            "apart": float(np.median(apart)),
            "cases": len(np.unique(self.pool.case_of[rows])) / len(rows),
        }

    def _to_nearest(self, rows: NDArray[np.int64], beside: int = 0) -> NDArray[np.float64]:
        """Distance of every row to the nearest of some, or to the next but `beside`, u."""
        from scipy.spatial import cKDTree

        found: NDArray[np.float64] = cKDTree(self.z[rows]).query(self.z, [beside + 1])[0][:, 0]
        return found / self.u


# ---------------------------------------------------------------- what was labeled
def compositions(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Tell how much foreground each run began with, suggested, and how well it did.

    Parameters
    ----------
    runs : mapping of str to sequence of Run
        Finished runs by label.

    Returns
    -------
    DataFrame
        One run in a row: ``label, seed``; foreground pixels of a slice of the ``initial`` set, of
        a suggestion of the ``first`` round, and of ``all`` suggestions; mean Dice ``after`` the
        first round and over the last three (``late``).
    """
    rows = []
    for label, each in runs.items():
        for run in each:
            pixels, slices = (
                np.array([saved.annotated[key] for saved in run.rounds], float)
                for key in ("foreground_pixels", "slices")
            )
            dice = [saved.metrics["mean"] for saved in run.rounds]
            rows.append(
                {
                    "label": label,
                    "seed": run.config.seed,
                    "initial": pixels[0] / slices[0],
                    "first": (pixels[1] - pixels[0]) / max(slices[1] - slices[0], 1),
                    "all": (pixels[-1] - pixels[0]) / max(slices[-1] - slices[0], 1),
                    "after": dice[1],
                    "late": float(np.mean(dice[-3:])),
                }
            )
    return pd.DataFrame(rows)
