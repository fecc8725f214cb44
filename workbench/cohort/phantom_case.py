"""Draw one brain with a tumor in four contrasts.

The anatomy is the ICBM 2009 template (probabilities of gray and white matter),
scaled, rotated, warped and pushed aside by the tumor. The tumor is a few
irregular levels around a center: a necrotic part, an enhancing rim, and edema
that follows the white matter. Intensities come from a table of tissues, then
texture, harmless bright spots, vessels, a bias field and noise make the task
one that has to be learned. Everything is drawn from one random generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["CHANNELS", "SHAPE", "SITES", "SPACING", "TUMORS", "Site", "Templates", "draw_case"]

Array = NDArray[np.float32]

CHANNELS = ("t1", "t1ce", "t2", "flair")
SHAPE = (64, 64, 45)
SPACING = 3.0  # mm
#: Center of the drawn field of view in the template, mm (ICBM coordinates).
CENTER = np.array([0.0, -19.0, 6.0])


@dataclass(frozen=True, eq=False)
class Templates:
    """The template's tissue maps at 1 mm.

    Parameters
    ----------
    gray, white, mask : ndarray of float32, shape (x, y, z)
        Share of each tissue in a voxel, and of brain, from 0 to 1.
    detail : ndarray of float32, shape (x, y, z)
        The T1 template, 1 in bright white matter.
    origin : ndarray, shape (3,)
        Position of voxel (0, 0, 0), mm.
    """

    gray: Array
    white: Array
    mask: Array
    detail: Array
    origin: NDArray[np.float64]


@dataclass(frozen=True)
class Site:
    """How the scanners of one hospital differ from those of another.

    ``gain`` is the intensity of white matter in each contrast, ``gamma`` bends the
    intensities, ``noise`` and ``bias`` are relative strengths.
    """

    gain: Mapping[str, float]
    gamma: float
    noise: float
    bias: float


SITES: Mapping[str, Site] = {
    "CBICA": Site({"t1": 620, "t1ce": 840, "t2": 510, "flair": 380}, 1.0, 0.030, 0.10),
    "TCIA": Site({"t1": 310, "t1ce": 390, "t2": 900, "flair": 640}, 1.12, 0.040, 0.15),
}

# Intensity of CSF, gray and white matter, then edema, enhancing and necrotic
# tumor, and the non-enhancing core of a low-grade tumor; white matter in T1 is 1.
TISSUES: Mapping[str, tuple[float, ...]] = {
    "t1": (0.32, 0.70, 1.00, 0.68, 0.80, 0.42, 0.55),
    "t1ce": (0.32, 0.72, 1.00, 0.68, 1.50, 0.42, 0.55),
    "t2": (1.50, 0.88, 0.62, 1.15, 0.98, 1.40, 1.30),
    "flair": (0.22, 0.80, 0.66, 1.20, 1.02, 0.55, 1.02),
}


@dataclass(frozen=True)
class Tumor:
    """Ranges from which a kind of tumor is drawn; radii in mm.

    ``necrosis`` is the share of the core's radius that does not enhance: 0 none,
    1 all of it (a low-grade, non-enhancing core). A core of radius 0 leaves edema alone.
    """

    grade: str
    foci: int
    core: tuple[float, float]
    edema: tuple[float, float]
    necrosis: tuple[float, float]


TUMORS: Mapping[str, Tumor] = {
    "ring": Tumor("HGG", 1, (14, 24), (22, 36), (0.55, 0.78)),
    "solid": Tumor("HGG", 1, (12, 20), (18, 32), (0.10, 0.35)),
    "infiltrating": Tumor("LGG", 1, (15, 24), (18, 30), (1.0, 1.0)),
    "multifocal": Tumor("HGG", 3, (8, 14), (14, 22), (0.40, 0.70)),
    "small": Tumor("HGG", 1, (5, 7), (10, 14), (0.0, 0.30)),
    "edema only": Tumor("LGG", 1, (0, 0), (15, 24), (0.0, 0.0)),
}


def draw_case(
    templates: Templates, kind: str, site: str, rng: np.random.Generator
) -> tuple[Mapping[str, NDArray[np.int16]], NDArray[np.uint8]]:
    """Draw one case.

    Parameters
    ----------
    templates : Templates
        The anatomy.
    kind : str
        A key of `TUMORS`.
    site : str
        A key of `SITES`.
    rng : Generator
        Decides everything else.

    Returns
    -------
    images : mapping of str to ndarray of int16, shape `SHAPE`
        One volume for each of `CHANNELS`, RAS+, background exactly 0.
    labels : ndarray of uint8, shape `SHAPE`
        0, 1 necrotic or non-enhancing, 2 edema, 4 enhancing.
    """
    tumor = TUMORS[kind]
    grid = _grid(rng)
    centers = _centers(
        _sample(templates, grid, "white"), _sample(templates, grid, "mask"), tumor, rng
    )
    radii = rng.uniform(*tumor.core, len(centers))
    grid = grid + _displacement(rng) + _mass_effect(centers, radii)
    white, gray, brain, detail = (
        _sample(templates, grid, name) for name in ("white", "gray", "mask", "detail")
    )
    mask = ndimage.binary_opening(brain > 0.5)
    gray, white = _sharpen(gray, white)
    csf = np.clip(1 - gray - white, 0, 1)
    core, inner, edema = _levels(tumor, centers, radii, white, csf, rng)
    labels = _labels(core, inner, edema, mask, csf)
    images = {}
    tissues = np.stack([csf, gray, white])
    parts = _parts(core, inner, edema, labels, tumor, rng)
    spots = _spots(white, csf, rng)
    vessels = _vessels(csf, mask, rng)
    bias = _noise(rng, 16.0)
    for channel in CHANNELS:
        image = _mix(channel, tissues, parts, spots, vessels, detail, rng)
        images[channel] = _scan(image, mask, channel, SITES[site], bias, rng)
    return images, labels


# ------------------------------------------------------------------ anatomy
def _positions() -> Array:
    """Position of every voxel from the middle of the field of view, mm."""
    axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * SPACING for n in SHAPE]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _grid(rng: np.random.Generator) -> Array:
    """Template positions of every voxel for a head of its own size and pose, mm."""
    angles = rng.normal(0, [0.06, 0.04, 0.06])
    size = rng.normal(0.88, 0.02) * rng.normal(1, 0.025, 3)  # the template is larger than a brain
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        plane = np.eye(3)
        plane[[i, i, j, j], [i, j, i, j]] = [
            np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle),
        ]  # fmt: skip
        turn = turn @ plane
    matrix = (turn / size).astype(np.float32)
    shift = CENTER + rng.normal(0, 2.0, 3)
    moved: Array = np.einsum("ij,jxyz->ixyz", matrix, _positions())
    return moved + shift.astype(np.float32)[:, None, None, None]


def _noise(rng: np.random.Generator, scale: float) -> Array:
    """Smooth noise of mean 0 and deviation 1; `scale` is its length in voxels."""
    step = max(scale / 2, 1.0)
    coarse = rng.standard_normal([int(np.ceil(n / step)) + 4 for n in SHAPE], dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, scale / step / 2)
    if step > 1:
        at = [np.arange(n, dtype=np.float32) / step + 1.5 for n in SHAPE]
        for axis, places in enumerate(at):  # linear interpolation, one axis after the other
            low = places.astype(int)
            share = (places - low).reshape([-1 if k == axis else 1 for k in range(3)])
            coarse = (
                np.take(coarse, low, axis) * (1 - share) + np.take(coarse, low + 1, axis) * share
            )
    else:
        coarse = coarse[2:-2, 2:-2, 2:-2]
    field: Array = ((coarse - coarse.mean()) / coarse.std()).astype(np.float32)
    return field


def _displacement(rng: np.random.Generator) -> Array:
    """Random smooth warp, mm, shape (3, x, y, z)."""
    return np.stack([3.5 * _noise(rng, 14.0) + 1.4 * _noise(rng, 5.0) for _ in range(3)])


def _mass_effect(centers: Array, radii: NDArray[np.float64]) -> Array:
    """Displacement that pushes tissue away from tumors, mm."""
    total = np.zeros((3, *SHAPE), np.float32)
    for center, radius in zip(centers, radii, strict=True):
        away = _positions() - center[:, None, None, None]
        distance = np.sqrt((away**2).sum(0)) + 1e-3
        push = 0.45 * radius * np.exp(-((distance / (2.2 * radius + 1e-3)) ** 2))
        total -= away * np.minimum(push / distance, 0.6).astype(np.float32)
    return total


def _sample(templates: Templates, grid: Array, name: str) -> Array:
    """Read a template map at positions in mm."""
    places = grid - templates.origin.astype(np.float32)[:, None, None, None]
    values: Array = ndimage.map_coordinates(getattr(templates, name), places, order=1)
    return values


def _sharpen(gray: Array, white: Array) -> tuple[Array, Array]:
    """Undo some of the blur of an average over 152 heads."""
    csf = np.clip(1 - gray - white, 0, 1)
    powers = [share**2.2 for share in (gray, white, csf)]
    total = sum(powers) + 1e-6
    return powers[0] / total, powers[1] / total


# ------------------------------------------------------------------ tumor
def _centers(white: Array, brain: Array, tumor: Tumor, rng: np.random.Generator) -> Array:
    """Draw centers of the foci in white matter of the cerebrum, mm, shape (foci, 3)."""
    inside = ndimage.distance_transform_edt(brain > 0.5) * SPACING
    margin = 0.75 * tumor.core[1] + 4
    allowed = (white > 0.5) & (inside > margin)
    allowed[:, :, : SHAPE[2] // 3] = False
    allowed[:, :, -6:] = False
    places = np.argwhere(allowed if allowed.any() else white > 0.5)
    positions = _positions()
    at = positions[:, places[:, 0], places[:, 1], places[:, 2]].T
    chosen = [at[rng.integers(len(at))]]
    while len(chosen) < tumor.foci:
        apart = np.linalg.norm(at - chosen[-1], axis=1)
        near = at[(apart > 22) & (apart < 50)]
        chosen.append(
            (near if len(near) else at)[rng.integers(len(near) if len(near) else len(at))]
        )
    return np.array(chosen, dtype=np.float32)


def _distance(center: Array, rng: np.random.Generator) -> Array:
    """Distance to a center by an ellipsoid of mean radius 1, mm."""
    stretch = rng.uniform(0.75, 1.3, 3)
    stretch = (stretch / np.prod(stretch) ** (1 / 3)).astype(np.float32)
    away = (_positions() - center[:, None, None, None]) * stretch[:, None, None, None]
    distance: Array = np.sqrt((away**2).sum(0))
    return distance


def _levels(
    tumor: Tumor,
    centers: Array,
    radii: NDArray[np.float64],
    white: Array,
    csf: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Levels of the core, its necrotic part and the edema: below 1 is inside."""
    core = np.full(SHAPE, 9.0, np.float32)
    inner = core.copy()
    edema = core.copy()
    for center, radius in zip(centers, radii, strict=True):
        distance = _distance(center, rng)
        rough = 0.16 * _noise(rng, 3.5) + 0.14 * _noise(rng, 8.0)
        reach = rng.uniform(*tumor.edema)
        spread = distance / reach + 0.20 * _noise(rng, 4.0)
        edema = np.minimum(edema, spread + 0.75 * (0.75 - white) + 0.5 * csf)
        if radius <= 0:
            continue
        here = distance / radius + rough
        core = np.minimum(core, here)
        share = rng.uniform(*tumor.necrosis)
        if share >= 1:
            inner = np.minimum(inner, here - 9)
        elif share > 0.05:
            inner = np.minimum(inner, here / share + 0.18 * _noise(rng, 2.5))
    return core, inner, edema


