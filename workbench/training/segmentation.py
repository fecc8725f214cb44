"""Train the U-Net of one round, step by step.

A round trains for its epochs but never for fewer than a minimum number of
steps: a dozen slices times ten epochs is no training. The learning rate falls
along a cosine within the round, because short rounds on few slices oscillate.
All random numbers are decided by (seed, round, epoch), and the state is kept
at the ends of epochs, so a killed round resumes to the same weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.cohort.label_source import LabelSource
from workbench.cohort.pool import Axis
from workbench.cohort.sides import mirrored_classes
from workbench.errors import TrainingError
from workbench.files import content_key
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.unet import PAPER_FEATURES
from workbench.models.variants import (
    PLAIN,
    Ensemble,
    UNetWithLossHead,
    Variant,
    build_network,
    continue_from,
    reseed_dropout,
    variant_of,
)
from workbench.models.weights import fingerprint, load_checkpoint, save_checkpoint
from workbench.training.augment import augment
from workbench.training.early_stopping import Patience, Validation
from workbench.training.loop import (
    Images,
    backward_bounded,
    check_finite,
    cosine_rate,
    epoch_batches,
)
from workbench.training.losses import as_one_image, ranking_loss
from workbench.training.patches import cut_patches, passes_of
from workbench.training.settings import SegmentationConfig

__all__ = ["PAPER", "SegmentationConfig", "Trained", "train_network"]

STAGE = "training the U-Net"

#: Steps between two checkpoints at least; an epoch of a dozen slices is a single step.
CHECKPOINT_EVERY = 25


#: The settings of Dai 2022 (method.md §3).
PAPER = SegmentationConfig(
    features=PAPER_FEATURES, learning_rate=1e-3, batch_size=32, epochs=10, decay=False
)


class Slices(Images, Protocol):
    """`Images` that tell across which axis they are cut: that decides what a mirror image is."""

    @property
    def axis(self) -> Axis: ...


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gives.

    Parameters
    ----------
    network : Module
        In eval mode, on the device it was trained on.
    losses : tuple of float
        Dice loss of every step, mean over the batch; of an ensemble, mean over its members.
    head_losses : tuple of float
        Ranking loss of every step; empty without a loss head.
    validation : tuple of (int, float)
        Steps, and the Dice loss of the validation images after them; empty without patience,
        and of an ensemble, whose members stop apart.
    """

    network: nn.Module
    losses: tuple[float, ...]
    head_losses: tuple[float, ...] = ()
    validation: tuple[tuple[int, float], ...] = ()


def train_network(
    images: Slices,
    labels: LabelSource,
    rows: ArrayLike,
    config: SegmentationConfig,
    compute: Compute,
    *,
    variant: Variant = PLAIN,
    seed: int,
    round: int,
    initial: nn.Module | None = None,
    checkpoint: Path | None = None,
    validation: Validation | None = None,
) -> Work[Trained]:
    """Train the network of a variant on labeled rows.

    Each member of an ensemble is trained on a bootstrap: as many rows, drawn with replacement.
    A loss head is trained together with its U-Net, by the ranking loss on pairs of the batch;
    its gradient in the U-Net is bounded by that of the Dice loss, and after a share of the steps
    it ends at the head.

    Parameters
    ----------
    images : ImageStore
        Where the slices are read from, a batch at a time.
    labels : LabelSource
        Gives the label maps of the rows.
    rows : array of int, shape (m,)
        Labeled rows to train on; one that is given twice is visited twice in an epoch.
    config : SegmentationConfig
        How.
    compute : Compute
        Where and in which precision.
    variant : Variant
        What is trained.
    seed, round : int
        Decide the order of slices, their augmentation, bootstraps and dropout; the seed also
        the first weights.
    initial : Module, optional
        A trained network to go on from, of any variant (see `continue_from`); it is not
        changed. Without one, training starts anew.
    checkpoint : Path, optional
        File that keeps the state at the ends of epochs. If it holds the state of this very
        training, it goes on from there. The caller removes it when the result is safe. The
        members of an ensemble keep files of their own beside it, named by their number.
    validation : Validation, optional
        Decides when a training with patience stops, and which epoch's weights it gives.

    Yields
    ------
    Progress
        After every step, with the metric ``loss`` (mean over the batch), and ``ranking loss``
        where there is a loss head.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If no row is given, a row has no label, or the loss diverges.
    """
    chosen = np.sort(np.asarray(rows, dtype=np.int64))
    if not len(chosen):
        raise TrainingError(
            "There is nothing labeled to train on. Label at least one image, then start again."
        )
    if not labels.available[chosen].all():
        raise TrainingError(
            f"{int((~labels.available[chosen]).sum())} of {len(chosen)} images to train on have "
            f"no label. Train on labeled images only."
        )
    axes = images.read(chosen[:1]).ndim - 2
    if config.patch is not None and len(config.patch) != axes:
        raise TrainingError(
            f"segmentation.patch has {len(config.patch)} sides, but the images have {axes}. Give "
            f"one for each axis, or leave it out to train on whole images."
        )
    network = build_network(
        len(images.channels),
        len(labels.classes),
        config.features,
        variant,
        seed,
        axes,
        config.patch,
        config.u_shape,
    )
    if initial is not None:
        continue_from(network, initial)
    if config.batch_dice and variant.head is not None:
        raise TrainingError(
            "segmentation.batch_dice gives one loss for all images of a step, but a loss head "
            "learns from one for each. Leave it out, or choose a strategy without a loss head."
        )
    if config.patience and validation is None:
        raise TrainingError(
            f"segmentation.patience is {config.patience}, but no cases are held out to tell when a "
            f"round should stop. Hold some out with --validation 0.1 (validation_fraction = 0.1), "
            f"or set patience to 0."
        )
    task = _Task(images, labels, config, compute, seed, round, validation)
    if not isinstance(network, Ensemble):
        return _train(task, chosen, network, checkpoint)
    return _train_members(task, chosen, network, checkpoint)


