"""Turn the data set's label files into slices, or volumes, that match the images of a store.

They are kept in a folder of their own inside the store, which
`workbench.cohort.label_source.ReferenceLabels` alone opens. A label map that
cannot be used (not whole numbers, another grid, an unknown value) makes its
case a case without a label, and is told in ``problems.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.building import building
from workbench.cohort.cohort import IGNORED, Case, Cohort, Problem
from workbench.cohort.contours import read_contours
from workbench.cohort.image_files import is_nifti
from workbench.cohort.placing import lay_out
from workbench.cohort.pool import SampleId
from workbench.cohort.preprocess import fit
from workbench.cohort.rows import write_rows
from workbench.cohort.volumes import check_same_grid, read_header, read_label, to_ras
from workbench.errors import VolumeError
from workbench.files import content_key, write_json
from workbench.jobs import Work

__all__ = ["build_labels", "file_stamp", "foreground", "read_classes", "values_in"]

#: Raised whenever the content or form of the label folder changes.
VERSION = 1
#: Span of values up to which voxels are counted in a table.
MOST_COUNTED = 1 << 16
#: Label values that are named one by one.
MOST_TOLD = 6


def read_classes(
    case: Case, cohort: Cohort, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read a case's label map as classes, and check that it fits its image.

    Parameters
    ----------
    case : Case
        A case with a label.
    cohort : Cohort
        Says which values are known, and what to do about others.
    shape, affine : tuple of int, ndarray
        Grid of the case's image, RAS+.

    Returns
    -------
    classes : ndarray of uint8, shape (x, y, z)
        RAS+; see `Cohort.class_of`.
    notes : tuple of str
        Sentences on what was changed while reading, such as unknown values.

    Raises
    ------
    VolumeError
        If the file cannot be read, has another grid, or holds an unknown value that is not
        to become background.
    """
    assert case.label is not None
    image = next(iter(case.images.values()))
    if is_nifti(case.label):
        values, label_affine = read_label(case.label)
    else:
        numbers = {name: value for value, name in cohort.labels.items()}
        values, label_affine = to_ras(image, *read_contours(case.label, image, numbers))
    check_same_grid(image, shape, affine, case.label, values.shape, label_affine)
    found, counts = values_in(values)
    class_of = cohort.class_of
    unknown = ~np.isin(found, list(class_of))
    notes: tuple[str, ...] = ()
    if unknown.any():
        told = [
            f"{value} ({count:,} voxels)"
            for value, count in zip(found[unknown], counts[unknown], strict=True)
        ]
        held = ", ".join(told[:MOST_TOLD]) + (
            f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        )
        if cohort.unknown_labels == "refuse":
            names = ", ".join(f"{value} {cohort.labels[value]}" for value in sorted(cohort.labels))
            raise VolumeError(
                f"{case.label} holds label values that this {cohort.layout} data set does not "
                f"know: {held}. Known are 0 background, {names or 'and no others'}. Correct the "
                f"file, declare the values in dataset.json, or let unknown values be background "
                f"with --unknown-labels background."
            )
        notes = (f"{case.label.name} holds unknown label values, taken as background: {held}.",)
    classes = np.array([class_of.get(value, 0) for value in found.tolist()], np.uint8)
    if found[-1] - found[0] > MOST_COUNTED:
        return classes[np.searchsorted(found, values)], notes
    table = np.zeros(int(found[-1] - found[0]) + 1, np.uint8)
    table[found - found[0]] = classes
    return table[values - found[0]], notes


def values_in(labels: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the values of a label map in ascending order, and how many voxels have them."""
    low, high = int(labels.min()), int(labels.max())
    if high - low > MOST_COUNTED:
        found, counts = np.unique(labels, return_counts=True)
        return found.astype(np.int64), counts.astype(np.int64)
    tally = np.bincount((labels - low).ravel())  # many times faster than sorting every voxel
    held = np.flatnonzero(tally)
    return (held + low).astype(np.int64), tally[held].astype(np.int64)


def foreground(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where classes are neither background nor ignored, in the shape of `classes`."""
    marked: NDArray[np.bool_] = (classes != 0) & (classes != IGNORED)
    return marked


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
    decided = [VERSION, sorted(cohort.labels.items()), stamps]
    if cohort.background or cohort.ignored or cohort.unknown_labels != "refuse":
        decided += [cohort.background, cohort.ignored, cohort.unknown_labels]
    folder = store.folder / f"labels-{content_key(*decided)}"
    if folder.is_dir():
        return folder
    by_id = {case.id: case for case in cases}
    spacing = dict(zip(store.cases, store.spacing.tolist(), strict=True))
    makes = [
        partial(_case_maps, by_id.get(name), cohort, [ids[r] for r in rows], spacing[name], size)
        for name, rows in rows_of.items()
    ]
    with building(folder, resume=True) as temporary:
        read = yield from write_rows(temporary / "labels.npy", size, "|u1", makes, "reading labels")
        pixels = np.full(len(ids), -1, dtype=np.int64)
        for rows, case in zip(rows_of.values(), read, strict=True):
            pixels[rows] = case["foreground"]
        np.save(temporary / "foreground.npy", pixels)
        problems = [problem for case in read for problem in case["problems"]]
        write_json(temporary / "problems.json", problems)
    return folder


def _case_maps(
    case: Case | None,
    cohort: Cohort,
    ids: Sequence[SampleId],
    spacing: Sequence[float],
    size: tuple[int, ...],
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Class maps of the samples of a case, with their foreground (-1: no usable label)."""
    nothing = np.zeros((len(ids), *size), np.uint8)
    if case is None or case.label is None:
        return nothing, {"foreground": -1, "problems": []}
    try:
        header = read_header(next(iter(case.images.values())))
        classes, notes = read_classes(case, cohort, header.shape, header.affine)
    except VolumeError as error:
        told = [asdict(Problem(case.id, str(error), fatal=True))]
        return nothing, {"foreground": -1, "problems": told}
    problems = [asdict(Problem(case.id, note)) for note in notes]
    whole = lay_out(classes, ids, header, spacing)
    maps = fit(whole, size)
    pixels = np.count_nonzero(foreground(maps).reshape(len(ids), -1), axis=1)
    drawn = classes if len(size) == 2 else whole  # slices of the scan may not be in the store
    lost = int(np.count_nonzero(foreground(drawn)) - pixels.sum())
    if lost:
        told_lost = Problem(
            case.id,
            f"{lost:,} labeled voxels of {case.id} lie outside of the images: in blank end "
            f"slices, or beyond {'×'.join(map(str, size))}. Choose a larger size to keep them.",
        )
        problems.append(asdict(told_lost))
    return maps, {"foreground": pixels.tolist(), "problems": problems}


def file_stamp(path: Path, root: Path) -> list[object]:
    """Name, size and time of a file: what changes when its content does.

    Of an Analyze pair, which is named by its header, the file with the voxels counts; of a
    folder (a DICOM series) all its files do.
    """
    path = path.with_suffix(".img") if path.suffix == ".hdr" else path
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    if path.is_dir():
        return [name, [file_stamp(each, path) for each in sorted(path.iterdir())]]
    try:
        status = path.stat()
    except OSError:
        return [name, -1, -1]
    return [name, status.st_size, status.st_mtime_ns]
