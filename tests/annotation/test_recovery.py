from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.annotation.made import CLASSES, noise, picture
from tests.annotation.test_failed_writes import files_of_at_most
from workbench.annotation import Entry, Ledger
from workbench.annotation.recovery import recover
from workbench.cli import app
from workbench.errors import LedgerError

#: Large enough for a table of several levels, with rows that fit a page and rows that do not.
ENTRIES = 400


def entry(seed):
    shape = (96, 96) if seed % 3 == 0 else (9, 9)
    return Entry(f"case_{seed % 7}/axial/0001", "stroke", noise(seed, shape), note=str(seed))


def write(path, entries=ENTRIES):
    ledger = Ledger(path, images_key="k", classes=CLASSES)
    ledger.extend(map(entry, range(entries)))
    return ledger


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "annotations.sqlite"
    write(path).close()
    return path


def assert_true(path, found):
    """What was recovered is what was written, and all else is told as missing."""
    with Ledger(path, images_key="k", classes=CLASSES) as ledger:
        entries = ledger.entries()
        assert len(entries) == found.recovered
        for each in entries:
            assert each.number == int(each.note) + 1
            np.testing.assert_array_equal(each.classes, entry(int(each.note)).classes)
        have = {each.number for each in entries}
        assert set(found.missing) == set(range(1, max([*have, *found.missing]) + 1)) - have
        for number, sample in found.missing.items():
            assert sample in ("", f"case_{(number - 1) % 7}/axial/0001")
        following = ledger.append(Entry("case_0/axial/0001", "unsure"))
        assert following.number == max(have) + 1


def test_a_ledger_that_is_whole_is_left_as_it_is(path):
    before = path.read_bytes()
    found = recover(path)
    assert (found.recovered, found.missing, found.aside) == (ENTRIES, {}, None)
    assert "is not damaged" in str(found)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir() if "damaged" in each.name] == []


def test_a_copy_that_lacks_its_log_is_called_suspicious_and_not_whole(tmp_path):
    with write(tmp_path / "original.sqlite", 3) as ledger:
        copy = tmp_path / "annotations.sqlite"
        copy.write_bytes(ledger.path.read_bytes())
    found = str(recover(copy))
    assert "holds no entry. That is suspicious" in found
    assert "beside it in annotations.sqlite-wal" in found


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_a_truncated_ledger_keeps_what_is_before_the_cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    found = recover(path)
    assert share * 0.8 * ENTRIES < found.recovered < ENTRIES
    assert_true(path, found)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_cost_the_entries_that_they_lie_in(path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for place in rng.integers(4096, len(content), 40):
        content[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    found = recover(path)
    assert found.recovered > 0.6 * ENTRIES
    assert_true(path, found)
    assert set(found.samples) <= {f"case_{index}/axial/0001" for index in range(7)}


def test_a_garbage_beginning_is_told_and_everything_behind_it_is_recovered(path):
    content = bytearray(path.read_bytes())
    content[:4096] = bytes(np.random.default_rng(0).integers(0, 256, 4096).astype(np.uint8))
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="its beginning is damaged.*workbench recover RUN"):
        Ledger(path)
    found = recover(path)
    assert found.recovered == ENTRIES
    assert_true(path, found)


def test_a_garbage_beginning_whose_log_is_whole_is_recovered_and_not_called_whole(tmp_path):
    path = tmp_path / "killed/annotations.sqlite"
    ledger = write(tmp_path / "annotations.sqlite", 0)
    for seed in range(60):  # the log has the first page, too
        ledger.append(entry(seed))
    path.parent.mkdir()
    for each in tmp_path.glob("annotations.sqlite*"):
        (path.parent / each.name).write_bytes(each.read_bytes())
    ledger.close()
    content = bytearray(path.read_bytes())
    content[:20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="its beginning is damaged.*workbench recover RUN"):
        Ledger(path)
    found = recover(path)
    assert (found.recovered, found.missing) == (60, {})
    assert found.aside is not None
    assert_true(path, found)


def test_pages_of_zeros_in_the_middle_are_told_by_the_numbers_of_their_entries(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 5 * 4096] = bytes(5 * 4096)
    path.write_bytes(content)
    found = recover(path)
    assert 0 < len(found.missing) < 0.1 * ENTRIES
    first = next(iter(found.missing))
    assert f"number {first} (case_{(first - 1) % 7}/axial/0001)" in str(found)
    assert_true(path, found)


def test_entries_that_are_only_in_the_log_are_recovered_and_without_it_the_others(tmp_path):
    path = tmp_path / "live/annotations.sqlite"
    ledger = write(path, 30)
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger._connection.execute("PRAGMA wal_autocheckpoint = 0")
    for seed in range(30, 60):
        ledger.append(entry(seed))
    log = path.with_name(path.name + "-wal").read_bytes()
    content = path.read_bytes()
    ledger.close()
    for with_log in (True, False):
        copy = tmp_path / f"{with_log}/annotations.sqlite"
        copy.parent.mkdir()
        copy.write_bytes(content)
        if with_log:
            damaged = bytearray(log)
            damaged[len(log) // 2] ^= 255  # SQLite itself would lose all that comes after
            copy.with_name(copy.name + "-wal").write_bytes(damaged)
        found = recover(copy)
        if with_log:
            assert found.recovered >= 58
            assert found.aside.with_name(found.aside.name + "-wal").exists()
        else:
            assert (found.recovered, found.aside) == (30, None)
        assert_true(copy, found)


def test_a_damaged_ledger_is_told_in_a_sentence_wherever_it_is_noticed(path):
    rng = np.random.default_rng(5)
    whole = path.read_bytes()
    told = 0
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 200):
            content[place] = int(rng.integers(256))
        path.write_bytes(content)
        for made in ("-wal", "-shm"):
            path.with_name(path.name + made).unlink(missing_ok=True)
        try:
            with Ledger(path) as ledger:
                for sample in ledger.states():
                    ledger.history(sample)
                ledger.totals(("sample",))
                ledger.entries()
                ledger.append(Entry("a", "done", picture(1)))
        except LedgerError:
            told += 1
    assert told == 60


def damage(path):
    """Take the last page away."""
    path.write_bytes(path.read_bytes()[:-4096])


def test_recovering_again_keeps_every_damaged_file(path):
    damage(path)
    first = recover(path)
    damage(path)
    second = recover(path)
    assert first.aside != second.aside
    assert first.aside.exists()
    assert second.aside.exists()


def test_what_is_no_ledger_is_not_recovered_and_left_alone(tmp_path):
    path = tmp_path / "annotations.sqlite"
    with pytest.raises(LedgerError, match="There is no ledger"):
        recover(path)
    for content in (b"", b"hello", bytes(100_000)):
        path.write_bytes(content)
        with pytest.raises(LedgerError, match="no whole entry"):
            recover(path)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.1, 0.99])
