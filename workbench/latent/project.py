"""Maps: the pool drawn on a plane.

A map is a `Projection`: a place for every row, and a way to place other codes,
such as z', among them. Latent axes and PCA are linear and place exactly; on
t-SNE and UMAP a code lies among the rows that are nearest to it in latent space
(quick, and exact at a row: `umap.transform` is neither). Before anything is
trained, a PCA of the pixels serves as a first look.

Nothing here imports torch, so that this first look is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import SettingError
from workbench.jobs import Progress, Work
from workbench.latent.embeddings import kept, tsne_map, umap_map

if TYPE_CHECKING:
    from workbench.latent.space import LatentSpace
    from workbench.training.loop import Images

__all__ = ["Method", "Projection", "latent_axes", "pca", "pixel_pca", "tsne", "umap"]

Method = Literal["axes", "pca", "tsne", "umap", "pixels"]

#: Latent neighbors among which a code is placed on a curved map.
NEIGHBORS = 8
#: Side in pixels to which slices are reduced before the PCA of pixels.
REDUCED_TO = 16


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of the pool.

    Parameters
    ----------
    name : str
        What a person reads on its tab.
    xy : ndarray of float32, shape (n, 2)
        Place of every row; read-only.
    axes : tuple of two str
        Labels of the axes; empty where they mean nothing.
    method : {"axes", "pca", "tsne", "umap", "pixels"}
        How it was made.
    dims : tuple of two int, optional
        The latent dimensions that are shown, counted from 0, if it shows latent axes.
    latent_2d : bool
        Whether it shows a two-dimensional latent space on its own axes: only there a cone
        may be drawn as a wedge.
    placer : callable, optional
        Maps codes, (m, d), to places, (m, 2).
    """

    name: str
    xy: NDArray[np.float32]
    axes: tuple[str, str]
    method: Method
    dims: tuple[int, int] | None = None
    latent_2d: bool = False
    placer: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = field(
        default=None, repr=False
    )

    def __post_init__(self) -> None:
        xy = np.array(self.xy, dtype=np.float32)
        xy.flags.writeable = False
        object.__setattr__(self, "xy", xy)

    def place(self, z: ArrayLike) -> NDArray[np.float32]:
        """Tell where latent codes lie on this map.

        Parameters
        ----------
        z : ndarray of float, shape (m, d)

        Returns
        -------
        ndarray of float32, shape (m, 2)
            At a row's own code, that row's place.

        Raises
        ------
        SettingError
            If the map was not made from latent codes.
        """
        if self.placer is None:
            raise SettingError(
                f"The map {self.name!r} was made from pixels and has no place for a latent code. "
                f"Show the latent axes, PCA, t-SNE or UMAP."
            )
        return np.asarray(self.placer(np.asarray(z, dtype=np.float64)), dtype=np.float32)


