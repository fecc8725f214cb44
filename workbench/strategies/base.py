"""What a query strategy sees, and what it answers.

A query strategy is a frozen dataclass whose fields are its parameters. It says
what it needs (`QueryStrategy.needs`); the round computes that once, with
progress, and hands it over as `Evidence`: numpy arrays with a row for each
sample of the pool. So a strategy knows neither model nor file, and is tested
on a dozen rows made by hand.

Some needs are arrays to compute from the trained model (`Latents`,
`ShiftedLatents`, `ReferenceDice`). Others change what a round does before
anything can be computed: `BeforeTraining`, `LossHead` and `Ensemble`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError, StrategyError

__all__ = [
    "BeforeTraining",
    "Budget",
    "Ensemble",
    "Evidence",
    "GradientScale",
    "Latents",
    "LossHead",
    "Need",
    "QueryStrategy",
    "ReferenceDice",
    "Shift",
    "ShiftedLatents",
    "Sources",
    "Suggestions",
    "check_suggestions",
    "highest",
]

GradientScale = Literal["raw", "l2", "sign"]
Sources = Literal["last", "all"]


# ---------------------------------------------------------------- what is needed
@dataclass(frozen=True)
class Need:
    """A key of `Evidence`: something a strategy wants to know of every row."""


@dataclass(frozen=True)
class Latents(Need):
    """Latent code of every row: ndarray of float64, shape (n, d)."""


@dataclass(frozen=True)
class ShiftedLatents(Need):
    """Where the loss gradient moves labeled samples in latent space: a `Shift`.

    Parameters
    ----------
    alpha : float or None
        Step along the scaled gradient in image space; None: calibrated so that
        the median displacement is `displacement`.
    displacement : float
        Median displacement aimed at, in neighbor distances; used if `alpha` is None.
    scale : {"raw", "l2", "sign"}
        How the gradient is scaled before the step.
    sources : {"last", "all"}
        The samples labeled in the latest round, or every labeled one.
    """

    alpha: float | None = None
    displacement: float = 2.0
    scale: GradientScale = "l2"
    sources: Sources = "last"


@dataclass(frozen=True)
class ReferenceDice(Need):
    """Foreground Dice of the current model against the reference: float64, shape (n,).

    NaN where there is no reference; 1 where neither has foreground.
    """


@dataclass(frozen=True)
class BeforeTraining(Need):
    """The strategy chooses before any model exists: its round selects, then trains."""


@dataclass(frozen=True)
class LossHead(Need):
    """The network is trained with a head that predicts its own loss."""


@dataclass(frozen=True)
class Ensemble(Need):
    """Several networks are trained, each on a bootstrap of the labeled set."""

    members: int = 4


# ---------------------------------------------------------------- what is given
@dataclass(frozen=True, eq=False)
class Shift:
    """Latent codes of the sources before and after the step along their gradient.

    Parameters
    ----------
    alpha : float
        The step that was taken, in image space.
    sources : ndarray of int, shape (m,)
        Rows of the sources, ascending.
    z, shifted : ndarray of float64, shape (m, d)
        Latent codes of the sources (z) and of their gradient-integrated images (z');
        read-only, as all that strategies are given.
    """

    alpha: float
    sources: NDArray[np.int64]
    z: NDArray[np.float64]
    shifted: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("sources", "z", "shifted"):
            array = np.array(getattr(self, name))
            array.flags.writeable = False
            object.__setattr__(self, name, array)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a strategy may know, one row for each sample of the pool.

    Parameters
    ----------
    case_of : ndarray of int, shape (n,)
        Number of each row's case.
    eligible : ndarray of bool, shape (n,)
        Rows that may be suggested at all.
    labeled_in : ndarray of int, shape (n,)
        Round in which each row was labeled, -1 where it is not.
    values : mapping of Need to object
        What was computed for each need.
    round : int
        The round that is being selected for, from 1 (round 0 is the initial set).
    """

    case_of: NDArray[np.int32]
    eligible: NDArray[np.bool_]
    labeled_in: NDArray[np.int32]
    values: Mapping[Need, Any] = field(default_factory=dict)
    round: int = 1

    def __len__(self) -> int:
        return len(self.case_of)

    def __getitem__(self, need: Need) -> Any:
        try:
            return self.values[need]
        except KeyError:
            raise StrategyError(
                f"The strategy asks for {need}, which it did not declare. Name everything "
                f"that select() reads in needs()."
            ) from None

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """Rows that are labeled, shape (n,)."""
        return self.labeled_in >= 0

    @property
    def free(self) -> NDArray[np.bool_]:
        """Rows that may be suggested: eligible and not labeled, shape (n,)."""
        return self.eligible & ~self.labeled


@dataclass(frozen=True)
class Budget:
    """How many samples one round may suggest."""

    n: int

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, (int, np.integer)) or self.n < 1:
            raise SettingError(
                f"The budget is {self.n!r}. It is the number of samples suggested in a round: "
                f"a whole number of at least 1."
            )

    def within(self, evidence: Evidence) -> int:
        """The budget, or what is left in the pool if that is less."""
        return min(self.n, int(evidence.free.sum()))


