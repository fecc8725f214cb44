"""The command ``workbench guidance``: where the loss gradients of finished runs lead."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.progress import with_progress
from workbench.errors import RunError, SettingError
from workbench.jobs import Progress, Work

if TYPE_CHECKING:
    import pandas as pd

    from workbench.experiments.results import Results
    from workbench.strategies.base import QueryStrategy

__all__ = ["correlations", "tell_guidance"]

#: Strategies that are asked by default.
ASKED = ("gradient-guided,sources=all", "gradient-drawn", "gradient-spread")
#: Runs of a strategy from which a rank correlation is told.
ENOUGH = 6


def tell_guidance(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or folders of those.")],
    output: Annotated[Path, typer.Option("-o", help="Folder for tables and pictures.")],
    of: Annotated[
        str,
        typer.Option(
            help="Strategy whose runs are asked again: choices start from their networks and "
            "labels. Name another where no run is of 'random'."
        ),
    ] = "random",
    ask: Annotated[
        list[str] | None,
        typer.Option(help="Strategy to ask too, such as gradient-drawn,draw=2; can be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of that strategy at most.")] = 3,
    pictures: Annotated[bool, typer.Option(help="Write PNG files too (with kaleido).")] = True,
) -> None:
    """Tell where the loss gradients lead: choices replayed from the networks of finished runs.

    Needs finished runs of one strategy, 'random' or the one that --of names, with their weights.
    Writes manifold.csv, choices.csv and composition.csv, and prints their means and rank
    correlations; trains nothing.
    """
    from workbench.experiments.results import read_results

    results = read_results(runs)
    found = results.labels
    if of not in results.members:
        asked = [part for text in ask or () for part in ("--ask", text)]
        asked += [] if pictures else ["--no-pictures"]
        again = ["workbench", "guidance", *map(str, runs), "-o", str(output), *asked]
        others = f" (there are also runs of {', '.join(found[1:])})" if found[1:] else ""
        raise RunError(
            f"None of these runs is of {of!r}, whose networks and labels choices would start from. "
            f"Start from those of {found[0]!r}{others}:\n"
            f"{shlex.join([*again, '--of', found[0]])}"
        )
    strategies = {text: _strategy(text) for text in (ask or ASKED)}
    tables = with_progress(_tables(results, of, strategies, seeds))
    output.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(output / f"{name}.csv", index=False, float_format="%.4g")
    typer.echo(tables["manifold"].round(2).to_string(index=False) + "\n")
    typer.echo(_means(tables["choices"]).to_string() + "\n")
    typer.echo(correlations(tables["composition"]).round(2).to_string(index=False) + "\n")
    if pictures:
        _draw(tables, output)
    typer.echo(f"The tables are in {output}.")


def _strategy(text: str) -> QueryStrategy:
    from workbench.cli import parse_settings
    from workbench.strategies import get_strategy

    name, *settings = text.split(",")
    given = parse_settings([f"strategy.{setting}" for setting in settings])
    return get_strategy(name, **given.get("strategy", {}))


def _tables(
    results: Results, of: str, strategies: dict[str, QueryStrategy], seeds: int
) -> Work[dict[str, pd.DataFrame]]:
    import pandas as pd

    from workbench.experiments.guidance import compositions, describe_manifold, replay_choices
    from workbench.reports.comparison.replay import reopen

    manifolds: dict[int, dict[str, float]] = {}
    for run in (each for runs in results.members.values() for each in runs):
        z_dim = int(run.config.manifold_config().z_dim)
        if z_dim not in manifolds and _on_manifold(run):
            manifolds[z_dim] = describe_manifold((yield from reopen(run, 0)))
    chosen = sorted(results.members[of], key=lambda run: run.config.seed)[:seeds]
    rows: list[dict[str, Any]] = []
    study = yield from reopen(chosen[0], 0)
    asked = [(run, index) for run in chosen for index in range(run.config.rounds)]
    for place, (run, index) in enumerate(asked):
        yield Progress("asking saved networks", place, len(asked))
        rows += yield from replay_choices(run, index, study, strategies)
    return {
        "manifold": pd.DataFrame(manifolds.values()),
        "choices": pd.DataFrame(rows),
        "composition": compositions(results.members),
    }


def _on_manifold(run: Any) -> bool:
    from workbench.strategies import from_record
    from workbench.strategies.needs import ON_MANIFOLD

    needs = from_record(run.config.strategy).needs()
    return not run.config.retrain_manifold and any(isinstance(need, ON_MANIFOLD) for need in needs)


def _means(choices: pd.DataFrame) -> pd.DataFrame:
    keys = ["choice", "max_angle", "displacement"]
    numbers = choices.drop(columns=["run"]).groupby(keys, dropna=False, sort=False).mean()
    return numbers.drop(columns="round").round(3)


def correlations(composition: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations over the runs of each strategy that has enough of them, and over all."""
    import pandas as pd

    groups = [(label, own) for label, own in composition.groupby("label") if len(own) >= ENOUGH]
    pairs = (("initial", "first"), ("initial", "all"), ("initial", "late"), ("first", "late"))
    rows = []
    for label, own in [*groups, ("all runs", composition)]:
        ranks = own[["initial", "first", "all", "late"]].corr("spearman")
        told = {f"{a} → {b}": ranks.loc[a, b] for a, b in pairs}
        rows.append({"strategy": label, "runs": len(own), **told})
    return pd.DataFrame(rows)


def _draw(tables: dict[str, pd.DataFrame], output: Path) -> None:
    from workbench.reports.figures.guidance import compositions_figure, directions_figure

    later = tables["choices"][tables["choices"]["round"] > 0]
    drawn = {
        "directions": directions_figure(later),
        "composition": compositions_figure(tables["composition"]),
    }
    for name, figure in drawn.items():
        try:
            figure.write_image(output / f"{name}.png", width=1000, scale=1.5)
        except (ValueError, ImportError, RuntimeError) as error:  # plotly: no kaleido, no browser
            raise SettingError(
                f"No picture could be written: {error}. Install kaleido and Chrome, or leave the "
                f"pictures out with --no-pictures. The tables are in {output}."
            ) from error
