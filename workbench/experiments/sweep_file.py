"""A sweep file as it was written, so that a mistake is told with its line.

What stands in such a file, and the runs that it describes, is in `sweep`; here
it is TOML with tables, keys and lines.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import SettingError, WorkbenchError, did_you_mean

__all__ = ["Key", "SweepFile", "line_of", "open_sweep_file"]

#: Path to a key; a number is a place in an array of tables.
Key = tuple[str | int, ...]


@dataclass(frozen=True)
class SweepFile:
    """A TOML file that was read.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        As it was written.
    content : mapping
        The same, parsed.
    """

    path: Path
    text: str
    content: Mapping[str, Any]

    def mistake(self, key: Key, sentence: str) -> SettingError:
        """Return the error that tells what is wrong with a key, with file and line."""
        return SettingError(f"{self.path}, line {line_of(self.text, key)}: {sentence}")

    def know(
        self,
        key: Key,
        given: Mapping[str, Any],
        known: Sequence[str],
        what: str = "known are",
        shown: Sequence[str] | None = None,
    ) -> None:
        """Refuse a key that is not known, with the nearest one.

        Parameters
        ----------
        key : tuple of str and int
            The table.
        given : mapping
            What is written in it.
        known : sequence of str
            Keys that may be.
        what, shown : str and sequence of str, optional
            What is listed after the mistake, if not all that is known.

        Raises
        ------
        SettingError
            If there is another key; the sentence names its line.
        """
        for name in given:
            if name not in known:
                listed = ", ".join(known if shown is None else shown) or "nothing"
                raise self.mistake(
                    (*key, name),
                    f"{name!r} is not known.{did_you_mean(name, known)} ({what}: {listed})",
                )

    @contextmanager
    def at(self, key: Key, given: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Add file and line to what is wrong with a value.

        Parameters
        ----------
        key : tuple of str and int
            The table, or the key of the value.
        given : mapping, optional
            Settings of the table: our sentences name the one that is wrong.

        Raises
        ------
        SettingError
            In place of any error about a value.
        """
        try:
            yield
        except (WorkbenchError, TypeError, ValueError) as error:
            named = [
                name
                for name in _names(given or {})
                if re.search(rf"\b{name.rpartition('.')[2]}\b", str(error))
            ]
            place = (*key, *named[0].split(".")) if named else key
            raise self.mistake(place, str(error)) from error


def open_sweep_file(path: Path) -> SweepFile:
    """Read a TOML file.

    Raises
    ------
    SettingError
        If it is not there, cannot be read or is not TOML.
    """
    example = "Name a TOML file, for example notebooks/sweeps/demo.toml."
    if not path.exists():
        raise SettingError(f"There is no sweep file {path}. {example}")
    if path.is_dir():
        raise SettingError(f"{path} is a folder and no sweep file. {example}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingError(f"The sweep file {path} is not text in UTF-8. {example}") from error
    except OSError as error:
        raise SettingError(
            f"The sweep file {path} cannot be read: {error.strerror}. Check who may read it."
        ) from error
    try:
        return SweepFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path} is not TOML: {error}. Correct it and try again.") from error


def line_of(text: str, key: Key) -> int:
    """Find the line of a TOML text, counted from 1, in which a key is set.

    Parameters
    ----------
    text : str
        TOML that can be read.
    key : tuple of str and int
        Path to the key; a number is a place in an array of tables. If the key itself is not
        found (in a table on one line, say), the line of the nearest key around it.
    """
    tables: dict[str, int] = {}
    header: Key = ()
    best, best_line = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        array = re.match(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]", line)
        table = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", line)
        setting = re.match(r"\s*([\w\"'.\- ]+?)\s*=", line)
        if array:
            name = array[1]
            tables[name] = tables.get(name, -1) + 1
            here = header = (*_parts(name), tables[name])
        elif table:
            parts = _parts(table[1])
            first = parts[0]
            inside = (first, tables[first]) if first in tables else (first,)
            here = header = (*inside, *parts[1:])
        elif setting:
            here = (*header, *_parts(setting[1]))
        else:
            continue
        shared = len([1 for a, b in zip(here, key, strict=False) if a == b])
        if here[:shared] == key[:shared] and shared > best and shared in (len(here), len(key)):
            best, best_line = shared, number
    return best_line


def _parts(dotted: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _names(given: Mapping[str, Any]) -> list[str]:
    """Names of settings, those inside of tables dotted and last."""
    plain = [name for name, value in given.items() if not isinstance(value, dict)]
    inside = [
        f"{table}.{name}"
        for table, value in given.items()
        if isinstance(value, dict)
        for name in value
    ]
    return plain + inside
