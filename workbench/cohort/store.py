"""Slices or volumes on the disk, built once, opened in no time, larger than memory if need be.

A store is a folder: ``images.npy`` holds the slices of its cases one after the
other as float16, ``index.json`` says which row belongs to which slice. It is
named by everything that decides its content, so the same question finds the
same store. Label maps lie in a folder of their own inside it and are opened by
`ReferenceLabels` alone: a changed label file makes
a new label folder and leaves images, and all that was learned from them, alone.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.cohort.building import building
from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.indexing import read_headers
from workbench.cohort.label_maps import build_labels, file_stamp
from workbench.cohort.label_source import LabelSource, ReferenceLabels, foreground_pixels
from workbench.cohort.pool import Axis, Pool, SampleId, SliceId, VolumeId
from workbench.cohort.preprocess import fit
from workbench.cohort.recipes import Recipe, VolumeRecipe
from workbench.cohort.resample import read_case
from workbench.cohort.rows import check_rows, write_rows
from workbench.cohort.volumes import Header
from workbench.errors import CohortError, SettingError, StoreError, VolumeError
from workbench.files import cache_folder, content_key, read_json, write_json
from workbench.jobs import Work

__all__ = ["ImageStore", "build_store", "first_pool", "foreground_area", "open_store"]

#: Raised whenever the content or form of a store changes.
VERSION = 1


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Slices of some cases, or the cases as volumes, memory-mapped.

    Parameters
    ----------
    folder : Path
        Where it lies.
    key : str
        Names its content: equal keys, equal images.
    ids : tuple of SliceId or of VolumeId, length n
        The slice of each row, case by case, its index counted in the RAS+ volume; or its case.
    cases : tuple of str
        Ids of the cases.
    case_of : ndarray of int32, shape (n,)
        Position in `cases` of each row's case.
    channels : tuple of str, length c
    images : memory map of float16, shape (n, c, h, w) or (n, c, d, h, w)
        As displayed, radiological; scaled and padded by the recipe.
    spacing : ndarray of float64, shape (cases, 3)
        Distance of slices, rows and columns of each case, mm.
    sites : tuple of str
        Site of each case.
    problems : tuple of Problem
        What was found while reading; a case with a fatal one is not in the store.
    """

    folder: Path
    key: str
    ids: tuple[SampleId, ...]
    cases: tuple[str, ...]
    case_of: NDArray[np.int32]
    channels: tuple[str, ...]
    images: NDArray[np.float16]
    spacing: NDArray[np.float64]
    sites: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def axis(self) -> Axis:
        """Direction that the slices are cut across."""
        return self.ids[0].axis

    @property
    def size(self) -> tuple[int, ...]:
        """Rows and columns of every slice, or slices, rows and columns of every volume."""
        return tuple(int(side) for side in self.images.shape[2:])

    @property
    def of_volumes(self) -> bool:
        """Whether a row is a volume."""
        return len(self.size) == 3

    def read(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Copy images into memory, shape (m, c, h, w) or (m, c, d, h, w)."""
        return np.asarray(self.images[np.asarray(rows, dtype=np.int64)]).astype(np.float32)

    def pictures(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Copy what can be shown of rows, shape (m, c, h, w): of volumes the middle slices."""
        if not self.of_volumes:
            return self.read(rows)
        chosen = np.asarray(rows, dtype=np.int64)
        return np.asarray(self.images[chosen, :, self.size[0] // 2]).astype(np.float32)

    def rows_of(self, case: str) -> range:
        """Rows of a case, in the order of its slices.

        Raises
        ------
        SettingError
            If the store has no such case.
        """
        if case not in self.cases:
            raise SettingError(f"The store has no case {case!r}. It has {_few(self.cases)}.")
        rows = np.flatnonzero(self.case_of == self.cases.index(case))
        return range(int(rows[0]), int(rows[-1]) + 1)


def build_store(
    cohort: Cohort,
    case_ids: Sequence[str],
    recipe: Recipe | VolumeRecipe | None = None,
    folder: Path | None = None,
) -> Work[ImageStore]:
    """Read volumes into a store, or open the one that was built before.

    Volumes are read on all cores and appended, so memory need hold a case for each core. A build
    that is stopped or killed goes on after the last case that was written; what is on the disk in
    the end is compared with checksums.

    Parameters
    ----------
    cohort : Cohort
        Where the files are. A size that the recipe leaves open is common to all its
        cases, so that stores of pool and test set have the same.
    case_ids : sequence of str
        The cases to put in, in this order.
    recipe : Recipe or VolumeRecipe, optional
        How scans become slices, or volumes of one size.
    folder : Path, optional
        The folder that stores are kept in; in the cache folder if not given.

    Returns
    -------
    ImageStore
        Without the cases that cannot be read, which are told in its problems.

    Raises
    ------
    SettingError
        If a case is not in the cohort, or occurs twice.
    CohortError
        If not one of the cases can be read.
    StoreError
        If the disk is full, and nothing half-built remains; or if it fails.
    """
    recipe = recipe or Recipe()
    cases = _chosen(cohort, case_ids)
    key = _key(cohort, cases, recipe)
    place = (folder or cache_folder() / "stores") / key
    if not (place / "index.json").is_file():
        yield from _build(cohort, cases, recipe, place)
    store = open_store(place)
    yield from build_labels(store, cohort)
    return store


def open_store(folder: Path) -> ImageStore:
    """Open a store that was built.

    Raises
    ------
    StoreError
        If there is none, or it was damaged.
    """
    try:
        index = read_json(folder / "index.json")
        images = np.load(folder / "images.npy", mmap_mode="r")
        starts = [case["rows"] for case in index["cases"]]
        if index["version"] != VERSION or images.shape[0] != sum(starts):
            raise ValueError("its index and its images do not belong together")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder} is not a whole image store ({error}). Delete that folder: it is built "
            f"again from the volumes when it is next needed."
        ) from error
    ids: list[SampleId] = [
        VolumeId(case["id"])
        if images.ndim == 5
        else SliceId(case["id"], index["axis"], case["first"] + i)
        for case in index["cases"]
        for i in range(case["rows"])
    ]
    spacing = np.array([case["spacing"] for case in index["cases"]], dtype=np.float64)
    case_of = np.repeat(np.arange(len(starts), dtype=np.int32), starts)
    spacing.flags.writeable = case_of.flags.writeable = False
    return ImageStore(
        folder=folder,
        key=index["key"],
        ids=tuple(ids),
        cases=tuple(case["id"] for case in index["cases"]),
        case_of=case_of,
        channels=tuple(index["channels"]),
        images=images,
        spacing=spacing,
        sites=tuple(case["site"] for case in index["cases"]),
        problems=tuple(Problem(**problem) for problem in index["problems"]),
    )


def first_pool(store: ImageStore, labels: LabelSource) -> Pool:
    """Return the pool before anything is labeled: rows with a label are eligible.

    Raises
    ------
    CohortError
        If there are labels, but not one of them marks anything.
    """
    if (
        isinstance(labels, ReferenceLabels)
        and labels.available.any()
        and labels.foreground.max() == 0
    ):
        raise CohortError(
            "No label map marks anything: every labeled voxel is background (0). A model would "
            "have nothing to learn. Check that the right label files lie beside the images."
        )
    count = len(store.ids)
    return Pool(store.ids, store.case_of, labels.available, np.full(count, -1, dtype=np.int32))


def foreground_area(store: ImageStore, labels: LabelSource) -> NDArray[np.float64]:
    """Area that is not background in each row, shape (n,), mm²; of volumes mm³.

    NaN where there is no label.
    """
    axes = len(store.size)
    pixels = foreground_pixels(labels)
    area: NDArray[np.float64] = pixels * store.spacing[store.case_of][:, -axes:].prod(axis=1)
    return area


# ---------------------------------------------------------------------- building
def _build(
    cohort: Cohort, cases: Sequence[Case], recipe: Recipe | VolumeRecipe, place: Path
) -> Work[None]:
    headers = yield from _headers(cohort.cases if recipe.size is None else cases, cohort.root)
    if not any(case.id in headers for case in cases):
        raise _nothing_readable(cohort, cases)
    size = recipe.common_size(headers.values())
    known = [headers[case.id] for case in cases if case.id in headers]
    most = sum(recipe.most_rows(header) for header in known)
    row_bytes = len(cohort.channels) * math.prod(size) * 2
    _check_space(place.parent, most * row_bytes)
    makes = [partial(_read_case, case, cohort, recipe, size) for case in cases]
    with building(place, resume=True) as temporary:
        images = temporary / "images.npy"
        form = (len(cohort.channels), *size)
        read = yield from write_rows(images, form, "<f2", makes, "reading volumes")
        problems = [problem for case in read for problem in case.pop("problems")]
        index = [case for case in read if case["rows"]]
        if not index:
            raise _nothing_readable(cohort, cases)
        yield from check_rows(images, index, "checking the store")
        content = {
            "version": VERSION,
            "key": place.name,
            "axis": recipe.axis,
            "channels": cohort.channels,
            "cases": index,
            "problems": problems,
        }
        write_json(temporary / "index.json", content)


def _read_case(
    case: Case, cohort: Cohort, recipe: Recipe | VolumeRecipe, size: tuple[int, ...]
) -> tuple[NDArray[np.float16], dict[str, Any]]:
    """Samples of one case, and its entry in the index; no samples if it cannot be read."""
    try:
        volume = read_case(case, cohort)
    except VolumeError as error:
        told = [asdict(Problem(case.id, str(error), fatal=True))]
        return np.empty((0, len(cohort.channels), *size), np.float16), {"problems": told}
    cut = recipe.cut(volume)
    limit = float(np.finfo(np.float16).max)
    rows = fit(cut.images, size).clip(-limit, limit)
    return np.ascontiguousarray(rows, dtype=np.float16), {
        "id": case.id,
        "site": case.site,
        "first": cut.first,
        "spacing": list(cut.spacing),
        "problems": [asdict(Problem(case.id, note)) for note in volume.notes],
    }


def _headers(cases: Sequence[Case], root: Path) -> Work[dict[str, Header]]:
    """Headers by case, without the cases whose first image cannot be opened."""
    first = {case.id: next(iter(case.images.values())) for case in cases}
    headers = yield from read_headers(dict.fromkeys(first.values()), root)
    return {
        case: header
        for case, path in first.items()
        if isinstance(header := headers[path], Header)  # an error is told when the case is read
    }


def _chosen(cohort: Cohort, case_ids: Sequence[str]) -> list[Case]:
    by_id = {case.id: case for case in cohort.cases}
    unknown = [case for case in case_ids if case not in by_id]
    if unknown or not case_ids or len(set(case_ids)) != len(case_ids):
        what = f"it has no {_few(unknown)}" if unknown else "a case was named twice, or none"
        raise SettingError(
            f"A store of the cohort {cohort.name!r} cannot be built: {what}. Name cases of the "
            f"cohort, each once: {_few(tuple(by_id))}."
        )
    return [by_id[case] for case in case_ids]


def _key(cohort: Cohort, cases: Sequence[Case], recipe: Recipe | VolumeRecipe) -> str:
    """Key of the images: the recipe, and names, sizes and times of the files read."""
    chosen = [
        [case.id, case.site, [file_stamp(path, cohort.root) for path in case.images.values()]]
        for case in cases
    ]
    sized = (
        [file_stamp(next(iter(case.images.values())), cohort.root) for case in cohort.cases]
        if recipe.size is None
        else []
    )
    resampled = ["resampled"] if cohort.resample else []
    return content_key(
        "images", VERSION, recipe.record(), cohort.channels, chosen, sized, *resampled
    )


def _check_space(folder: Path, needed: int) -> None:
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"The image store needs {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB "
            f"are free. Free some space, or set WORKBENCH_CACHE to a folder on a larger disk. "
            f"Nothing was written."
        )


def _nothing_readable(cohort: Cohort, cases: Sequence[Case]) -> CohortError:
    reasons = []
    for case in cases[:3]:
        try:
            read_case(case, cohort)
        except VolumeError as error:
            reasons.append(str(error))
    return CohortError(
        f"Not one of {len(cases)} cases of the cohort {cohort.name!r} can be read. "
        f"{' '.join(reasons)} Run 'workbench cohort {cohort.root}' for every problem."
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
