"""Questions to the tables of a ledger that its index answers, without a label map being read.

SQLite adds up; Python sees one row for each person and slice. Names are always
values of a query, never a part of its text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from workbench.annotation.entry import ANSWERS, DRAWN, STARTS, clean_name
from workbench.annotation.history import Part, Step, Totals

__all__ = ["Group", "find_checks", "find_parts", "find_steps", "find_totals", "newest", "of"]

#: What totals can be told apart by; also names of columns.
Group = Literal["sample", "round", "annotator"]
_GROUPS = ("sample", "round", "annotator")


def _coded(column: str, words: Sequence[str], otherwise: str = "") -> str:
    """SQL for ``number * 8 + place of a word``: its maximum tells the number and the word."""
    cases = " ".join(f"WHEN '{word}' THEN number * 8 + {i}" for i, word in enumerate(words))
    return f"CASE {column} {cases} {otherwise} END"


_PARTS = f"""
    SELECT sample, depth, annotator,
        max({_coded("kind", ANSWERS)}),
        max(CASE WHEN kind IN {ANSWERS} THEN round END),
        max(CASE WHEN kind IN {DRAWN} THEN number END),
        max(number), max(time), max(round), sum(kind = 'stroke'), sum(active_seconds),
        min({_coded("started_from", STARTS, "ELSE number * 8")})
    FROM entries WHERE {{}} GROUP BY sample, depth, annotator"""


def of(
    sample: str | None = None, depth: int | None = None, annotator: str | None = None
) -> tuple[str, tuple[Any, ...]]:
    """Make the condition that columns have these values; None: any."""
    who = None if annotator is None else clean_name(annotator)
    given = {"sample": sample, "depth": depth, "annotator": who}
    chosen = {name: value for name, value in given.items() if value is not None}
    return " AND ".join(["1", *(f"{name} = ?" for name in chosen)]), tuple(chosen.values())


def find_parts(
    connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
) -> list[Part]:
    """Sum up each person's work on each slice.

    Raises
    ------
    sqlite3.DatabaseError
        If a row is not one that was written.
    """
    rows = connection.execute(_PARTS.format(condition), values)
    try:
        return [_part(*row) for row in rows]
    except (TypeError, ValueError) as error:
        raise sqlite3.DatabaseError("an entry is not as it was written") from error


def _part(
    sample: str,
    depth: int,
    annotator: str,
    answered: int | None,
    answered_in: int | None,
    drawn: int | None,
    number: int,
    time: float,
    round: int,
    strokes: int,
    active_seconds: float,
    started_from: int,
) -> Part:
    if tuple(map(type, (sample, depth, annotator, number))) != (str, int, str, int):
        raise TypeError("a name or number has another type")
    return Part(
        sample,
        depth,
        annotator,
        ANSWERS[answered % 8] if answered else "",
        (answered or 0) // 8,
        -1 if answered_in is None else int(answered_in),
        drawn or 0,
        number,
        float(time),
        int(round),
        strokes,
        float(active_seconds),
        STARTS[started_from % 8],
    )


def find_steps(
    connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
) -> list[Step]:
    """Return the entries of a history in order."""
    asked = f"SELECT number, kind, map_check FROM entries WHERE {condition} ORDER BY number"
    return [Step(*row) for row in connection.execute(asked, values)]


def find_checks(
    connection: sqlite3.Connection, numbers: Iterable[int]
) -> Mapping[int, tuple[int | None, str]]:
    """Return the checksum of the label map, None without one, and the note of some entries.

    Raises
    ------
    sqlite3.DatabaseError
        If there is no such entry.
    """
    asked = "SELECT map_check, note FROM entries WHERE number = ?"
    found = {number: connection.execute(asked, (number,)).fetchone() for number in numbers}
    if None in found.values():
        raise sqlite3.DatabaseError("an entry is missing")
    return found


def newest(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    """Return the highest number of an entry; 0 if there is none."""
    asked = f"SELECT coalesce(max(number), 0) FROM entries WHERE {condition}"
    (number,) = connection.execute(asked, values).fetchone()
    return int(number)


def find_totals(
    connection: sqlite3.Connection,
    by: Sequence[Group],
    condition: str,
    values: tuple[Any, ...],
) -> Mapping[tuple[Any, ...], Totals]:
    """Add up what annotations cost, told apart by some columns; see `Ledger.totals`."""
    columns = [_GROUPS[_GROUPS.index(each)] for each in by]
    told = "".join(f"{column}, " for column in columns)
    group = f"GROUP BY {', '.join(columns)}" if columns else ""

    def ask(what: str, source: str, further: str = group) -> list[tuple[Any, ...]]:
        return connection.execute(f"SELECT {told}{what} FROM {source} {further}", values).fetchall()

    chosen = f"entries WHERE {condition}"
    tools: dict[tuple[Any, ...], dict[str, int]] = {}
    in_tools = f"GROUP BY {', '.join([*columns, 'tool'])}"
    for *key, tool, strokes in ask("tool, count(*)", f"{chosen} AND kind = 'stroke'", in_tools):
        tools.setdefault(tuple(key), {})[tool] = strokes
    distinct = (
        f"(SELECT DISTINCT round, sample, depth, annotator FROM {chosen} AND kind = 'opened')"
        if "round" in columns
        else f"(SELECT DISTINCT sample, depth, annotator FROM {chosen} AND kind = 'opened')"
    )
    opened = {tuple(key): slices for *key, slices in ask("count(*)", distinct)}
    sums = ask("sum(kind = 'stroke'), sum(active_seconds), sum(contour_mm)", chosen)
    return {
        tuple(key): Totals(
            strokes, seconds, contour, tools.get(tuple(key), {}), opened.get(tuple(key), 0)
        )
        for *key, strokes, seconds, contour in sums
        if strokes is not None
    }
