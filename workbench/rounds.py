"""One round: train, gather evidence, select.

`run_round` is the loop's body, for a simulation and for a person alike. What a
strategy needs is computed by an `EvidenceSource`, each thing once: moving the
cone's angle runs `select` alone, moving α runs the encoder alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import StoreError, StrategyError
from workbench.files import cache_folder, content_key
from workbench.jobs import Progress, Work
from workbench.strategies.base import (
    BeforeTraining,
    Budget,
    Ensemble,
    Evidence,
    Latents,
    LossHead,
    Need,
    QueryStrategy,
    ReferenceDice,
    Shift,
    ShiftedLatents,
    Suggestions,
    check_suggestions,
)

if TYPE_CHECKING:
    from torch import nn

    from workbench.cohort.label_source import LabelSource
    from workbench.cohort.pool import Pool
    from workbench.latent.probe import Probe
    from workbench.study import Study
    from workbench.training.metrics import CaseScores

__all__ = ["EvidenceSource", "Round", "count_annotated", "run_round", "select", "train_model"]

#: What `EvidenceSource` can compute.
COMPUTED = (Latents, ShiftedLatents, ReferenceDice)


class EvidenceSource:
    """Computes what strategies need of one trained model, each thing once.

    Parameters
    ----------
    study : Study
        Data, manifold and settings.
    pool : Pool
        The samples, and which are labeled.
    model : torch.nn.Module or None
        The trained U-Net; None before training.
    index : int
        The round whose labels the model was trained on.
    """

    def __init__(self, study: Study, pool: Pool, model: nn.Module | None, index: int) -> None:
        self.study = study
        self.pool = pool
        self.model = model
        self.index = index
        self._values: dict[Need, Any] = {}
        self._probes: dict[bytes, Probe] = {}

    def gather(self, needs: frozenset[Need]) -> Work[Evidence]:
        """Compute what is needed and not known yet; return it as evidence."""
        for need in sorted(needs, key=repr):
            if need not in self._values and not isinstance(need, BeforeTraining):
                value = yield from self._compute(need)
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
                self._values[need] = value
        return self.evidence({need: self._values.get(need) for need in needs})

    def evidence(self, values: Mapping[Need, Any]) -> Evidence:
        """Combine computed values with the state of the pool."""
        pool = self.pool
        return Evidence(pool.case_of, pool.eligible, pool.labeled_in, dict(values), self.index + 1)

    def sources(self, need: ShiftedLatents) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Rows of the labeled samples whose gradients are followed, ascending."""
        labeled_in = self.pool.labeled_in
        chosen = self.pool.labeled
        if need.sources == "last":
            chosen = chosen & (labeled_in == labeled_in.max())
        return np.flatnonzero(chosen).astype(np.int64)

    def probe(self, need: ShiftedLatents) -> Work[Probe]:
        """Compute the input gradients of the sources, or return those at hand."""
        from workbench.latent.probe import compute_probe

        if self.model is None:
            raise StrategyError("Loss gradients need a trained model; train a round first.")
        rows = self.sources(need)
        if rows.tobytes() not in self._probes:
            study = self.study
            self._probes[rows.tobytes()] = yield from compute_probe(
                self.model,
                study.manifold.vae,
                study.data.images,
                study.data.labels,
                rows,
                compute=study.compute,
                criterion=study.segmentation.criterion,
                neighbor_distance=study.latent.neighbor_distance,
                grid=(need.scale,),
            )
        return self._probes[rows.tobytes()]

    def known_probe(self, need: ShiftedLatents) -> Probe | None:
        """Return the probe of these sources if it is computed, without computing it."""
        return self._probes.get(self.sources(need).tobytes())

    def _compute(self, need: Need) -> Work[Any]:
        if isinstance(need, Latents):
            return self.study.latent.z
        if isinstance(need, ShiftedLatents):
            probe = yield from self.probe(need)
            u = self.study.latent.neighbor_distance
            yield Progress("following the gradients", 0, 1)
            alpha = need.alpha
            if alpha is None:
                alpha = probe.calibrate(need.displacement, need.scale, u)
            return Shift(alpha, probe.sources, probe.z, probe.at(alpha, need.scale))
        if isinstance(need, ReferenceDice):
            return (yield from self._reference_dice())
        raise _not_computed(need)

    def _reference_dice(self) -> Work[Any]:
        from workbench.training.predict import score_rows

        if self.model is None:
            raise StrategyError("The reference Dice needs a trained model; train a round first.")
        data = self.study.data
        rows = np.flatnonzero(data.labels.available)
        scores = yield from score_rows(
            self.model, data.images, data.labels, rows, self.study.compute
        )
        dice = np.full(len(self.pool), np.nan)
        dice[rows] = scores["dice"]
        return dice


