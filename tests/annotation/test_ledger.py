from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from tests.annotation.made import SAMPLE, picture
from workbench.annotation import Entry, Ledger, Totals
from workbench.errors import LedgerError

#: A process that keeps its ledger open until it ends.
UNCLOSED = """
import sys
import numpy
from workbench.annotation import Entry, Ledger
ledger = Ledger(sys.argv[1], classes=("background", "tumor"))
ledger.append(Entry("a", "unsure"))
ledger.append(Entry("a", "opened", numpy.zeros((9, 9), numpy.uint8)))
"""


def again(ledger):
    return Ledger(ledger.path, images_key=ledger.images_key, classes=ledger.classes)


def test_what_was_appended_is_read_back_whole_and_in_order(ledger):
    given = [
        Entry(SAMPLE, "opened", picture(), annotator="Ada", started_from="prediction", round=2),
        Entry(SAMPLE, "stroke", picture(1, 2), annotator="Ada", tool="brush", active_seconds=1.5,
              contour_mm=7.25, round=2),
        Entry(SAMPLE, "skipped", annotator="Ada", note="motion\nartefact", round=2),
    ]  # fmt: skip
    written = [ledger.append(entry) for entry in given]
    assert [entry.number for entry in written] == [1, 2, 3] == list(range(1, len(ledger) + 1))
    with again(ledger) as reopened:
        found = reopened.entries()
    for before, after in zip(written, found, strict=True):
        assert {**vars(before), "classes": None} == {**vars(after), "classes": None}
    np.testing.assert_array_equal(found[1].classes, picture(1, 2))
    assert found[2].classes is None
    assert found[1].time > 1.6e9


def test_undo_and_redo_are_what_they_were_after_reopening(ledger):
    maps = [picture(*range(n)) for n in range(5)]
    ledger.append(Entry(SAMPLE, "opened", maps[0]))
    for each in maps[1:]:
        ledger.append(Entry(SAMPLE, "stroke", each, tool="brush"))
    ledger.append(Entry(SAMPLE, "undo", maps[3]))
    ledger.append(Entry(SAMPLE, "undo", maps[2]))
    with again(ledger) as reopened:
        history = reopened.history(SAMPLE)
        np.testing.assert_array_equal(history.classes, maps[2])
        assert [int(reopened.read(n).classes.sum()) for n in history.undo] == [0, 1]
        assert [int(reopened.read(n).classes.sum()) for n in history.redo] == [4, 3]
        assert history.part.strokes == 4
        reopened.append(Entry(SAMPLE, "redo", maps[3]))
        history = reopened.history(SAMPLE)
        assert [int(reopened.read(n).classes.sum()) for n in history.redo] == [4]
        reopened.append(Entry(SAMPLE, "stroke", picture(100)))
        history = reopened.history(SAMPLE)
        assert history.redo == ()
        assert [int(reopened.read(n).classes.sum()) for n in history.undo] == [0, 1, 2, 3]


def test_opening_again_keeps_the_history_and_starting_over_can_be_undone(ledger):
    ledger.append(Entry(SAMPLE, "opened", picture(5), started_from="prediction"))
    ledger.append(Entry(SAMPLE, "stroke", picture(5, 6)))
    ledger.append(Entry(SAMPLE, "opened", picture(5, 6), started_from="annotation"))
    assert len(ledger.history(SAMPLE).undo) == 1
    ledger.append(Entry(SAMPLE, "opened", picture(), started_from="empty"))
    history = ledger.history(SAMPLE)
    assert not history.classes.any()
    np.testing.assert_array_equal(ledger.read(history.undo[-1]).classes, picture(5, 6))


def test_a_slice_nobody_opened_has_an_empty_history(ledger):
    history = ledger.history(SAMPLE)
    assert (history.classes, history.undo, history.redo, history.part) == (None, (), (), None)


