"""A dozen slices made by hand, and what strategies may want to know of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.strategies.base import (
    Evidence,
    Latents,
    QueryStrategy,
    ReferenceDice,
    Shift,
    ShiftedLatents,
)

N = 12


def evidence(
    labeled: Iterable[int] = (), ineligible: Iterable[int] = (), needs: Iterable[object] = ()
) -> Evidence:
    """Twelve slices of three cases; `needs` are answered with made-up numbers."""
    rng = np.random.default_rng(7)
    labeled_in = np.full(N, -1, dtype=np.int32)
    labeled_in[list(labeled)] = 0
    eligible = np.ones(N, dtype=bool)
    eligible[list(ineligible)] = False
    z = rng.normal(size=(N, 3))
    dice = rng.uniform(size=N)
    sources = np.flatnonzero(labeled_in >= 0).astype(np.int64)
    steps = rng.normal(size=(N, 3))
    values: dict[object, object] = {}
    for need in needs:
        if isinstance(need, Latents):
            values[need] = z
        elif isinstance(need, ShiftedLatents):
            values[need] = Shift(1.0, sources, z[sources], (z + steps)[sources])
        elif isinstance(need, ReferenceDice):
            values[need] = dice
        else:
            raise AssertionError(f"{need} is new here: say what its value looks like")
    return Evidence(
        case_of=np.repeat([0, 1, 2], 4).astype(np.int32),
        eligible=eligible,
        labeled_in=labeled_in,
        values=values,  # type: ignore[arg-type]
    )


def evidence_for(strategy: QueryStrategy, labeled: Iterable[int] = (), **given: object) -> Evidence:
    """Everything that `strategy` needs."""
    return evidence(labeled, needs=strategy.needs(), **given)  # type: ignore[arg-type]
