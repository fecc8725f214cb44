"""What the settings of this moment would suggest, with the numbers beside the sliders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.evidence import EvidenceSource
from workbench.jobs import finish
from workbench.strategies.base import Budget, QueryStrategy, Suggestions, choose
from workbench.strategies.needs import Need, Shift, ShiftedLatents

__all__ = ["Preview", "exact_preview", "gradient_need", "interpolated_preview"]


@dataclass(frozen=True, eq=False)
class Preview:
    """What the settings of this moment would suggest.

    Parameters
    ----------
    shift : Shift or None
        Sources with z and z'; None if the strategy follows no gradient.
    suggestions : Suggestions
        The picks.
    exact : bool
        False while a slider moves and z' is interpolated.
    displacement : float
        Median ‖z' − z‖ in neighbor distances u; NaN without a shift.
    relative_step : float
        Median of ‖α ĝ‖ / ‖x‖ over the sources; NaN without a shift.
    changed : int
        Picks that the settled suggestions do not hold.
    outside_cone : int
        Picks that lie outside their cone.
    cases : int
        Distinct cases among the picks.
    """

    shift: Shift | None
    suggestions: Suggestions
    exact: bool
    displacement: float
    relative_step: float
    changed: int
    outside_cone: int
    cases: int


def gradient_need(strategy: QueryStrategy) -> ShiftedLatents | None:
    """Return what the strategy asks of the gradients, if it follows any."""
    for need in strategy.needs():
        if isinstance(need, ShiftedLatents):
            return need
    return None


def exact_preview(source: EvidenceSource, strategy: QueryStrategy, found: Suggestions) -> Preview:
    """Describe settled suggestions; what they need has been computed, and nothing else is."""
    need = gradient_need(strategy)
    known = need is not None and source.knows({need})
    shift = finish(source.gather(frozenset({need})))[need] if need and known else None
    return _described(source, need, shift, found, found, exact=True)


def interpolated_preview(
    source: EvidenceSource,
    strategy: QueryStrategy,
    budget: Budget,
    settled: Suggestions,
    unanswered: Callable[[Suggestions], Suggestions],
) -> Preview | None:
    """Suggest with interpolated z', fast enough to follow a slider; leave out what is answered.

    Returns
    -------
    Preview or None
        None if something is to be computed first: the gradients of these sources, α, or
        whatever else the strategy needs.
    """
    values: dict[Need, object] = {}
    need = gradient_need(strategy)
    shift = None
    if need is not None:
        probe = source.known_probe(need)
        if probe is None or need.alpha is None:
            return None
        z = probe.interpolate(need.alpha, need.scale)
        shift = Shift(need.alpha, probe.sources, probe.z, z, probe.marked)
        values[need] = shift
    others = strategy.needs() - frozenset(values)
    if not (source.knows(others) and source.fits(others)):
        return None
    values.update(finish(source.gather(others)).values)
    evidence = source.evidence(values)
    rng = np.random.default_rng((source.study.seed, evidence.round))
    found = unanswered(choose(strategy, evidence, budget, rng))
    return _described(source, need, shift, found, settled, exact=False)


def _described(
    source: EvidenceSource,
    need: ShiftedLatents | None,
    shift: Shift | None,
    found: Suggestions,
    settled: Suggestions,
    exact: bool,
) -> Preview:
    displacement = relative = float("nan")
    if need is not None and shift is not None and (probe := source.known_probe(need)) is not None:
        displacement = probe.displacement(shift.shifted)
        relative = probe.relative_step(shift.alpha, need.scale)
    return Preview(
        shift=shift,
        suggestions=found,
        exact=exact,
        displacement=displacement,
        relative_step=relative,
        changed=int((~np.isin(found.rows, settled.rows)).sum()),
        outside_cone=sum(flag == "outside_cone" for flag in found.flags or ()),
        cases=len(np.unique(source.pool.case_of[found.rows])),
    )
