from __future__ import annotations

import threading

import numpy as np
import pytest

from tests.annotation.made import CLASSES, SAMPLE, assert_noisy, picture, write_some
from workbench.annotation import Entry, Ledger
from workbench.annotation.agreement import compare_annotators
from workbench.annotation.entry import UNOPENED


def test_four_processes_on_one_ledger_at_once_lose_nothing(processes, tmp_path):
    path = tmp_path / "annotations.sqlite"
    names = ["Ada", "Bob", "Cyd", "Dee"]
    writers = [processes.Process(target=write_some, args=(path, name, 12)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with Ledger(path) as ledger:
        assert len(ledger) == 48
        for name in names:
            found = ledger.entries(annotator=name)
            assert [int(entry.note) for entry in found] == list(range(12))
            for entry in found:
                assert_noisy(entry)


def test_threads_of_one_process_share_a_ledger(ledger):
    def write(who):
        for index in range(8):
            ledger.append(Entry(SAMPLE, "stroke", picture(index), annotator=who))
            ledger.states()

    threads = [threading.Thread(target=write, args=(who,)) for who in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(ledger) == 32
    assert {part.strokes for part in ledger.states()[SAMPLE].parts} == {8}


def test_what_another_process_wrote_is_seen(ledger):
    before = ledger.last
    with Ledger(ledger.path) as other:
        other.append(Entry(SAMPLE, "done", picture(1), annotator="Bob"))
    assert ledger.last == before + 1
    assert [entry.annotator for entry in ledger.entries(after=before)] == ["Bob"]


def test_agreement_is_dice_over_all_slices_that_both_annotated(ledger):
    for sample, one, other in (
        ("a", picture(0, 1, 2), picture(1, 2, 3)),
        ("b", picture(5), picture(5)),
        ("c", picture(9), None),
    ):
        ledger.append(Entry(sample, "done", one, annotator="Ada"))
        if other is not None:
            ledger.append(Entry(sample, "done", other, annotator="Bob"))
    (found,), (conflict,) = compare_annotators(ledger)
    assert found.annotators == ("Ada", "Bob")
    assert found.slices == 2
    assert found.dice["tumor"] == pytest.approx(2 * (2 + 1) / (3 + 3 + 1 + 1))
    assert np.isnan(found.dice["edema"])
    assert (conflict.sample, conflict.annotators, conflict.pixels) == ("a", ("Ada", "Bob"), 2)
    assert ledger.read(conflict.numbers[1]).annotator == "Bob"


def test_pixels_that_one_of_two_left_open_are_not_compared(ledger):
    left_open = picture(0, 1)
    left_open[0, 1] = 255
    ledger.append(Entry("a", "done", left_open, annotator="Ada"))
    ledger.append(Entry("a", "done", picture(0), annotator="Bob"))
    assert compare_annotators(ledger)[0][0].dice["tumor"] == 1.0


def test_slices_of_a_volume_that_one_of_two_never_opened_are_not_compared(ledger):
    for who, drawn in (("Ada", picture(0)), ("Bob", picture(1))):
        ledger.append(Entry("a", "done", drawn, depth=3, annotator=who))
        for depth in (1, 2):
            ledger.append(Entry("a", "done", picture(5), depth, who, note=UNOPENED))
    (found,) = compare_annotators(ledger)[0]
    assert (found.slices, found.dice["tumor"]) == (1, 0.0)


def test_who_withdrew_an_answer_is_not_compared(ledger):
    ledger.append(Entry("a", "done", picture(0), annotator="Ada"))
    ledger.append(Entry("a", "done", picture(1), annotator="Bob"))
    assert len(compare_annotators(ledger)[1]) == 1
    ledger.append(Entry("a", "unsure", annotator="Bob"))
    assert compare_annotators(ledger) == ((), ())


def test_three_people_are_compared_pair_by_pair(ledger):
    for who in "ABC":
        ledger.append(Entry("a", "done", picture(0), annotator=who))
    agreements, _ = compare_annotators(ledger)
    assert [each.annotators for each in agreements] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert ledger.classes == CLASSES
    assert all(each.dice["tumor"] == 1 for each in agreements)
