"""Copy a notebook for a person: theirs to change, and never behind without a word.

The original belongs to the installation. A copy remembers, in its metadata,
what it was made as: so a copy that nobody edited can follow the original, and
one that somebody edited is kept.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import SettingError, WorkbenchError
from workbench.files import content_key, read_json, write_json

__all__ = ["copy_notebook", "notebooks_folder"]

ROOT = Path(__file__).parent.parent.parent


def notebooks_folder() -> Path:
    """Find the notebooks: those of the checkout, or those that were installed."""
    checkout = ROOT / "notebooks"
    if checkout.is_dir():
        return checkout
    installed = Path(sysconfig.get_path("data")) / "share/suggestive-workbench/notebooks"
    if installed.is_dir():
        return installed
    raise WorkbenchError(
        f"The notebooks are neither in {checkout} nor in {installed}. Install the package "
        f"suggestive-workbench again."
    )


def copy_notebook(
    cohort: str,
    folder: Path,
    name: str = "01_workbench",
    settings: Mapping[str, object] | None = None,
) -> tuple[Path, str]:
    """Make a person's copy of a notebook for a cohort, or find the one that is there.

    A copy that was not edited follows the original; its outputs are not kept.
    One that was edited is never changed.

    Parameters
    ----------
    cohort : str
        ``"phantom"`` or the folder of a cohort.
    folder : Path
        Where the copy is kept; made if absent.
    name : str
        The original, without ``.ipynb``.
    settings : mapping, optional
        Settings of the run that are written into it, such as the cohort's task.

    Returns
    -------
    copy : Path
        ``workbench.ipynb`` or ``workbench-COHORT.ipynb`` for the first notebook.
    said : str
        A sentence that says what was done.

    Raises
    ------
    SettingError
        If there is no such notebook or cohort, or the notebook takes none.
    """
    new = _prepared(cohort, name, settings or {})
    short = "" if cohort == "phantom" else f"-{Path(cohort).expanduser().resolve().name}"
    target = folder / f"{name.partition('_')[2] or name}{short}.ipynb"
    if not target.exists():
        write_json(target, new)
        return target, f"{target} was made; it is yours to change."
    old = _read(target)
    made_as, current = old["metadata"].get("made_as"), _fingerprint(new)
    if current in (made_as, _fingerprint(old)):
        return target, f"Opening your {target}."
    if made_as != _fingerprint(old):
        return target, (
            f"Opening your {target}. You edited it, so it is kept, though this version of the "
            f"workbench or this cohort has another one. To get that, rename yours and run the "
            f"same command again."
        )
    write_json(target, new)
    return target, f"{target} was not edited, so it was replaced by that of this version."


def _prepared(cohort: str, name: str, settings: Mapping[str, object]) -> dict[str, Any]:
    """Read an original and make it a person's: its cohort, no outputs, no labeling by itself."""
    known = sorted(path.stem for path in notebooks_folder().glob("[0-9][0-9]_*.ipynb"))
    if name not in known:
        raise SettingError(f"There is no notebook {name!r}. Name one of these: {', '.join(known)}.")
    notebook: dict[str, Any] = _read(notebooks_folder() / f"{name}.ipynb")
    values: dict[str, object] = {"turn_loop": False}
    if cohort != "phantom":
        source = Path(cohort).expanduser().resolve()
        if not source.is_dir():
            raise SettingError(
                f"There is no folder {source}. Name the folder of a cohort, or 'phantom'."
            )
        values["source"] = str(source)
    if settings:
        values["settings"] = dict(settings)
    written: set[str] = set()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        if "parameters" in cell["metadata"].get("tags", []):
            text, written = _with_values("".join(cell["source"]), values)
            cell["source"] = text.splitlines(keepends=True)
    if "source" in set(values) - written:
        raise SettingError(
            f"The notebook {name} is about the embedded cohort. Open it without a folder."
        )
    if "settings" in set(values) - written:
        raise SettingError(
            f"The notebook {name} takes no layout, task or other option of a cohort. Open "
            f"01_workbench with them."
        )
    notebook["metadata"]["made_as"] = _fingerprint(notebook)
    return notebook


def _with_values(text: str, values: Mapping[str, object]) -> tuple[str, set[str]]:
    """Write values into the assignments of a cell; return the cell and the names it assigns."""
    lines = text.splitlines(keepends=True)
    found: set[str] = set()
    for line in ast.parse(text).body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in values:
                found.add(name)
                place = lines[value.lineno - 1].encode()  # offsets of ast count bytes
                before = place[: value.col_offset].decode() + repr(values[name])
                after = place[value.end_col_offset :].decode()
                comment = after.lstrip(" ")
                if comment.startswith("#"):  # it stays in its column
                    column = len(place.decode()) - len(comment)
                    before, after = (before + " ").ljust(column), comment
                lines[value.lineno - 1] = before + after
    return "".join(lines), found


def _fingerprint(notebook: Mapping[str, Any]) -> str:
    """Digest of what a person edits: the kinds and texts of the cells, not their outputs."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    return content_key([(kind, text) for kind, text in cells if text.strip()])


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook: dict[str, Any] = read_json(path)
        if not isinstance(notebook["metadata"], dict):
            raise TypeError
        _fingerprint(notebook)
    except (ValueError, KeyError, TypeError):
        raise SettingError(
            f"{path} is not a notebook that can be read. Rename or remove it, and run the same "
            f"command again to get a new copy."
        ) from None
    return notebook
