"""A slice while one person draws on it: every state that can be undone to, and what it cost.

Strokes go to the ledger before anyone sees them. One that cannot be saved waits
in `Writer`, in order, until the disk takes it again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Entry, Ledger
from workbench.annotation.entry import checked
from workbench.errors import LedgerError

__all__ = ["Drawing", "Writer"]

Map = NDArray[np.uint8]


class Writer:
    """Puts entries into a ledger in their order, and keeps those that could not be saved.

    Parameters
    ----------
    path : Path
        File of the ledger.
    images_key : str
        Names the images that it belongs to.
    classes : tuple of str
        Names of the classes, background first.

    Attributes
    ----------
    ledger : Ledger or None
        None while it cannot be opened.
    waiting : list of Entry
        What could not be saved yet.
    number : int
        Of the entry that was saved last.
    """

    def __init__(self, path: Path, images_key: str, classes: tuple[str, ...]) -> None:
        self._path, self._key, self._classes = path, images_key, classes
        self.ledger: Ledger | None = None
        self.waiting: list[Entry] = []
        self.number = 0

    def open(self) -> str:
        """Open the ledger, or make it; return why it cannot be done, or nothing."""
        try:
            if self.ledger is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self.ledger = Ledger(self._path, images_key=self._key, classes=self._classes)
        except (LedgerError, OSError) as error:
            return str(error)
        return ""

    def append(self, *entries: Entry) -> str:
        """Save entries after those that wait; return why it cannot be done, or nothing.

        Raises
        ------
        LedgerError
            If an entry is one that no ledger takes; then none is kept.
        """
        self.waiting += [checked(entry, self._classes) for entry in entries]
        return self.save()

    def save(self) -> str:
        """Save what waits; return why it cannot be done, or nothing."""
        problem = self.open()
        while self.waiting and not problem:
            assert self.ledger is not None
            try:
                self.number = self.ledger.append(self.waiting[0]).number
            except LedgerError as error:
                problem = str(error)
            else:
                self.waiting.pop(0)
        return problem

    def close(self) -> None:
        """Close the file."""
        if self.ledger is not None:
            self.ledger.close()
            self.ledger = None


class Drawing:
    """The states of one slice under one person's hand, and where among them it stands.

    Parameters
    ----------
    entry : Entry
        What all entries of it have in common: sample, depth, annotator, round, start.
    states : sequence of ndarray of uint8, shape (h, w)
        What undo goes back to, the present state, then what redo restores.
    place : int
        Position of the present state.
    first : ndarray of uint8, shape (h, w)
        What it started from.
    """

    def __init__(self, entry: Entry, states: Sequence[Map], place: int, first: Map) -> None:
        self.entry = entry
        self._shape = first.shape
        self._states = [zlib.compress(each.tobytes(), 1) for each in states]
        self._place = place
        self.first = first

    @property
    def classes(self) -> Map:
        """The present label map, read-only."""
        content = zlib.decompress(self._states[self._place])
        return np.frombuffer(content, np.uint8).reshape(self._shape)

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before this one."""
        return self._place > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone, and nothing drawn since."""
        return self._place + 1 < len(self._states)

    @property
    def changed_pixels(self) -> int:
        """Pixels that differ from what it started from."""
        return int(np.count_nonzero(self.classes != self.first))

    def stroke(self, classes: Map, tool: str, active_seconds: float, contour_mm: float) -> Entry:
        """Make the label map the present state; what was undone is forgotten."""
        del self._states[self._place + 1 :]
        self._states.append(zlib.compress(np.ascontiguousarray(classes).tobytes(), 1))
        return self._moved(
            1, "stroke", tool=tool, active_seconds=active_seconds, contour_mm=contour_mm
        )

    def undo(self) -> Entry:
        """Go back by one state."""
        return self._moved(-1, "undo")

    def redo(self) -> Entry:
        """Go forward by one state."""
        return self._moved(1, "redo")

    def answer(self, kind: str, note: str) -> Entry:
        """Say what is to become of it, with the present label map."""
        return self._moved(0, kind, note=note)

    def _moved(self, step: int, kind: str, **told: object) -> Entry:
        self._place += step
        return replace(self.entry, kind=kind, classes=self.classes, **told)  # type: ignore[arg-type]
