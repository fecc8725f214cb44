"""The data manifold: a short variational autoencoder.

Four levels with one residual block each, batch norm and leaky ReLU of slope
0.01 (Dai 2022 §3.2). The latent code of an image is the mean of q(z|x), never a
random draw, so that the same image always lies at the same place of the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from workbench.errors import SettingError
from workbench.models.unet import seeded

__all__ = ["PAPER_WIDTH", "VAE", "build_vae"]

#: Widths of the four levels where nothing else is asked for.
PAPER_WIDTH = (32, 64, 128, 256)

_SLOPE = 0.01


class _Layers(NamedTuple):
    """The layers of networks of one dimension."""

    conv: type[nn.Module]
    transposed: type[nn.Module]
    norm: type[nn.Module]


#: By the number of axes of an image.
_LAYERS = {
    2: _Layers(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d),
    3: _Layers(nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d),
}


class _Residual(nn.Module):
    """Two convolutions of width 3 around which the input is carried past."""

    def __init__(self, width: int, layers: _Layers) -> None:
        super().__init__()
        self.body = nn.Sequential(
            layers.conv(width, width, 3, padding=1, bias=False),
            layers.norm(width),
            nn.LeakyReLU(_SLOPE),
            layers.conv(width, width, 3, padding=1, bias=False),
            layers.norm(width),
        )
        self.activation = nn.LeakyReLU(_SLOPE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.activation(x + self.body(x))
        return result


class VAE(nn.Module):
    """Variational autoencoder of images of one size.

    Parameters
    ----------
    channels : int
        Channels of the images.
    size : tuple of int
        Height and width of slices, or depth, height and width of volumes; each a multiple of 16.
    z_dim : int
        Latent dimensions, at least 1.
    width : sequence of four int
        Channels of the four levels, from the image inwards.

    Raises
    ------
    SettingError
        If the size is no multiple of 16 or another setting is out of range.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, ...],
        z_dim: int,
        width: Sequence[int] = PAPER_WIDTH,
    ) -> None:
        super().__init__()
        if any(side < 16 or side % 16 for side in size):
            raise SettingError(
                f"Images of {'×'.join(map(str, size))} do not fit the autoencoder, which halves "
                f"them four times. Give the recipe a size whose sides are multiples of 16."
            )
        if z_dim < 1 or channels < 1 or len(width) != 4:
            raise SettingError(
                f"An autoencoder with {channels} channels, {z_dim} latent dimensions and widths "
                f"{tuple(width)} cannot be built. Each must be at least 1, with four widths."
            )
        self.channels, self.size, self.z_dim, self.width = channels, size, z_dim, tuple(width)
        self._inner = (width[-1], *(side // 16 for side in size))
        flat = math.prod(self._inner)
        layers = _LAYERS[len(size)]

        down: list[nn.Module] = []
        before = channels
        for after in width:
            down += [
                layers.conv(before, after, 3, stride=2, padding=1, bias=False),
                layers.norm(after),
                nn.LeakyReLU(_SLOPE),
                _Residual(after, layers),
            ]
            before = after
        self.encoder = nn.Sequential(*down)
        self.to_mean = nn.Linear(flat, z_dim)
        self.to_logvar = nn.Linear(flat, z_dim)

        self.from_z = nn.Linear(z_dim, flat)
        up: list[nn.Module] = []
        for before, after in zip(width[::-1], (*width[-2::-1], width[0]), strict=True):
            up += [
                _Residual(before, layers),
                layers.transposed(before, after, 2, stride=2, bias=False),
                layers.norm(after),
                nn.LeakyReLU(_SLOPE),
            ]
        self.decoder = nn.Sequential(*up, layers.conv(width[0], channels, 3, padding=1))

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance of q(z|x), each (m, d), for images (m, c, ...)."""
        inner = self.encoder(x).contiguous().flatten(1)
        return self.to_mean(inner), self.to_logvar(inner)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return the images (m, c, ...) at latent codes (m, d)."""
        image: torch.Tensor = self.decoder(self.from_z(z).unflatten(1, self._inner))
        return image

    def forward(
        self, x: torch.Tensor, noise: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode and decode images.

        Parameters
        ----------
        x : Tensor, shape (m, c, ...)
        noise : Tensor, shape (m, d), optional
            Standard normal draws for the reparameterization; without it the mean is decoded.

        Returns
        -------
        reconstruction, mean, logvar : Tensor
            Shapes (m, c, ...), (m, d) and (m, d).
        """
        mean, logvar = self.encode(x)
        z = mean if noise is None else mean + noise * torch.exp(0.5 * logvar)
        return self.decode(z), mean, logvar


def build_vae(
    channels: int,
    size: tuple[int, ...],
    z_dim: int,
    width: Sequence[int] = PAPER_WIDTH,
    seed: int = 0,
) -> VAE:
    """Build a `VAE` whose initial weights are decided by its seed; parameters as there."""
    with seeded(seed):
        return VAE(channels, size, z_dim, width)
