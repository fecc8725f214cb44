"""The ledger: every stroke on the disk before the next one begins.

One SQLite file in the run's folder, to which lines are added and from which
nothing is ever taken. `Ledger.append` returns when its entry would survive a
power cut. Several processes may have the same ledger open: writers wait for each
other, and what one wrote the others read. (On a network drive that depends on
its locks; keep runs on a local disk.)
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import queries
from workbench.annotation.entry import ANSWERS, Entry, checked, is_whole, pack, row_check, unpack
from workbench.annotation.history import (
    History,
    SampleState,
    Totals,
    accepted,
    by_sample,
    replay,
    stacked,
)
from workbench.annotation.schema import (
    COLUMNS,
    INSERT,
    check_beginning,
    check_kind,
    check_place,
    checkpoint,
    connect,
    copied,
    damaged,
    prepare,
    told,
    transaction,
)
from workbench.errors import LedgerError
from workbench.files import may_write

__all__ = ["FILE_NAME", "Ledger"]

#: What the ledger of a run is called.
FILE_NAME = "annotations.sqlite"

#: Types of the values of rows that are not damaged, with a label map and without.
_ENTRY_TYPES = {
    (int, float, str, int, str, str, int, str, str, float, float, str, of, of, of)
    for of in (int, NoneType)
}


class Ledger:
    """The annotations of a run; made if absent.

    Parameters
    ----------
    path : Path
        The file, such as ``runs/NAME/annotations.sqlite``.
    images_key : str
        Names the images that are annotated: `images_key` of their store. Not given: a ledger of any
        images is opened.
    classes : sequence of str
        Names of the classes, background first. Label maps with other classes are refused.

    Raises
    ------
    LedgerError
        If the file is no ledger, damaged, of a newer version, or of other images or classes; or
        there is none and none can be made.

    Attributes
    ----------
    path : Path
    images_key, classes
        As the ledger was begun.
    writable : bool
        Whether entries can be added; where the folder is read-only they can be read all the same.
    """

    def __init__(
        self, path: Path | str, *, images_key: str = "", classes: Sequence[str] = ()
    ) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._closing = ExitStack()
        with told(self.path), self._closing:
            self._connection, self.writable = self._open(images_key, tuple(classes))
            check_kind(self.path, self._connection)
            key, names = self._beginning()
            self.images_key, self.classes = key or images_key, names or tuple(classes)
            self._check_cohort(images_key, tuple(classes))
            self._file = self.path.stat()
            closing = self._closing.pop_all()  # all went well: keep it open
            self._end = weakref.finalize(self, _end, self._lock, self._connection, closing)

    def _open(self, images_key: str, classes: tuple[str, ...]) -> tuple[sqlite3.Connection, bool]:
        path = self.path
        there = path.exists() and path.stat().st_size > 0
        if there:
            check_beginning(path)
        if not there or (may_write(path) and may_write(path.parent)):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect(path)
            prepare(connection, images_key, classes)
            return connection, True
        try:
            return self._connect(path, read_only=True), False
        except sqlite3.OperationalError:  # its log cannot be opened where nothing may be written
            return self._connect(self._closing.enter_context(copied(path))), False

    def _connect(self, path: Path, read_only: bool = False) -> sqlite3.Connection:
        connection = connect(path, read_only)
        self._closing.callback(connection.close)
        return connection

    def _beginning(self) -> tuple[str, tuple[str, ...]]:
        row = self._connection.execute("SELECT images_key, classes FROM ledger").fetchone()
        try:
            key, names = row
            return str(key), tuple(str(each) for each in json.loads(names))
        except (TypeError, ValueError) as error:
            raise damaged(self.path, "it does not say what it holds") from error

    def _check_cohort(self, images_key: str, classes: tuple[str, ...]) -> None:
        if images_key and images_key != self.images_key:
            raise LedgerError(
                f"{self.path} holds annotations of other images than those that are open. Open the "
                f"cohort that it was begun with, as it was then. Or take them into a new run: "
                f"write masks with 'workbench export --format nifti', read them with 'workbench "
                f"import-masks'."
            )
        if classes and classes != self.classes:
            raise LedgerError(
                f"{self.path} holds annotations of the classes {', '.join(self.classes)}, but "
                f"{', '.join(classes)} are asked for. Open the task that it was begun with, or "
                f"move it away to begin a new one."
            )

    # ------------------------------------------------------------------ writing
    def append(self, entry: Entry) -> Entry:
        """Add an entry; it is on the disk when this returns.

        Returns
        -------
        Entry
            As it was written, with its number and time.

        Raises
        ------
        LedgerError
            If it cannot be kept as it is, or not be written; then nothing was added.
        """
        return self.extend([entry])[0]

    def extend(self, entries: Iterable[Entry], after: int | None = None) -> tuple[Entry, ...]:
        """Add entries, all of them or none, as `append` does.

        None are added, and none returned, if `after` is given and the annotator of the last one
        has a newer entry than that on its slice: it was drawn without knowing of it.
        """
        ready = [checked(entry, self.classes) for entry in entries]
        if not self.writable:
            raise LedgerError(
                f"{self.path} is read-only, so nothing can be annotated there. Allow writing in "
                f"{self.path.parent}, then open it again."
            )
        check_place(self.path, self._file)
        packed = [(None, None) if e.classes is None else pack(e.classes) for e in ready]
        with self._reading() as connection, transaction(connection):
            if after is not None:
                there = queries.of(ready[-1].sample, ready[-1].depth, ready[-1].annotator)
                if queries.newest(connection, *there) > after:
                    return ()
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM entries").fetchone()
            written = []
            for number, (entry, (check, content)) in enumerate(
                zip(ready, packed, strict=True), last + 1
            ):
                kept = replace(entry, number=number, time=time.time())
                values = _values(kept, check)
                connection.execute(INSERT, (*values, row_check(values, content), content))
                written.append(kept)
        if any(entry.kind in ANSWERS for entry in written):
            with self._lock:
                checkpoint(self._connection)
        return tuple(written)

    # ------------------------------------------------------------------ reading
    def __len__(self) -> int:
        with self._reading() as connection:
            (entries,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        return int(entries)

    @property
    def last(self) -> int:
        """Number of the last entry, whoever wrote it: when it grows there is something new."""
        with self._reading() as connection:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM entries").fetchone()
        return int(last)

    def read(self, number: int) -> Entry:
        """Return one entry by its number.

        Raises
        ------
        LedgerError
            If there is none, or it is damaged.
        """
        found = self._select("WHERE number = ?", (number,), maps=True)
        if not found:
            raise LedgerError(f"{self.path} has no entry {number}. Its last one is {self.last}.")
        return found[0]

    def entries(
        self,
        sample: str | None = None,
        depth: int | None = None,
        annotator: str | None = None,
        *,
        after: int = 0,
        maps: bool = True,
    ) -> tuple[Entry, ...]:
        """Return entries in order.

        Parameters
        ----------
        sample, depth, annotator
            Only those of; all if not given.
        after : int
            Only those with a greater number.
        maps : bool
            Whether label maps are read; else `Entry.classes` is None.
        """
        condition, values = queries.of(sample, depth, annotator)
        return self._select(f"WHERE {condition} AND number > ?", (*values, after), maps)

    def history(self, sample: str, depth: int = 0, annotator: str = "") -> History:
        """Return one person's work on a slice as it was left, with what undo and redo restore."""
        with self._reading() as connection:
            steps = queries.find_steps(connection, *queries.of(sample, depth, annotator))
            parts = queries.find_parts(connection, *queries.of(sample, depth, annotator))
        if not steps:
            return History()
        stacks = replay(steps)
        now = self.read(stacks.now).classes if stacks.now else None
        return History(now, stacks.undo, stacks.redo, parts[0])

    def lineage(self, answer: Entry) -> tuple[int, ...]:
        """Return the numbers of the entries that led to an answer and were not undone, in order."""
        with self._reading() as connection:
            key = answer.sample, answer.depth, answer.annotator
            steps = queries.find_steps(connection, *queries.of(*key))
        stacks = replay(step for step in steps if step.number <= answer.number)
        return (*stacks.undo, stacks.now)

    def states(self, until: int | None = None) -> Mapping[str, SampleState]:
        """Return what was done on every sample that was ever opened; reads no label map.

        Parameters
        ----------
        until : int, optional
            Number of the last entry that counts: what was known at an earlier time.
        """
        condition = ("1", ()) if until is None else ("number <= ?", (until,))
        with self._reading() as connection:
            return by_sample(queries.find_parts(connection, *condition))

    def accepted(self, until: int | None = None) -> Mapping[tuple[str, int], int]:
        """Return the entries that training uses: (sample, depth) to number.

        Of several people's answers "done" the last one counts; `until` is that of `states`.
        """
        return accepted(self.states(until).values())

    def checks(self, numbers: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Return the checksums of the label maps of some entries, None without one, and notes."""
        with self._reading() as connection:
            return queries.find_checks(connection, numbers)

    def latest(self, sample: str, slices: int | None = None) -> NDArray[np.uint8] | None:
        """Return the label map that training uses; None if nobody answered "done".

        Parameters
        ----------
        sample : str
            Its name.
        slices : int, optional
            Of a volume: how many it has.

        Returns
        -------
        ndarray of uint8, shape (h, w) or (d, h, w)
            Slices of a volume without an answer "done" are `IGNORED`.
        """
        with self._reading() as connection:
            states = by_sample(queries.find_parts(connection, *queries.of(sample)))
        maps = {
            depth: self.read(number).classes
            for (_, depth), number in accepted(states.values()).items()
        }
        return stacked(sample, maps, slices)  # type: ignore[arg-type]

    def totals(
        self,
        by: Sequence[queries.Group] = (),
        *,
        sample: str | None = None,
        annotator: str | None = None,
    ) -> Mapping[tuple[Any, ...], Totals]:
        """Add up what annotations cost.

        Parameters
        ----------
        by : sequence of {"sample", "round", "annotator"}
            What is told apart, for example ``("round", "annotator")``; the keys of the result
            have these in this order. Nothing: all is one, under the key ``()``.
        sample, annotator : str, optional
            Only those of.
        """
        with self._reading() as connection:
            found = queries.find_totals(connection, by, *queries.of(sample, None, annotator))
        return found or ({} if by else {(): Totals()})

    # ------------------------------------------------------------------ closing
    def close(self) -> None:
        """Close the file, as the end of the process does; entries are safe without it."""
        self._end()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ queries
    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, told(self.path):
            yield self._connection

    def _select(self, where: str, values: tuple[Any, ...], maps: bool) -> tuple[Entry, ...]:
        further = ", row_check, map" if maps else ""
        asked = f"SELECT {', '.join(COLUMNS)}{further} FROM entries {where} ORDER BY number"
        with self._reading() as connection:
            rows = connection.execute(asked, values).fetchall()
        if not maps:
            for row in rows:
                if tuple(map(type, row)) not in _ENTRY_TYPES:
                    raise damaged(self.path, f"entry {row[0]} cannot be read")
            return tuple(_entry(row) for row in rows)
        for row in rows:
            if not is_whole(row):
                raise damaged(self.path, f"entry {row[0]} is not as it was written")
        return tuple(_entry(row[:-2], row[-1]) for row in rows)


def _end(lock: threading.RLock, connection: sqlite3.Connection, closing: ExitStack) -> None:
    with lock, closing:
        checkpoint(connection)


def _entry(values: tuple[Any, ...], packed: bytes | None = None) -> Entry:
    named = dict(zip(COLUMNS, values, strict=True))
    height, width, check = (named.pop(name) for name in ("height", "width", "map_check"))
    return Entry(classes=None if packed is None else unpack(height, width, check, packed), **named)


def _values(entry: Entry, map_check: int | None) -> tuple[Any, ...]:
    shape = (None, None) if entry.classes is None else entry.classes.shape
    named = {"height": shape[0], "width": shape[1], "map_check": map_check}
    return tuple(named[name] if name in named else getattr(entry, name) for name in COLUMNS)
