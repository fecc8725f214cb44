"""Turn the data set's label files into slices, or volumes, that match the images of a store.

They are kept in a folder of their own inside the store, which
`workbench.cohort.label_source.ReferenceLabels` alone opens. A label map that
cannot be used (not whole numbers, another grid, an unknown value) makes its
case a case without a label, and is told in ``problems.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.building import building
from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.pool import SampleId, SliceId, VolumeId
from workbench.cohort.preprocess import as_slices, display_order, fit, resample
from workbench.cohort.volumes import check_same_grid, read_header, read_label
from workbench.errors import VolumeError
from workbench.files import content_key, write_json
from workbench.jobs import Progress, Work

__all__ = ["build_labels", "file_stamp", "read_classes"]

#: Raised whenever the content or form of the label folder changes.
VERSION = 1


def read_classes(
    case: Case, cohort: Cohort, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Read a case's label map as classes, and check that it fits its image.

    Parameters
    ----------
    case : Case
        A case with a label.
    cohort : Cohort
        Says which values are known.
    shape, affine : tuple of int, ndarray
        Grid of the case's image, RAS+.

    Returns
    -------
    ndarray of uint8, shape (x, y, z)
        RAS+; 0 background, else 1 + the position of the value in ascending order.

    Raises
    ------
    VolumeError
        If the file cannot be read, has another grid, or holds an unknown value.
    """
    assert case.label is not None
    image = next(iter(case.images.values()))
    values, label_affine = read_label(case.label)
    check_same_grid(image, shape, affine, case.label, values.shape, label_affine)
    found, counts = np.unique(values, return_counts=True)
    known = np.array([0, *sorted(cohort.labels)])
    unknown = ~np.isin(found, known)
    if unknown.any():
        told = [
            f"{value} ({count:,} voxels)"
            for value, count in zip(found[unknown], counts[unknown], strict=True)
        ]
        names = ", ".join(f"{value} {cohort.labels[value]}" for value in sorted(cohort.labels))
        raise VolumeError(
            f"{case.label} holds label values that this {cohort.layout} data set does not know: "
            f"{', '.join(told[:6])}{' and more' if len(told) > 6 else ''}. Known are 0 background, "
            f"{names or 'and no others'}. Correct the file, or declare the values in dataset.json."
        )
    return np.searchsorted(known, values).astype(np.uint8)


class Samples(Protocol):
    """What labels need to know of an image store."""

    @property
    def folder(self) -> Path: ...
    @property
    def ids(self) -> Sequence[SampleId]: ...
    @property
    def cases(self) -> Sequence[str]: ...
    @property
    def size(self) -> tuple[int, ...]: ...
    @property
    def spacing(self) -> NDArray[np.float64]: ...


def build_labels(store: Samples, cohort: Cohort) -> Work[Path]:
    """Read the label maps of a store's cases into a folder inside it, once.

    Parameters
    ----------
    store : ImageStore
        The images.
    cohort : Cohort
        Where the label files are.

    Returns
    -------
    Path
        The folder with ``labels.npy`` (uint8, (n, h, w) or (n, d, h, w)), ``foreground.npy``,
        ``problems.json``.
    """
    ids, size = store.ids, store.size
    rows_of: dict[str, list[int]] = {}
    for row, each in enumerate(ids):
        rows_of.setdefault(each.case, []).append(row)
    cases = [case for case in cohort.cases if case.id in rows_of]
    stamps = [
        [case.id, file_stamp(case.label, cohort.root) if case.label else []] for case in cases
    ]
    folder = store.folder / f"labels-{content_key(VERSION, sorted(cohort.labels.items()), stamps)}"
    if folder.is_dir():
        return folder
    problems: list[Problem] = []
    foreground = np.full(len(ids), -1, dtype=np.int64)
    with building(folder) as temporary:
        with (temporary / "labels.npy").open("wb") as file:
            description = {"descr": "|u1", "fortran_order": False, "shape": (len(ids), *size)}
            np.lib.format.write_array_header_1_0(file, description)
            by_id = {case.id: case for case in cases}
            for number, (name, rows) in enumerate(rows_of.items()):
                yield Progress("reading labels", number, len(rows_of))
                mine = [ids[row] for row in rows]
                spacing = store.spacing[list(store.cases).index(name)].tolist()
                slices = _case_maps(by_id.get(name), cohort, mine, spacing, size, problems)
                if slices is not None:
                    foreground[rows] = np.count_nonzero(slices.reshape(len(rows), -1), axis=1)
                else:
                    slices = np.zeros((len(rows), *size), np.uint8)
                file.write(np.ascontiguousarray(slices).data)
        np.save(temporary / "foreground.npy", foreground)
        write_json(temporary / "problems.json", [asdict(problem) for problem in problems])
    return folder


def _case_maps(
    case: Case | None,
    cohort: Cohort,
    ids: Sequence[SampleId],
    spacing: Sequence[float],
    size: tuple[int, ...],
    problems: list[Problem],
) -> NDArray[np.uint8] | None:
    """Class maps of the samples of a case, or None where it has no usable label."""
    if case is None or case.label is None:
        return None
    try:
        header = read_header(next(iter(case.images.values())))
        classes = read_classes(case, cohort, header.shape, header.affine)
    except VolumeError as error:
        problems.append(Problem(case.id, str(error), fatal=True))
        return None
    whole = as_slices(classes, ids[0].axis)
    if isinstance(ids[0], VolumeId):
        own = display_order(header.spacing, ids[0].axis)
        whole, _ = resample(whole, own, spacing, order=0)
        slices = fit(whole[None], size)
    else:
        slices = fit(whole[[each.index for each in ids if isinstance(each, SliceId)]], size)
    lost = int(np.count_nonzero(whole) - np.count_nonzero(slices))
    if lost:
        problems.append(
            Problem(
                case.id,
                f"{lost:,} labeled voxels of {case.id} lie outside of the images: in blank end "
                f"slices, or beyond {'×'.join(map(str, size))}. Choose a larger size to keep them.",
            )
        )
    return slices


def file_stamp(path: Path, root: Path) -> list[object]:
    """Name, size and time of a file: what changes when its content does."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    try:
        status = path.stat()
    except OSError:
        return [name, -1, -1]
    return [name, status.st_size, status.st_mtime_ns]
