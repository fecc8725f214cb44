"""Small networks and images with the interfaces that probes use."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from workbench.models.compute import Compute

COMPUTE = Compute(precision="float32", channels_last=False, threads=1)


class TinyImages:
    """A store of random pictures in memory."""

    key = "tiny"
    channels = ("a", "b")

    def __init__(self, n=12, size=16, seed=0):
        rng = np.random.default_rng(seed)
        self.pixels = rng.normal(size=(n, 2, size, size)).astype(np.float32)
        self.case_of = np.zeros(n, dtype=np.int32)

    def read(self, rows):
        return self.pixels[np.asarray(rows, dtype=np.int64)]


class TinyLabels:
    """Discs of two classes."""

    key = "tiny labels"
    classes = ("background", "core", "rim")
    regions = {"all": (1, 2)}  # noqa: RUF012

    def __init__(self, images):
        n, _, h, w = images.pixels.shape
        self.available = np.ones(n, dtype=bool)
        y, x = np.mgrid[:h, :w]
        radius = np.hypot(y - h / 2, x - w / 2)
        self.maps = np.stack(
            [(radius < 3 + i % 4).astype(np.uint8) + (radius < 2) for i in range(n)]
        ).astype(np.uint8)

    def read(self, rows):
        return self.maps[np.asarray(rows, dtype=np.int64)]


def tiny_unet(seed=0):
    """Convolutions with batch norm, in training mode as after training."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Softplus(), nn.Conv2d(8, 3, 1)
    )
    net(torch.randn(16, 2, 16, 16))  # running statistics unlike the initial ones
    return net.train()


class TinyVAE(nn.Module):
    """An encoder that is smooth and not linear."""

    def __init__(self, z_dim=3, size=16, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.z_dim = z_dim
        self.inner = nn.Linear(2 * size * size, 32)
        self.to_mean = nn.Linear(32, z_dim)
        self.from_z = nn.Linear(z_dim, 2 * size * size)
        self.size = size

    def encode(self, x):
        inner = torch.nn.functional.leaky_relu(self.inner(x.contiguous().flatten(1)), 0.01)
        mean = self.to_mean(inner)
        return mean, torch.zeros_like(mean)

    def decode(self, z):
        return self.from_z(z).unflatten(1, (2, self.size, self.size))
