"""Commands on the annotations of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.errors import LedgerError
from workbench.words import count

if TYPE_CHECKING:
    from workbench.annotation.agreement import Agreement
    from workbench.annotation.ledger import Ledger

__all__ = ["recover_ledger", "tell_agreement"]


def recover_ledger(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its damaged ledger.")],
) -> None:
    """Read what can be read of a damaged ledger of annotations, and say what is missing.

    A new ledger takes its place; the damaged one is kept beside it. Close the run everywhere first.
    """
    from workbench.annotation.recovery import recover

    typer.echo(str(recover(_ledger_of(run))))


def tell_agreement(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its ledger.")],
) -> None:
    """Tell how far annotators agree: Dice of each pair on what both annotated, and conflicts.

    Slices of a volume that were accepted without being opened do not count.
    """
    from workbench.annotation.agreement import compare_annotators
    from workbench.annotation.ledger import Ledger

    with Ledger(_ledger_of(run)) as ledger:
        agreements, conflicts = compare_annotators(ledger)
        if not agreements:
            typer.echo(_nothing_shared(ledger))
            return
        parts = [part for state in ledger.states().values() for part in state.parts]
    of_volumes = any(part.depth for part in parts)
    typer.echo(_table(agreements, of_volumes))
    if not conflicts:
        typer.echo("\nThere are no conflicts: all these slices were answered alike.")
        return
    where = len({each.sample for each in conflicts})
    told = f" in {count(where, 'volume')}" if of_volumes else ""
    typer.echo(
        f"\n{count(len(conflicts), 'conflict')}{told}; training uses the last answer of a slice:"
    )
    for each in conflicts:
        depth = f", slice {each.depth + 1}" if of_volumes else ""
        first, second = map(_shown, each.annotators)
        typer.echo(
            f"{each.sample}{depth}: {first} and {second} differ in {count(each.pixels, 'pixel')}"
        )


def _ledger_of(run: Path) -> Path:
    from workbench.annotation.ledger import FILE_NAME

    path = run / FILE_NAME if run.is_dir() else run
    if not path.is_file():
        raise LedgerError(
            f"There are no annotations in {run}. Give the folder of a run that was annotated: it "
            f"has a file {FILE_NAME}."
        )
    return path


def _nothing_shared(ledger: Ledger) -> str:
    states = ledger.states().values()
    who = sorted({part.annotator for state in states for part in state.parts if part.done})
    if not who:
        return "Nobody answered “done” yet, so there is nothing to compare."
    if len(who) == 1:
        return f"Only {_shown(who[0])} annotated, so there is nobody to compare with."
    names = ", ".join(map(_shown, who[:-1]))
    return f"{names} and {_shown(who[-1])} annotated, but no slice was annotated by two of them."


def _table(agreements: tuple[Agreement, ...], of_volumes: bool) -> str:
    names = list(agreements[0].dice)
    units = ["volumes", "slices"] if of_volumes else ["slices"]
    rows = [["annotators", *units, *(f"Dice {name}" for name in names), "mean"]]
    for each in agreements:
        drawn = [value for value in each.dice.values() if not math.isnan(value)]
        mean = sum(drawn) / len(drawn) if drawn else math.nan
        values = (each.dice.get(name, math.nan) for name in names)
        pair = " and ".join(map(_shown, each.annotators))
        numbers = [f"{each.samples:,}", f"{each.slices:,}"][-len(units) :]
        rows.append([pair, *numbers, *map(_dice, values), _dice(mean)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _dice(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _shown(name: str) -> str:
    return name or "(no name)"
