"""What one round of suggestions costs: gradient-guided against entropy over the whole pool.

39,000 slices of 64×64 in four channels, memory-mapped as a cohort's are: drawn, not
real, because throughput does not depend on what is in them (they have enough structure
that the networks learn something, so that α is calibrated on gradients that lead
somewhere). Both strategies ask the same kind of `EvidenceSource`, with the default U-Net,
and take turns. What gradient-guided sampling pays in advance, the VAE and the encoding of
the pool, is printed apart, with the round at which it is paid back.

baal answers the same entropy query; `make bench` installs it (the extra ``bench``).
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from workbench.cohort.pool import Pool, SliceId
from workbench.evidence import EvidenceSource
from workbench.jobs import finish
from workbench.latent.space import encode
from workbench.models.compute import Compute
from workbench.rounds import select
from workbench.strategies.base import Budget
from workbench.strategies.cone import warm_up
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import Uncertainty
from workbench.strategies.uncertainty import Entropy
from workbench.study import Study
from workbench.training.manifold import ManifoldConfig, train_manifold
from workbench.training.segmentation import SegmentationConfig, train_network

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of baal's logging
    from baal.active import heuristics
    from baal.modelwrapper import ModelWrapper, TrainingArgs

POOL, SLICES_OF_A_CASE, SIDE, CHANNELS = 39_000, 100, 64, 4
BUDGET = 400
#: Steps of the VAE that are timed; a full training is told by rule of three.
VAE_STEPS = 100
#: Slices, evenly drawn, on which entropy is timed: its cost is in proportion to them.
PART = 1_950
GOAL = 10.0


class DrawnImages:
    """A disk with a rim on a dim ground, at its own place in every slice; float16 on disk."""

    key, channels = "drawn disks", ("a", "b", "c", "d")

    def __init__(self, path) -> None:
        rng = np.random.default_rng(0)
        self.case_of = (np.arange(POOL) // SLICES_OF_A_CASE).astype(np.int32)
        self.center = rng.uniform(16, SIDE - 16, (POOL, 2)).astype(np.float32)
        self.radius = rng.uniform(5, 14, POOL).astype(np.float32)
        brightness = rng.uniform(0.5, 1.5, (POOL, CHANNELS)).astype(np.float32)
        grounds = rng.normal(0, 0.1, (64, CHANNELS, SIDE, SIDE)).astype(np.float32)
        shape = (POOL, CHANNELS, SIDE, SIDE)
        images = np.lib.format.open_memmap(path, "w+", np.float16, shape)
        for start in range(0, POOL, 500):
            rows = np.arange(start, start + 500)
            levels = self.draw(rows).astype(np.float32) / 3
            images[rows] = levels[:, None] * brightness[rows, :, None, None] + grounds[rows % 64]
        images.flush()
        self.images = np.load(path, mmap_mode="r")

    def draw(self, rows):
        """Classes of the pixels: ground, two halves of a disk, its rim."""
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        away_y, away_x = (axis - self.center[rows, i, None, None] for i, axis in enumerate((y, x)))
        distance = np.hypot(away_y, away_x) / self.radius[rows, None, None]
        inside = np.where(away_x > 0, 1, 2)
        return np.where(distance < 0.7, inside, np.where(distance < 1, 3, 0)).astype(np.uint8)

    def read(self, rows):
        return self.images[np.asarray(rows, dtype=np.int64)].astype(np.float32)


class DrawnLabels:
    key, classes, regions = "drawn", ("background", "a", "b", "c"), {"a": (1,)}
    available = np.ones(POOL, bool)

    def __init__(self, images: DrawnImages) -> None:
        self.images = images

    def read(self, rows):
        return self.images.draw(np.asarray(rows, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Setting:
    """A pool of which 400 slices were labeled in the last round, and its networks."""

    study: Study
    pool: Pool
    part: Pool
    network: torch.nn.Module
    vae_seconds: float
    encoding_seconds: float

    def source(self, pool: Pool, tabulate: bool = False) -> EvidenceSource:
        """Evidence of which nothing is known yet but the latents, as in a simulated run."""
        return EvidenceSource(self.study, pool, self.network, 0, tabulate=tabulate)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    images = DrawnImages(folder / "images.npy")
    labels = DrawnLabels(images)
    compute = Compute.detect()
    ids = tuple(
        SliceId(f"case_{row // SLICES_OF_A_CASE:03d}", "axial", row % SLICES_OF_A_CASE)
        for row in range(POOL)
    )
    rows = np.sort(np.random.default_rng(0).choice(POOL, BUDGET, replace=False))
    nothing = Pool(ids, images.case_of, np.ones(POOL, bool), np.full(POOL, -1))
    pool = nothing.with_labeled(rows, 0)
    part = replace(pool, eligible=np.arange(POOL) % (POOL // PART) == 0)
    config = SegmentationConfig(epochs=0, min_steps=40)
    trained = finish(train_network(images, labels, rows, config, compute, seed=0, round=0))

    full = ManifoldConfig()
    steps = full.steps(-(-POOL // full.batch_size))
    short = replace(full, max_steps=VAE_STEPS)
    begun = time.perf_counter()
    manifold = finish(train_manifold(images, short, compute, cache=folder))
    vae_seconds = (time.perf_counter() - begun) * steps / VAE_STEPS
    begun = time.perf_counter()
    latent = finish(encode(manifold.vae, images, compute))
    encoding_seconds = time.perf_counter() - begun

    data = SimpleNamespace(images=images, labels=labels)
    study = Study(data, (manifold, latent), config, compute, 0)
    yield Setting(study, pool, part, trained.network, vae_seconds, encoding_seconds)
    (folder / "images.npy").unlink()


def suggest(source, strategy):
    """Suggest a round; return the suggestions and the seconds of each stage."""
    seconds = defaultdict(float)
    work = select(source, strategy, Budget(BUDGET))
    last = time.perf_counter()
    while True:
        try:
            stage = next(work).stage
        except StopIteration as stop:
            seconds["α, z′ and selection"] += time.perf_counter() - last
            return stop.value, dict(seconds)
        now = time.perf_counter()
        seconds[stage] += now - last
        last = now


def test_a_round_of_gradient_guided_against_entropy_over_the_pool(benchmark, setting, capsys):
    warm_up()
    pool, part = setting.pool, setting.part
    scale = pool.free.sum() / part.free.sum()
    guided, parts, entropy, picks = [], [], [], []

    def turn() -> None:
        found, seconds = suggest(setting.source(pool), GradientGuided())
        assert len(found.rows) == BUDGET
        picks.append(found.rows.tolist())
        parts.append(seconds)
        guided.append(sum(seconds.values()))
        found, seconds = suggest(setting.source(part), Entropy())
        assert len(found.rows) == BUDGET
        entropy.append(sum(seconds.values()) * scale)

    benchmark.pedantic(turn, rounds=3, warmup_rounds=1)
    guided, parts, entropy = guided[1:], parts[1:], entropy[1:]
    tabulated, stages = suggest(setting.source(pool, tabulate=True), GradientGuided())
    assert tabulated.rows.tolist() == picks[0]

    ours, theirs = statistics.median(guided), statistics.median(entropy)
    ratio = theirs / ours
    paid = (setting.vae_seconds + setting.encoding_seconds) / (theirs - ours)
    compute = setting.study.compute
    middle = parts[guided.index(ours)]
    each = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in middle.items())
    table = next(seconds for stage, seconds in stages.items() if stage.startswith("tabulating"))
    with capsys.disabled():
        print(
            f"\none round of {BUDGET} from {POOL:,} drawn slices of {SIDE}×{SIDE}×{CHANNELS}, "
            f"{compute.device}, {compute.threads} threads, {compute.precision}: gradient-guided "
            f"{ours:.2f} s, entropy over the pool {theirs:.1f} s (measured on {PART:,} of its "
            f"slices, evenly drawn, and scaled): {ratio:.1f}x, "
            f"goal of {GOAL:g}x {'met' if ratio > GOAL else 'MISSED'}\n"
            f"  gradient-guided: {each}\n"
            f"  with the table that a slider in a session reads, {table:.1f} s more: "
            f"{theirs / (ours + table):.1f}x\n"
            f"  in advance: VAE {setting.vae_seconds:.0f} s (from {VAE_STEPS} of its steps), "
            f"encoding the pool {setting.encoding_seconds:.1f} s; paid back after {paid:.1f} rounds"
        )


class Pairs(torch.utils.data.Dataset):
    """What baal reads: one slice at a time, with something beside it."""

    def __init__(self, images: DrawnImages, rows) -> None:
        self.images, self.rows = images, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int):
        return torch.from_numpy(self.images.read(self.rows[i : i + 1])[0]), 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of baal's logging
def test_an_entropy_query_against_baal(benchmark, setting, capsys):
    rows = np.flatnonzero(setting.part.free)
    compute = setting.study.compute
    network = compute.place(setting.network).eval()
    wrapper = ModelWrapper(network, TrainingArgs(batch_size=64, workers=0))
    heuristic = heuristics.Entropy(reduction="mean")
    pairs = Pairs(setting.study.data.images, rows)
    exact = replace(setting.study, compute=replace(compute, precision="float32"))
    need = Uncertainty("entropy")

    def timed(run):
        start = time.perf_counter()
        return run(), time.perf_counter() - start

    def ours(study):
        source = EvidenceSource(study, setting.part, setting.network, 0)
        return finish(source.gather(frozenset({need})))[need][rows]

    def baal():
        predicted = wrapper.predict_on_dataset_generator(pairs, iterations=1, verbose=False)
        return heuristic.get_uncertainties_generator(predicted)

    _, fast = timed(lambda: ours(setting.study))
    scores, plain = timed(lambda: ours(exact))
    expected, theirs = benchmark.pedantic(timed, (baal,), rounds=1)
    with capsys.disabled():
        print(
            f"\nentropy of {len(rows):,} slices, the same U-Net: baal (float32) {theirs:.1f} s, "
            f"ours in float32 {plain:.1f} s: {theirs / plain:.2f}x, ours as it runs "
            f"({compute.precision}) {fast:.1f} s: {theirs / fast:.2f}x"
        )
    np.testing.assert_allclose(expected, scores, rtol=1e-3, atol=1e-4)
