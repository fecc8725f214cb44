"""What `workbench agreement` tells of a ledger."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tests.annotation.made import picture
from workbench.annotation import Entry
from workbench.annotation.entry import UNOPENED
from workbench.cli import app
from workbench.errors import LedgerError


def told(folder, command="agreement"):
    result = CliRunner().invoke(app, [command, str(folder)])
    if result.exception:
        raise result.exception
    return result.output


def test_pairs_are_tabled_with_dice_and_conflicts_are_listed(ledger):
    for sample, one, other in (
        ("a", picture(0, 1, 2), picture(1, 2, 3)),
        ("b", picture(5), picture(5)),
    ):
        ledger.append(Entry(sample, "done", one, annotator="Ada"))
        ledger.append(Entry(sample, "done", other, annotator="Bob"))
    lines = told(ledger.path.parent).splitlines()
    assert lines[0].split() == ["annotators", "slices", "Dice", "tumor", "Dice", "edema", "mean"]
    assert lines[1].split() == ["Ada", "and", "Bob", "2", "0.750", "–", "0.750"]
    assert lines[3] == "1 conflict; training uses the last answer of a slice:"
    assert lines[4:] == ["a: Ada and Bob differ in 2 pixels"]


def test_of_volumes_the_volumes_are_counted_beside_their_slices(ledger):
    for sample, depths in (("a", (1, 2, 3)), ("b", (2,))):
        for who, drawn in (("Ada", picture(0)), ("Bob", picture(0, 1))):
            for depth in depths:
                ledger.append(Entry(sample, "done", drawn, depth, who))
            ledger.append(Entry(sample, "done", drawn, 5, who, note=UNOPENED))
    lines = told(ledger.path.parent).splitlines()
    assert lines[0].split()[:3] == ["annotators", "volumes", "slices"]
    assert lines[1].split()[:5] == ["Ada", "and", "Bob", "2", "4"]
    assert lines[3] == "4 conflicts in 2 volumes; training uses the last answer of a slice:"
    assert lines[4] == "a, slice 2: Ada and Bob differ in 1 pixel"
    assert len(lines) == 8


def test_answers_that_are_alike_are_no_conflicts(ledger):
    for who in "AB":
        ledger.append(Entry("a", "done", picture(0), annotator=who))
    assert "There are no conflicts" in told(ledger.path)


def test_one_annotator_is_told_in_a_sentence_and_so_are_two_apart(ledger):
    assert told(ledger.path).startswith("Nobody answered")
    ledger.append(Entry("a", "done", picture(0), annotator="Ada"))
    assert told(ledger.path) == "Only Ada annotated, so there is nobody to compare with.\n"
    ledger.append(Entry("b", "done", picture(0), annotator="Bob"))
    assert told(ledger.path).startswith("Ada and Bob annotated, but no slice")


def test_a_folder_without_annotations_is_refused_and_none_are_made(tmp_path):
    for command in ("agreement", "recover"):
        for place in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(LedgerError, match=f"no annotations in {place}. Give the folder"):
                told(place, command)
    assert not list(tmp_path.iterdir())
