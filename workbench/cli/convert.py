"""Commands that write cases for other programs: ``workbench import`` and ``workbench export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.progress import with_progress
from workbench.cohort.cohort import AUTO, CohortOptions
from workbench.errors import SettingError
from workbench.jobs import Work

__all__ = ["export_run", "import_cohort"]

FilesOption = Annotated[
    str, typer.Option(help="Files that are right as they are: 'link' to them, or 'copy' them.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")]


def import_cohort(
    source: Annotated[str, typer.Argument(help="Folder of a cohort in any layout.")],
    folder: Annotated[Path, typer.Argument(help="Folder that is made, in the MSD layout.")],
    layout: Annotated[
        str, typer.Option(help="Layout of the source, where it is not to be recognized.")
    ] = AUTO,
    task: Annotated[str, typer.Option(help="What the labels shall say.")] = AUTO,
    files: FilesOption = "link",
    overwrite: Overwrite = False,
) -> None:
    """Convert a cohort to the layout of the Medical Segmentation Decathlon.

    Interrupt it at any moment; the same command goes on. Nothing is replaced without --overwrite.
    """
    from workbench.cohort.converting import to_msd
    from workbench.cohort.opening import open_cohort

    def work() -> Work[Any]:
        opened = yield from open_cohort(source, options=CohortOptions(layout, task))
        return (yield from to_msd(opened, folder, files, overwrite))  # type: ignore[arg-type]

    made = with_progress(work())
    for problem in made.problems:
        typer.echo(f"{problem.case}: {problem.sentence}", err=True)
    typer.echo(
        f"{len(made.cases)} cases in the layout MSD, task {made.task!r}, are in {folder}"
        + (
            f"; {len(made.problems)} of them with the problems told above."
            if made.problems
            else "."
        )
    )


def export_run(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    folder: Annotated[
        Path, typer.Argument(help="Folder that is made, such as nnUNet_raw/Dataset101_Chosen.")
    ],
    format: Annotated[str, typer.Option(help="What it is for; 'nnunet' is known.")] = "nnunet",
    files: FilesOption = "link",
    overwrite: Overwrite = False,
) -> None:
    """Write the cases that were labeled in a run, with their annotations, for nnU-Net v2.

    Slices that nobody labeled carry nnU-Net's ignore label.
    """
    from workbench.experiments.export import export_nnunet
    from workbench.experiments.runs import Run

    if format != "nnunet":
        raise SettingError(f"The format {format!r} is not known. Runs are exported as 'nnunet'.")
    count = with_progress(export_nnunet(Run.load(run), folder, files, overwrite))  # type: ignore[arg-type]
    typer.echo(f"{count} cases are in {folder}.")
