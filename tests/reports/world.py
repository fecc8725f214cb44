"""A small pool in a plane, with sources, arrows and picks made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.cohort.pool import Pool, SliceId
from workbench.strategies.base import Suggestions
from workbench.strategies.needs import Shift


@dataclass(frozen=True, eq=False)
class FlatMap:
    """A map that shows the first two latent dimensions."""

    xy: Any
    latent_2d: bool = True
    axes: tuple[str, str] = ("z1", "z2")
    name: str = "z1·z2"

    def place(self, z: Any) -> Any:
        return np.asarray(z)[:, :2]


def make_pool(n: int, labeled: tuple[int, ...] = ()) -> Pool:
    ids = tuple(SliceId(f"case_{row // 10:02d}", "axial", row % 10) for row in range(n))
    labeled_in = np.full(n, -1)
    labeled_in[list(labeled)] = 0
    return Pool(ids, np.arange(n) // 10, np.ones(n, bool), labeled_in)


def make_world(n: int = 40, d: int = 2) -> tuple[Any, Pool, Shift, Suggestions]:
    """Codes, a pool with two sources, their arrows, and two picks: one outside its cone."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, d))
    sources = np.array([3, 17])
    step = np.zeros((2, d))
    step[:, 0] = (0.5, -0.25)
    shift = Shift(30.0, sources, z[sources], z[sources] + step)
    picks = Suggestions(
        rows=np.array([5, 9]),
        source=sources,
        distance=np.array([0.2, 0.4]),
        angle=np.array([12.0, np.nan]),
        flags=("", "outside_cone"),
    )
    return z, make_pool(n, (3, 17)), shift, picks
