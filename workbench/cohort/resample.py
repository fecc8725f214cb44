"""Put the channels of a case onto one voxel grid, where that is asked for.

The grid is that of the first channel, so that a label map drawn on it still
fits; label maps themselves are never resampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import Case, Cohort
from workbench.cohort.volumes import Volume, check_same_grid, read_image
from workbench.errors import VolumeError

__all__ = ["read_case", "read_on_one_grid"]


def read_case(case: Case, cohort: Cohort) -> Volume:
    """Read the channels of a case, resampled to the first one's grid if the cohort says so.

    Raises
    ------
    VolumeError
        If a file cannot be read, or two channels lie on different grids and may not be resampled.
    """
    return read_on_one_grid(case.images) if cohort.resample else read_image(case.images)


def read_on_one_grid(paths: Mapping[str, Path]) -> Volume:
    """Read the channels of one scan and resample them linearly to the grid of the first.

    Parameters
    ----------
    paths : mapping of str to Path
        As `read_image` takes them.

    Returns
    -------
    Volume
        0 where a channel does not reach; its notes name every channel that was resampled.
    """
    first: Volume | None = None
    arrays: list[NDArray[np.float32]] = []
    notes: list[str] = []
    start = next(iter(paths.values()))
    for path in dict.fromkeys(paths.values()):
        names = [name for name in paths if paths[name] == path]
        volume = read_image(dict.fromkeys(names, path))
        notes += volume.notes
        first = first or volume
        try:
            check_same_grid(
                start, first.data.shape[1:], first.affine, path, volume.data.shape[1:],
                volume.affine,
            )  # fmt: skip
        except VolumeError:
            volume = _resampled(volume, first)
            notes.append(f"{path.name} was resampled to the voxel grid of {start.name}.")
        arrays.append(volume.data)
    assert first is not None
    return Volume(np.concatenate(arrays), first.affine, tuple(notes))


def _resampled(volume: Volume, to: Volume) -> Volume:
    import nibabel as nib
    from nibabel.processing import resample_from_to

    resample: Any = resample_from_to  # an untyped function of a typed package
    image: Any = nib.Nifti1Image
    grid = (to.data.shape[1:], to.affine)
    channels = [
        np.asarray(resample(image(data, volume.affine), grid, order=1).dataobj)
        for data in volume.data
    ]
    return Volume(np.stack(channels).astype(np.float32), to.affine)
