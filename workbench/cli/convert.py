"""Commands that exchange files with other programs: ``import``, ``export``, ``import-masks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.options import LayoutName, Resample, TaskName, UnknownLabels
from workbench.cli.progress import with_progress
from workbench.cohort.cohort import AUTO, CohortOptions
from workbench.errors import SettingError
from workbench.jobs import Work
from workbench.words import count

__all__ = ["export_run", "import_cohort", "import_run_masks"]

FilesOption = Annotated[
    str, typer.Option(help="Files that are right as they are: 'link' to them, or 'copy' them.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")]


def import_cohort(
    source: Annotated[str, typer.Argument(help="Folder of a cohort in any layout.")],
    folder: Annotated[Path, typer.Argument(help="Folder that is made, in the MSD layout.")],
    layout: LayoutName = AUTO,
    task: TaskName = AUTO,
    unknown_labels: UnknownLabels = "refuse",
    resample: Resample = False,
    files: FilesOption = "link",
    overwrite: Overwrite = False,
) -> None:
    """Convert a cohort to the layout of the Medical Segmentation Decathlon.

    Interrupt it at any moment; the same command goes on. Nothing is replaced without --overwrite.
    """
    from workbench.cohort.converting import to_msd
    from workbench.cohort.opening import open_cohort

    options = CohortOptions(layout, task, unknown_labels, resample)  # type: ignore[arg-type]

    def work() -> Work[Any]:
        opened = yield from open_cohort(source, options=options)
        return (yield from to_msd(opened, folder, files, overwrite))  # type: ignore[arg-type]

    made = with_progress(work())
    for problem in made.problems:
        typer.echo(str(problem), err=True)
    labeled = sum(case.label is not None for case in made.cases)
    left_out = sum(problem.fatal for problem in made.problems)  # the others are notes
    typer.echo(
        f"{count(len(made.cases), 'case')} in the layout MSD, task {made.task!r}, "
        f"{'is' if len(made.cases) == 1 else 'are'} in {folder}, {labeled:,} with a label"
        + (f"; {count(left_out, 'problem')} told above." if left_out else ".")
    )


def export_run(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    folder: Annotated[
        Path, typer.Argument(help="Folder that is made, such as nnUNet_raw/Dataset101_Chosen.")
    ],
    format: Annotated[
        str,
        typer.Option(help="'nnunet', or 'nifti': annotations as masks that 'import-masks' reads."),
    ] = "nnunet",
    files: FilesOption = "link",
    overwrite: Overwrite = False,
) -> None:
    """Write what was labeled in a run: a data set for nnU-Net v2, or NIfTI masks.

    For nnU-Net: the cases with labels; slices that nobody labeled carry its ignore label. With
    --format nifti: what people annotated, one mask for each case on the grid of its scan.
    """
    from workbench.experiments.export import export_masks, export_nnunet
    from workbench.experiments.runs import Run

    if format == "nifti":
        masks = with_progress(export_masks(Run.load(run), folder, overwrite))
        typer.echo(f"{count(masks, 'mask is', 'masks are')} in {folder}.")
        return
    if format != "nnunet":
        raise SettingError(
            f"The format {format!r} is not known. Runs are exported as 'nnunet' or 'nifti'."
        )
    cases = with_progress(export_nnunet(Run.load(run), folder, files, overwrite))  # type: ignore[arg-type]
    typer.echo(f"{count(cases, 'case is', 'cases are')} in {folder}.")


def import_run_masks(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    masks: Annotated[
        list[Path], typer.Argument(help="NIfTI files called like their cases, or folders of them.")
    ],
    annotator: Annotated[str, typer.Option(help="Who drew them.")],
) -> None:
    """Take over masks that were drawn or edited in ITK-SNAP, 3D Slicer or another program.

    Slices that differ from what was annotated before are answered "done". All files are checked
    before anything is taken over: shape, affine, label values and names of cases.
    """
    from workbench.experiments.export import import_masks
    from workbench.experiments.runs import Run

    read = with_progress(import_masks(Run.load(run), masks, annotator))
    for note in read.notes:
        typer.echo(note, err=True)
    typer.echo(
        f"{count(read.slices, 'slice')} of {count(read.files, 'mask')} changed and "
        f"{'is' if read.slices == 1 else 'are'} in the ledger of {run}."
    )
