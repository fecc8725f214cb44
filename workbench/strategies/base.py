"""What a query strategy sees, and what it answers.

A query strategy is a frozen dataclass whose fields are its parameters. It says
what it needs (`QueryStrategy.needs`); the round computes that once, with
progress, and hands it over as `Evidence`: numpy arrays with a row for each
sample of the pool. So a strategy knows neither model nor file, and is tested
on a dozen rows made by hand.

A strategy works with whole cases without knowing it: `choose` hands it evidence
with a row for each case, and the budget counts cases (see `Evidence.by_case`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError, StrategyError, WorkbenchError
from workbench.strategies.needs import Need

__all__ = [
    "Budget",
    "Evidence",
    "QueryStrategy",
    "Suggestions",
    "Unit",
    "check_suggestions",
    "choose",
    "highest",
    "naming_failures",
]

#: What a budget counts.
Unit = Literal["slices", "cases", "volumes"]


# ---------------------------------------------------------------- what is given
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

    def by_case(self) -> Evidence:
        """Return the same evidence with a row for each case.

        A case is free while one of its samples is; else it counts as labeled since its latest
        label. Values are reduced as each need says, by default to their mean.
        """
        free, eligible = (
            np.bincount(self.case_of[rows], minlength=int(self.case_of.max(initial=-1)) + 1) > 0
            for rows in (self.free, self.eligible)
        )
        latest = np.full(len(free), -1, dtype=np.int32)
        np.maximum.at(latest, self.case_of, self.labeled_in)
        return Evidence(
            case_of=np.arange(len(free), dtype=np.int32),
            eligible=eligible,
            labeled_in=np.where(free, -1, latest).astype(np.int32),
            values={need: need.by_case(value, self) for need, value in self.values.items()},
            round=self.round,
        )


@dataclass(frozen=True)
class Budget:
    """How many samples one round may suggest.

    Parameters
    ----------
    n : int
        At least 1.
    unit : {"slices", "cases", "volumes"}
        What is counted: the samples of the pool, which are slices or volumes; or whole cases of
        a pool of slices.
    """

    n: int
    unit: Unit = "slices"

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise SettingError(
                f"unit is {self.unit!r}. A budget counts one of: {', '.join(get_args(Unit))}."
            )
        if isinstance(self.n, bool) or not isinstance(self.n, (int, np.integer)) or self.n < 1:
            raise SettingError(
                f"The budget is {self.n!r}. It is the number of samples suggested in a round: "
                f"a whole number of at least 1."
            )

    def within(self, evidence: Evidence) -> int:
        """The budget, or what is left in the pool if that is less.

        Parameters
        ----------
        evidence : Evidence
            With a row for each of what the budget counts.
        """
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

    def at(self, places: NDArray[np.int64]) -> Suggestions:
        """Return some of the suggestions with their reasons, by their places."""
        return replace(
            self,
            rows=self.rows[places],
            source=None if self.source is None else self.source[places],
            distance=None if self.distance is None else self.distance[places],
            angle=None if self.angle is None else self.angle[places],
            flags=None if self.flags is None else tuple(self.flags[i] for i in places),
        )


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


def choose(
    strategy: QueryStrategy, evidence: Evidence, budget: Budget, rng: np.random.Generator
) -> Suggestions:
    """Let a strategy choose samples, or whole cases.

    Parameters
    ----------
    strategy : QueryStrategy
        It need not know what a case is: its rows are cases then.
    evidence : Evidence
        What it needs, with a row for each sample.
    budget : Budget
        In samples or in cases.
    rng : numpy.random.Generator
        Handed to the strategy.

    Returns
    -------
    Suggestions
        Rows of samples. Of a suggested case these are all its free ones, in order, each with
        the case's score and reasons; as source stands the first of the latest labeled samples
        of the source case.

    Raises
    ------
    StrategyError
        If the strategy breaks its contract, or raises anything of its own.
    """
    given = evidence.by_case() if budget.unit == "cases" else evidence
    with naming_failures(type(strategy), "select"):
        found = strategy.select(given, budget, rng)
    found = check_suggestions(found, given, budget, strategy)
    return _whole_cases(found, evidence) if budget.unit == "cases" else found


@contextmanager
def naming_failures(kind: type[QueryStrategy], method: str) -> Iterator[None]:
    """Turn whatever a strategy's own code raises into an error that names it.

    Parameters
    ----------
    kind : type
        Its class.
    method : str
        What is called.

    Raises
    ------
    StrategyError
        With its line that raised. Errors of ours are let through: they are sentences already.
    """
    try:
        yield
    except WorkbenchError:
        raise
    except Exception as error:  # a plug-in may fail in any way
        code = getattr(kind.select, "__code__", None)
        own = [
            f" ({Path(frame.filename).name}, line {frame.lineno})"
            for frame in traceback.extract_tb(error.__traceback__)
            if code is not None and frame.filename == code.co_filename
        ]
        raise StrategyError(
            f"{kind.__name__}.{method} raised {type(error).__name__}: {error}"
            f"{own[-1] if own else ''}. Mend the strategy, or choose another one."
        ) from error


def _whole_cases(found: Suggestions, evidence: Evidence) -> Suggestions:
    """Replace each suggested case by its free samples."""
    free = evidence.free
    members = [np.flatnonzero(free & (evidence.case_of == case)) for case in found.rows]
    place = np.repeat(np.arange(len(found.rows)), [len(rows) for rows in members])
    source = found.source
    if source is not None:
        source = np.array([_latest_label(evidence, case) for case in source], dtype=np.int64)[place]
    return Suggestions(
        rows=np.concatenate([*members, np.zeros(0, dtype=np.int64)]),
        scores=None
        if found.scores is None
        else np.where(free, found.scores[evidence.case_of], np.nan),
        source=source,
        distance=None if found.distance is None else found.distance[place],
        angle=None if found.angle is None else found.angle[place],
        flags=None if found.flags is None else tuple(found.flags[i] for i in place),
    )


def _latest_label(evidence: Evidence, case: int) -> int:
    """Row of a case that was labeled last, the first of several; −1 for no case."""
    if case < 0:
        return -1
    return int(np.argmax(np.where(evidence.case_of == case, evidence.labeled_in, -2)))


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
    rows = rows.astype(np.int64)
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
    return replace(found, rows=rows)
