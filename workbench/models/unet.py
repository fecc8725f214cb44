"""The segmentation networks of the papers: a plain U-Net in 2-D or 3-D, from MONAI, and a U-shape.

Dai 2020 and 2022 use widths 32-64-128-256 with a bottleneck of 512, two 3×3
convolutions in a block, batch norm, ReLU, max-pooling and transposed
convolutions; MONAI's ``BasicUNet`` is that network. The effort paper's has the same
levels and no batch norm, and doubles its channels before a pooling, not after it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from workbench.errors import SettingError

__all__ = ["PAPER_FEATURES", "build_unet", "in_windows", "levels", "seeded", "windows"]

#: Share of a window's side that it has in common with the next.
OVERLAP = 0.25

ACTIVATION = ("relu", {"inplace": True})

#: Widths of Dai 2020 and 2022; the last is the width before the final 1×1 convolution.
PAPER_FEATURES = (32, 64, 128, 256, 512, 32)


class seeded:  # noqa: N801 - reads as a phrase: with seeded(3)
    """Context in which torch's random numbers start from a seed, and go on unchanged after.

    Parameters
    ----------
    seed : int
        Start of the random numbers inside.
    """

    def __init__(self, seed: int) -> None:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        self._fork = torch.random.fork_rng(devices=list(devices))
        self._seed = seed

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: object) -> None:
        self._fork.__exit__(None, None, None)


def build_unet(
    channels: int,
    classes: int,
    features: Sequence[int] = PAPER_FEATURES,
    seed: int = 0,
    dims: int = 2,
    window: Sequence[int] | None = None,
    u_shape: bool = False,
) -> nn.Module:
    """Build a U-Net whose initial weights are decided by its seed.

    Parameters
    ----------
    channels : int
        Channels of the images, at least 1.
    classes : int
        Classes of the label maps, background included; at least 2.
    features : sequence of six int
        Widths of the five levels from the top, and of the last layer.
    seed : int
        Decides the initial weights; torch's own random numbers are not disturbed.
    dims : {2, 3}
        Of slices, or of volumes.
    window : sequence of int, optional
        In eval mode larger images are predicted in overlapping windows of this size, whose
        logits are averaged with Gaussian weights; multiples of 16. Not given: whole.
    u_shape : bool
        The network of the effort paper: its channels double before a pooling, and it has no
        batch norm.

    Returns
    -------
    Module
        Maps images (m, c, h, w), or (m, c, d, h, w), whose sides are at least 16, to logits of k
        channels.

    Raises
    ------
    SettingError
        If there are fewer than two classes, no channel, or not six widths.
    """
    if classes < 2:
        raise SettingError(
            f"The label maps have {classes} class. Segmentation needs the background and at least "
            f"one foreground class; check that the cohort's labels name one."
        )
    if channels < 1 or len(features) != 6 or min(features) < 1:
        raise SettingError(
            f"A U-Net of {channels} channels and widths {tuple(features)} cannot be built. Give at "
            f"least one channel and six positive widths, such as {PAPER_FEATURES}."
        )
    with seeded(seed):
        network: nn.Module = _unet_class()(
            spatial_dims=dims,
            in_channels=channels,
            out_channels=classes,
            features=tuple(features),
            act=ACTIVATION,
            norm=None if u_shape else "batch",
            upsample="deconv",
        )
        if u_shape:
            _u_shape(network, dims, channels, features)
    network.register_forward_pre_hook(_pad_where_needed)
    network.window = None if window is None else tuple(window)  # type: ignore[assignment]
    return network


def _u_shape(network: nn.Module, dims: int, channels: int, features: Sequence[int]) -> None:
    """Make the U-shape of the effort paper (§2.1, fig. 4) of a U-Net without batch norm.

    The first convolution of a level keeps the channels that come in (of the first level: makes
    half of its width), the second doubles them, before the pooling. A transposed convolution
    keeps its channels too, as in Çiçek et al. 2016, whom the paper follows in this. Weights
    are Glorot uniform and biases 0, as in Keras.
    """
    from monai.networks.blocks.convolutions import Convolution
    from monai.networks.nets.basic_unet import UpCat

    def conv(into: int, out: int) -> nn.Module:
        made: nn.Module = Convolution(dims, into, out, act=ACTIVATION, norm=None, padding=1)
        return made

    widths = [features[0] // 2 or 1, *features[:5]]
    blocks = ["conv_0", *(f"down_{level}.convs" for level in (1, 2, 3, 4))]
    for name, before, after in zip(blocks, widths, widths[1:], strict=False):
        block = network.get_submodule(name)
        block.conv_0 = conv(channels if name == "conv_0" else before, before)
        block.conv_1 = conv(before, after)
    for level in (4, 3, 2, 1):
        out = features[5] if level == 1 else features[level - 1]
        made = UpCat(
            dims,
            features[level],
            features[level - 1],
            out,
            ACTIVATION,
            None,  # type: ignore[arg-type]
            True,
            halves=False,
        )
        setattr(network, f"upcat_{level}", made)
    for layer in network.modules():
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if isinstance(weight, nn.Parameter):
            nn.init.xavier_uniform_(weight)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)


@functools.cache
def _unet_class() -> type[nn.Module]:
    """MONAI's U-Net, that can predict in windows."""
    from monai.inferers.utils import sliding_window_inference
    from monai.networks.nets.basic_unet import BasicUNet  # takes seconds to import

    class UNet(BasicUNet):
        window: tuple[int, ...] | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            whole = super().forward
            logits: torch.Tensor
            if self.window is None or not in_windows(self, x):
                logits = whole(x)
            else:
                logits = sliding_window_inference(  # type: ignore[assignment]
                    x, self.window, 1, lambda part: whole(part).float(), OVERLAP, "gaussian"
                )
            return logits

    return UNet


