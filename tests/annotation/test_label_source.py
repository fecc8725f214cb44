from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.annotation.made import CLASSES, noise, picture
from workbench.annotation import Entry, Ledger, LedgerLabels
from workbench.cohort.label_source import foreground_pixels
from workbench.cohort.pool import SliceId, VolumeId
from workbench.errors import LedgerError

SIZE = (16, 24)
SLICES = SimpleNamespace(ids=tuple(SliceId("c", "axial", i) for i in range(4)), size=SIZE)
VOLUMES = SimpleNamespace(ids=(VolumeId("c"), VolumeId("d")), size=(3, *SIZE))


REGIONS = {"lesion": (1, 2)}


class Reference:
    """References of the rows 0 and 1."""

    key, classes, regions = "reference", CLASSES, REGIONS
    available = np.array([True, True, False, False])

    def read(self, rows):
        maps = np.stack([noise(row, SIZE) for row in range(4)])
        maps[2:] = 0
        return maps[np.asarray(rows)]


def done(ledger, row, classes, **others):
    return ledger.append(Entry(str(SLICES.ids[row]), "done", classes, **others))


def test_what_was_answered_done_goes_before_the_reference(ledger):
    done(ledger, 1, picture(3))
    done(ledger, 2, picture(4, 5))
    ledger.append(Entry(str(SLICES.ids[3]), "stroke", picture(6)))
    labels = LedgerLabels(ledger, SLICES, Reference())
    np.testing.assert_array_equal(labels.available, [True, True, True, False])
    np.testing.assert_array_equal(labels.annotated, [False, True, True, False])
    found = labels.read([2, 0, 1, 2])
    expected = [picture(4, 5), noise(0, SIZE), picture(3), picture(4, 5)]
    np.testing.assert_array_equal(found, expected)
    assert labels.classes == CLASSES
    assert labels.regions == REGIONS


def test_without_references_only_annotated_rows_have_labels(ledger):
    done(ledger, 2, picture(4))
    labels = LedgerLabels(ledger, SLICES)
    np.testing.assert_array_equal(labels.available, [False, False, True, False])
    assert labels.classes == CLASSES
    assert labels.regions == {"tumor": (1,), "edema": (2,)}
    np.testing.assert_array_equal(foreground_pixels(labels), [np.nan, np.nan, 1, np.nan])


def test_it_is_a_snapshot_whose_key_names_its_content(ledger, tmp_path):
    done(ledger, 0, picture(1))
    before = LedgerLabels(ledger, SLICES, Reference())
    done(ledger, 0, picture(2))
    after = LedgerLabels(ledger, SLICES, Reference())
    np.testing.assert_array_equal(before.read([0])[0], picture(1))
    np.testing.assert_array_equal(after.read([0])[0], picture(2))
    assert before.key != after.key
    assert LedgerLabels(ledger, SLICES, Reference(), until=1).key == before.key
    assert LedgerLabels(ledger, SLICES).key != after.key
    with Ledger(tmp_path / "other.sqlite", classes=CLASSES) as other:
        other.append(Entry(str(SLICES.ids[0]), "opened", picture(9), annotator="Bob"))
        done(other, 0, picture(2), annotator="Bob")
        assert LedgerLabels(other, SLICES, Reference()).key == after.key


def test_slices_of_a_volume_that_nobody_answered_count_for_nothing(ledger):
    ledger.append(Entry("d", "done", picture(1), depth=1))
    labels = LedgerLabels(ledger, VOLUMES)
    found = labels.read([1, 0])
    np.testing.assert_array_equal(found[0, 1], picture(1))
    assert (found[0, [0, 2]] == 255).all()
    assert not found[1].any()


def test_annotations_of_other_images_are_refused_by_their_size_and_left_out_by_their_name(ledger):
    ledger.append(Entry("held-out/axial/0001", "done", picture(1)))
    assert not LedgerLabels(ledger, SLICES).available.any()
    done(ledger, 0, noise(0, (8, 8)))
    with pytest.raises(LedgerError, match="has 8×8 pixels, the images have 16×24"):
        LedgerLabels(ledger, SLICES)


def test_its_arrays_cannot_be_changed(ledger):
    done(ledger, 0, picture(1))
    labels = LedgerLabels(ledger, SLICES)
    for array in (labels.available, labels.annotated):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = False
    labels.read([0])[:] = 9
    np.testing.assert_array_equal(labels.read([0])[0], picture(1))
