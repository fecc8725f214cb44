"""A slice while one person draws on it: every state that can be undone to, and what it cost.

Strokes go to the ledger before anyone sees them. One that cannot be saved waits
in `Writer`, in order, until the disk takes it again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    overtaken : bool
        Whether the last entries were left out, because another kernel had drawn there first.
    """

    def __init__(self, path: Path, images_key: str, classes: tuple[str, ...]) -> None:
        self._path, self._key, self._classes = path, images_key, classes
        self.ledger: Ledger | None = None
        self.waiting: list[Entry] = []
        self.number = 0
        self.overtaken = False

    def open(self) -> str:
        """Open the ledger, or make it; return why it cannot be done, or nothing."""
        if self.waiting and self.ledger is not None and not self.ledger.writable:
            self.close()  # its folder may have become writable since
        try:
            if self.ledger is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self.ledger = Ledger(self._path, images_key=self._key, classes=self._classes)
        except (LedgerError, OSError) as error:
            return str(error)
        return ""

    def append(self, *entries: Entry, after: int | None = None) -> str:
        """Save entries after those that wait; return why it cannot be done, or nothing.

        If nothing waits, `after` is the last entry that is known of the slice of the last one:
        where there is a newer one they are left out (`overtaken`).
        """
        if self.waiting:
            after = None
        self.waiting += entries
        return self.save(after)

    def check(self, entry: Entry) -> None:
        """Refuse an entry that no ledger takes, so that it does not wait for ever.

        Raises
        ------
        LedgerError
            Such as for a name with characters that cannot be seen.
        """
        checked(entry, self._classes)

    def save(self, after: int | None = None) -> str:
        """Save what waits; return why it cannot be done, or nothing."""
        problem, self.overtaken = self.open(), False
        if self.waiting and not problem:
            assert self.ledger is not None
            try:
                written = self.ledger.extend(self.waiting, after)
            except LedgerError as error:
                problem = str(error)
            else:
                self.waiting, self.overtaken = [], not written
                self.number = written[-1].number if written else self.number
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
        What all entries of it have in common: sample, depth, annotator, start.
    states : sequence of int or ndarray of uint8, shape (h, w)
        What undo goes back to, the present state, then what redo restores, in the order in
        which they were drawn: label maps, or the numbers of the entries that hold them.
    place : int
        Position of the present state.
    read : callable
        Gives the label map of an entry of the ledger.
    number : int
        Of the ledger's last entry of it; a higher one was written elsewhere.
    """

    def __init__(
        self,
        entry: Entry,
        states: Sequence[int | Map],
        place: int,
        read: Callable[[int], Map],
        number: int = 0,
    ) -> None:
        self.entry, self.number = entry, number
        self._read = read
        self._states: list[int | bytes] = []
        self.classes = np.zeros((0, 0), np.uint8)
        for each in states:
            self._states.append(each if isinstance(each, int) else zlib.compress(each.tobytes(), 1))
        first = states[0]
        self.first = read(first) if isinstance(first, int) else _fixed(first)
        now = states[place]
        self._place = place
        self.classes = read(now) if isinstance(now, int) else _fixed(now)

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
        """Pixels that differ from the first state."""
        return int(np.count_nonzero(self.classes != self.first))

    def begin(self, classes: Map, started_from: str) -> Entry:
        """Start over from a label map; what there was can be undone to."""
        self.entry = replace(self.entry, started_from=started_from)
        return self._drawn(classes, kind="opened")

    def stroke(self, classes: Map, tool: str, active_seconds: float, contour_mm: float) -> Entry:
        """Make the label map the present state; what was undone is forgotten."""
        return self._drawn(
            classes, kind="stroke", tool=tool, active_seconds=active_seconds, contour_mm=contour_mm
        )

    def undo(self) -> Entry:
        """Go back by one state."""
        return self._moved(-1, "undo")

    def redo(self) -> Entry:
        """Go forward by one state."""
        return self._moved(1, "redo")

    def answer(self, kind: str, note: str) -> Entry:
        """Say what is to become of it, with the present label map."""
        return replace(self.entry, kind=kind, classes=self.classes, note=note)

    def _drawn(self, classes: Map, **told: Any) -> Entry:
        self.classes = _fixed(classes)
        del self._states[self._place + 1 :]
        self._states.append(zlib.compress(self.classes.tobytes(), 1))
        self._place += 1
        return replace(self.entry, classes=self.classes, **told)

    def _moved(self, step: int, kind: str) -> Entry:
        self._place += step
        state = self._states[self._place]
        if isinstance(state, int):
            self.classes = self._read(state)
        else:
            shape = self.classes.shape
            self.classes = np.frombuffer(zlib.decompress(state), np.uint8).reshape(shape)
        return replace(self.entry, kind=kind, classes=self.classes)


def _fixed(classes: Map) -> Map:
    """Copy a label map so that nobody can change it."""
    kept = np.array(classes, order="C")
    kept.flags.writeable = False
    return kept
