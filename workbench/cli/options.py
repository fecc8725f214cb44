"""Options that every command which opens a cohort takes, with one meaning."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["LayoutName", "Resample", "TaskName", "UnknownLabels"]

LayoutName = Annotated[
    str, typer.Option(help="Layout of the folder, where it is not to be recognized.")
]
TaskName = Annotated[str, typer.Option(help="What is segmented; 'workbench cohort' names all.")]
UnknownLabels = Annotated[
    str, typer.Option(help="Unknown label values: refuse such a file, or make them background.")
]
Resample = Annotated[
    bool, typer.Option("--resample", help="Put the channels of a case onto the first one's grid.")
]
