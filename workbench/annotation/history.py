"""What the entries of a ledger add up to: undo stacks, states, totals.

No label map is read for them. Whether two maps are equal is told by their
checksums, so a history of thousands of strokes is rebuilt in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import IGNORED
from workbench.errors import LedgerError

__all__ = [
    "History",
    "Part",
    "SampleState",
    "Stacks",
    "Step",
    "Totals",
    "accepted",
    "by_sample",
    "replay",
    "stacked",
]


class Step(NamedTuple):
    """One entry of a history; `map_check` is None without a label map."""

    number: int
    kind: str
    map_check: int | None


@dataclass(frozen=True)
class Stacks:
    """Numbers of the entries whose label maps are the one now, and those to go back to."""

    now: int = 0
    undo: tuple[int, ...] = ()
    redo: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class History:
    """One person's work on one slice, as it was left.

    Parameters
    ----------
    classes : ndarray of uint8, shape (h, w), optional
        The label map now; None if there is none yet.
    undo, redo : tuple of int
        Numbers of the entries whose label maps `undo` and `redo` restore, the next one last;
        `Ledger.read` gives them.
    part : Part, optional
        What was done and what it cost; None if the slice was never opened.
    """

    classes: NDArray[np.uint8] | None = None
    undo: tuple[int, ...] = ()
    redo: tuple[int, ...] = ()
    part: Part | None = None


@dataclass(frozen=True)
class Part:
    """What one person did on one slice (of a volume: at one depth).

    Parameters
    ----------
    sample, depth, annotator
        Which, and who.
    answer : {"", "done", "unsure", "skipped"}
        The last answer.
    answered_in : int
        The round of the last answer; -1 for none.
    answered, drawn, number : int
        Numbers of the last answer, the last entry that changed the label map and the last entry
        of all; 0 where there is none.
    time, round
        Of the last entry.
    strokes : int
        Strokes drawn, also those undone later.
    active_seconds : float
        Time of work.
    started_from : str
        What the work began from.
    """

    sample: str
    depth: int
    annotator: str
    answer: str
    answered: int
    answered_in: int
    drawn: int
    number: int
    time: float
    round: int
    strokes: int
    active_seconds: float
    started_from: str

    @property
    def state(self) -> str:
        """The answer, or "in progress" if there is none, or it was drawn on since."""
        return self.answer if self.answered > self.drawn else "in progress"

    @property
    def done(self) -> int:
        """Number of the entry that training uses: the answer's, if it is "done"; else 0."""
        return self.answered if self.answer == "done" else 0


@dataclass(frozen=True)
class SampleState:
    """What was done on one sample by everyone.

    Parameters
    ----------
    parts : tuple of Part
        One for each person and depth, in the order of their last entries.
    """

    parts: tuple[Part, ...]

    @property
    def state(self) -> str:
        """What happened last: the last answer, or "in progress" if it was drawn on since."""
        last = max(self.parts, key=lambda part: part.answered)
        drawn = max(part.drawn for part in self.parts)
        return last.answer if last.answered > drawn else "in progress"

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who drew or answered, the last one last; who only opened it is not named."""
        names = [part.annotator for part in self.parts if part.strokes or part.answer]
        return tuple(dict.fromkeys(reversed(names)))[::-1]

    @property
    def done(self) -> bool:
        """Whether training uses what anybody answered."""
        return any(part.done for part in self.parts)

    @property
    def last_answered(self) -> int:
        """The round of the last answer; -1 for none."""
        return max((part.answered_in for part in self.parts), default=-1)

    @property
    def strokes(self) -> int:
        """Strokes of all of them."""
        return sum(part.strokes for part in self.parts)

    @property
    def active_seconds(self) -> float:
        """Time of work of all of them."""
        return sum(part.active_seconds for part in self.parts)


@dataclass(frozen=True)
class Totals:
    """What some annotations cost.

    Parameters
    ----------
    strokes : int
        Strokes drawn, also those undone later.
    active_seconds : float
        Time of work, idle time excluded.
    contour_mm : float
        Length of contour drawn by hand; what a tool fills, grows, copies or interpolates at one
        click or key counts 0 (`effort.COMPUTED`).
    tools : mapping of str to int
        Strokes by tool.
    opened : int
        Slices opened, each counted once for each person.
    """

    strokes: int = 0
    active_seconds: float = 0.0
    contour_mm: float = 0.0
    tools: Mapping[str, int] = field(default_factory=dict)
    opened: int = 0


def replay(steps: Iterable[Step]) -> Stacks:
    """Rebuild what undo and redo restore, from one person's entries on one slice, in order.

    A change is a stroke, or any entry with another label map than the one before: also starting
    over and an imported mask can be undone.
    """
    undo: list[Step] = []
    redo: list[Step] = []
    now: Step | None = None
    for step in steps:
        if step.map_check is None:
            continue
        if now is None:
            now = step
        elif step.kind == "undo" and undo and undo[-1].map_check == step.map_check:
            redo.append(now)
            now = undo.pop()
        elif step.kind == "redo" and redo and redo[-1].map_check == step.map_check:
            undo.append(now)
            now = redo.pop()
        elif step.kind == "stroke" or step.map_check != now.map_check:
            undo.append(now)
            redo.clear()
            now = step
    return Stacks(
        now.number if now else 0,
        tuple(step.number for step in undo),
        tuple(step.number for step in redo),
    )


def by_sample(parts: Iterable[Part]) -> Mapping[str, SampleState]:
    """Put together what was done on each sample."""
    of: dict[str, list[Part]] = {}
    for part in sorted(parts, key=lambda part: part.number):
        of.setdefault(part.sample, []).append(part)
    return {sample: SampleState(tuple(several)) for sample, several in of.items()}


def accepted(states: Iterable[SampleState]) -> Mapping[tuple[str, int], int]:
    """Return the entries that training uses: (sample, depth) to number of the last "done"."""
    found: dict[tuple[str, int], int] = {}
    for state in states:
        for part in state.parts:
            if part.done:
                place = part.sample, part.depth
                found[place] = max(part.done, found.get(place, 0))
    return found


def stacked(
    sample: str, maps: Mapping[int, NDArray[np.uint8]], slices: int | None
) -> NDArray[np.uint8] | None:
    """Put label maps by depth together: one slice as it is, those of a volume in a stack."""
    if not maps:
        return None
    if slices is None:
        return maps[0]
    if max(maps) >= slices:
        raise LedgerError(
            f"Slice {max(maps)} of {sample} is annotated, but it has {slices}. The ledger belongs "
            f"to another cohort."
        )
    stack = np.full((slices, *next(iter(maps.values())).shape), IGNORED, np.uint8)
    for depth, classes in maps.items():
        stack[depth] = classes
    return stack
