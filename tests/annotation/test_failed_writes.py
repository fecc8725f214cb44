"""Every write of a ledger fails once.

SQLite's own fault injection (a VFS) cannot be reached from Python. A limit on
the size of files (``RLIMIT_FSIZE``) makes the operating system refuse, or cut
short, the write at any byte that is chosen: moved through the write-ahead log in
small steps it hits every write of an entry and of a checkpoint. SQLite's own limit
of pages gives the error of a full disk proper.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.annotation.made import CLASSES, assert_noisy, noisy_entry, picture
from workbench.annotation import Entry, Ledger
from workbench.errors import LedgerError

#: Step of the limit, bytes: several in each page of 4,096.
STEP = 900


@contextmanager
def files_of_at_most(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_at_any_byte_loses_nothing_and_the_next_one_works(ledger):
    ledger._connection.execute("PRAGMA wal_autocheckpoint = 20")  # pages: short, so that it is
    kept = [ledger.append(noisy_entry(0)).note]  # gone through, and over, in a few seconds
    log = ledger.path.with_name(ledger.path.name + "-wal")
    failed = seed = 0
    limit = STEP
    while failed == 0 or limit < log.stat().st_size + 2 * STEP:
        seed += 1
        try:
            with files_of_at_most(limit):
                kept.append(ledger.append(noisy_entry(seed)).note)
        except LedgerError as error:
            failed += 1
            assert "could not be saved: the disk is full or fails" in str(error)
            assert "Free some space, then save again" in str(error)
        seed += 1
        kept.append(ledger.append(noisy_entry(seed)).note)
        limit += STEP
    assert failed > 50
    with Ledger(ledger.path) as again:
        found = again.entries()
    assert [entry.note for entry in found] == kept
    for entry in found:
        assert_noisy(entry)


def test_the_writes_of_a_checkpoint_may_fail_too(ledger):
    for seed in range(8):
        ledger.append(noisy_entry(seed))
    size = ledger.path.stat().st_size
    failed = 0
    for limit in range(size, size + 40_000, STEP):
        try:
            with files_of_at_most(limit):
                ledger._connection.execute("PRAGMA wal_checkpoint(FULL)")
        except sqlite3.OperationalError:
            failed += 1
            assert len(ledger) == 8
    assert failed > 10
    ledger.close()
    with Ledger(ledger.path) as again:
        assert [int(entry.note) for entry in again.entries()] == list(range(8))
        for entry in again.entries():
            assert_noisy(entry)


def test_an_answer_is_kept_where_there_is_no_room_to_put_it_into_the_file(ledger):
    for seed in range(8):
        ledger.append(noisy_entry(seed))
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = ledger.path.stat().st_size
    with files_of_at_most(size):
        answered = replace(noisy_entry(8), kind="done")
        assert ledger.append(answered).number == 9
        with pytest.raises(sqlite3.OperationalError):
            ledger._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    assert ledger.path.stat().st_size == size
    ledger.append(replace(noisy_entry(9), kind="done"))
    assert ledger.path.stat().st_size > size
    assert [int(entry.note) for entry in ledger.entries()] == list(range(10))


def test_a_full_disk_is_told_and_saving_goes_on_when_there_is_room(ledger):
    ledger.append(noisy_entry(0))
    (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerError, match="disk is full .* Free some space, then save again"):
        ledger.append(noisy_entry(1))
    assert len(ledger) == 1
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    assert ledger.append(noisy_entry(1)).number == 2


@pytest.mark.parametrize("size", [0, 512, 5000])
def test_a_ledger_that_cannot_be_begun_for_want_of_room_can_be_begun_later(tmp_path, size):
    path = tmp_path / "annotations.sqlite"
    with files_of_at_most(size), pytest.raises(LedgerError, match="annotations.sqlite"):
        Ledger(path, classes=CLASSES)
    with Ledger(path, classes=CLASSES) as ledger:
        assert ledger.append(noisy_entry(1)).number == 1


# ---------------------------------------------------------------------- read-only
@pytest.fixture
def locked():
    """Make a folder read-only, for root as well: the test goes on as nobody."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0

    @contextmanager
    def lock():
        for each in folder.iterdir():
            each.chmod(0o444)
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)

    lock.folder = folder
    yield lock
    shutil.rmtree(folder)


@pytest.mark.parametrize("killed", [False, True])
def test_a_ledger_in_a_read_only_folder_is_read_and_refuses_to_be_written(locked, killed):
    path = locked.folder / "annotations.sqlite"
    ledger = Ledger(path, classes=CLASSES)
    ledger.append(Entry("a", "done", picture(1)))
    if killed:  # its log still holds the entry
        kept = {each: each.read_bytes() for each in locked.folder.iterdir()}
    ledger.close()
    if killed:
        for each, content in kept.items():
            if not each.name.endswith("-shm"):
                each.write_bytes(content)
    with locked(), Ledger(path) as found:
        assert not found.writable
        assert [entry.sample for entry in found.entries()] == ["a"]
        with pytest.raises(LedgerError, match="is read-only, so nothing can be annotated"):
            found.append(Entry("a", "unsure"))
    with Ledger(path) as found:
        assert len(found) == 1


def test_a_read_only_folder_without_a_ledger_is_told(locked):
    with locked(), pytest.raises(LedgerError, match="read-only, or gone"):
        Ledger(locked.folder / "annotations.sqlite")


def test_a_ledger_that_was_deleted_or_replaced_while_open_is_not_written_into(ledger):
    ledger.append(Entry("a", "done", picture(1)))
    aside = ledger.path.with_name("aside")
    ledger.path.rename(aside)
    with pytest.raises(LedgerError, match="moved, deleted or replaced"):
        ledger.append(Entry("a", "unsure"))
    aside.rename(ledger.path)
    assert ledger.append(Entry("a", "unsure")).number == 2
