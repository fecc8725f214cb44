"""Hand what was labeled in a run to other programs, and take back what was edited there.

Cases with their labels go to nnU-Net, annotations to ITK-SNAP, 3D Slicer and the
like (`workbench.annotation.masks`). The rules of nnU-Net v2 are those of its
``documentation/dataset_format.md`` and ``ignore_label.md``:
``imagesTr/CASE_0000.nii.gz`` for each channel, consecutive label values, and the
ignore label as the highest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Ledger, LedgerLabels, images_key
from workbench.annotation.ledger import FILE_NAME
from workbench.annotation.masks import Imported, read_masks, write_masks
from workbench.cohort.cohort import IGNORED, Case
from workbench.cohort.converting import IGNORE, Files, begin_conversion, put_channels, without_gap
from workbench.cohort.label_maps import read_classes
from workbench.cohort.masks import write_mask
from workbench.cohort.placing import to_scan
from workbench.cohort.pool import SliceId
from workbench.cohort.preprocess import as_slices
from workbench.cohort.volumes import read_header
from workbench.errors import RunError
from workbench.experiments.opening import open_cohort_of
from workbench.experiments.runs import Run
from workbench.files import write_json
from workbench.jobs import Progress, Work
from workbench.study import Data

__all__ = ["export_masks", "export_nnunet", "import_masks"]


def export_nnunet(
    run: Run, folder: Path, files: Files = "link", overwrite: bool = False
) -> Work[int]:
    """Write the cases that were labeled in a run as a raw data set of nnU-Net.

    What people annotated goes before references. A case of which every slice was labeled is
    labeled as a whole; in the others the slices that were not carry nnU-Net's ignore label.

    Parameters
    ----------
    run : Run
        With a round, or with annotations.
    folder : Path
        Where ``dataset.json``, ``imagesTr/`` and ``labelsTr/`` are made, such as
        ``nnUNet_raw/Dataset101_Chosen``.
    files : {"link", "copy"}
        Whether images that are right as they are become symbolic links or copies; channels on
        several grids are written anew on that of the label.
    overwrite : bool
        Whether files of the folder may be replaced.

    Returns
    -------
    int
        How many cases were written.

    Raises
    ------
    RunError
        If nothing was labeled in the run yet.
    CohortError
        If the cohort is gone, or the folder holds other files.
    """
    nothing = RunError(
        f"{run.folder} has no finished round and no annotation: nothing was labeled that could be "
        f"exported. Run it, or annotate, first."
    )
    if not run.rounds and not (run.folder / FILE_NAME).is_file():
        raise nothing
    data = yield from open_cohort_of(run.config, run.config.candidates)
    cohort, pool = data.cohort, run.pool_after(data.pool)
    drawn = _annotations(run, data)
    marked = pool.labeled if drawn is None else pool.labeled | drawn.annotated
    labeled = np.flatnonzero(marked)
    if not len(labeled):
        raise nothing
    names = [str(pool.ids[row]) for row in labeled]
    key = data.labels.key if drawn is None else drawn.key
    begin_conversion(folder, ["nnU-Net", data.images.key, key, files, names], files, overwrite)
    chosen = sorted({pool.ids[row].case for row in labeled})
    by_id = {case.id: case for case in cohort.cases}
    ignored = False
    for number, name in enumerate(chosen):
        yield Progress("exporting cases", number, len(chosen))
        case = by_id[name]
        put_channels(case, cohort, folder / "imagesTr", files)
        classes = _labeled(case, data, marked, drawn)
        ignored |= bool((classes == IGNORED).any())
        write_mask(
            without_gap(classes, len(cohort.classes)),
            folder / "imagesTr" / f"{name}_0000.nii.gz",
            folder / "labelsTr" / f"{name}.nii.gz",
        )
    unit = "volumes" if data.images.of_volumes else "slices"
    labels = {label: value for value, label in enumerate(cohort.classes)}
    write_json(
        folder / "dataset.json",
        {
            "channel_names": {str(index): each for index, each in enumerate(cohort.channels)},
            "labels": labels | ({IGNORE: len(labels)} if ignored else {}),
            "numTraining": len(chosen),
            "file_ending": ".nii.gz",
            "name": folder.name,
            "description": f"{len(names):,} labeled {unit} of {cohort.name}, chosen by "
            f"{run.config.strategy['name']}"
            f"{'; the other slices of their cases are ignored' if ignored else ''}.",
        },
    )
    yield Progress("exporting cases", len(chosen), len(chosen))
    return len(chosen)


def export_masks(run: Run, folder: Path, overwrite: bool = False) -> Work[int]:
    """Write the annotations of a run as masks on the grid of the scans, one for each case.

    Parameters
    ----------
    run : Run
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
    RunError
        If nobody annotated anything in the run.
    CohortError
        If the cohort is gone, or the folder holds other files.
    """
    path = run.folder / FILE_NAME
    if not path.is_file():
        raise RunError(
            f"{run.folder} has no annotations. Annotate in the application, or read masks that "
            f"were drawn elsewhere with 'workbench import-masks'."
        )
    data = yield from open_cohort_of(run.config, run.config.candidates)
    with Ledger(path) as ledger:
        return (yield from write_masks(ledger, data.images, data.cohort, folder, overwrite))


def import_masks(run: Run, paths: Sequence[Path], annotator: str) -> Work[Imported]:
    """Take over masks that were drawn or edited in another program into a run's ledger.

    Parameters
    ----------
    run : Run
    paths : sequence of Path
        NIfTI files named like their cases, or folders of such files.
    annotator : str
        Who drew them.

    Raises
    ------
    RunError
        If the run was simulated: its labels are the references, and no round would learn from the
        masks.
    CohortError
        If a mask does not fit its case; nothing is taken over then.
    LedgerError
        If the entries cannot be saved.
    """
    people = any((run.folder / name).is_file() for name in (FILE_NAME, "session.json"))
    if run.rounds and (run.config.annotator or not people):
        raise RunError(
            f"{run.folder} is a simulated run: its labels come from the references, and nothing "
            f"that is imported there would be learned from. Open the cohort in the application "
            f"with a folder of its own, such as Workbench(SOURCE, 'runs/mine'), and import there."
        )
    data = yield from open_cohort_of(run.config, run.config.candidates)
    path = run.folder / FILE_NAME
    told = data.images, data.cohort, paths, annotator, len(run.rounds)
    if path.is_file():
        with _ledger_of(data, path) as ledger:
            return (yield from read_masks(ledger, *told))
    with TemporaryDirectory() as beside, _ledger_of(data, Path(beside) / FILE_NAME) as ledger:
        read = yield from read_masks(ledger, *told)  # what is refused leaves no file in the run
    if not read.entries:
        return read
    with _ledger_of(data, path) as ledger:
        return replace(read, entries=ledger.extend(read.entries))


def _ledger_of(data: Data, path: Path) -> Ledger:
    return Ledger(path, images_key=images_key(data.images), classes=data.labels.classes)


def _annotations(run: Run, data: Data) -> LedgerLabels | None:
    """What people annotated in a run; None if nobody did."""
    path = run.folder / FILE_NAME
    if not path.is_file():
        return None
    with Ledger(path) as ledger:
        return LedgerLabels(ledger, data.images, data.labels)


def _labeled(
    case: Case, data: Data, marked: NDArray[np.bool_], drawn: LedgerLabels | None
) -> NDArray[np.uint8]:
    """Classes of a case, RAS+; slices that nobody labeled are ignored."""
    header = read_header(next(iter(case.images.values())))
    classes = np.full(header.shape, IGNORED, np.uint8)
    if case.label is not None:
        classes, _ = read_classes(case, data.cohort, header.shape, header.affine)
    rows = np.array(data.images.rows_of(case.id))
    ids = [data.images.ids[row] for row in rows]
    if not marked[rows].all():
        slices = as_slices(classes, ids[0].axis)  # a view: what is set here is set there
        blank = np.ones(len(slices), np.bool_)
        labeled = [each for each, is_labeled in zip(ids, marked[rows], strict=True) if is_labeled]
        blank[[each.index for each in labeled if isinstance(each, SliceId)]] = False
        slices[blank] = IGNORED
    if drawn is None or not drawn.annotated[rows].any():
        return classes
    rows = rows[drawn.annotated[rows]]
    spacing = data.images.spacing[data.images.case_of[rows[0]]].tolist()
    ids = [data.images.ids[row] for row in rows]
    return to_scan(drawn.read(rows), ids, header, spacing, classes)
