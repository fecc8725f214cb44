"""Where two people drew the same slice: how far they agree, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.entry import UNOPENED
from workbench.cohort.cohort import IGNORED
from workbench.errors import LedgerError
from workbench.training.overlap import dice_of_counts

if TYPE_CHECKING:
    from workbench.annotation.history import Part, SampleState
    from workbench.annotation.ledger import Ledger

__all__ = ["Agreement", "Conflict", "answered_differently", "compare_annotators"]


@dataclass(frozen=True)
class Conflict:
    """A slice that two people answered "done" with different label maps.

    Parameters
    ----------
    sample, depth
        Which.
    annotators : tuple of str, length 2
        Who, in alphabetical order.
    numbers : tuple of int, length 2
        Their entries. The greater one is what training uses.
    pixels : int
        Pixels that differ.
    """

    sample: str
    depth: int
    annotators: tuple[str, str]
    numbers: tuple[int, int]
    pixels: int


@dataclass(frozen=True)
class Agreement:
    """How far two people agree on the slices that both answered "done".

    Parameters
    ----------
    annotators : tuple of str, length 2
        In alphabetical order.
    slices : int
        Slices that both opened and annotated.
    samples : int
        The same number where slices are annotated; else the volumes that these slices are of.
    dice : mapping of str to float
        Dice of each class but the background, over the pixels of all these slices together, 0 to
        1; NaN for a class that neither drew. Pixels that one of them left open are left out.
    """

    annotators: tuple[str, str]
    slices: int
    samples: int
    dice: Mapping[str, float]


def compare_annotators(ledger: Ledger) -> tuple[tuple[Agreement, ...], tuple[Conflict, ...]]:
    """Compare the "done" label maps of every slice that several people have.

    A slice of a volume that was accepted without being opened is nobody's drawing: left out.

    Raises
    ------
    LedgerError
        If two of them have different sizes.
    """
    unopened = {entry.number for entry in ledger.entries(maps=False) if entry.note == UNOPENED}
    by_slice: dict[tuple[str, int], dict[str, int]] = {}
    for sample, state in ledger.states().items():
        for part in state.parts:
            if part.done and part.done not in unopened:
                by_slice.setdefault((sample, part.depth), {})[part.annotator] = part.done
    counts: dict[tuple[str, str], NDArray[np.int64]] = {}
    places: dict[tuple[str, str], list[str]] = {}
    conflicts = []
    for (sample, depth), numbers in sorted(by_slice.items()):
        if len(numbers) < 2:
            continue
        maps = {who: ledger.read(number).classes for who, number in numbers.items()}
        for first, second in combinations(sorted(maps), 2):
            one, other = maps[first], maps[second]
            assert one is not None
            assert other is not None
            if one.shape != other.shape:
                raise LedgerError(
                    f"{first} and {second} drew {sample} in different sizes, {one.shape} and "
                    f"{other.shape}. They do not belong to one cohort: annotate it again."
                )
            differing = int(np.count_nonzero(one != other))
            if differing:
                pair = numbers[first], numbers[second]
                conflicts.append(Conflict(sample, depth, (first, second), pair, differing))
            counts[first, second] = counts.get((first, second), 0) + _counts(one, other)
            places.setdefault((first, second), []).append(sample)
    agreements = tuple(
        Agreement(pair, len(each), len(set(each)), _dice(counts[pair], ledger.classes))
        for pair, each in sorted(places.items())
    )
    return agreements, tuple(conflicts)


def answered_differently(ledger: Ledger, states: Mapping[str, SampleState]) -> frozenset[str]:
    """Find the samples that several people answered differently, without reading a label map.

    They answered the same slice with different words, or both "done" with different label maps.
    A slice of a volume that somebody accepted without opening it is not compared.

    Parameters
    ----------
    ledger : Ledger
    states : mapping
        Its `Ledger.states`.
    """
    several: dict[tuple[str, int], list[Part]] = {}
    for sample, state in states.items():
        if len(state.annotators) > 1:
            for part in state.parts:
                if part.answer:
                    several.setdefault((sample, part.depth), []).append(part)
    several = {place: parts for place, parts in several.items() if len(parts) > 1}
    told = ledger.checks(part.answered for parts in several.values() for part in parts)
    found = set()
    for (sample, _), parts in several.items():
        seen = [part for part in parts if told[part.answered][1] != UNOPENED]
        maps = {told[part.done][0] for part in seen if part.done}
        if len(maps) > 1 or len({part.answer for part in seen}) > 1:
            found.add(sample)
    return frozenset(found)


def _counts(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each class: in both, in the first, in the second; shape (3, 256)."""
    seen = (one != IGNORED) & (other != IGNORED)
    return np.stack(
        [np.bincount(values, minlength=256) for values in (
            one[seen & (one == other)], one[seen], other[seen])]
    )  # fmt: skip


def _dice(counts: NDArray[np.int64], classes: tuple[str, ...]) -> Mapping[str, float]:
    drawn = counts[1] + counts[2] > 0
    names = classes or tuple(f"class {index}" for index in range(int(drawn.nonzero()[0].max()) + 1))
    values = dice_of_counts(*counts)
    return {
        name: float(values[index]) if drawn[index] else float("nan")
        for index, name in enumerate(names)
        if index
    }
