"""Turn the contours of an RTSTRUCT into a label map on the CT series that it was drawn on.

Contours become voxels by scikit-image's polygon test at voxel centers: we have it,
it is even-odd (so holes stay holes), and rt-utils would bring OpenCV with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.dicom import TO_RAS, open_series, read_dicom, series_of
from workbench.errors import VolumeError

__all__ = ["ORGANS", "Structures", "organ_named", "read_contours", "read_structures"]

#: Organs of the AAPM 2017 challenge, in the order of their label values (1 to 5).
ORGANS = ("SpinalCord", "Lung_R", "Lung_L", "Heart", "Esophagus")
#: Words that name an organ, alone or together; its side comes from `SIDES`.
WORDS = {
    "SpinalCord": ({"spinal", "cord"}, {"cord"}, {"spinalcord"}, {"medulla", "spinalis"}),
    "Lung": ({"lung"}, {"pulmo"}),
    "Heart": ({"heart"}, {"cor"}),
    "Esophagus": ({"esophagus"}, {"oesophagus"}, {"eso"}, {"esoph"}),
}
SIDES = {
    "l": "L",
    "lt": "L",
    "left": "L",
    "sin": "L",
    "r": "R",
    "rt": "R",
    "right": "R",
    "dex": "R",
}
RUN_TOGETHER = re.compile(r"^(l|r|lt|rt|left|right)(lung)$|^(lung)(l|r|lt|rt|left|right)$")
#: Farthest that a contour may lie from its slice, as a share of the slice distance.
OFF_SLICE = 0.3


@dataclass(frozen=True)
class Structures:
    """What an RTSTRUCT says about itself: the names it draws, and the series it is drawn on."""

    names: tuple[str, ...]
    series: str


def organ_named(text: str) -> str | None:
    """Find which organ of `ORGANS` a structure's name means, or None.

    ``Spinal Cord``, ``LUNG-LEFT`` and ``lt lung`` are known; a name with any other word in it
    (``Heart PRV``, ``Lungs - GTV``) means something else.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    words = [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
    if len(words) == 1 and (found := RUN_TOGETHER.match(words[0])):
        words = [part for part in found.groups() if part]
    sides = {SIDES[word] for word in words if word in SIDES}
    named = {word for word in words if word not in SIDES}
    for organ, known in WORDS.items():
        if named in known and organ == "Lung" and len(sides) == 1:
            return f"Lung_{sides.pop()}"
        if named in known and organ != "Lung" and not sides:
            return organ
    return None


def read_structures(path: Path) -> Structures:
    """Read which structures an RTSTRUCT draws, and on which series.

    Raises
    ------
    VolumeError
        If it cannot be read, or names no structure or no series.
    """
    tags = ["StructureSetROISequence", "ReferencedFrameOfReferenceSequence"]
    content = read_dicom(path, specific_tags=tags)
    try:
        names = tuple(str(each.ROIName).strip() for each in content.StructureSetROISequence)
        frames = content.ReferencedFrameOfReferenceSequence
        series = frames[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
        return Structures(names, str(series.SeriesInstanceUID))
    except Exception as error:
        raise VolumeError(
            f"{path} is not a whole RTSTRUCT: it does not say what it draws, or on which series "
            f"({error}). Export it again together with its CT."
        ) from error


def read_contours(
    path: Path, folder: Path, values: Mapping[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Turn the contours of an RTSTRUCT into a label map on the grid of its CT.

    Parameters
    ----------
    path : Path
        The RTSTRUCT.
    folder : Path
        The folder of the CT series.
    values : mapping of str to int
        Label value of each structure that is wanted, by the name of its organ (see
        `organ_named`) or its own name. Larger structures are drawn first, so that a small one
        inside a large one stays.

    Returns
    -------
    labels : ndarray of int32, shape (column, row, slice)
        In the order of the series.
    affine : ndarray, shape (4, 4)
        Voxel index to mm.

    Raises
    ------
    VolumeError
        If it cannot be read, was drawn on another series, or leaves the grid of this one.
    """
    structures = read_structures(path)
    own = series_of(folder)
    if structures.series != own:
        raise VolumeError(
            f"{path} was drawn on the series {structures.series}, but {folder} holds the series "
            f"{own}. Contours fit only the series that they were drawn on: put them together "
            f"again, or export the RTSTRUCT of this series."
        )
    image = open_series(folder)
    shape, to_voxel = image.shape, np.linalg.inv(image.affine)
    masks: list[tuple[int, NDArray[np.bool_]]] = []
    for value, contours in _wanted_contours(path, values).items():
        mask = np.zeros(shape, np.bool_)
        for points in contours:
            _draw(path, points @ to_voxel[:3, :3].T + to_voxel[:3, 3], mask)
        masks.append((value, mask))
    labels = np.zeros(shape, np.int32)
    for value, mask in sorted(masks, key=lambda pair: -np.count_nonzero(pair[1])):
        labels[mask] = value
    return labels, image.affine


def _wanted_contours(path: Path, values: Mapping[str, int]) -> dict[int, list[NDArray[np.float64]]]:
    """Closed contours by label value, each of shape (points, 3), RAS+ mm."""
    content = read_dicom(path)
    try:
        names = [
            (str(each.ROIName).strip(), int(each.ROINumber))
            for each in content.StructureSetROISequence
        ]
        drawn = {
            int(each.ReferencedROINumber): [
                np.array(contour.ContourData, float).reshape(-1, 3) @ TO_RAS
                for contour in each.get("ContourSequence") or ()
                if str(contour.ContourGeometricType).startswith("CLOSED_PLANAR")
            ]
            for each in content.get("ROIContourSequence") or ()
        }
    except Exception as error:
        raise VolumeError(
            f"{path} has structures or contours that are damaged ({error}). Export the RTSTRUCT "
            f"again."
        ) from error
    numbers = _numbers(path, names, values)
    return {value: drawn.get(number, []) for value, number in numbers.items()}


def _numbers(
    path: Path, names: Sequence[tuple[str, int]], values: Mapping[str, int]
) -> dict[int, int]:
    """Find the number of the structure for each label value."""
    found: dict[str, list[tuple[str, int]]] = {}
    for own, number in names:
        name = own if own in values else organ_named(own)
        if name is not None and name in values:
            found.setdefault(name, []).append((own, number))
    numbers = {}
    for name, candidates in found.items():
        exact = [each for each in candidates if each[0] == name]
        if len(exact or candidates) > 1:
            told = " and ".join(repr(own) for own, _ in candidates)
            raise VolumeError(
                f"{path} has more than one structure for {name}: {told}. Rename the one that is "
                f"meant to {name!r}, or delete the others."
            )
        numbers[values[name]] = (exact or candidates)[0][1]
    return numbers


def _draw(path: Path, points: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    """Add one contour, in voxels, to a mask; a contour inside another one cuts a hole."""
    from skimage import draw

    fill: Any = draw.polygon2mask  # an untyped function of a typed package
    slices = points[:, 2]
    index = int(np.rint(np.median(slices))) if np.isfinite(points).all() and len(points) else -1
    if not 0 <= index < mask.shape[2] or np.abs(slices - index).max() > OFF_SLICE:
        raise VolumeError(
            f"{path} has a contour that lies in no slice of its series (slice number "
            f"{float(np.median(slices)):.1f} of 0 to {mask.shape[2] - 1}). The series lacks "
            f"slices, or the contours were drawn on a resampled copy: export both again."
        )
    mask[..., index] ^= fill(mask.shape[:2], points[:, :2])
