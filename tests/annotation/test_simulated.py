from __future__ import annotations

import numpy as np
import pytest

from workbench.annotation import Ledger
from workbench.annotation.effort import drawn_mm, measure_effort
from workbench.annotation.simulated import Annotator, LedgerDesk, annotator, correct, strokes
from workbench.cohort.cohort import IGNORED
from workbench.cohort.pool import SliceId, VolumeId
from workbench.errors import SettingError


def whole_mm(mask, spacing=(1, 1)):
    """Length of a mask's contour: all of it is new to an empty one."""
    return drawn_mm(np.zeros_like(mask), mask, spacing)


def disks(shape=(40, 40)):
    """A ring of class 1 around class 2, and an island of class 1."""
    y, x = np.indices(shape)
    made = np.zeros(shape, np.uint8)
    away = np.hypot(y - 20, x - 18)
    made[away < 12] = 1
    made[away < 6] = 2
    made[2:6, 33:38] = 1
    return made


def shifted(classes, by=2):
    return np.roll(classes, by, axis=1)


def drawn(classes, reference, how=Annotator(), seed=0, **given):  # noqa: B008 - frozen
    return list(strokes(classes, reference, how, np.random.default_rng(seed), **given))


def test_an_exact_annotator_ends_at_the_reference():
    for start in (shifted(disks()), np.zeros((40, 40), np.uint8), np.full((40, 40), 2, np.uint8)):
        assert np.array_equal(drawn(start, disks())[-1].classes, disks())


def test_what_is_right_needs_no_stroke():
    assert drawn(disks(), disks()) == []


def test_each_stroke_changes_one_place_to_one_class():
    now = shifted(disks())
    for stroke in drawn(now, disks()):
        changed = stroke.classes != now
        assert len(np.unique(stroke.classes[changed])) == 1
        assert (stroke.tool == "eraser") == (stroke.classes[changed][0] == 0)
        now = stroke.classes


def test_from_nothing_the_whole_contour_is_drawn():
    square = np.zeros((20, 20), np.uint8)
    square[5:12, 4:15] = 1
    (stroke,) = drawn(np.zeros_like(square), square, spacing=(2, 1))
    assert stroke.contour_mm == pytest.approx(whole_mm(square == 1, (2, 1)))


def test_a_correction_draws_only_what_is_not_there_yet():
    square = np.zeros((20, 20), np.uint8)
    square[5:12, 4:15] = 1
    begun = square.copy()
    begun[5:12, 10:] = 0
    (stroke,) = drawn(begun, square)
    effort = measure_effort(begun, square, 2)
    assert stroke.contour_mm == pytest.approx(effort.reference_mm[0] - effort.shared_mm[0])
    assert stroke.contour_mm < whole_mm(square == 1)


def test_erasing_an_island_draws_no_contour_and_takes_a_stroke():
    reference = np.zeros((20, 20), np.uint8)
    island = reference.copy()
    island[3:6, 3:6] = 1
    (stroke,) = drawn(island, reference, Annotator(seconds_per_stroke=2))
    assert (stroke.tool, stroke.contour_mm, stroke.seconds) == ("eraser", 0.0, 2.0)


def test_speed_decides_the_seconds():
    slow, fast = (Annotator(mm_per_second=mm, seconds_per_stroke=1) for mm in (5, 50))
    a, b = (drawn(np.zeros((40, 40), np.uint8), disks(), how)[0] for how in (slow, fast))
    assert a.contour_mm == b.contour_mm
    assert a.seconds == pytest.approx(1 + a.contour_mm / 5)
    assert b.seconds == pytest.approx(1 + a.contour_mm / 50)


def test_everything_can_be_missed():
    assert drawn(shifted(disks()), disks(), Annotator(missed=1)) == []


