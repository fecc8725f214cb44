"""Annotations as masks on the grid of the scans, and masks that come back edited.

ITK-SNAP, 3D Slicer and the like read a mask beside its scan and save what was
changed. A mask has the label values of the data set, and 0 where nothing was
drawn: in background and in slices that nobody annotated alike, because a value
of its own would cover the scan in those programs. Which slices were annotated is
told in ``annotations.json`` beside the masks. When they come back, only slices that
differ from the ledger become entries; in a new run, all that were annotated.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.entry import Entry, annotator_name
from workbench.annotation.label_source import LedgerLabels
from workbench.annotation.ledger import Ledger
from workbench.annotation.mask_files import MOST_TOLD, find_masks
from workbench.cohort.cohort import IGNORED, Case, Cohort
from workbench.cohort.label_maps import foreground, values_in
from workbench.cohort.masks import write_mask
from workbench.cohort.placing import lay_out, to_samples, to_scan
from workbench.cohort.pool import SampleId, SliceId
from workbench.cohort.store import ImageStore
from workbench.cohort.volumes import check_same_grid, read_header, read_label
from workbench.errors import CohortError, VolumeError
from workbench.files import read_json, write_json
from workbench.jobs import Progress, Work
from workbench.words import count

__all__ = ["Imported", "read_masks", "write_masks"]

#: Says beside the masks what they hold.
ABOUT = "annotations.json"


@dataclass(frozen=True)
class Imported:
    """What became of masks that were read.

    Parameters
    ----------
    files : int
        Masks that were read.
    entries : tuple of Entry
        What was written to the ledger, an entry for each slice that changed.
    slices : int
        How many of these lie in their scan; the others pad a volume to the size of all.
    notes : tuple of str
        Sentences on what could not be taken over.
    """

    files: int
    entries: tuple[Entry, ...]
    slices: int
    notes: tuple[str, ...] = ()


def write_masks(
    ledger: Ledger, store: ImageStore, cohort: Cohort, folder: Path, overwrite: bool = False
) -> Work[int]:
    """Write the annotations that training uses, one NIfTI file for each case that has some.

    Parameters
    ----------
    ledger : Ledger
    store : ImageStore
        The images that were annotated.
    cohort : Cohort
        Where their files are; its label values are written.
    folder : Path
        Where ``CASE.nii.gz`` and ``annotations.json`` are made.
    overwrite : bool
        Whether files of the folder may be replaced.

    Returns
    -------
    int
        How many masks were written.

    Raises
    ------
    CohortError
        If nothing was annotated, the folder holds files, or the cohort is another one.
    """
    labels = LedgerLabels(ledger, store)
    cases = [case for case in store.cases if labels.annotated[list(store.rows_of(case))].any()]
    if not cases:
        raise CohortError(
            f"{ledger.path} has no slice of these images that was answered 'done', so there is no "
            f"mask to write. Annotate some first."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise CohortError(
            f"{folder} is not empty. Choose another folder, or replace masks that lie there with "
            f"--overwrite; read masks that were edited there first, with import-masks."
        )
    accepted = ledger.accepted()
    by_id = {case.id: case for case in cohort.cases}
    values = _values(cohort)
    about = {}
    for number, name in enumerate(cases):
        yield Progress("writing masks", number, len(cases))
        rows = store.rows_of(name)
        classes = _on_scan(labels.read(rows), by_id[name], store)
        write_mask(values[classes], _scan(by_id[name]), folder / f"{name}.nii.gz")
        about[name] = _about([store.ids[row] for row in rows], ledger, accepted)
        if store.of_volumes:
            inside = _inside(by_id[name], store)
            about[name]["annotated"] = [n for n in about[name]["annotated"] if n in inside]
    where = (
        "slices of the volume as it is stored and displayed"
        if store.of_volumes
        else f"{store.axis} slices of the scan"
    )
    write_json(
        folder / ABOUT,
        {
            "labels": {"0": "background, or not annotated"}
            | {str(values[index]): name for index, name in enumerate(cohort.classes) if index},
            "slices": f"'annotated' counts {where} from 0, in RAS+ order. All others are 0.",
            "unit": _unit(store),
            "cases": about,
        },
    )
    yield Progress("writing masks", len(cases), len(cases))
    return len(cases)


def read_masks(
    ledger: Ledger,
    store: ImageStore,
    cohort: Cohort,
    paths: Iterable[Path],
    annotator: str,
    round: int = 0,
) -> Work[Imported]:
    """Take over masks that were drawn or edited in another program.

    Slices that differ from what the ledger holds are answered "done". A slice on which nothing is
    drawn is answered only if ``annotations.json`` beside the mask says that it was annotated; of a
    volume, all slices are answered where one is. Every file is checked before anything is written.

    Parameters
    ----------
    ledger : Ledger
        Gets the entries, all of them or none.
    store, cohort
        As of `write_masks`.
    paths : iterable of Path
        NIfTI files named like their cases, or folders of such files.
    annotator : str
        Who drew them.
    round : int
        The round that they are for.

    Raises
    ------
    CohortError
        If a file is named like no case of the store, or two like one; or volumes are annotated, and
        the masks were written from slices: what nobody looked at there is not background.
    VolumeError
        If a file cannot be read, lies on another grid, or holds unknown label values.
    LedgerError
        If the annotator has no name that can be kept, or the entries cannot be saved.
    """
    annotator_name(annotator)
    files, notes = find_masks(paths, store, cohort)
    labels = LedgerLabels(ledger, store)
    accepted = ledger.accepted()
    by_id = {case.id: case for case in cohort.cases}
    entries: list[Entry] = []
    slices = 0
    for number, (name, path) in enumerate(files.items()):
        yield Progress("reading masks", number, len(files))
        case = by_id[name]
        listed = _listed(path, name, store)
        drawn, lost = _drawn(path, case, cohort, store)
        held = _as_samples(_on_scan(labels.read(store.rows_of(name)), case, store), case, store)
        if not cohort.ignored:
            held[held == IGNORED] = 0  # as it was written
        note = f"from {path.name if path.name.isprintable() else ascii(path.name)}"
        changed = list(_changed(store, name, drawn, held, accepted, listed))
        entries += [
            Entry(sample, "done", classes, depth, annotator, round, "mask", note=note)
            for sample, depth, classes in changed
        ]
        inside = _inside(case, store) if changed and store.of_volumes else range(1)
        slices += sum(depth in inside for _, depth, _ in changed)
        if lost:
            notes.append(
                f"{path.name}: {count(lost, 'labeled voxel')} outside of the images as they are "
                f"annotated (in blank end slices, or beyond {'×'.join(map(str, store.size))}) "
                f"could not be taken over."
            )
    written = ledger.extend(entries) if entries else ()
    yield Progress("reading masks", len(files), len(files))
    return Imported(len(files), written, slices, tuple(notes))


def _drawn(
    path: Path, case: Case, cohort: Cohort, store: ImageStore
) -> tuple[NDArray[np.uint8], int]:
    """Read a mask as label maps of the samples of its case, and count the voxels beyond them."""
    classes = _read(path, case, cohort)
    maps = _as_samples(classes, case, store)
    if store.of_volumes:
        ids, spacing = _place(case, store)
        classes = lay_out(classes, ids, read_header(_scan(case)), spacing)
    return maps, int(np.count_nonzero(foreground(classes)) - np.count_nonzero(foreground(maps)))


def _changed(
    store: ImageStore,
    case: str,
    drawn: NDArray[np.uint8],
    held: NDArray[np.uint8],
    accepted: Mapping[tuple[str, int], int],
    listed: Container[int],
) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    """Sample, depth and label map of the slices of a mask that are answered with it."""
    for row, new, old in zip(store.rows_of(case), drawn, held, strict=True):
        each = store.ids[row]
        pairs = list(zip(new, old, strict=True)) if store.of_volumes else [(new, old)]
        unanswered = [depth for depth in range(len(pairs)) if (str(each), depth) not in accepted]
        told = any((each.index if isinstance(each, SliceId) else n) in listed for n in unanswered)
        if np.array_equal(new, old) and not told:
            continue
        for depth, (one, before) in enumerate(pairs):
            if depth in unanswered or not np.array_equal(one, before):
                yield str(each), depth, one


def _about(
    ids: Sequence[SampleId], ledger: Ledger, accepted: Mapping[tuple[str, int], int]
) -> dict[str, Any]:
    """Which slices of a case were annotated, and by whom."""
    index = {str(each): each.index if isinstance(each, SliceId) else None for each in ids}
    numbers: dict[int, int] = {}
    for (sample, depth), number in accepted.items():
        if sample in index:
            at = index[sample]
            numbers[depth if at is None else at] = number
    return {
        "annotated": sorted(numbers),
        "annotators": sorted({ledger.read(number).annotator for number in numbers.values()}),
    }


def _unit(store: ImageStore) -> str:
    """What is annotated: it decides what the numbers in ``annotations.json`` count."""
    return "volumes" if store.of_volumes else "slices"


def _listed(path: Path, case: str, store: ImageStore) -> Container[int]:
    """Slices that were annotated, as it is told beside a mask; none where nothing is told."""
    try:
        about = read_json(path.parent / ABOUT)
        unit, annotated = str(about["unit"]), set(about["cases"][case]["annotated"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    if unit == _unit(store):
        return annotated
    if store.of_volumes:
        raise CohortError(
            f"{path} was written from a run of slices: {count(len(annotated), 'slice')} of it "
            f"{'was' if len(annotated) == 1 else 'were'} annotated, and whole volumes are asked "
            f"for here. Draw the others too, then move {ABOUT} away from beside it, which says "
            f"that they are missing."
        )
    ids = [store.ids[row] for row in store.rows_of(case)]
    return {each.index for each in ids if isinstance(each, SliceId)}  # a volume is whole


# ---------------------------------------------------------------------- grids and values
def _scan(case: Case) -> Path:
    return next(iter(case.images.values()))


def _values(cohort: Cohort) -> NDArray[np.int32]:
    """Label value of every class, shape (256,)."""
    values = np.zeros(256, np.int32)
    for index, several in enumerate(cohort.values_of.values(), 1):
        values[index] = several[0]
    values[IGNORED] = cohort.ignored[0] if cohort.ignored else 0
    return values


def _as_samples(classes: NDArray[np.uint8], case: Case, store: ImageStore) -> NDArray[np.uint8]:
    ids, spacing = _place(case, store)
    return to_samples(classes, ids, read_header(_scan(case)), spacing, store.size)


def _on_scan(maps: NDArray[np.uint8], case: Case, store: ImageStore) -> NDArray[np.uint8]:
    """Put the label maps of all samples of a case onto its scan, 0 elsewhere."""
    ids, spacing = _place(case, store)
    header = read_header(_scan(case))
    return to_scan(maps, ids, header, spacing, np.zeros(header.shape, np.uint8))


def _inside(case: Case, store: ImageStore) -> range:
    """Slices of a stored volume that lie in its scan; the others pad it to the size of all."""
    ids, spacing = _place(case, store)
    header, stored = read_header(_scan(case)), store.size[0]
    own = len(lay_out(np.zeros(header.shape, np.uint8), ids, header, spacing)[0])
    first = max(stored - own, 0) // 2
    return range(first, first + min(own, stored))


def _place(case: Case, store: ImageStore) -> tuple[Sequence[SampleId], Sequence[float]]:
    ids = [store.ids[row] for row in store.rows_of(case.id)]
    return ids, [float(mm) for mm in store.spacing[store.cases.index(case.id)]]


def _read(path: Path, case: Case, cohort: Cohort) -> NDArray[np.uint8]:
    """Read a mask as classes, RAS+, and check that it lies on its scan."""
    values, affine = read_label(path)
    header = read_header(_scan(case))
    check_same_grid(_scan(case), header.shape, header.affine, path, values.shape, affine)
    class_of = cohort.class_of
    found, counts = values_in(values)
    unknown = ~np.isin(found, list(class_of))
    if unknown.any():
        told = ", ".join(
            f"{value} ({count(int(voxels), 'voxel')})"
            for value, voxels in zip(found[unknown][:MOST_TOLD], counts[unknown], strict=False)
        )
        known = ", ".join(f"{value} {cohort.labels[value]}" for value in sorted(cohort.labels))
        raise VolumeError(
            f"{path} holds label values that are none of the task {cohort.task!r}: {told}. Known "
            f"are 0 background, {known}. Draw with these values, then import it again."
        )
    classes = np.array([class_of[value] for value in found.tolist()], np.uint8)
    return classes[np.searchsorted(found, values)]
