"""The command ``workbench``: open the application, look at a cohort, simulate.

A command is a typed function and its help is its docstring. Errors of ours are
printed as one sentence; anything else is a bug and shows where it happened.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.convert import export_run, import_cohort, import_run_masks
from workbench.cli.guidance import tell_guidance
from workbench.cli.ledger import recover_ledger, tell_agreement
from workbench.cli.options import LayoutName, Resample, TaskName, UnknownLabels
from workbench.cli.progress import with_progress
from workbench.cli.sweep import list_strategies, run_sweep_file
from workbench.cohort.cohort import AUTO, CohortOptions
from workbench.errors import SettingError, WorkbenchError, did_you_mean
from workbench.experiments.protocols import PROTOCOLS
from workbench.jobs import Work

__all__ = ["app", "main"]

app = typer.Typer(
    name="workbench",
    help="Ask the expert only for the medical images that teach a model most.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("sweep")(run_sweep_file)
app.command("strategies")(list_strategies)
app.command("guidance")(tell_guidance)
app.command("import")(import_cohort)
app.command("export")(export_run)
app.command("import-masks")(import_run_masks)
app.command("recover")(recover_ledger)
app.command("agreement")(tell_agreement)

#: What settings of ``--set`` belong to.
SECTIONS = ("strategy", "recipe", "manifold", "segmentation", "stop", "annotator")

Cohort = Annotated[str, typer.Argument(help="'phantom' or the folder of a cohort.")]


def main() -> None:
    """Run the command line and turn our errors into a sentence and exit status 1."""
    try:
        app()
    except WorkbenchError as error:
        typer.secho(f"workbench: {error}", fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None


@app.command()
def lab(
    cohort: Cohort = "phantom",
    folder: Annotated[
        Path, typer.Option(help="Folder that the notebook is copied to and runs are kept in.")
    ] = Path("."),
    notebook: Annotated[
        str, typer.Option(help="The notebook that is copied, such as 02_gradient_guided.")
    ] = "01_workbench",
    browser: Annotated[
        bool, typer.Option(help="Open a browser; over SSH only the address is printed.")
    ] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="First port that is tried.")] = 8888,
    layout: LayoutName = AUTO,
    task: TaskName = AUTO,
    unknown_labels: UnknownLabels = "refuse",
    resample: Resample = False,
) -> None:
    """Open JupyterLab on your own copy of a notebook.

    A copy that you edited is never changed; one that you did not edit follows the workbench's
    version. The server listens on this machine only and keeps Jupyter's token; Ctrl-C stops it.
    """
    from workbench.cli.notebook import copy_notebook
    from workbench.cli.server import serve
    from workbench.cohort.layouts import recognize

    options = CohortOptions(layout, task, unknown_labels, resample)  # type: ignore[arg-type]
    if cohort != "phantom":
        # says now, not in the browser, what is no cohort
        recognize(cohort, options.layout).with_task(options.task)
    copy, said = copy_notebook(cohort, folder, notebook, _chosen(options))
    typer.echo(said)
    serve(copy, port, browser=browser)


@app.command()
def cohort(
    folder: Cohort,
    cases: Annotated[int | None, typer.Option(min=1, help="Look at so many cases only.")] = None,
    layout: LayoutName = AUTO,
    task: TaskName = AUTO,
    unknown_labels: UnknownLabels = "refuse",
    resample: Resample = False,
) -> None:
    """Tell what a folder was recognized as, and every problem found; exit 1 if it does not open."""
    from workbench.cohort.opening import check_cohort, open_cohort

    options = CohortOptions(layout, task, unknown_labels, resample)  # type: ignore[arg-type]

    def work() -> Work[Any]:
        opened = yield from open_cohort(folder, cases, options)
        return (yield from check_cohort(opened))

    report = with_progress(work())
    typer.echo(str(report))
    if not (report.usable or report.to_annotate):
        raise typer.Exit(1)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder of the run; a run that is there goes on.")],
    cohort: Annotated[str, typer.Option(help="'phantom' or the folder of a cohort.")] = "phantom",
    strategy: Annotated[
        str, typer.Option(help="Query strategy; 'workbench strategies' lists them.")
    ] = "gradient-guided",
    protocol: Annotated[
        str | None,
        typer.Option(
            help=f"Schedule of a paper, which the options below may change: {', '.join(PROTOCOLS)}."
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=0, help="Rounds after the initial set; 3 if not given.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Suggested in a round: a number, or a share such as '1 %'; 12 if not given."
        ),
    ] = None,
    initial: Annotated[
        str | None, typer.Option(help="Labeled at random first, likewise; 24 if not given.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Suggested and counted: slices, as if not given, cases or volumes."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Decides initial set, weights, augmentation and draws.")
    ] = 0,
    cases: Annotated[
        int | None, typer.Option(min=2, help="Use so many cases only; all if not given.")
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the cases held out to tell when training (segmentation.patience) or the "
            "run (stop.dice, stop.gain) should stop; none if not given."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch; its own choice if not given.")
    ] = None,
    layout: LayoutName = AUTO,
    task: TaskName = AUTO,
    unknown_labels: UnknownLabels = "refuse",
    resample: Resample = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting such as strategy.max_angle=90, segmentation.epochs=20 or "
            "manifold.z_dim=2; may be given several times.",
        ),
    ] = None,
) -> None:
    """Replay annotation with the references and save the learning curve.

    Interrupt it at any moment; the same command goes on from where it stopped.
    """
    from workbench.experiments.config import RunConfig
    from workbench.experiments.protocols import protocol as find_protocol
    from workbench.experiments.runs import Run
    from workbench.experiments.simulate import simulate as run_simulation
    from workbench.strategies import describe, get_strategy, record

    given = parse_settings(setting or [])
    amounts = {"budget": budget, "initial": initial}
    options: dict[str, Any] = {
        name: int(text) if text.isdigit() else text for name, text in amounts.items() if text
    }
    others = {"rounds": rounds, "unit": unit, "cases": cases, "validation_fraction": validation}
    options |= {name: value for name, value in others.items() if value is not None}
    settings, parameters = find_protocol(protocol, options)
    known = describe(strategy)["parameters"]
    own = {name: value for name, value in parameters.items() if name in known}
    own |= given.pop("strategy", {})
    config = RunConfig.from_json(
        {
            **settings,
            "source": cohort,
            "strategy": record(get_strategy(strategy, **own)),
            "seed": seed,
            "threads": threads,
            "layout": layout,
            "task": task,
            "unknown_labels": unknown_labels,
            "resample": resample,
            **given,
        }
    )
    before = len(Run.load(out).rounds) if (out / "run.json").exists() else 0
    run = with_progress(run_simulation(config, out))
    typer.echo(f"{'round':>5}  {'labeled':>7}  " + "  ".join(run.rounds[0].metrics))
    labeled = 0
    for saved in run.rounds:
        labeled += len(saved.labeled)
        dice = "  ".join(f"{value:>{len(key)}.3f}" for key, value in saved.metrics.items())
        typer.echo(f"{saved.index:>5}  {labeled:>7,}  {dice}")
    typer.echo(run.pool_sentence)
    if run.stopped:
        typer.echo(f"It was enough after round {len(run.rounds) - 1}. {run.stopped}")
    if len(run.rounds) == before:
        typer.echo(f"The run in {out} was already finished; nothing was run.")
    else:
        typer.echo(f"Everything is in {out}.")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page that is made.")] = Path(
        "report.html"
    ),
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            help="Strategy whose chains and latent maps are shown; may be given several times."
        ),
    ] = None,
    skip_pictures: Annotated[
        bool, typer.Option("--skip-pictures", help="Show no chains and no latent maps.")
    ] = False,
) -> None:
    """Compare strategies: one page that works offline, its tables as CSV and LaTeX beside it."""
    from workbench.reports.comparison import make_report

    made = with_progress(make_report(runs, [] if skip_pictures else pictures))
    tables = made.write(out)
    typer.echo(f"The report is {out}, its tables are in {tables}.")


def _chosen(options: CohortOptions) -> dict[str, object]:
    """The options that are not at their default."""
    plain = asdict(CohortOptions())
    return {name: value for name, value in asdict(options).items() if value != plain[name]}


def parse_settings(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Read settings of the form ``section.name=value``.

    Returns
    -------
    dict
        Section to name to value; values are read as JSON where they are JSON.

    Raises
    ------
    SettingError
        If a text has another form or an unknown section.
    """
    sections: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        section, dot, name = path.partition(".")
        if not equals or not dot or section not in SECTIONS:
            guess = did_you_mean(section, SECTIONS) if dot else ""
            raise SettingError(
                f"--set {text!r} is not understood.{guess} Write it as section.name=value, with "
                f"section one of {', '.join(SECTIONS)}."
            )
        try:
            parsed: Any = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        sections.setdefault(section, {})[name] = parsed
    return sections
