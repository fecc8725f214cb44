"""How uncertain a network is about each slice, measured while predictions stream by.

Every measure is a number for each pixel, averaged over the image; the maps
themselves are gone with their batch. Sampled predictions (Monte-Carlo dropout)
are not kept either: their mean and variance are carried along from pass to pass,
so memory does not grow with the number of passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.errors import TrainingError
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.variants import Outputs, outputs, reseed_dropout, sampling_copy, variant_of
from workbench.training.loop import Images, at_once, in_order

__all__ = [
    "MEASURES",
    "check_dropout",
    "entropy",
    "least_confidence",
    "look",
    "margin",
    "sample",
    "variance",
]


def least_confidence(p: torch.Tensor) -> torch.Tensor:
    """One minus the highest class probability, from 0 to ``1 - 1 / k``.

    Parameters
    ----------
    p : Tensor, shape (m, k, h, w)
        Class probabilities.

    Returns
    -------
    Tensor, shape (m, h, w)
        Higher is less certain, as for all measures here.
    """
    return 1 - p.amax(dim=1)


def margin(p: torch.Tensor) -> torch.Tensor:
    """One minus the difference of the two highest probabilities, (m, h, w), from 0 to 1.

    The difference is the BvSB of the effort paper (eq. 2), where lower is less certain.
    """
    best = p.topk(2, dim=1).values
    return 1 - (best[:, 0] - best[:, 1])


def entropy(p: torch.Tensor) -> torch.Tensor:
    """Entropy of the class probabilities in nats, (m, h, w), from 0 to ``log(k)``."""
    nats: torch.Tensor = torch.special.entr(p).sum(dim=1)
    return nats


def variance(samples: torch.Tensor) -> torch.Tensor:
    """Variance over sampled networks, averaged over classes (Rahimi eq. 1).

    Parameters
    ----------
    samples : Tensor, shape (t, m, k, h, w)
        Class probabilities from ``t`` networks.

    Returns
    -------
    Tensor, shape (m, h, w)
        Population variance (ddof 0), from 0 to 1/4.
    """
    return samples.var(dim=0, correction=0).mean(dim=1)


#: Measures of one prediction, by name.
MEASURES: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
}


def look(
    network: nn.Module,
    images: Images,
    rows: ArrayLike,
    compute: Compute,
    wanted: Collection[str],
    batch: int = 64,
) -> Work[dict[str, NDArray[np.floating]]]:
    """Predict slices once, and keep what is wanted of each.

    Parameters
    ----------
    network : Module
        As `workbench.models.variants.build_network` made it; in eval mode afterwards.
    images : ImageStore
        Where the slices are read from.
    rows : array of int, shape (m,)
        Rows to look at.
    compute : Compute
        Where and in which precision.
    wanted : collection of str
        Any of:

        - a key of `MEASURES`: its mean over the image;
        - ``"disagreement"``: mean over the image of the `variance` over an ensemble's members;
        - ``"predicted_loss"``: what the loss head says;
        - ``"share"``: share of pixels of each predicted class, shape (m, k);
        - ``"features"``: pooled features of the bottleneck in float32, shape (m, f).
    batch : int
        Slices predicted at once.

    Returns
    -------
    dict of str to ndarray
        Float64 of shape (m,) unless said otherwise.

    Raises
    ------
    TrainingError
        If the network is of a variant that cannot tell.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    names = sorted(wanted)
    kept: dict[str, list[NDArray[np.floating]]] = {name: [] for name in names}
    network = compute.place(network).eval()
    size = at_once(images, batch)
    for part, done in in_order(max(len(chosen), 1), size):  # an empty batch tells the shapes
        x = compute.tensor(images.read(chosen[part]))
        with torch.no_grad(), compute.autocast():
            told = (
                outputs(network, x) if len(x) else outputs(network, x.new_zeros((1, *x.shape[1:])))
            )
        for name in names:
            kept[name].append(_kept(name, told)[: len(x)])
        yield Progress("looking at the pool", min(done, len(chosen)), len(chosen))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def _kept(name: str, told: Outputs) -> NDArray[np.floating]:
    if name == "features":
        features: NDArray[np.float32] = told.features.cpu().numpy()
        return features
    if name == "share":
        classes = told.logits.shape[1]
        predicted = nn.functional.one_hot(told.logits.argmax(dim=1), classes)
        return _numpy(predicted.double().flatten(1, -2).mean(dim=1))
    if name == "predicted_loss":
        return _numpy(_given(told.predicted_loss, "a head that predicts its loss"))
    if name == "disagreement":
        members = _given(told.members, "several networks")
        return _numpy(variance(members).double().flatten(1).mean(dim=1))
    probabilities = torch.softmax(told.logits, dim=1)
    return _numpy(MEASURES[name](probabilities).double().flatten(1).mean(dim=1))