def in_windows(network: nn.Module, x: torch.Tensor) -> bool:
    """Tell whether a U-Net predicts these images in windows."""
    window: tuple[int, ...] | None = getattr(network, "window", None)
    if window is None or network.training:
        return False
    return any(have > side for have, side in zip(x.shape[2:], window, strict=True))


def windows(network: nn.Module, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Iterate over the windows of images that a U-Net predicts in windows."""
    from monai.data.utils import dense_patch_slices

    sides = x.shape[2:]
    size = [min(side, have) for side, have in zip(network.window, sides, strict=True)]  # type: ignore[arg-type]
    steps = [max(int(side * (1 - OVERLAP)), 1) for side in size]
    for cut in dense_patch_slices(sides, size, steps):
        yield x[(slice(None), slice(None), *cut)]


def levels(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return what the network says of images, and the features that led to it.

    Parameters
    ----------
    network : Module
        As `build_unet` made it.
    x : Tensor, shape (m, c, ...)
        Images.

    Returns
    -------
    logits : Tensor, shape (m, k, ...)
        Those of ``network(x)``.
    features : list of five Tensor
        Those of the bottleneck, then of each level of the expanding path, upwards.
    """
    _pad_where_needed(network, (x,))
    passed = [network.get_submodule("conv_0")(x)]
    for name in ("down_1", "down_2", "down_3", "down_4"):
        passed.append(network.get_submodule(name)(passed[-1]))
    features = [passed.pop()]
    for name in ("upcat_4", "upcat_3", "upcat_2", "upcat_1"):
        features.append(network.get_submodule(name)(features[-1], passed.pop()))
    logits: torch.Tensor = network.get_submodule("final_conv")(features[-1])
    return logits, features


def _pad_where_needed(network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    # MONAI pads before every concatenation, also by nothing, and each of these copies loses the
    # channels-last format: 40 % of a training step. Sizes that halve four times need no padding.
    odd = any(side % 16 for side in inputs[0].shape[2:])
    for level in ("upcat_4", "upcat_3", "upcat_2", "upcat_1"):
        getattr(network, level).is_pad = odd