def test_a_recovery_without_room_changes_nothing_and_works_when_there_is(path, share):
    path.write_bytes(path.read_bytes()[:-4096])
    log = path.with_name(path.name + "-wal")
    log.write_bytes(bytes(50_000))
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    with (
        files_of_at_most(int(share * path.stat().st_size)),
        pytest.raises(LedgerError, match="disk is full"),
    ):
        recover(path)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before
    assert recover(path).recovered > 0.9 * ENTRIES


def test_who_has_the_damaged_ledger_open_is_told(tmp_path):
    path = tmp_path / "annotations.sqlite"
    with write(path, 10) as ledger:
        log = path.with_name(path.name + "-wal")
        content = bytearray(log.read_bytes())
        content[len(content) // 2] ^= 255
        log.write_bytes(content)
        recovered = recover(path).recovered
        with pytest.raises(LedgerError, match="moved, deleted or replaced"):
            ledger.append(Entry("a", "unsure"))
    with Ledger(path) as again:
        assert 5 < len(again) == recovered


def test_the_command_recovers_the_ledger_of_a_run(path):
    path.write_bytes(path.read_bytes()[:100_000])
    said = CliRunner().invoke(app, ["recover", str(path.parent)])
    assert said.exit_code == 0
    assert "could be read and are kept there" in said.output
    with Ledger(path) as ledger:
        assert len(ledger) > 5


# ---------------------------------------------------------------------- refused
def set_version(path, version):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_a_newer_ledger_another_cohort_and_other_files_are_refused_in_a_sentence(path, tmp_path):
    with pytest.raises(LedgerError, match="annotations of other images"):
        Ledger(path, images_key="other")
    with pytest.raises(
        LedgerError, match="of the classes background, tumor, edema, but background"
    ):
        Ledger(path, classes=("background", "heart"))
    set_version(path, 2)
    for opening in (Ledger, recover):
        with pytest.raises(LedgerError, match=r"newer version.*form 2; this version knows 1"):
            opening(path)
    (tmp_path / "notes.txt").write_text("not a ledger, but long enough to be looked at")
    with pytest.raises(LedgerError, match="is not a ledger of annotations"):
        Ledger(tmp_path / "notes.txt")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE photos (name)")
    other.close()
    with pytest.raises(LedgerError, match="database of another program"):
        Ledger(tmp_path / "other.sqlite")
    with pytest.raises(LedgerError, match="cannot be used as a ledger"):
        Ledger(tmp_path)
