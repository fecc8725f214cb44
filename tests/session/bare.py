"""A session over made-up images, without files and without training: it opens in milliseconds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from workbench.cohort.pool import Pool, SliceId, VolumeId
from workbench.session import Session

CLASSES = ("background", "core", "edema")


class Images:
    """Three volumes of 6 slices, the first and the last blank, or 12 slices of three cases."""

    channels = ("t1",)
    axis = "axial"

    def __init__(self, of_volumes: bool) -> None:
        self.of_volumes = of_volumes
        self.cases = ("a", "b", "c")
        self.size = (6, 8, 8) if of_volumes else (8, 8)
        self.ids = (
            tuple(VolumeId(case) for case in self.cases)
            if of_volumes
            else tuple(SliceId(case, "axial", i) for case in self.cases for i in range(4))
        )
        self.case_of = np.arange(len(self.ids)) // (len(self.ids) // 3)
        self.spacing = np.ones((3, 3))

    def read(self, rows):
        found = np.ones((len(np.atleast_1d(rows)), 1, *self.size), np.float32)
        found[..., 3:5, 3:5] = 2
        if self.of_volumes:
            found[:, :, [0, -1]] = 0
        return found

    def rows_of(self, case):
        return np.flatnonzero(self.case_of == self.cases.index(case)).tolist()


class Labels:
    """References of every row, all background."""

    classes = CLASSES
    key = "made up"

    def __init__(self, images: Images) -> None:
        self.regions = {"core": (1,), "edema": (2,)}
        self.available = np.ones(len(images.ids), bool)
        self._size = images.size

    def read(self, rows):
        return np.zeros((len(np.atleast_1d(rows)), *self._size), np.uint8)


def bare_session(folder: Path, of_volumes: bool = False, trained: bool = True) -> Session:
    """Open a session; `trained`: with a first round, whose network is whatever predicts."""
    session = Session(
        "made up", folder, annotator="anna", unit="volumes" if of_volumes else "slices"
    )
    images = Images(of_volumes)
    labels, n = Labels(images), len(images.ids)
    pool = Pool(images.ids, images.case_of, np.ones(n, bool), np.full(n, -1))
    session.data = SimpleNamespace(images=images, labels=labels, pool=pool)
    session.images, session.labels, session.pool = images, labels, pool
    if trained:
        session.round = a_round(0)
    session._open_ledger(session.data)
    return session


def a_round(index: int) -> SimpleNamespace:
    """Make a round that has a network."""
    evidence = SimpleNamespace(model="a network", index=index)
    return SimpleNamespace(index=index, model="a network", evidence=evidence)
