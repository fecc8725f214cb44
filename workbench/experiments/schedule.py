"""How much is labeled when, counted for one pool.

Settings say amounts as a person does, ``12`` or ``"0.5 %"``. How many slices or
cases that is depends on the pool, so a `Schedule` is made when the pool is
known, and says at once if there is not enough to label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from workbench.cohort.pool import Pool
from workbench.errors import SettingError
from workbench.strategies.base import Unit

__all__ = [
    "Amount",
    "Schedule",
    "check_amount",
    "check_unit",
    "make_schedule",
    "schedule_of",
]

#: A whole number, or a share of the candidates such as ``"0.5 %"``.
Amount = int | str


@dataclass(frozen=True)
class Schedule:
    """Numbers of slices or cases to label.

    Parameters
    ----------
    unit : {"slices", "cases", "volumes"}
        What is counted.
    count : int
        How many can be labeled at all.
    initial : int
        The random initial set; 0 where a network of another site begins.
    budgets : tuple of int
        What the first, second, … round of suggestions may ask for; the last holds on.
    """

    unit: Unit
    count: int
    initial: int
    budgets: tuple[int, ...]

    def budget(self, index: int) -> int:
        """What round `index` may ask for next; after the last one as much as before."""
        return self.budgets[min(index, len(self.budgets) - 1)]

    def check(self, rounds: int) -> None:
        """Refuse a schedule that leaves one of `rounds` rounds nothing to suggest.

        The last round may find less than its budget: it takes what is left.

        Raises
        ------
        SettingError
            If there is not enough to label.
        """
        most = self.count - 1 if rounds else self.count
        if self.initial > most:
            raise SettingError(
                f"The initial set has {self.initial:,} {self.unit}, but the pool has "
                f"{self.count:,} that can be labeled{', one for a round at least' * (rounds > 0)}. "
                f"Choose between 1 and {most:,} with --initial (initial = {most})."
                if most > 0
                else f"Only {self.count:,} of the pool's {self.unit} can be labeled, and one must "
                f"be left for a round. Add cases with labels."
            )
        largest = max((self.budget(index) for index in range(rounds)), default=0)
        if largest > self.count - self.initial:
            left = self.count - self.initial
            raise SettingError(
                f"The budget is {largest:,} {self.unit} in one round, but after the initial set of "
                f"{self.initial:,} the pool has {left:,} that can be suggested. Choose at most "
                f"that with --budget (budget = {left})."
            )
        labeled = self.initial
        for index in range(rounds):
            if labeled >= self.count:
                raise SettingError(
                    f"All {self.count:,} {self.unit} of the pool that can be labeled are labeled "
                    f"after {index} of {rounds} rounds, so that the next finds nothing to suggest. "
                    f"Choose a smaller initial set (--initial, now {self.initial:,}), smaller "
                    f"budgets (--budget) or fewer rounds (--rounds)."
                )
            labeled += self.budget(index)


def _candidates(pool: Pool, unit: Unit) -> int:
    """Count the samples, or the cases, that can be labeled at all."""
    if unit == "cases":
        return len(np.unique(pool.case_of[pool.eligible]))
    return int(pool.eligible.sum())


def check_amount(name: str, amount: object, least: int = 1) -> None:
    """Refuse what is no amount.

    Raises
    ------
    SettingError
        If it is neither a whole number of at least `least` nor a share of more than 0 and at most
        100 %.
    """
    if isinstance(amount, str):
        if _percent(amount) is not None:
            return
    elif isinstance(amount, int) and not isinstance(amount, bool) and amount >= least:
        return
    raise SettingError(
        f"{name} is {amount!r}. It must be a whole number of at least {least}, or a share of "
        f'the pool such as "0.5 %".'
    )


def make_schedule(
    pool: Pool, unit: Unit, initial: Amount, budget: Amount | Sequence[Amount]
) -> Schedule:
    """Count amounts for a pool.

    Parameters
    ----------
    pool : Pool
        Shares are of what can be labeled in it.
    unit : {"slices", "cases", "volumes"}
        What is counted.
    initial : int or str
        The random initial set.
    budget : int, str, or a sequence of these
        What each round may suggest: one for all, or one for each.

    Raises
    ------
    SettingError
        If a share is less than one slice or case.
    """
    return schedule_of(_candidates(pool, unit), unit, initial, budget)


def schedule_of(
    count: int, unit: Unit, initial: Amount, budget: Amount | Sequence[Amount]
) -> Schedule:
    """Count amounts, as `make_schedule` does, where `count` can be labeled."""
    budgets = [budget] if isinstance(budget, (int, str)) else budget
    return Schedule(
        unit,
        count,
        _number("initial", initial, count, unit),
        tuple(_number("budget", each, count, unit) for each in budgets),
    )


def check_unit(unit: str) -> None:
    """Refuse a unit that is not known."""
    if unit not in get_args(Unit):
        raise SettingError(
            f"unit is {unit!r}. A round suggests 'slices', whole 'cases' of slices, or 'volumes'."
        )


def _percent(text: str) -> float | None:
    """Return the number of a share such as ``"0.5 %"``; None if the text is none."""
    number, sign, rest = text.partition("%")
    try:
        share = float(number)
    except ValueError:
        return None
    return share if sign and not rest.strip() and 0 < share <= 100 else None


def _number(name: str, amount: Amount, count: int, unit: Unit) -> int:
    check_amount(name, amount, 0 if name == "initial" else 1)
    if isinstance(amount, int):
        return amount
    share = _percent(amount)
    assert share is not None
    number = round(count * share / 100)
    if number < 1:
        raise SettingError(
            f"{name} is {amount!r} of {count:,} {unit}, which is less than one. Choose a larger "
            f"share, or a number."
        )
    return number