def test_states_tell_what_happened_last_and_what_training_uses(ledger):
    def state():
        found = ledger.states()[SAMPLE]
        return found.state, [(part.annotator, part.state, part.answer) for part in found.parts]

    ledger.append(Entry(SAMPLE, "opened", picture(), annotator="Ada"))
    assert state() == ("in progress", [("Ada", "in progress", "")])
    done = ledger.append(Entry(SAMPLE, "done", picture(1), annotator="Ada", active_seconds=3))
    assert state() == ("done", [("Ada", "done", "done")])
    ledger.append(Entry(SAMPLE, "opened", picture(), annotator="Bob"))
    assert state()[0] == "done"
    ledger.append(Entry(SAMPLE, "stroke", picture(2), annotator="Ada", active_seconds=4))
    assert state() == ("in progress", [("Bob", "in progress", ""), ("Ada", "in progress", "done")])
    assert ledger.states()[SAMPLE].active_seconds == 7
    assert ledger.states()[SAMPLE].annotators == ("Ada",)  # Bob has only opened it
    ledger.append(Entry(SAMPLE, "stroke", picture(2), annotator="Bob"))
    assert ledger.states()[SAMPLE].annotators == ("Ada", "Bob")
    assert ledger.accepted() == {(SAMPLE, 0): done.number}
    ledger.append(Entry(SAMPLE, "unsure", annotator="Ada"))
    assert state()[0] == "unsure"
    assert ledger.latest(SAMPLE) is None


def test_the_last_answer_done_of_several_people_is_what_training_uses(ledger):
    ledger.append(Entry(SAMPLE, "done", picture(1), annotator="Ada"))
    ledger.append(Entry(SAMPLE, "done", picture(1, 2), annotator="Bob"))
    np.testing.assert_array_equal(ledger.latest(SAMPLE), picture(1, 2))


def test_slices_of_a_volume_that_nobody_answered_are_ignored(ledger):
    ledger.append(Entry("case_01", "done", picture(1), depth=2))
    found = ledger.latest("case_01", slices=4)
    assert found.shape == (4, 16, 24)
    np.testing.assert_array_equal(found[2], picture(1))
    assert (found[[0, 1, 3]] == 255).all()
    with pytest.raises(LedgerError, match="it has 2"):
        ledger.latest("case_01", slices=2)


def test_totals_tell_rounds_annotators_and_samples_apart(ledger):
    other = "case_02/axial/0001"
    for sample, who, round, tool in (
        (SAMPLE, "Ada", 1, "brush"), (SAMPLE, "Ada", 1, "eraser"), (other, "Bob", 1, "brush"),
        (other, "Ada", 2, "brush"),
    ):  # fmt: skip
        ledger.append(Entry(sample, "opened", picture(), annotator=who, round=round))
        ledger.append(Entry(sample, "stroke", picture(1), annotator=who, round=round, tool=tool,
                            active_seconds=2, contour_mm=10))  # fmt: skip
    both = {"brush": 3, "eraser": 1}
    assert ledger.totals() == {(): Totals(4, 8.0, 40.0, both, 3)}
    by = ledger.totals(("round", "annotator"))
    assert by[1, "Ada"] == Totals(2, 4.0, 20.0, {"brush": 1, "eraser": 1}, 1)
    assert by[2, "Ada"] == Totals(1, 2.0, 10.0, {"brush": 1}, 1)
    of_bob = ledger.totals(("sample",), annotator="Bob")
    assert of_bob == {(other,): Totals(1, 2.0, 10.0, {"brush": 1}, 1)}


def test_several_entries_are_kept_all_or_none(ledger):
    with pytest.raises(LedgerError, match="class 9"):
        ledger.extend(
            [Entry(SAMPLE, "done", picture(1)), Entry(SAMPLE, "done", picture(1, value=9))]
        )
    assert len(ledger) == 0
    ledger.extend(Entry("case_01", "done", picture(n), depth=n) for n in range(3))
    assert [entry.depth for entry in ledger.entries()] == [0, 1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET note = 'x'",
        "DELETE FROM entries",
        "DELETE FROM ledger",
        "UPDATE ledger SET images_key = 'x'",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries",
    ],
)
def test_the_file_itself_refuses_every_change_of_what_was_written(ledger, statement):
    ledger.append(Entry(SAMPLE, "done", picture(1)))
    with sqlite3.connect(ledger.path) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    other.close()
    assert len(ledger.entries()) == 1


def test_the_log_is_written_through_to_the_disk(ledger):
    connection = ledger._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def copy_alone(ledger, folder):
    """Copy the file without the log beside it, as a person does; return how much it holds."""
    alone = folder / "alone.sqlite"
    shutil.copyfile(ledger.path, alone)
    with Ledger(alone) as copy:
        return len(copy)