@dataclass(frozen=True, eq=False)
class _Task:
    """What the trainings of all members of an ensemble share."""

    images: Slices
    labels: LabelSource
    config: SegmentationConfig
    compute: Compute
    seed: int
    round: int
    validation: Validation | None


def _train_members(
    task: _Task, rows: NDArray[np.int64], ensemble: Ensemble, checkpoint: Path | None
) -> Generator[Progress, None, Trained]:
    trained: list[Trained] = []
    count = len(ensemble.members)
    for index, member in enumerate(ensemble.members):
        rng = np.random.default_rng((task.seed, task.round, index))
        bootstrap = np.sort(rng.choice(rows, len(rows)))
        own = checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-{index}")
        work = _train(task, bootstrap, member, own)
        while True:
            try:
                progress = next(work)
            except StopIteration as stop:
                trained.append(stop.value)
                break
            step = index * progress.total + progress.step
            yield replace(progress, step=step, total=count * progress.total)
    losses, head_losses = (
        tuple(_mean_curve(curves))
        for curves in zip(*((each.losses, each.head_losses) for each in trained), strict=True)
    )
    return Trained(Ensemble([each.network for each in trained]).eval(), losses, head_losses)


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """Mean of curves, at each step over those that go on so far."""
    table = itertools.zip_longest(*curves, fillvalue=math.nan)
    return [float(np.nanmean(step)) for step in table]


def _train(
    task: _Task, rows: NDArray[np.int64], network: nn.Module, checkpoint: Path | None
) -> Generator[Progress, None, Trained]:
    images, labels, config, compute = task.images, task.labels, task.config, task.compute
    seed, round, validation = task.seed, task.round, task.validation
    variant = variant_of(network)
    key = content_key(
        "unet", images.key, labels.key, labels.classes, rows.tolist(), config.record(),
        asdict(variant), seed, round, fingerprint(network), dict(compute.record()),
        *(validation.key if validation is not None and config.patience else ()),
    )  # fmt: skip
    network = compute.place(network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    kept = load_checkpoint(checkpoint, key, network, optimizer)
    kept = kept or {"epoch": 0, "losses": [], "head_losses": []}
    passes = passes_of(images.read(rows[:1]).shape[2:], config.patch)
    patience = None
    if validation is not None and config.patience:
        best = checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-best")
        seen = kept.get("validation", ())
        patience = Patience(
            validation,
            config.patience * passes,
            config.criterion,
            compute,
            best,
            seen,
            together=config.batch_dice,
        )
    epoch: int = kept["epoch"]  # of one patch an image, where patches are cut: a pass
    losses: list[float] = kept["losses"]
    head_losses: list[float] = kept["head_losses"]

    mirrored = mirrored_classes(labels.classes, images.axis)
    batch_count = math.ceil(max(len(rows), 2) / config.batch_size)
    total = max(config.min_steps, config.epochs * passes * batch_count)
    saved = len(losses)
    over = kept.get("over", False) or len(losses) >= total
    while not over:
        batches = epoch_batches(rows, config.batch_size, seed=seed, round=round, epoch=epoch)
        for batch in batches[: total - len(losses)]:
            if config.decay:
                rate = cosine_rate(config.learning_rate, len(losses), total, warmup=10)
                optimizer.param_groups[0]["lr"] = rate
            x = torch.from_numpy(images.read(batch))
            y = torch.from_numpy(labels.read(batch))
            if config.patch is not None:
                x, y = cut_patches(x, y, config.patch, batch, seed=seed, round=round, epoch=epoch)
            if config.augment:
                x, y = augment(x, y, batch, seed=seed, round=round, epoch=epoch, mirrored=mirrored)
            x, y = compute.tensor(x), compute.tensor(y)
            reseed_dropout(network, seed, round, len(losses))
            optimizer.zero_grad(set_to_none=True)
            told = {}
            if isinstance(network, UNetWithLossHead):
                settings = network.settings
                with compute.autocast():
                    logits, predicted = network.with_loss(x, len(losses) >= settings.stop * total)
                each = config.criterion(logits, y)
                ranking = ranking_loss(predicted, each, settings.margin)
                dice = each.mean()
                unet = list(network.unet.parameters())
                backward_bounded(dice, settings.weight * ranking, unet, settings.bound)
                head_losses.append(float(ranking.detach()))
                told = {"ranking loss": head_losses[-1]}
            else:
                with compute.autocast():
                    logits = network(x)
                if config.batch_dice:
                    logits, y = as_one_image(logits, y)
                dice = config.criterion(logits, y).mean()
                torch.autograd.backward(dice)
            optimizer.step()
            losses.append(float(dice.detach()))
            check_finite(losses[-1] + sum(told.values()), "U-Net")
            yield Progress(STAGE, len(losses), total, {"loss": losses[-1], **told})
        epoch += 1
        over = len(losses) >= total
        if patience is not None:
            over |= patience.enough(network, len(losses), epoch, last=over)
        due = len(losses) - saved >= CHECKPOINT_EVERY or over
        if checkpoint is not None and due:
            counters = {"epoch": epoch, "losses": losses, "head_losses": head_losses, "over": over}
            counters["validation"] = patience.seen if patience is not None else []
            save_checkpoint(checkpoint, key, network, optimizer, counters)
            saved = len(losses)
    looked: tuple[tuple[int, float], ...] = ()
    if patience is not None:
        patience.give_best(network)
        looked = tuple((step, loss) for step, _, loss in patience.seen)
    return Trained(network.eval(), tuple(losses), tuple(head_losses), looked)
