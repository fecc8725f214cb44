"""Commands for many runs: ``workbench sweep`` and ``workbench strategies``."""

from __future__ import annotations

import inspect
import shutil
import textwrap
import time
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.progress import with_progress

__all__ = ["list_strategies", "run_sweep_file"]


def run_sweep_file(
    file: Annotated[Path, typer.Argument(help="A TOML file, such as notebooks/sweeps/demo.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs; runs/NAME-OF-THE-FILE if not given.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of your own Dask scheduler, such as tcp://10.0.0.1:8786."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes on this machine; one per GPU, or per --threads cores, if not given.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Cores of one process.")] = 1,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a run that fails is tried again.")
    ] = 1,
    dry: Annotated[
        bool, typer.Option("--dry", help="Check the file and list the runs; start nothing.")
    ] = False,
) -> None:
    """Run strategies × seeds × parameters, many at a time.

    Interrupt it at any moment: the same command skips what is finished and goes on with the rest.
    The exit status is 1 if a run failed; the others are finished all the same.
    """
    from workbench.experiments.cluster import run_sweep
    from workbench.experiments.sweep import read_sweep

    sweep = read_sweep(file, threads)
    folder = out or Path("runs") / file.stem
    again = f" ({sweep.repeated} that the file names twice run once)" if sweep.repeated else ""
    typer.echo(f"{len(sweep.runs)} runs in {folder}{again}.")
    if dry:
        for run in sweep.runs:
            typer.echo(run.name)
        return
    begun = time.monotonic()
    outcomes = with_progress(
        run_sweep(
            sweep, folder, scheduler=scheduler, workers=workers, threads=threads, retries=retries
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, folder / "sweep.toml")
    failed = [outcome for outcome in outcomes if outcome.error]
    skipped = sum(not outcome.seconds for outcome in outcomes)
    for sentence in sorted({outcome.pool for outcome in outcomes if outcome.pool}):
        typer.echo(sentence)
    typer.echo(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} runs are finished"
        f"{f', {skipped} of them before' if skipped else ''}; wall time "
        f"{_duration(time.monotonic() - begun)}."
    )
    if failed:
        typer.secho(f"{len(failed)} failed, each tried {retries + 1} times:", fg="red", err=True)
        for outcome in failed:
            typer.echo(f"  {outcome.name}\n    {outcome.error}", err=True)
        raise typer.Exit(1)


def list_strategies(
    name: Annotated[str | None, typer.Argument(help="Tell all about this one.")] = None,
) -> None:
    """List the query strategies: parameters, what they look at, where they come from."""
    from workbench.errors import StrategyError
    from workbench.strategies import describe, strategies

    for each in [name] if name else strategies():
        try:
            found = describe(each)
        except StrategyError as error:
            if name:
                raise
            typer.secho(f"{each} cannot be used: {error}", fg="red", err=True)
            continue
        parameters = ", ".join(
            f"{key} = {_value(value)}" for key, value in found["parameters"].items()
        )
        needs = "; ".join(found["needs"] or []) or "nothing"
        typer.secho(each, bold=True)
        for label, text in (
            ("", found["summary"]),
            ("parameters: ", parameters or "none"),
            ("needs: ", needs if found["needs"] is not None else "depends on its parameters"),
            ("source: ", found["source"]),
        ):
            if text:
                indent = " " * 4
                typer.echo(
                    textwrap.fill(
                        f"{label}{text}",
                        shutil.get_terminal_size((100, 24)).columns,
                        initial_indent=indent,
                        subsequent_indent=2 * indent,
                    )
                )
        if name:
            typer.echo("\n" + inspect.cleandoc(strategies()[name].__doc__ or ""))


def _value(value: object) -> str:
    """Write a default as a person would: four digits are enough of a third."""
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
