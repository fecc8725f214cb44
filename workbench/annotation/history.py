"""What the entries of a ledger add up to: undo stacks, states, totals.

Pure functions over rows without label maps. Whether two maps are equal is told
by their checksums, so a history of thousands of strokes is rebuilt in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.entry import ANSWERS, DRAWN

__all__ = ["History", "Line", "Part", "SampleState", "Stacks", "Totals", "parts_of", "replay"]


class Line(NamedTuple):
    """What the index of a ledger holds of an entry; `map_check` is None without a label map."""

    sample: str
    depth: int
    annotator: str
    number: int
    kind: str
    round: int
    time: float
    active_seconds: float
    started_from: str
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
    state : {"in progress", "done", "unsure", "skipped"}
        In progress if it was drawn on since the last answer, or there is none.
    answer : {"", "done", "unsure", "skipped"}
        The last answer.
    done : int
        Number of the entry that training uses: that of the answer, if it is "done"; else 0.
    number, time, round
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
    state: str
    answer: str
    done: int
    number: int
    time: float
    round: int
    strokes: int
    active_seconds: float
    started_from: str


@dataclass(frozen=True)
class SampleState:
    """What was done on one sample by everyone.

    Parameters
    ----------
    parts : tuple of Part
        One for each person and depth, in the order of their last entries.
    state : {"in progress", "done", "unsure", "skipped"}
        What happened last; opening a sample that has an answer does not count.
    """

    parts: tuple[Part, ...]
    state: str

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who worked on it, the last one last."""
        names = [part.annotator for part in self.parts]
        return tuple(dict.fromkeys(reversed(names)))[::-1]

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
        Length of contour drawn.
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


def replay(lines: Iterable[Line]) -> Stacks:
    """Rebuild what undo and redo restore, from one person's entries on one slice, in order.

    A change is a stroke, or any entry with another label map than the one before: also starting
    over and an imported mask can be undone.
    """
    undo: list[tuple[int, int]] = []
    redo: list[tuple[int, int]] = []
    now: tuple[int, int] | None = None
    for line in lines:
        if line.map_check is None:
            continue
        one = (line.number, line.map_check)
        if now is None:
            now = one
        elif line.kind == "undo" and undo and undo[-1][1] == line.map_check:
            redo.append(now)
            now = undo.pop()
        elif line.kind == "redo" and redo and redo[-1][1] == line.map_check:
            undo.append(now)
            now = redo.pop()
        elif line.kind == "stroke" or line.map_check != now[1]:
            undo.append(now)
            redo.clear()
            now = one
    return Stacks(
        now[0] if now else 0, tuple(number for number, _ in undo), tuple(n for n, _ in redo)
    )


def parts_of(lines: Iterable[Line]) -> Mapping[str, SampleState]:
    """Sum up entries of any samples, given in the order of their numbers for each sample."""
    parts: dict[str, dict[tuple[int, str], Part]] = {}
    states: dict[str, str] = {}
    for line in lines:
        of_sample = parts.setdefault(line.sample, {})
        before = of_sample.pop((line.depth, line.annotator), None)
        of_sample[line.depth, line.annotator] = _next_part(before, line)
        if line.kind in ANSWERS:
            states[line.sample] = line.kind
        elif line.kind in DRAWN or line.sample not in states:
            states[line.sample] = "in progress"
    return {
        sample: SampleState(tuple(of_sample.values()), states[sample])
        for sample, of_sample in parts.items()
    }


def _next_part(before: Part | None, line: Line) -> Part:
    answered = line.kind in ANSWERS
    drawn = line.kind in DRAWN
    return Part(
        sample=line.sample,
        depth=line.depth,
        annotator=line.annotator,
        state=line.kind
        if answered
        else ("in progress" if drawn or before is None else before.state),
        answer=line.kind if answered else (before.answer if before else ""),
        done=(line.number if line.kind == "done" else 0)
        if answered
        else (before.done if before else 0),
        number=line.number,
        time=line.time,
        round=line.round,
        strokes=(before.strokes if before else 0) + (line.kind == "stroke"),
        active_seconds=(before.active_seconds if before else 0.0) + line.active_seconds,
        started_from=before.started_from if before else line.started_from,
    )
