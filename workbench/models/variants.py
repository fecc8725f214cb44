"""The networks that query strategies ask for, all used like a plain U-Net.

Some strategies need a network that is trained differently: with dropout, with a
head that predicts the network's own loss, or several at once. Each is an
ordinary module whose forward pass gives logits, so that scoring, prediction,
gradients and saved weights need not know which one they have. What only some
can tell (features, the members' opinions, the predicted loss) is in `outputs`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from workbench.errors import TrainingError
from workbench.models.unet import build_unet, in_windows, levels, seeded, windows

__all__ = [
    "PLAIN",
    "Ensemble",
    "HeadSettings",
    "Outputs",
    "SeededDropout",
    "UNetWithLossHead",
    "Variant",
    "build_network",
    "continue_from",
    "outputs",
    "reseed_dropout",
    "sampling_copy",
    "variant_of",
]

#: Blocks that end in dropout: the four innermost, as in Bayesian SegNet (Kendall et al. 2017),
#: since Rahimi does not say. With p = 0.5 after all nine a narrow U-Net hardly learns.
DROPPED_AFTER = ("down_3.convs", "down_4.convs", "upcat_4.convs", "upcat_3.convs")
#: Width of each level's part in the loss head (Yoo & Kweon 2019).
HEAD_WIDTH = 128


@dataclass(frozen=True)
class HeadSettings:
    """How a head that predicts the loss is trained (Yoo & Kweon 2019, eq. 2).

    Parameters
    ----------
    margin : float
        By how much the predictions of a pair must differ, in the right order.
    weight : float
        Of the ranking loss beside the Dice loss.
    stop : float
        Share of the steps, 0 to 1, after which the ranking loss no longer reaches the U-Net.
    bound : float
        Until then, the norm of its gradient in the U-Net, at most so many times that of the
        Dice loss.
    """

    margin: float = 0.5
    weight: float = 1.0
    stop: float = 0.6
    bound: float = 0.1


@dataclass(frozen=True)
class Variant:
    """How the network of a round differs from one plain U-Net.

    Parameters
    ----------
    dropout : float
        Probability that a value at the end of an inner block is dropped, from 0 to below 1.
    head : HeadSettings or None
        Given: the network also predicts its own loss.
    members : int
        Networks that are trained, each on a bootstrap of the labeled set if above 1.
    """

    dropout: float = 0.0
    head: HeadSettings | None = None
    members: int = 1


#: One U-Net and nothing else.
PLAIN = Variant()


class SeededDropout(nn.Module):
    """Dropout whose draws are decided by a seed of its own.

    Torch's dropout draws from the process's one generator, which other threads use too;
    training and sampling would then not repeat.

    Parameters
    ----------
    p : float
        Probability that a value is dropped.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.seed = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop values and scale up the rest while in training mode."""
        if not self.training or self.p == 0:
            return x
        generator = torch.Generator(x.device).manual_seed(self.seed)
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) % 2**63
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=generator)
        return x * kept / (1 - self.p)


class LossHead(nn.Module):
    """Predict the loss of a sample from several levels of features (Yoo & Kweon 2019, fig. 2).

    Each level is pooled over the image, passed through a linear layer and a ReLU; all of
    them together give one number.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(width, HEAD_WIDTH) for width in widths)
        self.last = nn.Linear(HEAD_WIDTH * len(widths), 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Predict the losses, shape (m,), from features (m, c, h, w) of each level."""
        with torch.autocast(features[0].device.type, enabled=False):
            pooled = [_pooled(each) for each in features]
            seen = [torch.relu(part(x)) for part, x in zip(self.parts, pooled, strict=True)]
            predicted: torch.Tensor = self.last(torch.cat(seen, dim=1))[:, 0]
        return predicted


class UNetWithLossHead(nn.Module):
    """A U-Net that also predicts its own loss; its forward pass gives logits.

    Parameters
    ----------
    unet : Module
        As `build_unet` makes it.
    widths : sequence of int
        Channels of its `levels`.
    """

    def __init__(self, unet: nn.Module, widths: Sequence[int]) -> None:
        super().__init__()
        self.unet = unet
        self.head = LossHead(widths)
        self.settings = HeadSettings()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of images."""
        logits: torch.Tensor = self.unet(x)
        return logits

    def with_loss(
        self, x: torch.Tensor, detached: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (m, k, h, w) and predicted losses (m,) of images.

        Parameters
        ----------
        x : Tensor, shape (m, c, h, w)
        detached : bool
            Whether the gradient of the predicted loss ends at the head.
        """
        logits, features = levels(self.unet, x)
        return logits, self.head([each.detach() for each in features] if detached else features)


class Ensemble(nn.Module):
    """Networks that vote; the forward pass gives the logarithm of their mean probability.

    So a softmax of it is the ensemble's probability, and an argmax its prediction.

    Parameters
    ----------
    members : sequence of Module
        Each maps images to logits.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of images."""
        return _log_mean(self.probabilities(x))

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """Return every member's class probabilities, shape (t, m, k, h, w)."""
        return torch.stack([torch.softmax(member(x).float(), dim=1) for member in self.members])


def _log_mean(probabilities: torch.Tensor) -> torch.Tensor:
    return probabilities.mean(dim=0).clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def build_network(
    channels: int,
    classes: int,
    features: Sequence[int],
    variant: Variant = PLAIN,
    seed: int = 0,
    dims: int = 2,
    window: Sequence[int] | None = None,
    u_shape: bool = False,
) -> nn.Module:
    """Build the network of a variant.

    Parameters
    ----------
    channels, classes, features, dims, window, u_shape
        As in `build_unet`.
    variant : Variant
        What it must be able to do.
    seed : int
        Decides the initial weights. A U-Net starts from the same ones with and without
        dropout or head, and so does the first member of an ensemble.

    Returns
    -------
    Module
        Maps images to logits.
    """
    if variant.members > 1:
        member = partial(build_network, channels, classes, features, replace(variant, members=1))
        seeds = [_member_seed(seed, index) for index in range(variant.members)]
        return Ensemble([member(each, dims, window, u_shape) for each in seeds])
    unet = build_unet(channels, classes, features, seed, dims, window, u_shape)
    if variant.dropout > 0:
        for name in DROPPED_AFTER:
            unet.get_submodule(name).add_module("dropout", SeededDropout(variant.dropout))
    if variant.head is None:
        return unet
    with seeded(_member_seed(seed, 1_000_003)):
        network = UNetWithLossHead(unet, [features[index] for index in (4, 3, 2, 1, 5)])
    network.settings = variant.head
    return network


def _member_seed(seed: int, index: int) -> int:
    """Seed of a member; the first one has the ensemble's own."""
    return seed if index == 0 else int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


def variant_of(network: nn.Module) -> Variant:
    """Tell which variant a network is."""
    if isinstance(network, Ensemble):
        return replace(variant_of(network.members[0]), members=len(network.members))
    dropouts = [layer.p for layer in network.modules() if isinstance(layer, SeededDropout)]
    head = network.settings if isinstance(network, UNetWithLossHead) else None
    return Variant(dropouts[0] if dropouts else 0.0, head)


def continue_from(network: nn.Module, initial: nn.Module) -> nn.Module:
    """Give a network the weights of a trained one, also of another variant.

    What both have is taken over: a U-Net from the first member of an ensemble, every member
    from a single U-Net, a loss head only from another loss head.

    Parameters
    ----------
    network : Module
        As `build_network` made it; it is changed.
    initial : Module
        A trained network of any variant; it is not changed.

    Returns
    -------
    Module
        `network`.

    Raises
    ------
    TrainingError
        If its U-Net has another size.
    """
    if isinstance(network, Ensemble):
        members = list(initial.members) if isinstance(initial, Ensemble) else [initial]
        for index, member in enumerate(network.members):
            continue_from(member, members[index % len(members)])
        return network
    if isinstance(initial, Ensemble):
        return continue_from(network, initial.members[0])
    both = isinstance(network, UNetWithLossHead) and isinstance(initial, UNetWithLossHead)
    target, source = (network, initial) if both else (_unet(network), _unet(initial))
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise TrainingError(
            "The network to go on from has other channels, classes or widths than the one to "
            "train. Use the settings it was trained with, or start from scratch."
        ) from error
    return network


def _pooled(features: torch.Tensor) -> torch.Tensor:
    """Mean of features (m, c, ...) over the image, shape (m, c), in float32."""
    return features.float().mean(dim=tuple(range(2, features.ndim)))


def _unet(network: nn.Module) -> nn.Module:
    return network.unet if isinstance(network, UNetWithLossHead) else network


# ---------------------------------------------------------------- what networks tell
@dataclass(frozen=True, eq=False)
class Outputs:
    """All that a network tells of a batch of images.

    Parameters
    ----------
    logits : Tensor, shape (m, k, h, w)
        In float32.
    features : Tensor, shape (m, f)
        Features of the bottleneck, pooled over the image; those of all members side by side.
    predicted_loss : Tensor, shape (m,), or None
        Only from a network with a loss head; of an ensemble the mean.
    members : Tensor, shape (t, m, k, h, w), or None
        Class probabilities of an ensemble's members.
    """

    logits: torch.Tensor
    features: torch.Tensor
    predicted_loss: torch.Tensor | None = None
    members: torch.Tensor | None = None


def outputs(network: nn.Module, x: torch.Tensor) -> Outputs:
    """Ask a network everything at once.

    Parameters
    ----------
    network : Module
        As `build_network` made it.
    x : Tensor, shape (m, c, h, w)
        Images.
    """
    if isinstance(network, Ensemble):
        each = [outputs(member, x) for member in network.members]
        members = torch.stack([torch.softmax(one.logits, dim=1) for one in each])
        losses = [one.predicted_loss for one in each if one.predicted_loss is not None]
        return Outputs(
            _log_mean(members),
            torch.cat([one.features for one in each], dim=1),
            torch.stack(losses).mean(dim=0) if losses else None,
            members,
        )
    if in_windows(_unet(network), x):  # means over the windows stand for the whole
        parts = [outputs(network, part) for part in windows(_unet(network), x)]
        losses = [part.predicted_loss for part in parts if part.predicted_loss is not None]
        return Outputs(
            network(x).float(),
            torch.stack([part.features for part in parts]).mean(dim=0),
            torch.stack(losses).mean(dim=0) if losses else None,
        )
    logits, features = levels(_unet(network), x)
    predicted = network.head(features) if isinstance(network, UNetWithLossHead) else None
    return Outputs(logits.float(), _pooled(features[0]), predicted)


# ---------------------------------------------------------------- Monte-Carlo dropout
def reseed_dropout(network: nn.Module, *seed: int) -> None:
    """Let the next draws of all dropout layers be decided by these numbers."""
    layers = [layer for layer in network.modules() if isinstance(layer, SeededDropout)]
    if layers:
        states = np.random.SeedSequence(seed).generate_state(len(layers), np.uint64)
        for layer, state in zip(layers, states, strict=True):
            layer.seed = int(state >> np.uint64(1))


def sampling_copy(network: nn.Module) -> nn.Module:
    """Copy a network; in the copy dropout draws and all else, batch norm above all, does not.

    A copy, since other threads predict with the network meanwhile: a slice that is opened while
    suggestions are computed must neither be predicted with dropout nor end theirs.
    """
    copied = copy.deepcopy(network).eval()
    for layer in copied.modules():
        if isinstance(layer, SeededDropout):
            layer.train()
    return copied
