"""Ask the model in which direction a labeled sample would become harder.

The gradient of a sample's own loss with respect to its image is integrated into
the image, x' = x + α ĝ, and the manifold says where that leads: from z = enc(x)
to z' = enc(x') (Dai 2020 eq. 3, Dai 2022 eq. 4). Gradients are computed once;
z'(α) is then encoded for any α, exactly or, while a slider moves, interpolated.

A raw Dice gradient is tiny. The papers' α moves z by a millionth of the
distance between neighbors, which float32 cannot resolve: there z' − z would be
rounding noise without direction. So a sample that moves by less than
`RESOLVED` neighbor distances is encoded in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.cohort.label_maps import foreground
from workbench.cohort.label_source import LabelSource
from workbench.errors import SettingError
from workbench.jobs import Progress, Work, finish
from workbench.latent.calibration import find_step
from workbench.latent.gradients import Variation, input_gradients, lengths, scale_gradients
from workbench.latent.space import encode_batch
from workbench.models.compute import Compute
from workbench.models.vae import VAE
from workbench.training.loop import Images, at_once, in_order
from workbench.training.losses import DICE, DiceLoss

__all__ = ["RESOLVED", "Probe", "compute_probe"]

#: Displacement in neighbor distances below which codes are encoded in float64.
RESOLVED = 0.01
#: Values of α in the grid that `Probe.interpolate` reads.
GRID_POINTS = 17
#: Median ‖α ĝ‖ / ‖x‖ at both ends of the grid: about 0.02 and 60 neighbor distances.
GRID_ENDS = (0.01, 30.0)
#: Sources that calibration looks at, at most.
CALIBRATION_SOURCES = 64


@dataclass(eq=False)
class Probe:
    """Input gradients of labeled samples, and where they lead in latent space.

    Parameters
    ----------
    sources : ndarray of int, shape (m,)
        Rows of the pool.
    z : ndarray of float64, shape (m, d)
        Latent code of each source.
    gradients : ndarray of float32, shape (m, c, h, w)
        Gradient of each sample's own loss with respect to its image, as it is.
    losses : ndarray of float64, shape (m,)
        The loss of each source.
    marked : ndarray of bool, shape (m,)
        Which sources have foreground in their label.
    images : ImageStore
        Where the sources are read from.
    vae : VAE
        The manifold.
    compute : Compute
        Device and threads.
    neighbor_distance : float
        u, in latent units: what displacements are told in, and what decides whether a source
        is encoded in float64.
    lengths : mapping of str to ndarray of float64, shape (m,)
        Euclidean length of each ``"image"``, and of its gradient in each scale.
    batch : int
        Images that are encoded at once.
    """

    sources: NDArray[np.int64]
    z: NDArray[np.float64]
    gradients: NDArray[np.float32]
    losses: NDArray[np.float64]
    marked: NDArray[np.bool_]
    images: Images
    vae: VAE
    compute: Compute
    neighbor_distance: float
    lengths: Mapping[str, NDArray[np.float64]]
    batch: int = 128
    _exact_vae: VAE | None = field(default=None, repr=False)
    _exact_z: dict[int, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    _curves: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.sources)

    def at(self, alpha: float, scale: str = "l2") -> NDArray[np.float64]:
        """Encode the sources after a step along their gradients.

        Parameters
        ----------
        alpha : float
            Length of the step, at least 0.
        scale : {"raw", "l2", "sign"}
            How gradients are scaled first.

        Returns
        -------
        ndarray of float64, shape (m, d)
            z'. Where a source moves by less than `RESOLVED` u, it is z plus the difference
            of two float64 encodings; a source whose gradient is zero stays where it is.

        Raises
        ------
        SettingError
            If alpha or the scale is out of range.
        """
        _check(alpha, scale)
        return self._encoded(alpha, scale, np.arange(len(self)))

    def interpolate(self, alpha: float, scale: str = "l2") -> NDArray[np.float64]:
        """Estimate what `at` returns, fast enough to follow a slider.

        Reads a curve (z' − z) / α over log α through `GRID_POINTS` exact values, which are
        computed at the first use of a scale (see `prepare`). Beyond its ends the curve is
        constant: there z' is linear in α.

        Returns
        -------
        ndarray of float64, shape (m, d)
        """
        _check(alpha, scale)
        if len(self) == 0 or alpha == 0:
            return self.z.copy()
        if scale not in self._curves:
            finish(self.prepare((scale,)))
        low, high, curve = self._curves[scale]
        slopes: NDArray[np.float64] = curve(np.clip(np.log(alpha), low, high))
        return self.z + alpha * slopes

    def prepare(self, scales: Sequence[str]) -> Work[None]:
        """Compute the curves that `interpolate` reads, those that are not known yet."""
        from scipy.interpolate import PchipInterpolator

        for scale in scales:
            if scale in self._curves or len(self) == 0:
                continue
            unit = max(self.relative_step(1.0, scale), 1e-300)
            low, high = (float(np.log(end / unit)) for end in GRID_ENDS)
            grid = np.linspace(low, high, GRID_POINTS)
            slopes = np.empty((GRID_POINTS, *self.z.shape))
            for number, log_alpha in enumerate(grid):
                alpha = float(np.exp(log_alpha))
                slopes[number] = (self.at(alpha, scale) - self.z) / alpha
                yield Progress(f"tabulating the step ({scale})", number + 1, GRID_POINTS)
            self._curves[scale] = (low, high, PchipInterpolator(grid, slopes, axis=0))

    def calibrate(self, displacement: float, scale: str = "l2") -> float:
        """Find the α that moves the sources as far as is wished.

        Parameters
        ----------
        displacement : float
            Median of ‖z' − z‖ over the sources that move at all, in neighbor distances; above 0.
        scale : {"raw", "l2", "sign"}
            How gradients are scaled.

        Returns
        -------
        float
            By bisection of log α, to half a percent, on at most 64 sources. If no
            source has a gradient, no α moves anything, and 1 is returned.

        Raises
        ------
        SettingError
            If the displacement is not above 0.
        TrainingError
            If no step is long enough: the manifold answers to no change of the image.
        """
        _check(1.0, scale)
        if not 0 < displacement < np.inf:
            raise SettingError(
                f"The displacement to calibrate for is {displacement!r}. It is a number of "
                f"neighbor distances above 0; 2 is a good start."
            )
        moving = np.flatnonzero(self.lengths["l2"] > 0)
        if len(moving) == 0:
            return 1.0
        spread = np.linspace(0, len(moving) - 1, min(len(moving), CALIBRATION_SOURCES))
        chosen = moving[spread.astype(int)]
        target = displacement * self.neighbor_distance

        def moved(alpha: float) -> float:
            shifted = self._encoded(alpha, scale, chosen)
            return float(np.median(np.linalg.norm(shifted - self.z[chosen], axis=1)))

        return find_step(moved, target, start=1.0 / self.relative_step(1.0, scale))

    def displacement(self, shifted: NDArray[np.float64]) -> float:
        """Tell how far the sources move.

        Parameters
        ----------
        shifted : ndarray of float64, shape (m, d)
            z'.

        Returns
        -------
        float
            Median of ‖z' − z‖ in neighbor distances; NaN without sources.
        """
        if len(self) == 0:
            return float("nan")
        moved = float(np.median(np.linalg.norm(shifted - self.z, axis=1)))
        return moved / self.neighbor_distance

    def relative_step(self, alpha: float, scale: str = "l2") -> float:
        """Tell how large the step is beside the image.

        Returns
        -------
        float
            Median of ‖α ĝ‖ / ‖x‖ over the sources whose gradient is not zero; near 1, x'
            looks like noise. 0 if there is none.
        """
        moving = self.lengths["l2"] > 0
        if not moving.any():
            return 0.0
        image = np.maximum(self.lengths["image"][moving], np.finfo(float).tiny)
        return float(alpha * np.median(self.lengths[scale][moving] / image))

    def shifted_images(
        self, alpha: float, scale: str = "l2", which: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Return the images x' = x + α ĝ of some sources.

        Parameters
        ----------
        alpha, scale
            As in `at`.
        which : int or array of int, optional
            Indices from 0 to m − 1; all by default.

        Returns
        -------
        ndarray of float32, shape (number of indices, c, h, w)
        """
        _check(alpha, scale)
        index = np.arange(len(self)) if which is None else np.atleast_1d(np.asarray(which))
        step = scale_gradients(self.gradients[index], scale)
        shifted = self.images.read(self.sources[index]) + alpha * step
        return np.asarray(shifted, dtype=np.float32)

    # ------------------------------------------------------------ encoding
    def _encoded(self, alpha: float, scale: str, index: NDArray[np.int64]) -> NDArray[np.float64]:
        shifted = self.z[index].copy()
        for part, _ in in_order(len(index), at_once(self.images, self.batch)):
            images = self.shifted_images(alpha, scale, index[part])
            shifted[part] = encode_batch(self.vae, images, self.compute)
        still = (self.lengths["l2"][index] == 0) | (alpha == 0)
        shifted[still] = self.z[index[still]]
        moved = np.linalg.norm(shifted - self.z[index], axis=1)
        blurred = ~still & (moved < RESOLVED * self.neighbor_distance)
        if blurred.any():
            shifted[blurred] = self._finely(alpha, scale, index[blurred])
        return shifted

    def _finely(self, alpha: float, scale: str, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Encode x and x' in float64; return z plus their difference."""
        vae = self._exact_vae
        if vae is None:
            self._exact_vae = vae = copy.deepcopy(self.vae).double().eval()
        shifted = np.empty((len(index), self.z.shape[1]))
        for part, _ in in_order(len(index), at_once(self.images, self.batch)):
            chosen = index[part]
            x = self.images.read(self.sources[chosen]).astype(np.float64)
            unknown = [k for k, i in enumerate(chosen) if int(i) not in self._exact_z]
            if unknown:
                codes = encode_batch(vae, x[unknown], self.compute)
                for k, code in zip(unknown, codes, strict=True):
                    self._exact_z[int(chosen[k])] = code
            before = np.stack([self._exact_z[int(i)] for i in chosen])
            step = scale_gradients(self.gradients[chosen].astype(np.float64), scale)
            difference = encode_batch(vae, x + alpha * step, self.compute) - before
            shifted[part] = self.z[chosen] + difference
        return shifted


def compute_probe(
    model: nn.Module,
    vae: VAE,
    images: Images,
    labels: LabelSource,
    rows: ArrayLike,
    *,
    compute: Compute,
    criterion: DiceLoss = DICE,
    variation: Variation | None = None,
    neighbor_distance: float | None = None,
    grid: Sequence[str] = (),
    batch: int = 32,
) -> Work[Probe]:
    """Compute input gradients and latent codes of labeled samples.

    Parameters
    ----------
    model, images, labels, rows, compute, criterion, variation, batch
        As in `workbench.latent.gradients.input_gradients`.
    vae : VAE
        The manifold; in eval mode afterwards.
    neighbor_distance : float, optional
        u of the latent space. Without it the spread of the sources stands in, which is
        larger: then more is encoded in float64 than needed.
    grid : sequence of {"raw", "l2", "sign"}
        Scales whose interpolation curves are computed now, not at their first use.

    Returns
    -------
    Probe

    Raises
    ------
    TrainingError
        If a gradient is not finite.
    """
    sources = np.asarray(rows, dtype=np.int64).reshape(-1)
    gradients, losses = yield from input_gradients(
        model,
        images,
        labels,
        sources,
        compute=compute,
        criterion=criterion,
        variation=variation,
        batch=batch,
    )
    vae = compute.place(vae).eval()
    z = np.empty((len(sources), vae.z_dim))
    image_lengths = np.empty(len(sources))
    marked = np.zeros(len(sources), dtype=bool)
    for part, done in in_order(len(sources), at_once(images, batch)):
        pixels = images.read(sources[part])
        z[part] = encode_batch(vae, pixels, compute)
        image_lengths[part] = lengths(pixels)
        masks = foreground(labels.read(sources[part]))
        marked[part] = masks.reshape(len(masks), -1).any(axis=1)
        yield Progress("encoding the sources", done, len(sources))
    if neighbor_distance is None:
        neighbor_distance = float(np.linalg.norm(z.std(axis=0))) if len(z) > 1 else 1.0
    length = lengths(gradients)
    changed = np.count_nonzero(gradients, axis=tuple(range(1, gradients.ndim)))
    probe = Probe(
        sources=sources,
        z=z,
        gradients=gradients,
        losses=losses,
        marked=marked,
        images=images,
        vae=vae,
        compute=compute,
        neighbor_distance=neighbor_distance,
        lengths={
            "image": image_lengths,
            "raw": length,
            "l2": (length > 0).astype(np.float64),
            "sign": np.sqrt(changed.astype(np.float64)),
        },
    )
    yield from probe.prepare(grid)
    return probe


def _check(alpha: float, scale: str) -> None:
    if not 0 <= alpha < np.inf:
        raise SettingError(
            f"alpha is {alpha!r}. It is the step along the gradient, a number of at least 0."
        )
    if scale not in ("raw", "l2", "sign"):
        raise SettingError(f"The gradient scale is {scale!r}. Choose one of: raw, l2, sign.")