def test_small_places_are_let_be():
    reference = np.zeros((30, 30), np.uint8)
    reference[2:4, 2:4] = 1  # 4 pixels of 2 mm² each
    reference[10:20, 10:20] = 1
    (stroke,) = drawn(0 * reference, reference, Annotator(smallest_mm2=8.5), spacing=(2, 1))
    assert stroke.classes.sum() == 100
    assert len(drawn(0 * reference, reference, Annotator(smallest_mm2=8), spacing=(2, 1))) == 2


def test_some_places_are_missed_and_which_is_decided_by_the_seed():
    grid = np.zeros((60, 60), np.uint8)
    grid[::4, ::4] = 1
    empty = np.zeros_like(grid)
    some = [len(drawn(empty, grid, Annotator(missed=0.3), seed)) for seed in (0, 0, 1)]
    assert some[0] == some[1]
    assert 0.5 < some[0] / 225 < 0.9


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5)])
def test_boundary_noise_has_the_size_that_was_asked_for(noise, spacing):
    # A half plane: where its edge is put, row by row.
    plane = np.zeros((800, 80), np.uint8)
    plane[:, 40:] = 1
    end = drawn(np.zeros_like(plane), plane, Annotator(noise_mm=noise), spacing=spacing)[-1].classes
    edge = (80 - end.sum(axis=1).astype(float) - 40) * spacing[1]
    assert edge.std() == pytest.approx(noise, rel=0.35)
    assert abs(edge.mean()) < noise


def test_ignored_pixels_are_not_touched():
    reference = disks()
    reference[:, :12] = IGNORED
    begun = shifted(disks())
    end = drawn(begun, reference)[-1].classes
    assert np.array_equal(end[:, :12], begun[:, :12])
    assert np.array_equal(end[:, 12:], disks()[:, 12:])


def test_what_is_done_at_a_desk_is_in_the_ledger(tmp_path):
    ids = [SliceId("a", "axial", 3), SliceId("a", "axial", 4)]
    begun, how = shifted(disks()), Annotator(seconds_per_slice=3)
    with Ledger(tmp_path / "annotations.sqlite", classes=("background", "ring", "core")) as ledger:
        desk = LedgerDesk(ledger, ids, 2, {1: begun}, (40, 40))
        correct(desk, 1, disks(), how, seed=(0, 2))
        correct(desk, 0, np.zeros((40, 40), np.uint8), how, seed=(0, 2))
        assert np.array_equal(ledger.latest("a/axial/0004"), disks())
        assert not ledger.latest("a/axial/0003").any()
        expected = drawn(begun, disks(), how)
        totals = ledger.totals(["sample"])
        told = totals["a/axial/0004",]
        assert told.strokes == len(expected)
        assert told.contour_mm == pytest.approx(sum(each.contour_mm for each in expected))
        assert told.active_seconds == pytest.approx(3 + sum(each.seconds for each in expected))
        assert totals["a/axial/0003",].active_seconds == 3, "it was looked at"
        (opened,) = (each for each in ledger.entries("a/axial/0004") if each.kind == "opened")
        assert (opened.started_from, opened.round) == ("prediction", 2)
        assert np.array_equal(opened.classes, begun)


def test_a_volume_is_corrected_slice_by_slice_and_answered_once(tmp_path):
    volume = np.zeros((6, 40, 40), np.uint8)
    volume[1:4] = disks()
    with Ledger(tmp_path / "annotations.sqlite") as ledger:
        desk = LedgerDesk(ledger, [VolumeId("a")], 0, {}, (6, 40, 40))
        correct(desk, 0, volume, Annotator(), seed=(0,))
        found = ledger.latest("a", 6)
        assert np.array_equal(found, volume)
        assert sum(each.kind == "done" for each in ledger.entries(maps=False)) == 6


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"missed": 1.5}, "from 0 to 1"),
        ({"noise_mm": -1}, "at least 0"),
        ({"mm_per_second": 0}, "above 0"),
        ({"noise": 1}, "noise_mm"),
        ({"missed": "half"}, "must be a number"),
    ],
)
def test_settings_that_no_annotator_has_are_refused(wrong, told):
    with pytest.raises(SettingError, match=told):
        annotator(wrong)