def _labels(
    core: Array, inner: Array, edema: Array, mask: NDArray[np.bool_], csf: Array
) -> NDArray[np.uint8]:
    labels = np.zeros(SHAPE, np.uint8)
    labels[(edema < 1) & (csf < 0.5)] = 2
    labels[core < 1] = 4
    labels[(core < 1) & (inner < 1)] = 1
    labels[~mask] = 0
    parts, count = ndimage.label(labels > 0)
    if count > 1:  # crumbs that no one would draw
        sizes = np.bincount(parts.ravel())
        keep = sizes >= max(12, 0.02 * sizes[1:].max())
        labels[~keep[parts]] = 0
    return labels


# ------------------------------------------------------------------ intensities
def _soft(level: Array, width: float) -> Array:
    """Share of a voxel inside a level, with an edge of `width`."""
    share: Array = 1 / (1 + np.exp(np.clip((level - 1) / width, -30, 30)))
    return share


def _parts(
    core: Array,
    inner: Array,
    edema: Array,
    labels: NDArray[np.uint8],
    tumor: Tumor,
    rng: np.random.Generator,
) -> Array:
    """Shares of edema, enhancing, necrotic and low-grade tumor, shape (4, x, y, z)."""
    near = ndimage.gaussian_filter((labels > 0).astype(np.float32), 0.6)
    strength = rng.uniform(0.75, 1.0)
    swollen = _soft(edema, 0.09) * strength * np.clip(near * 1.6, 0, 1)
    solid = _soft(core, 0.05) * np.clip(near * 1.6, 0, 1)
    dead = solid * _soft(inner, 0.08)
    low_grade = tumor.necrosis[0] >= 1
    zero = np.zeros_like(dead)
    return np.stack(
        [
            swollen * (1 - solid),
            (solid - dead) * np.clip(1 + 0.2 * _noise(rng, 2.0), 0.4, 1.4),
            zero if low_grade else dead,
            dead if low_grade else zero,
        ]
    )


