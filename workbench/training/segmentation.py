"""Train the U-Net of one round, step by step.

A round trains for its epochs but never for fewer than a minimum number of
steps: a dozen slices times ten epochs is no training. The learning rate falls
along a cosine within the round, because short rounds on few slices oscillate.
All random numbers are decided by (seed, round, epoch), and the state is kept
at the ends of epochs, so a killed round resumes to the same weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from workbench.cohort.label_source import LabelSource
from workbench.errors import SettingError, TrainingError
from workbench.files import content_key
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.unet import PAPER_FEATURES, build_unet
from workbench.models.weights import fingerprint, load_checkpoint, save_checkpoint
from workbench.training.augment import augment
from workbench.training.loop import Images, check_finite, cosine_rate, epoch_batches
from workbench.training.losses import DiceForm, DiceLoss

__all__ = ["PAPER", "SegmentationConfig", "train_segmentation"]

STAGE = "training the U-Net"

#: Steps between two checkpoints at least; an epoch of a dozen slices is a single step.
CHECKPOINT_EVERY = 25


@dataclass(frozen=True)
class SegmentationConfig:
    """How the U-Net of a round is trained.

    Parameters
    ----------
    features : tuple of six int
        Widths of the U-Net (see `build_unet`).
    learning_rate : float
        Highest rate of Adam; it falls along a cosine if `decay`.
    batch_size : int
        Slices of a step, at most.
    epochs : int
        Passes over the labeled slices.
    min_steps : int
        A round makes at least so many steps, whatever the epochs.
    loss : {"dai2022", "dai2020"}
        Form of the Dice loss.
    include_background : bool
        Whether the background counts as a class of the loss.
    smooth : float
        Smoothing of the loss in pixels (see `dice_loss`).
    augment : bool
        Whether slices are varied on the fly.
    decay : bool
        Whether the learning rate falls within the round.
    """

    features: tuple[int, ...] = (16, 32, 64, 128, 256, 16)
    learning_rate: float = 4e-3
    batch_size: int = 16
    epochs: int = 10
    min_steps: int = 200
    loss: DiceForm = "dai2022"
    include_background: bool = True
    smooth: float = 1.0
    augment: bool = True
    decay: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(self.features))
        for name in ("learning_rate", "batch_size"):
            if not getattr(self, name) > 0:
                raise SettingError(
                    f"SegmentationConfig.{name} is {getattr(self, name)}. It must be above 0."
                )
        if self.epochs < 0 or self.min_steps < 0 or self.epochs + self.min_steps == 0:
            raise SettingError(
                f"A round of {self.epochs} epochs and at least {self.min_steps} steps trains "
                f"nothing. Give at least one epoch or one step."
            )
        self.criterion  # noqa: B018 - refuses what is out of range

    @property
    def criterion(self) -> DiceLoss:
        """The Dice loss that these settings describe."""
        return DiceLoss(self.loss, self.include_background, self.smooth)


#: The settings of Dai 2022 (method.md §3).
PAPER = SegmentationConfig(
    features=PAPER_FEATURES, learning_rate=1e-3, batch_size=32, epochs=10, decay=False
)


def train_segmentation(
    images: Images,
    labels: LabelSource,
    rows: ArrayLike,
    config: SegmentationConfig,
    compute: Compute,
    *,
    seed: int,
    round: int,
    initial: nn.Module | None = None,
    checkpoint: Path | None = None,
) -> Work[tuple[nn.Module, tuple[float, ...]]]:
    """Train a U-Net on labeled rows.

    Parameters
    ----------
    images : ImageStore
        Where the slices are read from, a batch at a time.
    labels : LabelSource
        Gives the label maps of the rows.
    rows : array of int, shape (m,)
        Labeled rows to train on.
    config : SegmentationConfig
        How.
    compute : Compute
        Where and in which precision.
    seed, round : int
        Decide the order of slices and their augmentation; the seed also the first weights.
    initial : Module, optional
        A trained network to go on from; it is not changed. Without one, training starts anew.
    checkpoint : Path, optional
        File that keeps the state at the ends of epochs. If it holds the state of this very
        training, it goes on from there. The caller removes it when the result is safe.

    Yields
    ------
    Progress
        After every step, with the metric ``loss`` (mean over the batch).

    Returns
    -------
    network : Module
        In eval mode, on the device of `compute`.
    losses : tuple of float
        The loss of every step.

    Raises
    ------
    TrainingError
        If no row is given, a row has no label, or the loss diverges.
    """
    chosen = np.unique(np.asarray(rows, dtype=np.int64))
    if not len(chosen):
        raise TrainingError(
            "There is no labeled slice to train on. Label at least one slice, then start again."
        )
    if not labels.available[chosen].all():
        raise TrainingError(
            f"{int((~labels.available[chosen]).sum())} of {len(chosen)} slices to train on have "
            f"no label. Train on labeled slices only."
        )
    return _train(images, labels, chosen, config, compute, seed, round, initial, checkpoint)


def _train(
    images: Images,
    labels: LabelSource,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    config: SegmentationConfig,
    compute: Compute,
    seed: int,
    round: int,
    initial: nn.Module | None,
    checkpoint: Path | None,
) -> Generator[Progress, None, tuple[nn.Module, tuple[float, ...]]]:
    network = (
        build_unet(len(images.channels), len(labels.classes), config.features, seed)
        if initial is None
        else copy.deepcopy(initial)
    )
    start = "" if initial is None else fingerprint(initial)
    key = content_key(
        "unet", images.key, labels.key, labels.classes, rows.tolist(), asdict(config), seed, round,
        start, dict(compute.record()),
    )  # fmt: skip
    network = compute.place(network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    kept = load_checkpoint(checkpoint, key, network, optimizer) or {"epoch": 0, "losses": []}
    epoch: int = kept["epoch"]
    losses: list[float] = kept["losses"]

    batch_count = math.ceil(max(len(rows), 2) / config.batch_size)
    total = max(config.min_steps, config.epochs * batch_count)
    saved = len(losses)
    while len(losses) < total:
        batches = epoch_batches(rows, config.batch_size, seed=seed, round=round, epoch=epoch)
        for batch in batches[: total - len(losses)]:
            if config.decay:
                rate = cosine_rate(config.learning_rate, len(losses), total, warmup=10)
                optimizer.param_groups[0]["lr"] = rate
            x = torch.from_numpy(images.read(batch))
            y = torch.from_numpy(labels.read(batch))
            if config.augment:
                x, y = augment(x, y, batch, seed=seed, round=round, epoch=epoch)
            with compute.autocast():
                logits = network(compute.tensor(x))
            loss = config.criterion(logits, compute.tensor(y)).mean()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(float(loss.detach()))
            check_finite(losses[-1], "U-Net")
            yield Progress(STAGE, len(losses), total, {"loss": losses[-1]})
        epoch += 1
        due = len(losses) - saved >= CHECKPOINT_EVERY or len(losses) >= total
        if checkpoint is not None and due:
            save_checkpoint(checkpoint, key, network, optimizer, {"epoch": epoch, "losses": losses})
            saved = len(losses)
    return network.eval(), tuple(losses)
