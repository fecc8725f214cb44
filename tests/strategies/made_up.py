"""A dozen slices made by hand, and what strategies may want to know of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.strategies.base import Evidence, QueryStrategy
from workbench.strategies.conditions import Condition
from workbench.strategies.needs import (
    Disagreement,
    Features,
    Latents,
    Need,
    PredictedEffort,
    PredictedLoss,
    PredictedShare,
    ReferenceDice,
    ReferenceForeground,
    RepresentativeOrder,
    Shift,
    ShiftedLatents,
    Uncertainty,
    VariedShifts,
)

N = 12


def evidence(
    labeled: Iterable[int] = (),
    ineligible: Iterable[int] = (),
    needs: Iterable[Need] = (),
    case_of: Iterable[int] = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2),
    tied: bool = False,
) -> Evidence:
    """Twelve slices of three cases; `needs` are answered with made-up numbers.

    Where they are `tied`, all slices are alike.
    """
    rng = np.random.default_rng(7)
    labeled_in = np.full(N, -1, dtype=np.int32)
    labeled_in[list(labeled)] = 0
    eligible = np.ones(N, dtype=bool)
    eligible[list(ineligible)] = False
    z = rng.normal(size=(N, 3))
    numbers = rng.uniform(size=N)
    features = rng.uniform(size=(N, 5)).astype(np.float32)
    share = rng.dirichlet([5, 1, 1], size=N)
    share[rng.uniform(size=N) < 0.3] = (1, 0, 0)
    if tied:
        z, features = np.ones_like(z), np.ones_like(features)
        numbers, share = np.full(N, 0.5), np.tile([0.5, 0.5, 0.0], (N, 1))
    sources = np.flatnonzero(labeled_in >= 0).astype(np.int64)

    def shift() -> Shift:
        step = 0.0 if tied else rng.normal(size=(N, 3))
        return Shift(1.0, sources, z[sources], (z + step)[sources])

    values: dict[Need, object] = {}
    for need in sorted(needs, key=repr):
        if isinstance(need, Condition):
            values[need] = None
        elif isinstance(need, Latents):
            values[need] = z
        elif isinstance(need, ShiftedLatents):
            values[need] = shift()
        elif isinstance(need, VariedShifts):
            values[need] = tuple(shift() for _ in range(need.count))
        elif isinstance(need, (Uncertainty, Disagreement, PredictedLoss, PredictedEffort)):
            values[need] = np.where((labeled_in < 0) & eligible, numbers, np.nan)
        elif isinstance(need, ReferenceDice):
            values[need] = numbers
        elif isinstance(need, ReferenceForeground):
            values[need] = (numbers > 0.5).astype(float)
        elif isinstance(need, RepresentativeOrder):
            values[need] = np.argsort(numbers, kind="stable").astype(float)
        elif isinstance(need, PredictedShare):
            values[need] = np.where(((labeled_in < 0) & eligible)[:, None], share, np.nan)
        elif isinstance(need, Features):
            values[need] = features
        else:
            raise AssertionError(f"{need} is new here: say what its value looks like")
    return Evidence(
        case_of=np.asarray(list(case_of), dtype=np.int32),
        eligible=eligible,
        labeled_in=labeled_in,
        values=values,
    )


def evidence_for(strategy: QueryStrategy, labeled: Iterable[int] = (), **given: object) -> Evidence:
    """Everything that `strategy` needs."""
    return evidence(labeled, needs=strategy.needs(), **given)  # type: ignore[arg-type]
