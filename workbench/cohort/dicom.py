"""Read a DICOM CT series.

A series is the CT slices of one folder. It is refused where its slices do not
make one even grid, because a volume with a hole or with two spacings would show
anatomy that is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from workbench.errors import VolumeError

__all__ = ["TO_RAS", "is_dicom", "kind_and_series", "open_series", "read_dicom", "series_of"]

#: Largest unevenness of slice distances that counts as rounding, as a share of the distance.
UNEVEN = 0.02
#: Turns coordinates of DICOM, which run to the left and to the back, to RAS+.
TO_RAS = np.diag([-1.0, -1.0, 1.0])
nib: Any = nibabel  # a typed package of untyped functions


class _Voxels:
    """The voxels of a series, read when they are asked for (as nibabel's ``dataobj``)."""

    def __init__(self, files: Sequence[Path], shape: tuple[int, int, int]) -> None:
        self.files, self.shape, self.ndim = files, shape, 3
        self.dtype = np.dtype(np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        voxels = np.empty(self.shape, np.float32)
        for index, path in enumerate(self.files):
            content = read_dicom(path)
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
    header = read_dicom(path, stop_before_pixels=True, specific_tags=tags)
    return str(header.get("Modality", "")), str(header.get("SeriesInstanceUID", ""))


def series_of(folder: Path) -> str:
    """Return the identifier of the series in a folder (``SeriesInstanceUID``).

    Raises
    ------
    VolumeError
        If the folder does not hold one series.
    """
    return str(_slices_of(folder)[1][0].SeriesInstanceUID)


def read_dicom(path: Path, **options: Any) -> Any:
    """Read a DICOM file with pydicom; `options` are those of ``dcmread``.

    Raises
    ------
    VolumeError
        If it cannot be read.
    """
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
        header = read_dicom(path, stop_before_pixels=True)
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
