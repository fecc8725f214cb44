"""The SQLite file of a ledger: its tables, its version, and its errors as sentences.

The file refuses what a ledger must never do: its own triggers stop every change
and deletion, and every number that does not follow the last. The tables are made
in one transaction before the write-ahead log is switched on, so the file itself
always says what it is, also where the log beside it is lost.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from workbench.errors import LedgerError

__all__ = [
    "COLUMNS",
    "HOW_TO_RECOVER",
    "INSERT",
    "MAGIC",
    "check_beginning",
    "check_kind",
    "check_place",
    "check_version",
    "checkpoint",
    "connect",
    "copied",
    "damaged",
    "make_tables",
    "prepare",
    "told",
    "transaction",
]

#: "WbLg": marks a SQLite file as a ledger.
APPLICATION = 0x57624C67
#: Raised whenever the form of the tables changes.
VERSION = 1
#: Seconds to wait for another writer.
PATIENCE = 30.0
#: Pages of log after which it is put into the file: a file copied without its log lacks little.
LOG_PAGES = 100

#: What the operating system says of places that may not be written, and of full ones.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
#: First bytes of every SQLite file.
MAGIC = b"SQLite format 3\x00"
HOW_TO_RECOVER = (
    "'workbench recover RUN' reads what can be read into a new ledger, and keeps the old one aside."
)

#: Columns of an entry in the order of its checksum; the packed label map follows them.
COLUMNS = (
    "number", "time", "sample", "depth", "kind", "annotator", "round", "started_from", "tool",
    "active_seconds", "contour_mm", "note", "height", "width", "map_check",
)  # fmt: skip

TABLES = (
    "CREATE TABLE ledger (images_key TEXT NOT NULL, classes TEXT NOT NULL)",
    """CREATE TABLE entries (
        number INTEGER PRIMARY KEY, time REAL NOT NULL, sample TEXT NOT NULL,
        depth INTEGER NOT NULL, kind TEXT NOT NULL, annotator TEXT NOT NULL,
        round INTEGER NOT NULL, started_from TEXT NOT NULL, tool TEXT NOT NULL,
        active_seconds REAL NOT NULL, contour_mm REAL NOT NULL, note TEXT NOT NULL,
        height INTEGER, width INTEGER, map_check INTEGER, row_check INTEGER NOT NULL, map BLOB)""",
    # covers all that `queries` asks for, so that no label map is read for it
    """CREATE INDEX by_sample ON entries
        (sample, depth, annotator, number, kind, round, time, active_seconds, started_from,
         map_check, tool, contour_mm)""",
)
TRIGGERS = (
    """CREATE TRIGGER in_order BEFORE INSERT ON entries
        WHEN NEW.number != (SELECT coalesce(max(number), 0) + 1 FROM entries)
        BEGIN SELECT RAISE(ABORT, 'entries are numbered 1, 2, 3, …'); END""",
    *(
        f"""CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table}
            BEGIN SELECT RAISE(ABORT, 'a ledger is only ever added to'); END"""
        for table in ("ledger", "entries")
        for verb in ("update", "delete")
    ),
)
INSERT = (
    f"INSERT INTO entries ({', '.join(COLUMNS)}, row_check, map) "
    f"VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"
)


def connect(path: Path, read_only: bool = False) -> sqlite3.Connection:
    """Open a SQLite file so that what is committed survives a power cut.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened there, such as one with a log in a folder that is read-only.
    """
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, images_key: str, classes: Sequence[str]) -> None:
    """Make the tables in an empty file, once, however many processes try."""
    if _is_empty(connection):
        with transaction(connection):
            if _is_empty(connection):  # still, now that no other process can write
                make_tables(connection, images_key, classes)
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        with suppress(sqlite3.OperationalError):  # in use: as it is, it is as safe, only slower
            connection.execute("PRAGMA journal_mode = WAL")


def make_tables(
    connection: sqlite3.Connection,
    images_key: str,
    classes: Sequence[str],
    rows: Iterable[tuple[Any, ...]] = (),
) -> None:
    """Make the tables, with rows that were recovered: numbers may be missing among these."""
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO ledger VALUES (?, ?)", (images_key, json.dumps(list(classes))))
    connection.executemany(INSERT, rows)
    for statement in TRIGGERS:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0) and connection.execute("PRAGMA application_id").fetchone() == (0,)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing; what was written is on the disk when this ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def checkpoint(connection: sqlite3.Connection) -> None:
    """Put what is in the log into the file, so that a copy of the file alone has it.

    It waits for nobody and is never needed: where it cannot be done the log keeps everything.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def check_kind(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that is no ledger, or one of a newer version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise LedgerError(
            f"{path} is a database of another program, not a ledger of annotations. Choose the "
            f"annotations.sqlite of a run."
        )
    check_version(path, version)


def check_place(path: Path, opened: os.stat_result) -> None:
    """Refuse to write into a file that was deleted or replaced since: it would be lost."""
    try:
        there = os.path.samestat(path.stat(), opened)
    except OSError:
        there = False
    if not there:
        raise LedgerError(
            f"{path} was moved, deleted or replaced while it was open, so nothing can be "
            f"saved in it. Put it back, or open the run again where it is now."
        )


def check_version(path: Path, version: int) -> None:
    """Refuse a ledger of a newer version."""
    if version > VERSION:
        raise LedgerError(
            f"{path} was written by a newer version of the workbench (ledgers of form {version}; "
            f"this version knows {VERSION}). Update the workbench to open it."
        )


def check_beginning(path: Path) -> None:
    """Refuse a file that SQLite cannot know by its first bytes."""
    with path.open("rb") as file:
        found = file.read(len(MAGIC))
    if found != MAGIC:
        raise LedgerError(
            f"{path} is not a ledger of annotations, or its beginning is damaged. If it was one, "
            f"{HOW_TO_RECOVER}"
        )


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Give a temporary copy of a ledger with its log, for folders that may not be written."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        copy = Path(folder) / "ledger.sqlite"
        shutil.copyfile(path, copy)
        log = path.with_name(path.name + "-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        yield copy


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a sentence."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise LedgerError(_sentence(path, error)) from error


def damaged(path: Path, what: object) -> LedgerError:
    """Say that a ledger cannot be read as it was written, and what to do."""
    return LedgerError(f"{path} is damaged ({what}). Nothing was changed. {HOW_TO_RECOVER}")


def _sentence(path: Path, error: Exception) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    closed = isinstance(error, sqlite3.ProgrammingError)
    unreadable = not name and not closed and not isinstance(error, OSError)  # noticed in Python
    if unreadable or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return str(damaged(path, error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"{path} has been written by another process for {PATIENCE:.0f} seconds, so nothing "
            f"could be saved. Close the other program, then save again."
        )
    code = error.errno if isinstance(error, OSError) else None
    if name.startswith("SQLITE_READONLY") or name == "SQLITE_CANTOPEN" or code in _READ_ONLY:
        return (
            f"{path} cannot be written ({error}): the file or its folder is read-only, or gone. "
            f"What was saved before is unchanged. Allow writing there, then save again."
        )
    if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR") or code in _FULL:
        return (
            f"{path} could not be saved: the disk is full or fails ({error}). What was saved "
            f"before is unchanged. Free some space, then save again."
        )
    return f"{path} cannot be used as a ledger ({error}). What was saved before is unchanged."
