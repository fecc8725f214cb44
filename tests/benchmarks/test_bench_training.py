"""Training throughput against the plain way of writing it: ``make bench`` prints the ratio.

Plain is MONAI's network as it comes, in eager float32, with the default memory format and
Adam; ours is what `train_network` does. Steps of the two take turns, so that other work
on the machine slows both alike. ``make test-slow`` compares what both learn.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
import torch

from workbench.cohort.label_source import ReferenceLabels
from workbench.cohort.opening import open_cohort
from workbench.cohort.recipes import Recipe
from workbench.cohort.split import split_cases
from workbench.cohort.store import build_store
from workbench.jobs import finish
from workbench.models.compute import Compute
from workbench.models.unet import PAPER_FEATURES, build_unet
from workbench.training.augment import augment
from workbench.training.losses import dice_loss
from workbench.training.metrics import evaluate
from workbench.training.segmentation import SegmentationConfig, train_network

BATCH, TURNS = 16, 12


class RandomImages:
    """Four channels of noise, 64×64: throughput does not depend on what is in them."""

    key, channels = "noise", ("a", "b", "c", "d")
    case_of = np.zeros(BATCH, np.int32)

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.arrays = rng.standard_normal((BATCH, 4, 64, 64)).astype(np.float32)
        self.maps = rng.integers(0, 4, (BATCH, 64, 64)).astype(np.uint8)

    def read(self, rows):
        return self.arrays[np.asarray(rows)]


class RandomLabels:
    key = "random"
    classes, regions = ("background", "a", "b", "c"), {"a": (1,)}
    available = np.ones(BATCH, bool)

    def __init__(self, images: RandomImages) -> None:
        self.images = images

    def read(self, rows):
        return self.images.maps[np.asarray(rows)]


def plain_steps(images, labels, features):
    """The same training as anyone would write it first."""
    network = build_unet(4, 4, features).train()
    network._forward_pre_hooks.clear()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    rows = np.arange(BATCH)
    epoch = 0
    while True:
        x, y = torch.from_numpy(images.read(rows)), torch.from_numpy(labels.read(rows))
        x, y = augment(x, y, rows, seed=0, round=0, epoch=epoch)
        loss = dice_loss(network(x.contiguous()), y).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        epoch += 1
        yield float(loss.detach())


@pytest.mark.parametrize("features", [SegmentationConfig().features, PAPER_FEATURES])
def test_training_throughput_against_plain_float32(benchmark, features):
    images = RandomImages()
    labels = RandomLabels(images)
    compute = Compute.detect()
    config = SegmentationConfig(features=features, batch_size=BATCH, min_steps=10_000)
    rows = range(BATCH)
    ours = train_network(images, labels, rows, config, compute, seed=0, round=0)
    plain = plain_steps(images, labels, features)
    times: dict[str, list[float]] = {"ours": [], "plain": []}

    def turn() -> None:
        for name, steps in (("ours", ours), ("plain", plain)):
            start = time.perf_counter()
            next(steps)
            times[name].append(time.perf_counter() - start)

    benchmark.pedantic(turn, rounds=TURNS, warmup_rounds=2)
    fast, slow = (BATCH / statistics.median(times[name][2:]) for name in ("ours", "plain"))
    print(
        f"\nU-Net {features}, 64×64×4, {compute.threads} threads: {compute.precision} "
        f"channels-last {fast:.0f} images/s, plain float32 {slow:.0f} images/s: "
        f"{fast / slow:.2f}× (goal 1.8×)"
    )


@pytest.mark.slow
def test_fast_arithmetic_learns_as_much_as_float32():
    cohort = finish(open_cohort("phantom"))
    split = split_cases(cohort)
    pool, test = (finish(build_store(cohort, ids, Recipe())) for ids in (split.pool, split.test))
    pool_labels, test_labels = ReferenceLabels(pool, cohort), ReferenceLabels(test, cohort)
    config = SegmentationConfig(min_steps=600)
    fast = Compute.detect()
    plain = Compute(fast.device, "float32", False, fast.threads)
    scores = []
    for seed in range(3):
        rows = np.flatnonzero(pool_labels.available)
        row = []
        for compute in (fast, plain):
            trained = finish(
                train_network(pool, pool_labels, rows, config, compute, seed=seed, round=0)
            )
            row.append(finish(evaluate(trained.network, test, test_labels, compute))["mean"])
        scores.append(row)
        print(f"\nseed {seed}: {fast.precision} {row[0]:.3f}, float32 {row[1]:.3f}", flush=True)
    means = np.mean(scores, axis=0)
    print(f"mean Dice {means[0]:.3f} and {means[1]:.3f}: difference {means[0] - means[1]:+.4f}")
    assert abs(means[0] - means[1]) <= 0.01