@pytest.mark.parametrize("kind", ["done", "unsure", "skipped"])
def test_a_copy_of_the_file_alone_has_everything_up_to_the_last_answer(ledger, tmp_path, kind):
    ledger.append(Entry(SAMPLE, "opened", picture()))
    ledger.append(Entry(SAMPLE, "stroke", picture(1)))
    assert copy_alone(ledger, tmp_path) == 0, "a stroke does not wait for the file"
    ledger.append(Entry(SAMPLE, kind, picture(1), note="motion"))
    assert copy_alone(ledger, tmp_path) == 3
    ledger.append(Entry(SAMPLE, "stroke", picture(2)))
    assert copy_alone(ledger, tmp_path) == 3


def test_who_closes_first_puts_the_strokes_of_all_into_the_file(ledger, tmp_path):
    with again(ledger) as other:
        other.append(Entry(SAMPLE, "opened", picture()))
        ledger.append(Entry(SAMPLE, "stroke", picture(1)))
    assert copy_alone(ledger, tmp_path) == 2
    ledger.append(Entry(SAMPLE, "stroke", picture(2)))
    assert len(ledger) == 3


def test_a_process_that_ends_without_closing_leaves_one_file_with_everything(tmp_path):
    path = tmp_path / "annotations.sqlite"
    subprocess.run([sys.executable, "-c", UNCLOSED, path], check=True)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with Ledger(path) as found:
        assert [entry.kind for entry in found.entries()] == ["unsure", "opened"]


def test_an_answer_is_kept_while_another_reads_what_was_there_before(ledger, tmp_path):
    ledger.append(Entry(SAMPLE, "opened", picture()))
    reader = sqlite3.connect(ledger.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    ledger.append(Entry(SAMPLE, "done", picture(1)))
    assert reader.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    reader.close()
    ledger.append(Entry(SAMPLE, "done", picture(1, 2)))
    assert copy_alone(ledger, tmp_path) == 3


def test_a_thousand_annotations_are_listed_without_a_look_at_their_label_maps(ledger):
    for index in range(1000):
        sample = f"case_{index // 50}/axial/{index % 50:04d}"
        ledger.extend(
            [Entry(sample, "opened", picture(), started_from="prediction")]
            + [Entry(sample, "stroke", picture(stroke), tool="brush") for stroke in range(20)]
            + [Entry(sample, "done" if index % 2 else "unsure", picture(19), active_seconds=2)]
        )
    read, asked = set(), []

    def look(action, table, column, *_):
        if action == sqlite3.SQLITE_READ and table == "entries":
            read.add(column)
        return sqlite3.SQLITE_OK

    with again(ledger) as reopened:
        reopened._connection.set_authorizer(look)
        reopened._connection.set_trace_callback(asked.append)
        states = reopened.states()
        totals = reopened.totals(("round",))
        reopened._connection.set_authorizer(None)
        reopened._connection.set_trace_callback(None)
        assert "map" not in read
        for query in asked:
            plan = reopened._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
            assert any("COVERING INDEX" in step[-1] for step in plan)
    assert len(states) == 1000
    assert sum(state.state == "done" for state in states.values()) == 500
    assert {part.strokes for state in states.values() for part in state.parts} == {20}
    assert totals[0,] == Totals(20_000, 2000.0, 0.0, {"brush": 20_000}, 1000)


def test_a_part_tells_what_it_began_from_and_when_it_was_worked_on_last(ledger):
    ledger.append(Entry(SAMPLE, "opened", picture(), started_from="prediction", round=1))
    last = ledger.append(Entry(SAMPLE, "stroke", picture(1), started_from="annotation", round=3))
    (part,) = ledger.states()[SAMPLE].parts
    assert (part.started_from, part.round, part.number) == ("prediction", 3, 2)
    assert part.time == pytest.approx(last.time)
    assert ledger.states(until=1)[SAMPLE].parts[0].strokes == 0
    assert ledger.accepted(until=1) == {}


def test_an_entry_that_does_not_know_the_newest_of_its_slice_is_left_out(ledger):
    first = ledger.append(Entry("a", "stroke", picture(1), annotator="Ada"))
    ledger.append(Entry("a", "stroke", picture(2), annotator="Bob"))
    ledger.append(Entry("b", "stroke", picture(2), annotator="Ada"))
    mine = Entry("a", "stroke", picture(3), annotator=" Ada")
    (second,) = ledger.extend([mine], after=first.number)
    assert ledger.extend([mine], after=first.number) == ()
    assert len(ledger) == 4
    assert ledger.extend([Entry("c", "stroke", picture(1)), mine], after=second.number)
    assert len(ledger) == 6