def _spots(white: Array, csf: Array, rng: np.random.Generator) -> Array:
    """White-matter spots and bright ventricle edges, common and no tumor."""
    edge = ndimage.gaussian_filter((csf > 0.8).astype(np.float32), 1.2) * white
    burden = rng.gamma(1.5, 0.35)
    points = np.where(rng.random(SHAPE, dtype=np.float32) < 0.0006 * burden, 1.0, 0.0)
    blobs = ndimage.gaussian_filter(points.astype(np.float32), 0.8) * 9 * white
    spots: Array = np.clip(blobs + rng.uniform(0, 0.7) * edge, 0, 1)
    return spots


def _vessels(csf: Array, mask: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Vessels in the sulci that take up contrast agent."""
    rim = mask & ~ndimage.binary_erosion(mask, iterations=2)
    bright = np.clip(_noise(rng, 1.2) - 1.0, 0, 1.5)
    vessels: Array = bright * np.clip(csf + 0.4 * rim, 0, 1)
    return vessels


def _mix(
    channel: str,
    tissues: Array,
    parts: Array,
    spots: Array,
    vessels: Array,
    detail: Array,
    rng: np.random.Generator,
) -> Array:
    """Blend tissues, tumor and confounders to one contrast, without a scanner."""
    values = np.array(TISSUES[channel], np.float32) * rng.normal(1, 0.06, 7).astype(np.float32)
    image = np.tensordot(values[:3], tissues, axes=1)
    if channel.startswith("t1"):
        image = 0.65 * image + 0.35 * detail * values[2]
    share = np.clip(parts.sum(0), 0, 1)
    image = image * (1 - share) + np.tensordot(values[3:], parts, axes=1)
    image *= 1 + 0.035 * _noise(rng, 2.0)
    if channel in ("t2", "flair"):
        image += (0.45 if channel == "flair" else 0.25) * spots
    if channel == "t1ce":
        image += 0.55 * vessels
    blended: Array = ndimage.gaussian_filter(image, 0.35)
    return blended


def _scan(
    image: Array,
    mask: NDArray[np.bool_],
    channel: str,
    site: Site,
    bias: Array,
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Add what a scanner does: bias field, noise, its own intensity scale."""
    field = np.exp(site.bias * (0.7 * bias + 0.5 * _noise(rng, 16.0)))
    bent = np.clip(image, 0, None) ** site.gamma * field
    noise = site.noise * rng.standard_normal((2, *SHAPE), dtype=np.float32)
    noisy = np.sqrt((bent + noise[0]) ** 2 + noise[1] ** 2)
    gain = site.gain[channel] * float(rng.lognormal(0, 0.15))
    whole = np.clip(np.rint(noisy * gain), 1, 32000).astype(np.int16)
    return np.where(mask, whole, np.int16(0))