def latent_axes(space: LatentSpace, i: int, j: int) -> Projection:
    """Show two dimensions of the latent space, counted from 0.

    Raises
    ------
    SettingError
        If the space has no such dimension.
    """
    d = space.z.shape[1]
    if not (0 <= i < d and 0 <= j < d):
        raise SettingError(
            f"The latent space has dimensions 1 to {d}, and axes {i + 1} and {j + 1} were asked "
            f"for. Choose two of those."
        )

    def placer(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return z[:, [i, j]]

    names = (f"z{i + 1}", f"z{j + 1}")
    own = d == 2 and i != j
    return Projection(
        f"{names[0]}·{names[1]}",
        np.asarray(placer(space.z), np.float32),
        names,
        "axes",
        (i, j),
        own,
        placer,
    )


def pca(space: LatentSpace) -> Projection:
    """Show the plane in which the latent codes differ most; lengths are kept."""
    mean = space.z.mean(axis=0)
    directions, shares = _principal(np.cov(space.z.T, ddof=0).reshape(len(mean), len(mean)))

    def placer(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((z - mean) @ directions)

    return Projection(
        "PCA", np.asarray(placer(space.z), np.float32), _shares("PC", shares), "pca", placer=placer
    )


def tsne(space: LatentSpace, *, seed: int = 0, cache: Path | None = None) -> Work[Projection]:
    """Compute a t-SNE map, or open it; see `workbench.latent.embeddings.tsne_map`."""
    xy = yield from tsne_map(space.z, seed, cache)
    return Projection("t-SNE", xy, ("", ""), "tsne", placer=_Interpolation(space.z, xy))


def umap(space: LatentSpace, *, seed: int = 0, cache: Path | None = None) -> Work[Projection]:
    """Compute a UMAP map, or open it; see `workbench.latent.embeddings.umap_map`."""
    xy = yield from umap_map(space.z, seed, cache)
    return Projection("UMAP", xy, ("", ""), "umap", placer=_Interpolation(space.z, xy))


def pixel_pca(images: Images, *, cache: Path | None = None, chunk: int = 256) -> Work[Projection]:
    """Show the plane in which the slices' pixels differ most, before anything is trained.

    Parameters
    ----------
    images : ImageStore
        n slices; each is reduced to about 16×16 pixels by averaging.
    cache : Path, optional
        Folder of kept maps.
    chunk : int
        Slices that are read at once.

    Returns
    -------
    Projection
        Named ``"pixels"``; it has no place for latent codes.
    """
    xy = yield from kept("pixels", [images.key, REDUCED_TO], cache, _pixel_pca(images, chunk))
    return Projection("pixels", xy, ("PC 1 of pixels", "PC 2 of pixels"), "pixels")


def _pixel_pca(images: Images, chunk: int) -> Work[NDArray[np.float32]]:
    n = len(images.case_of)
    reduced: list[NDArray[np.float32]] = []
    for start in range(0, n, chunk):
        rows = np.arange(start, min(start + chunk, n))
        reduced.append(_reduce(images.read(rows)))
        yield Progress("comparing pixels", int(rows[-1]) + 1, n)
    if not reduced:
        return np.zeros((0, 2), np.float32)
    pixels = np.concatenate(reduced)
    pixels -= pixels.mean(axis=0)
    directions, _ = _principal((pixels.T @ pixels).astype(np.float64) / n)
    return np.asarray(pixels @ directions, dtype=np.float32)


def _reduce(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average blocks of pixels until about 16 are left a side; flatten."""
    if images.ndim == 5:  # of a volume, the mean of its slices
        images = images.mean(axis=2)
    m, c, h, w = images.shape
    by, bx = max(1, h // REDUCED_TO), max(1, w // REDUCED_TO)
    cut = images[:, :, : h // by * by, : w // bx * bx]
    rows = np.add.reduceat(cut, np.arange(0, cut.shape[2], by), axis=2)
    blocks = np.add.reduceat(rows, np.arange(0, cut.shape[3], bx), axis=3)
    flat = blocks.reshape(m, c * blocks.shape[2] * blocks.shape[3]) / (by * bx)
    return np.asarray(np.nan_to_num(flat, posinf=0.0, neginf=0.0), dtype=np.float32)


def _principal(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two directions of most variance, (d, 2), the largest entry positive; and their shares."""
    from scipy.linalg import eigh

    d = len(covariance)
    values, vectors = eigh(covariance, subset_by_index=(max(0, d - 2), d - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(len(largest))] < 0, -1.0, 1.0)
    if d == 1:
        values, vectors = np.append(values, 0.0), np.column_stack([vectors, np.zeros(1)])
    total = max(float(np.trace(covariance)), np.finfo(float).tiny)
    return vectors, np.maximum(values, 0.0) / total


def _shares(name: str, shares: NDArray[np.float64]) -> tuple[str, str]:
    return (f"{name} 1 ({shares[0]:.0%})", f"{name} 2 ({shares[1]:.0%})")


class _Interpolation:
    """Place codes among the rows that are nearest in latent space.

    Shepard's weights, (1/r − 1/R)² with R the distance of the farthest neighbor looked at:
    a neighbor comes and goes without a jump while a code moves.
    """

    def __init__(self, z: NDArray[np.float64], xy: NDArray[np.float32]) -> None:
        self._z, self._xy = z, xy.astype(np.float64)
        self._tree: Any = None

    def __call__(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        placed = np.empty((len(z), 2))
        for start in range(0, len(z), 64):
            part = slice(start, start + 64)
            near, away = self._nearest(z[part])
            exact = away[:, 0] == 0
            with np.errstate(divide="ignore", invalid="ignore"):
                weights = (1.0 / away - 1.0 / away[:, -1:]) ** 2
            weights[exact] = 0.0
            weights[exact, 0] = 1.0
            flat = ~(weights.sum(axis=1) > 0)  # all neighbors equally far
            weights[flat] = 1.0
            weights /= weights.sum(axis=1, keepdims=True)
            placed[part] = (weights[:, :, None] * self._xy[near]).sum(axis=1)
        return placed

    def _nearest(self, z: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        k = min(NEIGHBORS + 1, len(self._z))
        if self._z.shape[1] <= 10:
            from scipy.spatial import cKDTree

            if self._tree is None:
                self._tree = cKDTree(self._z)
            _, near = self._tree.query(z, k=k)
            near = near.reshape(len(z), k)
        else:
            ranks = (self._z**2).sum(axis=1) - 2.0 * z @ self._z.T
            near = np.argpartition(ranks, k - 1, axis=1)[:, :k]
        away = np.sqrt(((self._z[near] - z[:, None]) ** 2).sum(axis=2))
        order = np.lexsort((near, away), axis=1)  # the lower row first among equals
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(away, order, axis=1)
