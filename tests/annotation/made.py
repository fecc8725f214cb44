"""Entries that say by their number what must be in them."""

from __future__ import annotations

import numpy as np

from workbench.annotation import Entry, Ledger

SAMPLE = "case_01/axial/0007"
CLASSES = ("background", "tumor", "edema")


def picture(*filled, shape=(16, 24), value=1):
    """A label map in which some pixels, counted along the rows, have a class."""
    classes = np.zeros(shape, np.uint8)
    classes.ravel()[list(filled)] = value
    return classes


def noise(seed, shape=(96, 96)):
    """A label map that hardly compresses: its row takes several pages."""
    return np.random.default_rng(seed).integers(0, 3, shape).astype(np.uint8)


def noisy_entry(seed, who=""):
    """The entry that `seed` decides."""
    return Entry(SAMPLE, "stroke", noise(seed), annotator=who, tool="brush", note=str(seed))


def assert_noisy(entry):
    """The label map of an entry is the one that its note decides."""
    np.testing.assert_array_equal(entry.classes, noise(int(entry.note)))


def write_without_end(path, seed, acknowledged):
    """Append entries for ever, and tell of each that it was appended: to be killed."""
    with Ledger(path, images_key="k", classes=CLASSES) as ledger:
        while True:
            acknowledged.send((ledger.append(noisy_entry(seed)).number, seed))
            seed += 1


def write_some(path, who, count):
    """Append some entries, beside other processes."""
    with Ledger(path, images_key="k", classes=CLASSES) as ledger:
        for seed in range(count):
            ledger.append(noisy_entry(seed, who))