def _not_computed(need: Need) -> StrategyError:
    if isinstance(need, (LossHead, Ensemble)):
        return StrategyError(
            f"The strategy asks for {need}, which changes how the network is trained. "
            f"This version trains one plain U-Net; choose a strategy that needs no more."
        )
    return StrategyError(
        f"The strategy asks for {need}, and nothing computes that. A strategy can need "
        f"{', '.join(kind.__name__ for kind in COMPUTED)} or BeforeTraining."
    )


@dataclass(frozen=True, eq=False)
class Round:
    """One turn of the loop, as it happened.

    Parameters
    ----------
    index : int
        0 for the initial set.
    pool : Pool
        The pool that the model was trained on.
    model : torch.nn.Module or None
        The trained U-Net; None for an earlier round that was read from a folder.
    losses : tuple of float
        Training loss of every step.
    strategy : QueryStrategy
        The strategy as it was tuned when it chose.
    evidence : EvidenceSource or None
        What was computed from the model, so that a live choice can be replayed.
    suggestions : Suggestions
        What the strategy asks for next.
    metrics : mapping of str to float
        Dice of the test cases by region, and their ``"mean"``.
    seconds : mapping of str to float
        Wall time of ``"training"``, ``"scoring"`` and ``"suggesting"``.
    cases : mapping
        Scores of every test case: case id → region → metric (see
        `workbench.training.metrics.score_cases`).
    annotated : mapping of str to int
        What has been annotated up to this round (see `count_annotated`).
    """

    index: int
    pool: Pool
    model: nn.Module | None
    losses: tuple[float, ...]
    strategy: QueryStrategy
    evidence: EvidenceSource | None
    suggestions: Suggestions
    metrics: Mapping[str, float]
    seconds: Mapping[str, float] = field(default_factory=dict)
    cases: CaseScores = field(default_factory=dict)
    annotated: Mapping[str, int] = field(default_factory=dict)


def count_annotated(pool: Pool, labels: LabelSource) -> Mapping[str, int]:
    """Count what the labels of a pool cost.

    Returns
    -------
    mapping of str to int
        ``"slices"`` labeled; ``"cases"`` they come from; ``"pixels"``, all pixels of these
        slices; ``"foreground_pixels"``, those whose label is not background.
    """
    rows = np.flatnonzero(pool.labeled)
    pixels = foreground = 0
    for start in range(0, len(rows), 256):  # a labeled pool need not fit into memory
        maps = labels.read(rows[start : start + 256])
        pixels += maps.size
        foreground += int(np.count_nonzero(maps))
    return {
        "slices": len(rows),
        "cases": len(np.unique(pool.case_of[rows])),
        "pixels": pixels,
        "foreground_pixels": foreground,
    }


def select(source: EvidenceSource, strategy: QueryStrategy, budget: Budget) -> Work[Suggestions]:
    """Gather what the strategy needs and let it choose.

    The random numbers are seeded by (seed, round): a round can be repeated
    without replaying those before it.

    Raises
    ------
    StrategyError
        If the strategy breaks its contract.
    """
    evidence = yield from source.gather(strategy.needs())
    rng = np.random.default_rng((source.study.seed, source.index + 1))
    return check_suggestions(strategy.select(evidence, budget, rng), evidence, budget, strategy)