def _given(value: torch.Tensor | None, what: str) -> torch.Tensor:
    if value is None:
        raise TrainingError(
            f"The network of this round was trained without {what}, so it cannot tell what the "
            f"strategy needs. Train a round with this strategy first."
        )
    return value


def sample(
    network: nn.Module,
    images: Images,
    rows: ArrayLike,
    compute: Compute,
    passes: int,
    seed: tuple[int, ...],
    wanted: Collection[str],
    batch: int = 64,
) -> Work[dict[str, NDArray[np.float64]]]:
    """Predict slices several times with dropout on (Monte-Carlo dropout), and measure.

    A copy of the network is in eval mode, except that its dropout draws: batch norm would mix the
    slices of a batch otherwise.

    Parameters
    ----------
    network, images, rows, compute, batch
        As in `look`; the network must have been trained with dropout.
    passes : int
        Predictions of each slice, at least 1.
    seed : tuple of int
        Decides what is dropped; equal seeds and batches give equal numbers.
    wanted : collection of str
        Any of ``"variance"`` (Rahimi eq. 1), ``"mutual_information"`` (BALD: the entropy of
        the mean prediction minus the mean entropy, in nats), and the keys of `MEASURES`, of
        the mean prediction.

    Returns
    -------
    dict of str to ndarray of float64, shape (m,)
        Means over the image.

    Raises
    ------
    TrainingError
        If the network has no dropout.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    kept = {name: np.zeros(len(chosen)) for name in wanted}
    check_dropout(network)
    network = sampling_copy(compute.place(network))
    for part, done in in_order(len(chosen), at_once(images, batch)):
        x = compute.tensor(images.read(chosen[part]))
        moments = _Moments()
        reseed_dropout(network, *seed, part.start)
        for _ in range(passes):
            with torch.no_grad(), compute.autocast():
                logits = network(x)
            moments.add(torch.softmax(logits.float(), dim=1))
            yield Progress("predicting with dropout", part.start, len(chosen))
        for name, values in kept.items():
            values[part] = _numpy(moments.measure(name).double().flatten(1).mean(dim=1))
        yield Progress("predicting with dropout", done, len(chosen))
    return kept


def check_dropout(network: nn.Module) -> None:
    """Refuse to sample a network that was trained without dropout.

    Raises
    ------
    TrainingError
        If it was.
    """
    if not variant_of(network).dropout:
        _given(None, "dropout")


class _Moments:
    """Mean, variance and mean entropy of predictions that come one after the other."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = self.entropies = torch.zeros(())

    def add(self, p: torch.Tensor) -> None:
        """Take in one prediction, shape (m, k, h, w) (Welford's recurrence)."""
        self.count += 1
        difference = p - self.mean
        self.mean = self.mean + difference / self.count
        self.squares = self.squares + difference * (p - self.mean)
        self.entropies = self.entropies + entropy(p)

    def measure(self, name: str) -> torch.Tensor:
        """Return a measure of every pixel, shape (m, h, w)."""
        if name == "variance":
            return (self.squares / self.count).mean(dim=1)
        if name == "mutual_information":
            # Rounding can dip below zero.
            return (entropy(self.mean) - self.entropies / self.count).clamp_min(0)
        return MEASURES[name](self.mean)


def _numpy(values: torch.Tensor) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = values.double().cpu().numpy()
    return numbers
