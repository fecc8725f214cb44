"""Learn a little of many files at once, and only once: headers, and values of label maps.

Files are read in parallel, because a cohort often lies on a disk where each of
them takes its time to open. What was learned is kept in the cache folder, by
name, size and time of each file, so that a changed file is read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.label_maps import file_stamp, values_in
from workbench.cohort.volumes import Header, check_same_grid, read_header, read_label
from workbench.errors import VolumeError
from workbench.files import cache_folder, content_key, read_json, replace_file
from workbench.jobs import Progress, Work

__all__ = ["read_headers", "read_label_values", "without_misfits"]

T = TypeVar("T")
#: Raised whenever what is kept of a file changes.
VERSION = 1


def read_headers(paths: Iterable[Path], root: Path) -> Work[dict[Path, Header | VolumeError]]:
    """Read what files say about themselves; the error in place of one that cannot be read."""
    found = yield from _learn("headers", paths, root, lambda path: _plain(read_header(path)))
    return {p: h if isinstance(h, VolumeError) else _header(h) for p, h in found.items()}


def read_label_values(
    paths: Iterable[Path], root: Path
) -> Work[dict[Path, list[int] | VolumeError]]:
    """Read the values of label maps, ascending; the error in place of one that is none."""
    return (
        yield from _learn(
            "label values", paths, root, lambda path: values_in(read_label(path)[0])[0].tolist()
        )
    )


def without_misfits(cohort: Cohort) -> Work[Cohort]:
    """Look at the headers of a cohort and leave out what cannot be used.

    A case is left out if an image cannot be read, or if its channels lie on different voxel
    grids and are not to be resampled. A label map that cannot be read or lies on another grid
    makes its case one without a label. Both are told among the problems.
    """
    paths = [path for case in cohort.cases for path in (*case.images.values(), case.label) if path]
    headers = yield from read_headers(dict.fromkeys(paths), cohort.root)
    cases, problems = [], []
    for case in cohort.cases:
        try:
            _check_channels(case, headers, cohort.resample)
        except VolumeError as error:
            problems.append(Problem(case.id, str(error), True))
            continue
        try:
            if case.label is not None:
                _check_grids(next(iter(case.images.values())), case.label, headers)
        except VolumeError as error:
            problems.append(Problem(case.id, str(error), True))
            case = replace(case, label=None)
        cases.append(case)
    return replace(cohort, cases=tuple(cases), problems=(*cohort.problems, *problems))


def _check_channels(
    case: Case, headers: Mapping[Path, Header | VolumeError], resample: bool
) -> None:
    first, *others = dict.fromkeys(case.images.values())
    _known(first, headers)
    for path in others:
        _known(path, headers)
        if resample:
            continue
        try:
            _check_grids(first, path, headers)
        except VolumeError as error:
            raise VolumeError(
                f"{error} With --resample (resample = true) the workbench puts the channels of "
                f"every case onto the grid of the first."
            ) from None


def _check_grids(first: Path, second: Path, headers: Mapping[Path, Header | VolumeError]) -> None:
    one, other = _known(first, headers), _known(second, headers)
    check_same_grid(first, one.shape, one.affine, second, other.shape, other.affine)


def _known(path: Path, headers: Mapping[Path, Header | VolumeError]) -> Header:
    header = headers[path]
    if isinstance(header, VolumeError):
        raise header
    return header


# ---------------------------------------------------------------------- kept by file
def _learn(
    kind: str, paths: Iterable[Path], root: Path, read: Callable[[Path], T]
) -> Work[dict[Path, T | VolumeError]]:
    """Read every file that is new or changed, and remember what was read of it."""
    stamps = {path: json.dumps(file_stamp(path, root)) for path in paths}
    key = content_key(kind, VERSION, root.resolve().as_posix())
    place = cache_folder() / "index" / f"{key}.json"
    kept = _kept(place)
    found: dict[Path, T | VolumeError] = {p: kept[s] for p, s in stamps.items() if s in kept}
    new = [path for path in stamps if path not in found]
    if new:
        with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
            waiting = {threads.submit(read, path): path for path in new}
            try:
                for done, future in enumerate(as_completed(waiting)):
                    yield Progress(f"reading {kind}", done, len(new))
                    try:
                        found[waiting[future]] = future.result()
                    except VolumeError as error:
                        found[waiting[future]] = error  # told again until the file is changed
            finally:
                threads.shutdown(cancel_futures=True)
        good = {s: found[p] for p, s in stamps.items() if not isinstance(found[p], VolumeError)}
        replace_file(place, lambda file: file.write_text(json.dumps(good), encoding="utf-8"))
    return {path: found[path] for path in stamps}


def _kept(place: Path) -> dict[str, Any]:
    try:
        content = read_json(place)
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        return {}


def _plain(header: Header) -> list[Any]:
    return [header.shape, header.frames, header.spacing, header.affine.tolist(), header.dtype]


def _header(kept: list[Any]) -> Header:
    shape, frames, spacing, affine, dtype = kept
    return Header(tuple(shape), frames, tuple(spacing), np.array(affine), dtype)
