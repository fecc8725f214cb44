"""Commands on the annotations of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["recover_ledger"]


def recover_ledger(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its damaged ledger.")],
) -> None:
    """Read what can be read of a damaged ledger of annotations, and say what is missing.

    A new ledger takes its place; the damaged one is kept beside it. Close the run everywhere first.
    """
    from workbench.annotation.ledger import FILE_NAME
    from workbench.annotation.recovery import recover

    typer.echo(str(recover(run / FILE_NAME if run.is_dir() else run)))