# ---------------------------------------------------------------- what is answered
@dataclass(frozen=True, eq=False)
class Suggestions:
    """The samples that a strategy asks a person to label, and why.

    Parameters
    ----------
    rows : ndarray of int, shape (k,)
        Rows of the pool, most wanted first.
    scores : ndarray of float, shape (n,), optional
        Score of every row, higher is sooner, NaN where it is labeled.
    source : ndarray of int, shape (k,), optional
        Row of the labeled sample each pick was found from.
    distance : ndarray of float, shape (k,), optional
        Euclidean distance of each pick to its source's z', in latent units.
    angle : ndarray of float, shape (k,), optional
        Angle at z' between the pick and the axis z' − z, in degrees; NaN where undefined.
    flags : tuple of str, length k, optional
        ``""``, ``"outside_cone"`` or ``"no_direction"`` for each pick.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None
    source: NDArray[np.int64] | None = None
    distance: NDArray[np.float64] | None = None
    angle: NDArray[np.float64] | None = None
    flags: tuple[str, ...] | None = None


@runtime_checkable
class QueryStrategy(Protocol):
    """Chooses the samples to label next. Its dataclass fields are its parameters."""

    def needs(self) -> frozenset[Need]:
        """What `select` reads from the evidence; depends on nothing but the fields."""
        ...

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Choose at most `budget` free rows, all of them distinct."""
        ...


def highest(scores: NDArray[np.float64], evidence: Evidence, budget: Budget) -> Suggestions:
    """Suggest the free rows of highest score; ties go to the lower row.

    Parameters
    ----------
    scores : ndarray of float, shape (n,)
        Higher is sooner; NaN counts as lowest.
    """
    known = np.where(evidence.free, scores, np.nan)
    order = np.argsort(np.where(np.isnan(known), np.inf, -known), kind="stable")
    free_first = order[evidence.free[order]]
    return Suggestions(rows=free_first[: budget.within(evidence)].astype(np.int64), scores=known)


def check_suggestions(
    found: Suggestions, evidence: Evidence, budget: Budget, strategy: object
) -> Suggestions:
    """Return `found`, its rows as an array of int64, if it keeps the contract of a strategy.

    Raises
    ------
    StrategyError
        If rows are repeated, not free, out of range, or more than the budget; or if there
        is not one reason for each row.
    """
    name = type(strategy).__name__
    if not isinstance(found, Suggestions):
        raise StrategyError(
            f"{name}.select returned {found!r}. It must return Suggestions(rows=…), also where "
            f"there is nothing to suggest."
        )
    rows = np.asarray(found.rows)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise StrategyError(
            f"{name}.select returned rows of shape {rows.shape} and type {rows.dtype}. It must "
            f"return a one-dimensional array of row numbers."
        )
    beyond = rows[(rows < 0) | (rows >= len(evidence))]
    if beyond.size:
        raise StrategyError(
            f"{name}.select returned row {int(beyond[0])}, but the pool has rows 0 to "
            f"{len(evidence) - 1}. Choose among evidence.free only."
        )
    if len(np.unique(rows)) != len(rows):
        raise StrategyError(
            f"{name}.select returned a row twice. Each suggested sample must be distinct; "
            f"remove the repetition in select()."
        )
    if not evidence.free[rows].all():
        raise StrategyError(
            f"{name}.select returned {int((~evidence.free[rows]).sum())} rows that are labeled "
            f"or not eligible. Choose among evidence.free only."
        )
    if len(rows) > budget.n:
        raise StrategyError(
            f"{name}.select returned {len(rows)} rows for a budget of {budget.n}. Return at "
            f"most the budget, most wanted first."
        )
    for what in ("source", "distance", "angle", "flags"):
        told = getattr(found, what)
        if told is not None and len(told) != len(rows):
            raise StrategyError(
                f"{name}.select returned {len(told)} values of {what} for {len(rows)} rows. "
                f"Return one for each row, or None."
            )
    if found.scores is not None and len(found.scores) != len(evidence):
        raise StrategyError(
            f"{name}.select returned {len(found.scores)} scores for a pool of {len(evidence)} "
            f"rows. Return one for each row of the pool, or None."
        )
    return replace(found, rows=rows.astype(np.int64))
