"""A session without networks: random points, and gradients that are made up.

It has the traits and methods of `workbench.session.Session`, so that views can
be tested, photographed and timed at any number of points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from traitlets import HasTraits

from workbench.cohort.pool import Pool, SliceId
from workbench.errors import SettingError
from workbench.session.state import Preview, SessionState, Step
from workbench.strategies.base import Suggestions
from workbench.strategies.cone import select_in_passes
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import Shift


@dataclass(frozen=True, eq=False)
class FakeSpace:
    z: np.ndarray
    active_dims: int
    neighbor_distance: float


class FakeProjection:
    """Linear, like the latent axes and PCA."""

    def __init__(self, name, method, matrix, z, dims=None, latent_2d=False):
        self.name, self.method, self.dims, self.latent_2d = name, method, dims, latent_2d
        self.axes = tuple(name.split("·")) if dims else (f"{name} 1", f"{name} 2")
        self._matrix = matrix
        self.xy = (z @ matrix).astype(np.float32)

    def place(self, z):
        return np.asarray(z, dtype=np.float64) @ self._matrix


class FakeImages:
    channels = ("t1", "flair")

    def __init__(self, pool, size=64):
        self.cases = tuple(dict.fromkeys(i.case for i in pool.ids))
        self.case_of = pool.case_of
        self.spacing = np.tile([3.0, 1.0, 1.0], (len(self.cases), 1))
        self._size = size

    def read(self, rows):
        y, x = np.mgrid[-1 : 1 : self._size * 1j, -1 : 1 : self._size * 1j]
        pictures = []
        for row in np.atleast_1d(rows):
            rng = np.random.default_rng(int(row))
            head = ((x / 0.75) ** 2 + (y / 0.92) ** 2 < 1) * (0.5 + 0.1 * np.cos(9 * x + row))
            cx, cy = rng.uniform(-0.4, 0.4, 2)
            head += 0.5 * (np.hypot(x - cx, y - cy) < rng.uniform(0.08, 0.25))
            pictures.append(np.stack([head, head + rng.normal(0, 0.05, head.shape)]))
        return np.asarray(pictures, dtype=np.float32)

    def pictures(self, rows):
        return self.read(rows)


#: How far alpha = 1 moves z, in u, for each gradient scale (facts.md, z = 3).
STEP = {"raw": 2e-3, "l2": 0.055, "sign": 1.35}


class FakeSession(SessionState):
    """Everything a view reads, and methods that answer at once.

    Parameters
    ----------
    n, d, m : int
        Points, latent dimensions, sources.
    opened, trained : bool
        False: nothing is there yet; the map is PCA of the pixels.
    """

    def __init__(self, n=1440, d=3, m=12, cases=24, seed=0, opened=True, trained=True, labeled=36):
        HasTraits.__init__(self)
        self._lock = None
        self._n, self._d, self._m, self._n_cases, self._seed = n, d, m, cases, seed
        self._labeled = labeled
        self.calls: list[tuple] = []
        self.name = "phantom"
        self.strategy = GradientGuided()
        self.steps = {"cohort": Step("not started"), "manifold": Step("not started")}
        self.next_step = "Open the phantom cohort (about 20 s)"
        if opened:
            self._fill()
        if opened and trained:
            self._train()

    # ------------------------------------------------------------ making it up
    def _fill(self):
        rng = np.random.default_rng(self._seed)
        n, per = self._n, -(-self._n // self._n_cases)
        case_of = np.arange(n) // per
        ids = tuple(SliceId(f"case_{c + 1:02d}", "axial", i % per) for i, c in enumerate(case_of))
        labeled_in = np.full(n, -1)
        labeled = rng.choice(n, self._labeled, replace=False)
        labeled_in[labeled] = 0
        labeled_in[labeled[: self._m]] = 1
        eligible = np.ones(n, bool)
        eligible[rng.choice(n, n // 50, replace=False)] = False
        self.pool = Pool(ids, case_of, eligible | (labeled_in >= 0), labeled_in)
        self.images = FakeImages(self.pool)
        along = np.linspace(0, 1, per)[np.arange(n) % per]
        centers = rng.normal(0, 0.55, (self._n_cases, self._d))[case_of]
        z = centers + rng.normal(0, 0.45, (n, self._d))
        z[:, 0] += 2.4 * np.cos(2.6 * along + 0.3)
        z[:, 1 % self._d] += 1.8 * np.sin(3.4 * along)
        z.flags.writeable = False  # as those of a session are
        self._z = z
        area = np.maximum(0, 900 * np.sin(np.pi * along) + rng.normal(0, 120, n)).round()
        self._area, self._along = area, along
        _, _, v = np.linalg.svd(z - z.mean(0), full_matrices=False)
        self._pca = v[:2].T if self._d > 1 else np.ones((1, 2))
        self.map_names = ("Pixels",)
        self.maps = {"Pixels": FakeProjection("Pixels", "pixels", self._pca, z)}
        self.values = {"foreground area (mm²)": np.where(self.pool.eligible, area, np.nan)}
        self.next_step = "Train the manifold (about 40 s)"
        self.map_name = "Pixels"

    def _train(self):
        z, d = self._z, self._d
        tree = cKDTree(z)
        self._u = float(np.median(tree.query(z, 2)[0][:, 1]))
        eye = np.eye(d)
        self.z_dim = d
        self.trained_dims = tuple(sorted({2, d}))
        self.map_names = ("z1·z2", "PCA", "t-SNE", "UMAP")
        if d == 3:
            self.map_names = ("z1·z2", "z1·z3", "z2·z3", *self.map_names[1:])
        self.maps = {
            "z1·z2": FakeProjection("z1·z2", "axes", eye[:, [0, 1]], z, (0, 1), d == 2),
            "PCA": FakeProjection("PCA", "pca", self._pca, z),
        }
        self.values = {**self.values, "Dice": np.clip(1.1 - self._along + 0.1 * z[:, 0], 0, 1)}
        self.map_name = "z1·z2"
        self.latent = FakeSpace(z, d, self._u)
        rng = np.random.default_rng(self._seed + 1)
        self._sources = np.flatnonzero(self.pool.labeled_in == 1)
        directions = rng.normal(size=(len(self._sources), d)) - 0.5 * z[self._sources]
        self._direction = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        self._bend = rng.normal(0, 0.12, (len(self._sources), d))
        self._spread = rng.uniform(0.6, 1.4, (len(self._sources), 1))
        self.next_step = "Label these 12"
        self.tune(settled=True)

    def _shift(self, alpha, scale):
        z = self._z[self._sources]
        step = STEP[scale] * alpha * self._u * self._spread
        return z + step * self._direction + np.minimum(step**2, 4 * step) * self._bend

    def _select(self, z, shifted, max_angle):
        rng = np.random.default_rng(self._seed)
        picks = select_in_passes(self._z, self.pool.free, z, shifted, max_angle, self.budget, rng)
        source = self._sources[picks.source]
        return Suggestions(picks.rows, None, source, picks.distance, picks.angle, picks.flags)

    # ------------------------------------------------------------ what views call
    @property
    def predicts(self):
        return self.round is not None

    def tune(self, settled, **changes):
        self.calls.append(("tune", settled, changes))
        self.strategy = replace(self.strategy, **changes)
        s = self.strategy
        alpha = s.alpha if s.alpha is not None else s.displacement / STEP[s.scale]
        z, shifted = self._z[self._sources], self._shift(alpha, s.scale)
        found = self._select(z, shifted, s.max_angle)
        before = set() if self.suggestions is None else set(self.suggestions.rows.tolist())
        self.preview = Preview(
            shift=Shift(alpha, self._sources, z, shifted),
            suggestions=found,
            exact=settled,
            displacement=float(np.median(np.linalg.norm(shifted - z, axis=1)) / self._u),
            relative_step=0.45 * alpha * STEP[s.scale],
            changed=len(set(found.rows.tolist()) - before) if before else 0,
            outside_cone=sum(f == "outside_cone" for f in found.flags),
            cases=len({self.pool.ids[r].case for r in found.rows}),
        )
        if settled:
            self.suggestions = found

    def calibrate(self):
        self.calls.append(("calibrate",))
        self.tune(settled=True, alpha=None)

    def as_printed(self):
        self.calls.append(("as_printed",))
        self.tune(settled=True, alpha=1e-3, scale="raw")

    def set_budget(self, n):
        self.calls.append(("set_budget", n))
        free = int(self.pool.free.sum())
        if not 1 <= n <= free:
            raise SettingError(f"{n} slices cannot be suggested: choose 1 to {free}.")
        self.budget = n
        self.tune(settled=True)

    def set_z(self, d):
        self.calls.append(("set_z", d))
        if d in self.trained_dims:
            self.z_dim = d

    def training_seconds(self, d):
        return 120.0

    def show_map(self, name):
        self.calls.append(("show_map", name))
        if name not in self.maps:
            if name in ("t-SNE", "UMAP"):
                self.computing = {name: 0.42}
                return
            i, j = (int(part[1:]) - 1 for part in name.split("·"))
            axes = np.eye(self._d)[:, [i, j]]
            self.maps = {**self.maps, name: FakeProjection(name, "axes", axes, self._z, (i, j))}
        self.map_name = name

    def inspect(self, row):
        self.calls.append(("inspect", row))
        self.current = int(row)

    def next(self):
        self.calls.append(("next",))
        if self.pool is None:
            self._fill()
        elif self.latent is None:
            self._train()

    def cancel(self):
        self.calls.append(("cancel",))
        self.computing = {}
