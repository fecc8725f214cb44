"""What every training loop here shares: batches and a rate that are known in advance.

The batches of epoch e are decided by (seed, round, e) and the learning rate by
the step alone, so training can stop anywhere and go on as if it had not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.errors import SettingError, TrainingError

__all__ = [
    "Images",
    "at_once",
    "backward_bounded",
    "check_finite",
    "cosine_rate",
    "epoch_batches",
    "in_order",
]

#: Pixels of a slice that a batch of slices is meant for; volumes count by theirs.
SLICE_PIXELS = 64 * 64


class Images(Protocol):
    """What training and prediction see of an image store.

    Attributes
    ----------
    key : str
        Names the content: equal keys, equal images.
    channels : tuple of str
        Names of the channels.
    case_of : ndarray of int, shape (n,)
        Number of each row's case.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def channels(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def case_of(self) -> NDArray[np.int32]: ...  # noqa: D102

    def read(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Return the images of `rows`, shape (m, c, h, w) or (m, c, d, h, w)."""
        ...


def at_once(images: Images, batch: int) -> int:
    """Tell how many images to pass through a network at once.

    Parameters
    ----------
    images : ImageStore
        Of slices or volumes.
    batch : int
        How many slices.

    Returns
    -------
    int
        As many slices; or as many volumes, at least one, as hold about so many pixels.
    """
    sides = images.read(np.zeros(min(len(images.case_of), 1), np.int64)).shape[2:]
    if len(sides) == 2:
        return batch
    return max(1, batch * SLICE_PIXELS // math.prod(sides))


def epoch_batches(
    rows: NDArray[np.integer], size: int, *, seed: int, round: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Shuffle rows into the batches of one epoch.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Rows to visit once each.
    size : int
        Largest batch. Batches are of nearly equal size, so none is a lonely rest that
        batch norm cannot work with; a single row is given twice.
    seed, round, epoch : int
        Decide the order.

    Returns
    -------
    list of ndarray of int
        Every row in one batch.
    """
    if size < 1:
        raise SettingError(f"The batch size is {size}. It must be at least 1.")
    shuffled = np.random.default_rng((seed, round, epoch)).permutation(
        np.asarray(rows, dtype=np.int64)
    )
    if len(shuffled) == 1:
        shuffled = np.repeat(shuffled, 2)
    return np.array_split(shuffled, math.ceil(len(shuffled) / size))


def in_order(count: int, size: int) -> Iterator[tuple[slice, int]]:
    """Cut `count` samples into batches of `size`, the last one shorter.

    Yields
    ------
    part : slice
        The samples of a batch.
    done : int
        How many samples there are up to its end, for a progress report.
    """
    for start in range(0, count, size):
        done = min(start + size, count)
        yield slice(start, done), done


def cosine_rate(rate: float, step: int, total: int, warmup: int = 0) -> float:
    """Learning rate of a step: a linear rise over `warmup` steps, then half a cosine down.

    Parameters
    ----------
    rate : float
        The highest rate.
    step, total : int
        Steps done so far, and in all.
    warmup : int
        Steps of the rise.

    Returns
    -------
    float
        From `rate` down to a hundredth of it.
    """
    if step < warmup:
        return rate * (step + 1) / warmup
    done = min((step - warmup) / max(total - warmup, 1), 1.0)
    return rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def backward_bounded(
    loss: torch.Tensor, aside: torch.Tensor, shared: Sequence[nn.Parameter], bound: float
) -> None:
    """Leave the gradients of two losses, of which one may only bend the way of the other.

    Parameters
    ----------
    loss : Tensor, shape ()
        Of the shared parameters alone; each of them has a part in it.
    aside : Tensor, shape ()
        Of any parameters. Its gradient in the shared ones, all of them taken as one vector, is
        shortened to at most `bound` times the norm of the gradient of `loss`; up to a bound of 1
        their sum never leads against `loss`. In all others it is as it is.
    shared : sequence of Parameter
        Without gradients yet.
    bound : float
        Above 0; a large one such as 1e9 leaves the gradient of `aside` as it is.
    """
    own = torch.autograd.grad(loss, shared, retain_graph=True)
    torch.autograd.backward(aside)
    nn.utils.clip_grad_norm_(shared, bound * float(nn.utils.get_total_norm(own)))
    for parameter, gradient in zip(shared, own, strict=True):
        parameter.grad = gradient if parameter.grad is None else gradient + parameter.grad


def check_finite(value: float, what: str) -> None:
    """Stop training whose loss is no longer a number.

    Raises
    ------
    TrainingError
        If `value` is NaN or infinite.
    """
    if not math.isfinite(value):
        raise TrainingError(
            f"The loss of the {what} became {value}: training diverged. Lower the learning rate, "
            f"or check the images for extreme values with `workbench cohort`."
        )