def train_model(
    study: Study, pool: Pool, index: int, initial: nn.Module | None = None
) -> Work[tuple[nn.Module, tuple[float, ...]]]:
    """Train the U-Net on the labeled rows, or load it if this was done before.

    The result is kept under a key of everything that decides it (images, labels,
    rows, settings, seed, hardware mode, weights it starts from), so that
    strategies compared at one seed train their common first round once.

    Parameters
    ----------
    study, pool, index, initial
        As in `run_round`.

    Returns
    -------
    network : torch.nn.Module
        In eval mode.
    losses : tuple of float
        The loss of every step.
    """
    from workbench.models.unet import build_unet
    from workbench.models.weights import fingerprint, load_weights, save_weights
    from workbench.training.segmentation import train_segmentation

    data = study.data
    rows = np.flatnonzero(pool.labeled).astype(np.int64)
    key = content_key(
        data.images.key,
        data.labels.key,
        rows.tolist(),
        asdict(study.segmentation),
        dict(study.compute.record()),
        study.seed,
        index,
        None if initial is None else fingerprint(initial),
    )
    folder = cache_folder() / "unet" / key
    weights, checkpoint = folder / "weights.safetensors", folder / "checkpoint.safetensors"
    if weights.is_file():
        yield Progress("loading the U-Net", 0, 1)
        model = build_unet(
            len(data.images.channels), len(data.labels.classes), study.segmentation.features
        )
        with contextlib.suppress(StoreError):  # damaged from outside: trained anew and replaced
            kept = load_weights(model, weights)
            return study.compute.place(model).eval(), tuple(kept["losses"])
    model, losses = yield from train_segmentation(
        data.images,
        data.labels,
        rows,
        study.segmentation,
        study.compute,
        seed=study.seed,
        round=index,
        initial=initial,
        checkpoint=checkpoint,
    )
    save_weights(model, weights, {"losses": losses})
    checkpoint.unlink(missing_ok=True)
    return model, losses


def run_round(
    study: Study,
    pool: Pool,
    strategy: QueryStrategy,
    budget: Budget,
    index: int,
    initial: nn.Module | None = None,
) -> Work[Round]:
    """Train on what is labeled, score on the test cases, and suggest what to label next.

    Parameters
    ----------
    study : Study
        Data, manifold and settings.
    pool : Pool
        With the labels of this round already in.
    strategy : QueryStrategy
        Chooses the next samples; asked before training if it needs `BeforeTraining`.
    budget : Budget
        How many samples to suggest.
    index : int
        Number of the round, 0 for the initial set.
    initial : torch.nn.Module, optional
        Weights to continue from; None starts from scratch.

    Raises
    ------
    StrategyError
        If the strategy needs what nothing computes (said before training), or breaks its
        contract.
    """
    from workbench.training.metrics import mean_dice, score_cases

    for need in strategy.needs():
        if not isinstance(need, (*COMPUTED, BeforeTraining)):
            raise _not_computed(need)
    early = None
    if BeforeTraining() in strategy.needs():
        early = yield from select(EvidenceSource(study, pool, None, index), strategy, budget)
    started = time.perf_counter()
    model, losses = yield from train_model(study, pool, index, initial)
    trained = time.perf_counter()
    data = study.data
    cases = yield from score_cases(model, data.test_images, data.test_labels, study.compute)
    scored = time.perf_counter()
    source = EvidenceSource(study, pool, model, index)
    if early is None:
        suggestions = yield from select(source, strategy, budget)
    else:
        suggestions = early
    seconds = {
        "training": trained - started,
        "scoring": scored - trained,
        "suggesting": time.perf_counter() - scored,
    }
    return Round(
        index,
        pool,
        model,
        losses,
        strategy,
        source,
        suggestions,
        mean_dice(cases),
        seconds,
        cases,
        count_annotated(pool, data.labels),
    )
