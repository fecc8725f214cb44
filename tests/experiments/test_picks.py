"""Where suggestions lay, on a pool made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from workbench.cohort.pool import Pool, SliceId
from workbench.experiments.picks import describe_picks

IDS = tuple(SliceId(case, "axial", index) for case in ("a", "b") for index in range(4))
Z = np.array([[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0], [13.0]])
LABELS = SimpleNamespace(
    available=np.ones(8, bool),
    read=lambda rows: np.full((len(rows), 2, 2), int(rows[0] % 2), np.uint8),
)


def study():
    pool = Pool(IDS, np.repeat([0, 1], 4).astype(np.int32), np.ones(8, bool), np.full(8, -1))
    latent = SimpleNamespace(z=Z, neighbor_distance=1.0)
    return SimpleNamespace(data=SimpleNamespace(pool=pool, labels=LABELS), latent=latent)


def run(*labeled, flags=()):
    rounds = [
        SimpleNamespace(labeled=[str(IDS[row]) for row in rows], details={"flags": list(flags)})
        for rows in labeled
    ]
    return SimpleNamespace(rounds=rounds)


def test_what_a_run_suggested_is_described():
    found = describe_picks(run([0], [1, 4], flags=("", "outside_cone")), study())
    assert found.marked == 0.5  # odd rows have foreground
    assert found.cases == 1.0
    assert found.adjacent == 0.5  # slice 1 of case a lies beside slice 0
    assert found.to_labeled == pytest.approx(5.5)  # the median of 1 and 10
    assert found.cover_before == pytest.approx(Z.mean())
    assert found.cover == pytest.approx((0 + 0 + 1 + 2 + 0 + 1 + 2 + 3) / 8)
    assert found.outside == 0.5


def test_without_suggestions_there_is_nothing_to_describe():
    assert describe_picks(run([0, 1]), study()) is None


def test_without_cones_none_is_missed():
    assert np.isnan(describe_picks(run([0], [5]), study()).outside)
