"""The command ``workbench``: open the application, look at a cohort, simulate.

A command is a typed function and its help is its docstring. Errors of ours are
printed as one sentence; anything else is a bug and shows where it happened.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from workbench.errors import SettingError, WorkbenchError
from workbench.jobs import Progress, Work, finish

__all__ = ["app", "main"]

app = typer.Typer(
    name="workbench",
    help="Ask the expert only for the medical images that teach a model most.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
        Path | None, typer.Option(help="Open this notebook as it is instead of a copy.")
    ] = None,
    browser: Annotated[
        bool, typer.Option(help="Open a browser; over SSH only the address is printed.")
    ] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="First port that is tried.")] = 8888,
) -> None:
    """Open JupyterLab on a copy of the workbench notebook.

    The server listens on this machine only and keeps Jupyter's token.
    """
    target = notebook or copy_notebook(cohort, folder)
    if not target.is_file():
        raise SettingError(f"There is no notebook at {target}. Name an .ipynb file that exists.")
    options = ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    if not browser or "SSH_CONNECTION" in os.environ:
        options.append("--no-browser")
        typer.echo(
            "JupyterLab prints its address below. From another computer, first forward the port: "
            f"ssh -L {port}:127.0.0.1:{port} {os.environ.get('USER', 'you')}@this-machine"
        )
    options.append(f"--ServerApp.root_dir={target.resolve().parent}")
    options.append(f"--LabApp.default_url=/lab/tree/{quote(target.name)}")
    command = [sys.executable, "-m", "jupyterlab", *options]
    raise typer.Exit(subprocess.call(command))


@app.command()
def cohort(
    folder: Cohort,
    cases: Annotated[int | None, typer.Option(min=1, help="Look at so many cases only.")] = None,
) -> None:
    """Tell what a folder was recognized as, and every problem found; exit 1 if unusable."""
    from workbench.cohort.opening import check_cohort, open_cohort

    def work() -> Work[Any]:
        opened = yield from open_cohort(folder, cases)
        return (yield from check_cohort(opened))

    report = with_bar(work())
    typer.echo(str(report))
    if not report.usable:
        raise typer.Exit(1)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder of the run; a run that is there goes on.")],
    cohort: Annotated[str, typer.Option(help="'phantom' or the folder of a cohort.")] = "phantom",
    strategy: Annotated[str, typer.Option(help="Query strategy.")] = "gradient-guided",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds after the initial set.")] = 3,
    budget: Annotated[int, typer.Option(min=1, help="Slices suggested in a round.")] = 12,
    initial: Annotated[int, typer.Option(min=1, help="Slices of the random initial set.")] = 24,
    seed: Annotated[int, typer.Option(help="Split, initial set, weights, augmentation.")] = 0,
    cases: Annotated[int | None, typer.Option(min=2, help="Use so many cases only.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch.")] = None,
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
    from workbench.experiments.simulate import simulate as run_simulation
    from workbench.strategies import get_strategy, record

    given = parse_settings(setting or [])
    chosen = record(get_strategy(strategy, **given.pop("strategy", {})))
    config = RunConfig.from_json(
        {
            "source": cohort,
            "strategy": chosen,
            "rounds": rounds,
            "budget": budget,
            "initial": initial,
            "seed": seed,
            "cases": cases,
            "threads": threads,
            **given,
        }
    )
    run = with_bar(run_simulation(config, out))
    typer.echo(f"{'round':>5}  {'labeled':>7}  " + "  ".join(run.rounds[0].metrics))
    labeled = 0
    for saved in run.rounds:
        labeled += len(saved.labeled)
        dice = "  ".join(f"{value:>{len(key)}.3f}" for key, value in saved.metrics.items())
        typer.echo(f"{saved.index:>5}  {labeled:>7,}  {dice}")
    typer.echo(f"Everything is in {out}.")


def with_bar(work: Work[Any]) -> Any:
    """Run work to its end with a progress bar on the error stream."""
    from tqdm import tqdm

    bar: tqdm[Any] | None = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if bar is None or bar.desc != progress.stage or bar.total != progress.total:
            if bar is not None:
                bar.close()
            bar = tqdm(desc=progress.stage, total=progress.total, leave=False, mininterval=0.2)
            bar.desc = progress.stage
        bar.n = progress.step
        bar.set_postfix({name: f"{value:.3g}" for name, value in progress.metrics.items()})

    try:
        return finish(work, show)
    except KeyboardInterrupt:
        work.close()
        raise SystemExit(
            "Stopped. What was finished is saved; run the same command to go on."
        ) from None
    finally:
        if bar is not None:
            bar.close()


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
        if not equals or not dot or section not in (
            "strategy", "recipe", "manifold", "segmentation"
        ):  # fmt: skip
            raise SettingError(
                f"--set {text!r} is not understood. Write it as section.name=value, with section "
                f"one of strategy, recipe, manifold, segmentation."
            )
        try:
            parsed: Any = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        sections.setdefault(section, {})[name] = parsed
    return sections


def notebooks_folder() -> Path:
    """Find the notebooks: those of the checkout, or those that were installed."""
    checkout = Path(__file__).parent.parent / "notebooks"
    if checkout.is_dir():
        return checkout
    installed = Path(sysconfig.get_path("data")) / "share/suggestive-workbench/notebooks"
    if installed.is_dir():
        return installed
    raise WorkbenchError(
        f"The notebooks are neither in {checkout} nor in {installed}. Install the package "
        f"suggestive-workbench again."
    )


def copy_notebook(cohort: str, folder: Path) -> Path:
    """Copy the workbench notebook for a cohort into a folder; keep a copy that is there.

    Returns
    -------
    Path
        The copy, ``workbench.ipynb`` or ``workbench-NAME.ipynb``.
    """
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    folder.mkdir(parents=True, exist_ok=True)
    short = "" if cohort == "phantom" else f"-{Path(cohort).resolve().name}"
    target = folder / f"workbench{short}.ipynb"
    if target.exists():
        return target
    original = notebooks_folder() / "01_workbench.ipynb"
    if cohort == "phantom":
        shutil.copyfile(original, target)
        return target
    source = str(Path(cohort).expanduser().resolve())
    if not Path(source).is_dir():
        raise SettingError(
            f"There is no folder {source}. Name the folder of a cohort, or 'phantom'."
        )
    parameterized = parameterize_notebook(load_notebook_node(str(original)), {"source": source})
    parameterized.metadata.pop("papermill", None)
    nbformat.write(parameterized, target)  # type: ignore[no-untyped-call]
    return target


if __name__ == "__main__":
    main()
