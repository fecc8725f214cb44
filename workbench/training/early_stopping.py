"""Stop a training that no longer gets better on cases held out for that.

After an epoch the Dice loss of the validation images is measured; the weights of the
best epoch so far are kept, and are what the training gives. Validation cases are never
test cases: what is stopped by looking at a score cannot be judged by it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from workbench.cohort.label_source import LabelSource
from workbench.errors import StoreError
from workbench.models.compute import Compute
from workbench.models.weights import load_weights, save_weights
from workbench.training.losses import DiceLoss, as_one_image
from workbench.training.metrics import Volumes
from workbench.training.predict import predict_batches

__all__ = ["Patience", "Validation"]

#: Steps between two looks at the validation images at least; an epoch of a dozen slices is one.
LOOK_EVERY = 10


@dataclass(frozen=True, eq=False)
class Validation:
    """Cases that tell when a training should stop.

    Parameters
    ----------
    images, labels : ImageStore, LabelSource
        Neither of the pool nor of the test set; rows without a label do not count.
    """

    images: Volumes
    labels: LabelSource

    @property
    def key(self) -> tuple[str, str]:
        """Names the content."""
        return self.images.key, self.labels.key

    def loss(
        self, network: nn.Module, criterion: DiceLoss, compute: Compute, together: bool = False
    ) -> float:
        """Mean Dice loss of the images, or of batches of them taken together.

        The network is in eval mode afterwards.
        """
        rows = np.flatnonzero(self.labels.available)
        losses = []
        for part, logits in predict_batches(network, self.images, rows, compute):
            target = compute.tensor(torch.from_numpy(self.labels.read(part)))
            pair = as_one_image(logits, target) if together else (logits, target)
            losses.append(criterion(*pair))
        return float(torch.cat(losses).mean())


class Patience:
    """Watches a training, and keeps the weights of its best epoch.

    Parameters
    ----------
    validation : Validation
        What is looked at.
    epochs : int
        Epochs without a better loss after which training stops; passes where patches are cut.
    criterion : DiceLoss
        That of the training.
    compute : Compute
        Where and in which precision.
    file : Path or None
        Keeps the best weights beside a checkpoint; without one they are kept in memory.
    seen : sequence of (step, epoch, loss)
        What was measured before a training that goes on was interrupted.
    together : bool
        Whether the loss is that of batches of images, as the training's is.
    """

    def __init__(
        self,
        validation: Validation,
        epochs: int,
        criterion: DiceLoss,
        compute: Compute,
        file: Path | None,
        seen: Sequence[tuple[int, int, float]] = (),
        together: bool = False,
    ) -> None:
        self.validation = validation
        self.epochs = epochs
        self.criterion = criterion
        self.compute = compute
        self.file = file
        self.together = together
        self.seen = [(int(step), int(epoch), float(loss)) for step, epoch, loss in seen]
        self._best: dict[str, torch.Tensor] | None = None

    def enough(self, network: nn.Module, step: int, epoch: int, last: bool) -> bool:
        """Look at the validation images after an epoch; tell whether to stop.

        Parameters
        ----------
        network : Module
            As it is now; in training mode afterwards.
        step, epoch : int
            Steps and epochs that are done.
        last : bool
            Whether training ends here anyway: then it is looked at in any case.
        """
        if not last and step - (self.seen[-1][0] if self.seen else 0) < LOOK_EVERY:
            return False
        loss = self.validation.loss(network, self.criterion, self.compute, self.together)
        network.train()
        if all(loss < before for _, _, before in self.seen):
            self._best = copy.deepcopy(network.state_dict())
            if self.file is not None:
                save_weights(network, self.file)
        self.seen.append((step, epoch, loss))
        best = min(self.seen, key=lambda each: each[2])
        return epoch - best[1] >= self.epochs

    def give_best(self, network: nn.Module) -> None:
        """Put the weights of the best epoch into the network.

        Raises
        ------
        StoreError
            If they were kept in a file that is gone or damaged.
        """
        if self._best is not None:
            network.load_state_dict(self._best)
        elif self.file is not None:
            load_weights(network, self.file)
        else:
            raise StoreError("No weights were kept: no epoch was looked at.")
