"""The fake session with everything that the whole application shows.

Beside points and gradients it has a cohort, rounds with metrics, losses, a log,
pictures for the inspector and for the manifold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from traitlets import Any, Unicode

from tests.widgets.fake import FakeSession
from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.inspection import Inspection
from workbench.jobs import Progress
from workbench.rounds import Round
from workbench.session import Step

REGIONS = {"whole tumor": (1, 2, 3), "tumor core": (1, 3), "enhancing": (3,)}


class FakeLabels:
    classes = ("background", "core", "edema", "enhancing")
    regions = REGIONS

    def __init__(self, n):
        self.available = np.ones(n, bool)


class FakeApp(FakeSession):
    """A session in a state that a test chooses.

    Parameters
    ----------
    rounds : int
        Rounds that are finished; 0 with ``trained=False`` is a fresh cohort.
    """

    ghost = Any(None)
    source = Unicode("phantom")

    def __init__(self, *, rounds=2, **more):
        super().__init__(trained=rounds > 0, **more)
        if self.pool is None:
            return
        names = list(self.images.cases)
        test = [f"test_{i:02d}" for i in range(1, 7)]
        self.cohort = Cohort(
            name="phantom",
            layout="BraTS",
            root=Path("cache/phantom"),
            cases=tuple(
                Case(name, "site A" if i % 2 else "site B", {}, Path("x"))
                for i, name in enumerate([*names, *test])
            ),
            channels=("t1", "flair"),
            labels={1: "core", 2: "edema", 4: "enhancing"},
            regions={"whole tumor": (1, 2, 4), "tumor core": (1, 4)},
            problems=(Problem("case_03", "The label holds no tumor."),),
        )
        self.labels = FakeLabels(len(self.pool))
        self.test_cases = tuple(test)
        self.steps = {**self.steps, "cohort": Step("ready", "30 cases, 1,440 slices")}
        self.log = ("Read 30 cases in 12 s.",)
        if rounds:
            self._play(rounds)

    def _play(self, count):
        rng = np.random.default_rng(3)
        rounds = []
        for i in range(count):
            pool = self.pool
            metrics = {
                name: float(1 - np.exp(-(i + 2) / 3.5 * weight) + rng.normal(0, 0.01))
                for name, weight in zip(REGIONS, (1.2, 0.8, 0.6), strict=True)
            }
            metrics["mean"] = float(np.mean(list(metrics.values())))
            labeled_in = pool.labeled_in.copy()
            free = np.setdiff1d(np.flatnonzero(pool.free), self.suggestions.rows)
            if i:
                labeled_in[free[: 12 * i]] = i
            pool = type(pool)(pool.ids, pool.case_of, pool.eligible, labeled_in)
            losses = tuple(0.9 * np.exp(-np.arange(300) / 80) + 0.1)
            rounds.append(
                Round(i, pool, None, losses, self.strategy, None, self.suggestions, metrics)
            )
        self.pool = rounds[-1].pool
        self.rounds, self.round = tuple(rounds), rounds[-1]
        step = np.arange(2000)
        noise = np.random.default_rng(0).normal(0, 1, 2000)
        self.losses = {
            "manifold": tuple(9000 * np.exp(-step / 90) + 1500 + 40 * noise),
            "model": tuple(0.9 * np.exp(-np.arange(300) / 80) + 0.1 + 0.02 * noise[:300]),
        }
        self.steps = {
            **self.steps,
            "manifold": Step("ready", "3 dimensions, 3 active, KL 10.2 nats"),
            "model": Step("ready", f"{int(self.pool.labeled.sum())} labeled slices"),
            "suggest": Step("ready", "12 suggestions"),
            "annotate": Step("not started", "12 to label"),
            "curve": Step("ready", f"{count} rounds"),
        }
        self.ghost = tuple((36 + 12 * i, 0.38 + 0.09 * i - 0.007 * i * i) for i in range(6))
        self.log = (
            f"Round {count - 1}: 48 labeled slices, mean Dice 0.61.",
            "Labeled 12 suggestions from the reference.",
            *self.log,
        )
        self.next_step = "Label these 12 (simulated, from the reference)"
        self.next_hint = "Simulates annotating."
        self.current = int(self.suggestions.rows[0])

    def run(self, step, stage, done, total, seconds=None):
        """Look as if a step were running."""
        self.next_step = ""
        self.busy = step
        self.progress = Progress(stage, done, total)
        self.steps = {**self.steps, step: Step("running", stage, done / total, seconds)}

    def open(self):
        self.calls.append(("open",))

    def train_manifold(self, z_dim=None):
        self.calls.append(("train_manifold", z_dim))

    def start_round(self):
        self.calls.append(("start_round",))

    def label_suggestions(self):
        self.calls.append(("label_suggestions",))

    def cancel(self):
        super().cancel()
        if self.busy:
            self.steps = {**self.steps, self.busy: Step("not started", "stopped")}
            self.busy, self.progress = "", None

    def next(self):
        self.calls.append(("next",))

    def close(self):
        self.calls.append(("close",))

    # ------------------------------------------------------------ pictures
    def _classes(self, row, grow=1.0):
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        rng = np.random.default_rng(int(row))
        distance = np.hypot(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3))
        classes = np.zeros((64, 64), np.uint8)
        for value, radius in ((2, 0.35), (1, 0.22), (3, 0.12)):
            classes[distance < radius * grow] = value
        return classes

    def inspection(self, row=None, channel=0, *, depth=None, uncertainty=False, network=True):
        self.calls.append(("inspection", row, channel))
        row = self.current if row is None else row
        if self.pool is None or row < 0:
            return None
        found = self.suggestions
        places = np.flatnonzero(found.rows == row) if found is not None else []
        place = int(places[0]) if len(places) else -1
        source = int(found.source[place]) if place >= 0 else -1
        image = self.images.read([row])[0, channel]
        x = self.images.read([source])[0, channel] if source >= 0 else None
        rng = np.random.default_rng(1)
        noise = rng.normal(0, 0.25, (64, 64)).astype(np.float32)
        y, across = np.mgrid[-1:1:64j, -1:1:64j]
        gradient = (noise * np.exp(-(across**2 + y**2) * 6) * 1e-3).astype(np.float32)
        return Inspection(
            suggested_id=str(self.pool.ids[row]),
            source_id=str(self.pool.ids[source]) if source >= 0 else "",
            channel=self.images.channels[channel],
            channels=self.images.channels,
            picture=image,
            previous=self.images.read([row - 1])[0, channel] if row else None,
            next=self.images.read([row + 1])[0, channel] if row + 1 < len(self.pool) else None,
            x=x,
            gradient=None if x is None else gradient,
            x_shifted=None if x is None else x + noise,
            decoded=None if x is None else (x + np.roll(x, 2, 0) + np.roll(x, 2, 1)) / 3,
            reference=self._classes(row),
            prediction=self._classes(row, 0.85) if place >= 0 else None,
            spacing=(1.0, 1.0),
            distance_u=0.83 if place >= 0 else float("nan"),
            angle=21.2 if place >= 0 else float("nan"),
            rank=place + 1,
            flag=found.flags[place] if place >= 0 else "",
            sentence="Suggestion 1: the slice nearest to where the loss gradient moves its source."
            if place >= 0
            else "This slice is not among the suggestions.",
        )

    def reconstructions(self, n=6, channel=0):
        self.calls.append(("reconstructions", n))
        originals = self.images.read(np.linspace(0, len(self.pool) - 1, n).astype(int))[:, channel]
        return originals, (originals + np.roll(originals, 2, 1)) / 2

    def traversals(self, steps=7, channel=0):
        self.calls.append(("traversals", steps))
        rows = np.arange(3 * steps) * 7
        return self.images.read(rows)[:, channel].reshape(3, steps, 64, 64)


class FakeVolumes(FakeApp):
    """The same where the pool's unit is a volume, each of 20 slices that grow brighter upward."""

    def __init__(self, **more):
        super().__init__(**more)
        self.noun = "volume"

    def inspection(self, row=None, channel=0, *, depth=None, uncertainty=False, network=True):
        one = super().inspection(row, channel)
        if one is None:
            return None
        bright = np.linspace(0.5, 1.0, 20, dtype=np.float32)[:, None, None]
        names = ("picture", "x", "gradient", "x_shifted", "decoded")
        volume = {
            name: getattr(one, name) * bright for name in names if getattr(one, name) is not None
        }
        for name in ("reference", "prediction"):
            if getattr(one, name) is not None:
                volume[name] = np.repeat(getattr(one, name)[None], 20, axis=0)
        if uncertainty:
            volume["uncertainty"] = 0.2 * bright * (volume["reference"] > 0)
        of = "variance over 5 dropout passes" if uncertainty else ""
        whole = replace(one, noun="volume", volume=volume, uncertainty_of=of)
        return whole.at(10 if depth is None else depth)
