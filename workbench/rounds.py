"""One round: train, gather evidence, select.

`run_round` is the loop's body, for a simulation and for a person alike. What a
strategy needs decides which network is trained (`build_model`) and what is
computed from it (`workbench.evidence`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from workbench.cohort.label_source import foreground_pixels
from workbench.errors import StoreError
from workbench.evidence import EvidenceSource, check_needs, variant_for
from workbench.files import cache_folder, content_key
from workbench.jobs import Progress, Work
from workbench.strategies.base import Budget, QueryStrategy, Suggestions, choose
from workbench.strategies.conditions import BeforeTraining
from workbench.strategies.needs import Need

if TYPE_CHECKING:
    from torch import nn

    from workbench.cohort.label_source import LabelSource
    from workbench.cohort.pool import Pool
    from workbench.study import Study
    from workbench.training.metrics import CaseScores
    from workbench.training.segmentation import Trained

__all__ = [
    "Round",
    "build_model",
    "count_annotated",
    "run_round",
    "select",
    "train_model",
]


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
        The trained network; None for an earlier round that was read from a folder.
    losses : tuple of float
        Training loss of every step.
    strategy : QueryStrategy
        The strategy as it was tuned when it chose.
    evidence : EvidenceSource or None
        What was computed from the model, so that a live choice can be replayed.
    suggestions : Suggestions
        What the strategy asks for next.
    metrics : mapping of str to float
        Dice of the test cases by region, and their ``"mean"``; empty where there are none.
    seconds : mapping of str to float
        Wall time of ``"training"``, ``"scoring"`` and ``"suggesting"``.
    cases : mapping
        Scores of every test case: case id → region → metric (see
        `workbench.training.metrics.score_cases`).
    annotated : mapping of str to float
        What has been annotated up to this round (see `count_annotated`); where an annotator drew
        labels, also what that cost (`workbench.experiments.costs`).
    head_losses : tuple of float
        Ranking loss of every step, where the network learns to predict its own loss.
    validation : mapping of str to float
        Dice of the validation cases by region, and their ``"mean"``; empty without any.
    validation_losses : tuple of (int, float)
        Steps, and the loss of the validation images after them, where training had patience.
    stopped : str
        Why the run ends here although more rounds were planned; else empty.
    effort : mapping
        What the labels of this round cost an annotator (see
        `workbench.annotation.costs.RoundCost.plain`); empty where nobody drew them.
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
    annotated: Mapping[str, float] = field(default_factory=dict)
    head_losses: tuple[float, ...] = ()
    validation: Mapping[str, float] = field(default_factory=dict)
    validation_losses: tuple[tuple[int, float], ...] = ()
    stopped: str = ""
    effort: Mapping[str, object] = field(default_factory=dict)


def count_annotated(pool: Pool, labels: LabelSource) -> Mapping[str, int]:
    """Count what the labels of a pool cost.

    Returns
    -------
    mapping of str to int
        ``"slices"`` labeled, those of volumes included; ``"cases"`` they come from;
        ``"pixels"``, all pixels of these slices; ``"foreground_pixels"``, those whose label is
        not background.
    """
    rows = np.flatnonzero(pool.labeled)
    shape = labels.read([0])[0].shape
    return {
        "slices": len(rows) * math.prod(shape[:-2]),
        "cases": len(np.unique(pool.case_of[rows])),
        "pixels": len(rows) * math.prod(shape),
        "foreground_pixels": int(np.nansum(foreground_pixels(labels, rows))),
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
    return choose(strategy, evidence, budget, rng)


def build_model(study: Study, needs: Iterable[Need] = ()) -> nn.Module:
    """Build the network that strategies with these needs train, with its first weights."""
    from workbench.models.variants import build_network

    data = study.data
    return build_network(
        len(data.images.channels),
        len(data.labels.classes),
        study.segmentation.features,
        variant_for(needs),
        study.seed,
        len(data.images.size),
        study.segmentation.patch,
        study.segmentation.u_shape,
    )


def train_model(
    study: Study,
    pool: Pool,
    index: int,
    initial: nn.Module | None = None,
    needs: Iterable[Need] = (),
) -> Work[Trained]:
    """Train the network on the labeled rows, or load it if this was done before.

    The result is kept under a key of everything that decides it (images, labels,
    rows, settings, variant, seed, hardware mode, weights it starts from), so that
    strategies compared at one seed train their common first round once.

    Parameters
    ----------
    study, pool, index, initial
        As in `run_round`.
    needs : iterable of Need
        Of the strategy; they may ask for another network than a plain U-Net.

    Returns
    -------
    Trained
        The network and the loss of every step.
    """
    from workbench.models.variants import continue_from
    from workbench.models.weights import fingerprint, load_weights, save_weights
    from workbench.training.segmentation import Trained, train_network

    data = study.data
    variant = variant_for(needs)
    rows = np.flatnonzero(pool.labeled).astype(np.int64)
    if not len(rows) and initial is not None:  # nothing is labeled yet: the network as it came
        network = continue_from(build_model(study, needs), initial)
        return Trained(study.compute.place(network).eval(), ())
    key = content_key(
        data.images.key,
        data.labels.key,
        rows.tolist(),
        study.segmentation.record(),
        asdict(variant),
        dict(study.compute.record()),
        study.seed,
        index,
        None if initial is None else fingerprint(initial),
        *(data.validation.key if data.validation and study.segmentation.patience else ()),
    )
    folder = cache_folder() / "unet" / key
    weights, checkpoint = folder / "weights.safetensors", folder / "checkpoint.safetensors"
    if weights.is_file():
        yield Progress("loading the U-Net", 0, 1)
        model = build_model(study, needs)
        with contextlib.suppress(StoreError):  # damaged from outside: trained anew and replaced
            kept = load_weights(model, weights)
            model = study.compute.place(model).eval()
            looked = tuple((step, loss) for step, loss in kept["validation"])
            return Trained(model, tuple(kept["losses"]), tuple(kept["head_losses"]), looked)
    trained = yield from train_network(
        data.images,
        data.labels,
        rows,
        study.segmentation,
        study.compute,
        variant=variant,
        seed=study.seed,
        round=index,
        initial=initial,
        checkpoint=checkpoint,
        validation=data.validation,
    )
    curves = {
        "losses": trained.losses,
        "head_losses": trained.head_losses,
        "validation": trained.validation,
    }
    save_weights(trained.network, weights, curves)
    for each in folder.glob(f"{checkpoint.stem}*{checkpoint.suffix}"):
        each.unlink(missing_ok=True)
    return trained


def run_round(
    study: Study,
    pool: Pool,
    strategy: QueryStrategy,
    budget: Budget,
    index: int,
    initial: nn.Module | None = None,
    *,
    tabulate: bool = True,
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
        Network to continue from, of any variant; None starts from scratch.
    tabulate : bool
        As in `EvidenceSource`: whether a slider may follow.

    Raises
    ------
    StrategyError
        If the strategy needs what nothing computes (said before training), or breaks its
        contract.
    """
    from workbench.training.metrics import evaluate, mean_dice, score_cases

    needs = strategy.needs()
    check_needs(needs)
    begun = time.perf_counter()
    early = None
    if BeforeTraining() in needs:
        early = yield from select(EvidenceSource(study, pool, None, index), strategy, budget)
    started = time.perf_counter()
    done = yield from train_model(study, pool, index, initial, needs)
    model = done.network
    trained = time.perf_counter()
    data = study.data
    cases: CaseScores = {}
    if data.test_images is not None and data.test_labels is not None:
        cases = yield from score_cases(model, data.test_images, data.test_labels, study.compute)
    validation: Mapping[str, float] = {}
    if data.validation is not None:
        held = data.validation
        validation = yield from evaluate(model, held.images, held.labels, study.compute)
    scored = time.perf_counter()
    source = EvidenceSource(study, pool, model, index, tabulate=tabulate)
    if early is None:
        suggestions = yield from select(source, strategy, budget)
    else:
        suggestions = early
    seconds = {
        "training": trained - started,
        "scoring": scored - trained,
        "suggesting": time.perf_counter() - scored + started - begun,
    }
    return Round(
        index,
        pool,
        model,
        done.losses,
        strategy,
        source,
        suggestions,
        mean_dice(cases),
        seconds,
        cases,
        count_annotated(pool, data.labels),
        done.head_losses,
        validation,
        done.validation,
    )
