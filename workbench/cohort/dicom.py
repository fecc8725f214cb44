"""Read a DICOM CT series, and the contours of an RTSTRUCT drawn on it.

A series is the CT slices of one folder. It is refused where its slices do not
make one even grid, because a volume with a hole or with two spacings would show
anatomy that is not there. Contours become voxels by scikit-image's polygon test
at voxel centers: we have it, it is even-odd (so holes stay holes), and rt-utils
would bring OpenCV with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from workbench.errors import VolumeError

__all__ = [
    "ORGANS",
    "Structures",
    "is_dicom",
    "kind_and_series",
    "open_series",
    "organ_named",
    "read_contours",
    "read_structures",
]

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
#: Largest unevenness of slice distances that counts as rounding, as a share of the distance.
UNEVEN = 0.02
#: Farthest that a contour may lie from its slice, as a share of the slice distance.
OFF_SLICE = 0.3
TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM runs to the left and to the back
nib: Any = nibabel  # a typed package of untyped functions


@dataclass(frozen=True)
class Structures:
    """What an RTSTRUCT says about itself: the names it draws, and the series it is drawn on."""

    names: tuple[str, ...]
    series: str


class _Voxels:
    """The voxels of a series, read when they are asked for (as nibabel's ``dataobj``)."""

    def __init__(self, files: Sequence[Path], shape: tuple[int, int, int]) -> None:
        self.files, self.shape, self.ndim = files, shape, 3
        self.dtype = np.dtype(np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        voxels = np.empty(self.shape, np.float32)
        for index, path in enumerate(self.files):
            content = _read(path)
            try:
                pixels = content.pixel_array.astype(np.float32)
                slope = float(content.get("RescaleSlope", 1))
                voxels[..., index] = pixels.T * np.float32(slope) + np.float32(
                    content.get("RescaleIntercept", 0)
                )
            except Exception as error:  # cut off, packed in a way that needs a plug-in, …
                raise VolumeError(
                    f"The pixels of {path} cannot be read ({error}). Copy it again; if it is "
                    f"compressed, unpack the series first, for example with 'gdcmconv --raw'."
                ) from error
        return voxels if dtype is None else voxels.astype(dtype)


def is_dicom(path: Path) -> bool:
    """Tell by its first bytes whether a file is a DICOM file."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


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


def open_series(folder: Path) -> Any:
    """Open the CT series in a folder as a nibabel image; its voxels are read when asked for.

    Parameters
    ----------
    folder : Path
        Holds the slices of one series; files of other modalities beside them are left alone.

    Returns
    -------
    nibabel.Nifti1Image
        Axes column, row, slice; Hounsfield units.

    Raises
    ------
    VolumeError
        If a file cannot be read, there are two series, or the slices make no even grid.
    """
    files, slices = _slices_of(folder)
    first = slices[0]
    across, down = np.split(np.array(first.ImageOrientationPatient, float), 2)
    normal = np.cross(across, down)
    corners = np.array([each.ImagePositionPatient for each in slices], float)
    order = np.argsort(corners @ normal)
    corners = corners[order]
    _check_distances(folder, np.diff(corners @ normal))
    row_distance, column_distance = (float(value) for value in first.PixelSpacing)
    step = (corners[-1] - corners[0]) / (len(corners) - 1)
    affine = np.eye(4)
    affine[:3, :3] = TO_RAS @ np.stack([across * column_distance, down * row_distance, step], 1)
    affine[:3, 3] = TO_RAS @ corners[0]
    shape = (int(first.Columns), int(first.Rows), len(slices))
    image = nib.Nifti1Image(_Voxels([files[i] for i in order], shape), affine)
    image.header.set_data_dtype(np.float32)
    return image


def kind_and_series(path: Path) -> tuple[str, str]:
    """Read what kind of object a DICOM file holds ("CT", "RTSTRUCT", …), and of which series.

    Raises
    ------
    VolumeError
        If it cannot be read.
    """
    tags = ["Modality", "SeriesInstanceUID"]
    header = _read(path, stop_before_pixels=True, specific_tags=tags)
    return str(header.get("Modality", "")), str(header.get("SeriesInstanceUID", ""))


def read_structures(path: Path) -> Structures:
    """Read which structures an RTSTRUCT draws, and on which series.

    Raises
    ------
    VolumeError
        If it cannot be read, or names no structure or no series.
    """
    tags = ["StructureSetROISequence", "ReferencedFrameOfReferenceSequence"]
    content = _read(path, specific_tags=tags)
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
    own = str(_slices_of(folder)[1][0].SeriesInstanceUID)
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


# ---------------------------------------------------------------------- helpers
def _read(path: Path, **options: Any) -> Any:
    from pydicom import config, dcmread

    config.settings.reading_validation_mode = config.IGNORE  # clinics' files break harmless rules
    try:
        return dcmread(path, **options)
    except Exception as error:  # pydicom raises many types for a damaged file
        raise VolumeError(
            f"{path} cannot be read as a DICOM file ({error}). Copy or export it again."
        ) from error


def _slices_of(folder: Path) -> tuple[list[Path], list[Any]]:
    """Files and headers of the CT slices in a folder, all of one series and one form."""
    files, slices = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file() or not is_dicom(path):
            continue
        header = _read(path, stop_before_pixels=True)
        if not header.get("Modality"):
            raise VolumeError(
                f"{path} does not say what it holds: it has no Modality. It was cut off, probably "
                f"while copying: copy or export it again."
            )
        if header.get("Modality") == "CT":
            _check_slice(path, header)
            files.append(path)
            slices.append(header)
    if len(slices) < 2:
        raise VolumeError(
            f"{folder} holds {len(slices)} CT slices in DICOM. A volume needs at least two slices "
            f"of one series: check that all of them were copied."
        )
    series = Counter(str(each.SeriesInstanceUID) for each in slices)
    if len(series) > 1:
        told = ", ".join(f"{name} ({count} slices)" for name, count in series.items())
        raise VolumeError(
            f"{folder} holds {len(series)} CT series: {told}. Put each series into a folder of its "
            f"own."
        )
    for name in ("ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"):
        given = np.array([np.ravel(each[name].value) for each in slices], float)
        odd = np.abs(given - np.median(given, axis=0)).max(axis=1) > 1e-3
        if odd.any():
            index = int(np.argmax(odd))
            raise VolumeError(
                f"{files[index]} has another {name} ({slices[index][name].value}) than most slices "
                f"of its series. One volume has one grid: take out slices that do not belong to "
                f"it, or resample the series."
            )
    return files, slices


def _check_slice(path: Path, header: Any) -> None:
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise VolumeError(
            f"{path} is an enhanced CT with many frames in one file. Convert it with 'dcm2niix' "
            f"and use the images/ and labels/ layout."
        )
    lengths = {
        "SeriesInstanceUID": None,
        "Rows": None,
        "Columns": None,
        "ImagePositionPatient": 3,
        "ImageOrientationPatient": 6,
        "PixelSpacing": 2,
    }
    try:
        for name, length in lengths.items():
            value = header[name].value
            numbers = np.array(value, float) if length else np.ones(1)
            if value in (None, "", 0) or numbers.size != (length or 1):
                raise ValueError(f"{name} is {value!r}")
            if not np.isfinite(numbers).all() or (name == "PixelSpacing" and numbers.min() <= 0):
                raise ValueError(f"{name} is {value!r}")
    except Exception as error:
        raise VolumeError(
            f"{path} does not say where its slice lies ({error}). Export the series again, with "
            f"position, orientation and pixel spacing."
        ) from error


def _check_distances(folder: Path, distances: NDArray[np.float64]) -> None:
    """Refuse slices that do not follow each other at one distance."""
    usual = float(np.median(distances))
    if distances.min() < 1e-3:
        raise VolumeError(
            f"{folder} holds two slices at one place ({int((distances < 1e-3).sum())} times). Take "
            f"out copies, and put each series into a folder of its own."
        )
    uneven = np.abs(distances - usual) > UNEVEN * usual
    if not uneven.any():
        return
    gaps = distances[uneven] / usual
    if (np.abs(gaps - np.rint(gaps)) < 2 * UNEVEN).all() and gaps.min() > 1.5:
        raise VolumeError(
            f"{folder} lacks {int(np.rint(gaps - 1).sum())} slices: most are {usual:g} mm apart, "
            f"but there are gaps of up to {distances.max():g} mm. Copy the whole series again."
        )
    raise VolumeError(
        f"{folder} has slices at distances from {distances.min():g} to {distances.max():g} mm. The "
        f"workbench takes a series of one slice distance: resample it, or take out the slices "
        f"that belong to another scan."
    )


def _wanted_contours(path: Path, values: Mapping[str, int]) -> dict[int, list[NDArray[np.float64]]]:
    """Closed contours by label value, each of shape (points, 3), RAS+ mm."""
    content = _read(path)
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
