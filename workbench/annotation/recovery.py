"""Read what can be read of a damaged ledger, and say what is missing.

Rows are found in the pages of the file and of its log (`carving`); one counts if
its checksum is right. They are written into a new ledger, under their own
numbers, that takes the place of the damaged one. The damaged one is kept beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.annotation.carving import carve
from workbench.annotation.entry import is_whole
from workbench.annotation.schema import (
    COLUMNS,
    MAGIC,
    check_beginning,
    check_kind,
    check_version,
    connect,
    copied,
    make_tables,
    told,
    transaction,
)
from workbench.errors import LedgerError
from workbench.words import count

__all__ = ["Recovery", "recover"]

#: Columns that SQLite stores as whole numbers where they are.
_REAL = tuple(COLUMNS.index(name) for name in ("time", "active_seconds", "contour_mm"))
#: Values in a row of entries, in its index, and in the row that names images and classes.
_ENTRY, _INDEX, _BEGINNING = len(COLUMNS) + 2, 13, 2
#: No version will ever be as high: it is damage.
_NEWEST = 1000
#: Missing entries that are named one by one.
_MOST_TOLD = 12


@dataclass(frozen=True)
class Recovery:
    """What became of a damaged ledger.

    Parameters
    ----------
    path : Path
        The new ledger, where the damaged one was.
    aside : Path or None
        The damaged one; its log, if it had one, lies beside it. None where nothing is damaged.
    recovered : int
        Entries that were read.
    missing : mapping of int to str
        Number of each lost entry to the sample it belongs to, empty where that is not known.
        Entries after the last one that left any trace cannot be known.
    """

    path: Path
    aside: Path | None
    recovered: int
    missing: Mapping[int, str]

    @property
    def samples(self) -> tuple[str, ...]:
        """Samples that lack entries, as far as it is known."""
        return tuple(dict.fromkeys(sample for sample in self.missing.values() if sample))

    def __str__(self) -> str:
        if self.aside is None and not self.recovered:
            return (
                f"{self.path} is not damaged, but it holds no entry. That is suspicious if "
                f"anything was drawn: while a kernel has the original open, its newest entries lie "
                f"beside it in {_log(self.path).name}. Copy both together. Nothing was changed."
            )
        if self.aside is None:
            return (
                f"{self.path} is not damaged: {count(self.recovered, 'entry', 'entries')} can be "
                f"read. Nothing was changed."
            )
        kept = (
            f"{count(self.recovered, 'entry', 'entries')} of {self.path} could be read and are "
            f"kept there; the damaged file is {self.aside.name} beside it."
        )
        if not self.missing:
            return f"{kept} No entry before the last of them is missing."
        each = [
            f"number {number} ({sample or 'of an unknown slice'})"
            for number, sample in list(self.missing.items())[:_MOST_TOLD]
        ]
        more = len(self.missing) - len(each)
        lost = ", ".join(each) + (f" and {more:,} more" if more else "")
        return f"{kept} {count(len(self.missing), 'entry', 'entries')} missing: {lost}."


def recover(path: Path, images_key: str = "", classes: Sequence[str] = ()) -> Recovery:
    """Put a new ledger with all that can be read in the place of a damaged one.

    Close the damaged ledger everywhere before; who has it open still is told that it was replaced.
    One that is whole is left as it is.

    Parameters
    ----------
    path : Path
        The damaged ledger.
    images_key, classes
        What the new ledger is begun with if the damaged one does not tell any more; see
        `workbench.annotation.ledger.Ledger`.

    Raises
    ------
    LedgerError
        If there is no such file, nothing of a ledger can be found in it, or the new one cannot be
        written; the damaged one is untouched then.
    """
    path = Path(path)
    if not path.is_file():
        raise LedgerError(f"There is no ledger {path}. Name the annotations.sqlite of a run.")
    with told(path):
        _check_version(path)
        kept: dict[int, tuple[Any, ...]] = {}
        known: dict[int, str] = {}
        for row in carve(path):
            if len(row) == _ENTRY:
                row = _with_floats(row)
                if is_whole(row):
                    kept[row[0]] = row
                elif isinstance(row[2], str):
                    known.setdefault(row[0], row[2])
            elif len(row) == _INDEX and isinstance(row[0], str) and isinstance(row[3], int):
                known[row[3]] = row[0]
            elif len(row) == _BEGINNING and _names(row[1]) is not None:
                images_key, classes = str(row[0]), _names(row[1]) or ()
        readable = _readable(path)
        if readable is not None and readable.issuperset(kept):
            return Recovery(path, None, len(readable), {})
        if not kept:
            raise LedgerError(
                f"{path} holds no whole entry of a ledger, so there is nothing to recover. If it "
                f"is the right file, look for a backup of it."
            )
        # a damaged row may claim any number; that of an entry that is far off is not believed
        last = max(kept)
        last = max([last, *(number for number in known if number <= last + len(known))])
        missing = {n: known.get(n, "") for n in range(1, last + 1) if n not in kept}
        aside = _free_name(path)
        made = path.with_name(f".{path.name}.recovering")
        try:
            _write(made, images_key, tuple(classes), [kept[number] for number in sorted(kept)])
            _put_in_place(path, made, aside)
        finally:
            for each in (made, _log(made), _log(made, "-shm")):
                each.unlink(missing_ok=True)
    return Recovery(path, aside, len(kept), missing)


def _readable(path: Path) -> set[int] | None:
    """Numbers of the entries that SQLite reads, if all that it reads is whole; else None.

    A damaged log hides the entries behind the damage: SQLite reads the others without a word.
    """
    columns = ", ".join((*COLUMNS, "row_check", "map"))
    try:
        check_beginning(path)  # a log may hold the first page: SQLite reads it, a ledger does not
        with copied(path) as copy, closing(connect(copy)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return None
            check_kind(path, connection)
            (names,) = connection.execute("SELECT classes FROM ledger").fetchone()
            rows = connection.execute(f"SELECT {columns} FROM entries").fetchall()
    except (sqlite3.Error, LedgerError, TypeError, UnicodeDecodeError):
        return None
    whole = _names(names) is not None and all(map(is_whole, rows))
    return {row[0] for row in rows} if whole else None


def _check_version(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(100)
    version = int.from_bytes(head[60:64], "big")
    if head.startswith(MAGIC) and version < _NEWEST:
        check_version(path, version)


def _with_floats(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        float(value) if place in _REAL and isinstance(value, int) else value
        for place, value in enumerate(row)
    )


def _names(text: Any) -> tuple[str, ...] | None:
    try:
        names = json.loads(text)
    except (TypeError, ValueError):
        return None
    whole = isinstance(names, list) and all(isinstance(each, str) for each in names)
    return tuple(names) if whole else None


def _write(
    path: Path, images_key: str, classes: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    for each in (path, _log(path), _log(path, "-shm")):
        each.unlink(missing_ok=True)  # of a recovery that was killed
    connection = connect(path)
    try:
        with transaction(connection):
            make_tables(connection, images_key, classes, rows)
    finally:
        connection.close()


def _put_in_place(path: Path, made: Path, aside: Path) -> None:
    """Copy the damaged ledger aside, then replace it; killed in between, nothing is lost."""
    try:
        for source, copy in ((path, aside), (_log(path), _log(aside))):
            if source.exists():
                shutil.copy2(source, copy)
                with copy.open("rb+") as file:
                    os.fsync(file.fileno())
        _log(path).unlink(missing_ok=True)  # else it would be taken for the log of the new one
        os.replace(made, path)
    except BaseException:
        if _log(aside).exists() and not _log(path).exists():
            os.replace(_log(aside), _log(path))
        for each in (aside, _log(aside)):
            each.unlink(missing_ok=True)
        raise
    _log(path, "-shm").unlink(missing_ok=True)


def _log(path: Path, ending: str = "-wal") -> Path:
    return path.with_name(path.name + ending)


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    return aside
