"""Run a notebook and write one HTML file that shows its pictures offline.

papermill runs the notebook with parameters. The page is put together from its
cells with nbconvert's filters: plotly.js is inlined once, formulas become
MathML, code is folded away. Nothing is fetched from the network when the file
is read. A live widget cannot live in a file; its place is taken by a note,
and the still pictures that a notebook ends with show its last state.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import ReportError, WorkbenchError
from workbench.files import replace_file

__all__ = ["main", "render", "run_notebook"]


def render(
    notebook: Path | str,
    output: Path | str,
    parameters: Mapping[str, Any] | None = None,
    *,
    kernel: str = "python3",
    progress: bool = False,
) -> Path:
    """Run a notebook and write its report.

    Parameters
    ----------
    notebook : Path or str
        The ``.ipynb`` file; it is not changed. It runs in its own folder.
    output : Path or str
        The HTML file that is made or replaced.
    parameters : mapping of str to object, optional
        New values for the variables of the cell tagged ``parameters``.
    kernel : str
        Name of the Jupyter kernel.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    ReportError
        If the notebook cannot be read or one of its cells fails; the sentence
        names the cell. An older report stays as it was.
    """
    from workbench.reports.page import write_page

    executed = run_notebook(notebook, parameters, kernel=kernel, progress=progress)
    page = write_page(executed, name=Path(notebook).name, parameters=parameters or {})
    target = Path(output)
    replace_file(target, lambda temporary: temporary.write_text(page, encoding="utf-8"))
    return target


def run_notebook(
    notebook: Path | str,
    parameters: Mapping[str, Any] | None = None,
    *,
    kernel: str = "python3",
    progress: bool = False,
) -> Any:
    """Run a notebook in a kernel of its own and return it with its outputs.

    Parameters
    ----------
    notebook, parameters, kernel, progress
        As for `render`.

    Returns
    -------
    nbformat.NotebookNode
        Figures are kept as their plotly description, without plotly.js.

    Raises
    ------
    ReportError
        If the notebook cannot be read or one of its cells fails.
    """
    source = Path(notebook).resolve()
    if not source.is_file():
        raise ReportError(
            f"There is no notebook at {notebook}. Give the path of an .ipynb file, "
            f"for example notebooks/01_workbench.ipynb."
        )
    import nbformat

    with tempfile.TemporaryDirectory() as folder, _environment(PLOTLY_RENDERER="plotly_mimetype"):
        done = Path(folder) / source.name
        _execute(source, done, dict(parameters or {}), kernel, progress)
        return nbformat.read(done, as_version=4)  # type: ignore[no-untyped-call]


def _execute(
    source: Path, done: Path, parameters: dict[str, Any], kernel: str, progress: bool
) -> None:
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            str(source),
            str(done),
            parameters=parameters,
            kernel_name=kernel,
            language="python",
            cwd=str(source.parent),
            progress_bar=progress,
        )
    except PapermillExecutionError as error:
        raise ReportError(_failure(error, source)) from None
    except DeadKernelError:
        raise ReportError(
            f"The kernel that ran {source.name} died, most often because memory ran out. "
            f"Close other programs, or give smaller settings in its parameters, and try again."
        ) from None
    except NoSuchKernel:
        raise ReportError(
            f"There is no Jupyter kernel called {kernel!r}. Install one with "
            f"'python -m pip install ipykernel', or name another."
        ) from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError):
        raise ReportError(
            f"{source} is not a Jupyter notebook. Give the path of an .ipynb file."
        ) from None


def _failure(error: Any, source: Path) -> str:
    """Say which cell failed and why, in a sentence."""
    import nbformat

    cells = nbformat.read(source, as_version=4).cells  # type: ignore[no-untyped-call]
    place = next((i for i, cell in enumerate(cells) if cell.source == error.source), None)
    where = f"A cell of {source.name}"
    if place is not None:
        number = sum(cell.cell_type == "code" for cell in cells[: place + 1])
        where = f"Code cell {number} of {source.name}"
        heading = _heading_before(cells, place)
        where += f', under "{heading}"' if heading else ""
    reason = str(error.evalue).strip() or "no reason was given"
    if error.ename not in _SPOKEN:
        reason = f"{error.ename}: {reason}"
    ending = "" if reason.endswith((".", "!", "?")) else "."
    return (
        f"{where}, failed at `{_failing_line(error)}`: {reason}{ending} "
        f"Open the notebook in JupyterLab and run it to this cell to look closer."
    )


def _failing_line(error: Any) -> str:
    """Return the line of the cell that failed; where the traceback hides it, the first one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    marked = re.search(r"^-+>\s*\d+ (.+)$", plain, re.MULTILINE)
    lines = [marked[1]] if marked else str(error.source).splitlines()
    return next((line.strip() for line in lines if line.strip()), "")[:80]


#: Errors whose text is a sentence for the user already.
_SPOKEN = {"AssertionError", *(kind.__name__ for kind in WorkbenchError.__subclasses__())}


def _heading_before(cells: Sequence[Any], place: int) -> str:
    for cell in reversed(cells[:place]):
        if cell.cell_type == "markdown":
            for line in reversed(cell.source.splitlines()):
                if line.startswith("#"):
                    return str(line.lstrip("# ").strip())
    return ""


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables for the kernel that is started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of a notebook from the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Notebook, output and any number of ``-p NAME VALUE``; `sys.argv` by default.

    Returns
    -------
    int
        0, or 1 if there is no report; the reason is printed to stderr.
    """
    parser = argparse.ArgumentParser(
        prog="python -m workbench.reports.render", description="Run a notebook into one HTML file."
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebook",
    )
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        parameters = {name: _value(text) for name, text in chosen.parameters}
        page = render(chosen.notebook, chosen.output, parameters, progress=True)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return 1
    size = page.stat().st_size / 2**20
    print(f"{page} ({size:.1f} MiB) was made in {time.monotonic() - started:.0f} s.")
    return 0


def _value(text: str) -> Any:
    """Read a parameter as a Python literal where it is one, else as text."""
    import ast

    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    sys.exit(main())
