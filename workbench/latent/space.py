"""The latent space: where each slice of the pool lies on the data manifold.

A slice's latent code z is the mean of q(z|x), never a random draw, encoded in
float32 whatever the training ran in. Distances on the manifold are told in
*neighbor distances*: the unit u is the median distance of a slice to its
nearest other one, and stays fixed until the VAE is trained anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.vae import VAE
from workbench.training.loop import Images, at_once, in_order
from workbench.training.manifold import ACTIVE_ABOVE

__all__ = [
    "LatentSpace",
    "encode",
    "encode_batch",
    "neighbor_distance",
    "reconstruct",
    "traverse",
]

#: Above so many dimensions a k-d tree is slower than comparing all pairs.
TREE_UP_TO = 6


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """Latent codes of a pool.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Code of every row; read-only.
    active_dims : int
        Dimensions in which images differ, 0 to d.
    neighbor_distance : float
        u: median distance of a distinct code to the nearest other one, in latent units.
    """

    z: NDArray[np.float64]
    active_dims: int
    neighbor_distance: float

    def __post_init__(self) -> None:
        z = np.array(self.z, dtype=np.float64)
        z.flags.writeable = False
        object.__setattr__(self, "z", z)

    @classmethod
    def of(cls, z: NDArray[np.floating]) -> LatentSpace:
        """Measure the space of codes, shape (n, d)."""
        codes = np.asarray(z, dtype=np.float64)
        active = int((codes.var(axis=0) > ACTIVE_ABOVE).sum()) if len(codes) else 0
        return cls(codes, active, neighbor_distance(codes))


def encode(vae: VAE, images: Images, compute: Compute, batch: int = 256) -> Work[LatentSpace]:
    """Encode every image of a store, in float32.

    Parameters
    ----------
    vae : VAE
        In eval mode afterwards.
    images : ImageStore
        n slices or volumes.
    compute : Compute
        Device and threads; its precision is for training and not used here.
    batch : int
        Slices that are encoded at once; fewer volumes.

    Returns
    -------
    LatentSpace
    """
    n = len(images.case_of)
    vae = compute.place(vae).eval()
    codes: list[NDArray[np.float64]] = []
    for part, done in in_order(n, at_once(images, batch)):
        codes.append(encode_batch(vae, images.read(np.arange(n)[part]), compute))
        yield Progress("encoding the images", done, n)
    z = np.concatenate(codes) if codes else np.empty((0, vae.z_dim))
    yield Progress("measuring the latent space", n, n)
    return LatentSpace.of(z)


def encode_batch(vae: VAE, images: NDArray[np.floating], compute: Compute) -> NDArray[np.float64]:
    """Encode some images, (m, c, h, w), in the type of the weights: z of shape (m, d)."""
    vae = compute.place(vae)
    with torch.inference_mode():
        mean, _ = vae.encode(compute.tensor(images))
    codes: NDArray[np.float64] = mean.double().cpu().numpy()
    return codes


def neighbor_distance(z: NDArray[np.float64]) -> float:
    """Measure the unit u of a latent space.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Latent codes; equal rows count once.

    Returns
    -------
    float
        Median distance of a code to the nearest other one; 1 where no two codes differ.
    """
    distinct = np.unique(z, axis=0)
    if len(distinct) < 2:
        return 1.0
    if z.shape[1] <= TREE_UP_TO or len(distinct) < 3000:
        from scipy.spatial import cKDTree

        nearest = cKDTree(distinct).query(distinct, k=2, workers=-1)[0][:, 1]
        return float(np.median(nearest))
    squares = (distinct**2).sum(axis=1)
    nearest = np.empty(len(distinct))
    for start in range(0, len(distinct), 512):
        part = distinct[start : start + 512]
        # |a|² - 2ab ranks the candidates; the winner's distance is then computed directly
        ranks = part @ distinct.T
        ranks *= -2.0
        ranks += squares
        ranks[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        other = distinct[ranks.argmin(axis=1)]
        nearest[start : start + 512] = np.sqrt(((part - other) ** 2).sum(axis=1))
    return float(np.median(nearest))


def reconstruct(vae: VAE, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Encode and decode images: what the manifold keeps of them.

    Parameters
    ----------
    vae : VAE
        In eval mode afterwards.
    images : ndarray of float32, shape (m, c, h, w)

    Returns
    -------
    ndarray of float32, shape (m, c, h, w)
    """
    weight = next(vae.parameters())
    with torch.inference_mode():
        mean, _ = vae.eval().encode(torch.as_tensor(images).to(weight))
        decoded: NDArray[np.float32] = vae.decode(mean).float().cpu().numpy()
    return decoded


def traverse(vae: VAE, space: LatentSpace, steps: int = 7) -> NDArray[np.float32]:
    """Decode a walk along each latent axis, through the middle of the pool.

    Parameters
    ----------
    vae : VAE
        In eval mode afterwards.
    space : LatentSpace
        Each walk leads from the 2nd to the 98th percentile of its axis; the other
        dimensions stay at their median.
    steps : int
        Pictures of a walk, at least 2.

    Returns
    -------
    ndarray of float32, shape (d, steps, c, h, w)
    """
    d = space.z.shape[1]
    codes = np.tile(np.median(space.z, axis=0), (d, steps, 1))
    for axis in range(d):
        low, high = np.percentile(space.z[:, axis], (2, 98))
        codes[axis, :, axis] = np.linspace(low, high, steps)
    weight = next(vae.parameters())
    with torch.inference_mode():
        decoded = vae.eval().decode(torch.as_tensor(codes.reshape(-1, d)).to(weight))
    pictures: NDArray[np.float32] = decoded.float().cpu().numpy()
    return pictures.reshape(d, steps, *pictures.shape[1:])
