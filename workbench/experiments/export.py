"""Hand the chosen cases of a run, with their annotations, to nnU-Net.

The rules are those of nnU-Net v2's ``documentation/dataset_format.md`` and
``ignore_label.md``: ``imagesTr/CASE_0000.nii.gz`` for each channel, consecutive
label values, and the ignore label as the highest of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import IGNORED, Case, Cohort
from workbench.cohort.converting import IGNORE, Files, begin_conversion, put_channel, without_gap
from workbench.cohort.label_maps import read_classes
from workbench.cohort.masks import write_mask
from workbench.cohort.pool import Pool, SliceId
from workbench.cohort.preprocess import as_slices
from workbench.cohort.volumes import read_header
from workbench.errors import RunError
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run_data
from workbench.files import write_json
from workbench.jobs import Progress, Work

__all__ = ["export_nnunet"]


def export_nnunet(
    run: Run, folder: Path, files: Files = "link", overwrite: bool = False
) -> Work[int]:
    """Write the cases that were labeled in a run as a raw data set of nnU-Net.

    A case of which every slice was labeled has its whole reference. In the others the slices
    that were not labeled carry nnU-Net's ignore label.

    Parameters
    ----------
    run : Run
        With at least one round.
    folder : Path
        Where ``dataset.json``, ``imagesTr/`` and ``labelsTr/`` are made, such as
        ``nnUNet_raw/Dataset101_Chosen``.
    files : {"link", "copy"}
        Whether images that are right as they are become symbolic links or copies.
    overwrite : bool
        Whether files of the folder may be replaced.

    Returns
    -------
    int
        How many cases were written.

    Raises
    ------
    RunError
        If the run has no round yet.
    CohortError
        If the cohort is gone, or the folder holds other files.
    """
    if not run.rounds:
        raise RunError(
            f"{run.folder} has no finished round: nothing was labeled that could be exported. Run "
            f"it first."
        )
    data = yield from open_run_data(run.config)
    cohort, pool = data.cohort, run.pool_after(data.pool)
    labeled = np.flatnonzero(pool.labeled_in >= 0)
    names = [str(pool.ids[row]) for row in labeled]
    begin_conversion(
        folder, ["nnU-Net", data.images.key, data.labels.key, files, names], files, overwrite
    )
    chosen = sorted({pool.ids[row].case for row in labeled})
    by_id = {case.id: case for case in cohort.cases}
    ignored = False
    for number, name in enumerate(chosen):
        yield Progress("exporting cases", number, len(chosen))
        case = by_id[name]
        paths = list(case.images.values())
        for channel, path in enumerate(paths):
            target = folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz"
            put_channel(path, paths[:channel].count(path) if paths.count(path) > 1 else None,
                        target, files)  # fmt: skip
        classes = _annotated(case, cohort, pool)
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
            f"{run.config.strategy['name']}; the other slices of their cases are ignored.",
        },
    )
    yield Progress("exporting cases", len(chosen), len(chosen))
    return len(chosen)


def _annotated(case: Case, cohort: Cohort, pool: Pool) -> NDArray[np.uint8]:
    """Classes of a case, RAS+; slices that nobody labeled are ignored."""
    header = read_header(next(iter(case.images.values())))
    classes, _ = read_classes(case, cohort, header.shape, header.affine)
    rows = [row for row, each in enumerate(pool.ids) if each.case == case.id]
    marked = [row for row in rows if pool.labeled_in[row] >= 0]
    if len(marked) == len(rows):
        return classes
    slices = as_slices(classes, pool.ids[rows[0]].axis)  # a view: what is set here is set there
    blank = np.ones(len(slices), np.bool_)
    ids = [pool.ids[row] for row in marked]
    blank[[each.index for each in ids if isinstance(each, SliceId)]] = False
    slices[blank] = IGNORED
    return classes
