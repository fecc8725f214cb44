"""One line of the ledger, and what may stand in it.

Every entry carries the whole label map after it, compressed: a line can be read
without those before it, so that damage to one costs that one alone. Names come
from people and from folders; they are checked here, before anything is written.
"""

from __future__ import annotations

import json
import math
import unicodedata
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import IGNORED
from workbench.errors import LedgerError

__all__ = [
    "ANSWERS",
    "DRAWN",
    "Entry",
    "annotator_name",
    "checked",
    "clean_name",
    "is_whole",
    "pack",
    "row_check",
    "unpack",
]

#: What ends the work on a slice.
ANSWERS = ("done", "unsure", "skipped")
#: What changes its label map.
DRAWN = ("stroke", "undo", "redo")
#: Note of an answer for a slice of a volume that was accepted with the others, unseen.
UNOPENED = "never opened"
KINDS = ("opened", *DRAWN, *ANSWERS)
STARTS = ("prediction", "annotation", "empty", "mask")
#: Characters that a name may have; a sample's name holds that of its case, which is a file's.
LONGEST = {"annotator": 200, "tool": 200, "sample": 1000, "note": 10_000}
#: Invisible characters that scripts and emoji need: joiners.
JOINERS = "\u200c\u200d"


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the ledger, never changed afterwards.

    Parameters
    ----------
    sample : str
        ``str(SliceId)`` or ``str(VolumeId)``.
    kind : {"opened", "stroke", "undo", "redo", "done", "unsure", "skipped"}
        What happened.
    classes : ndarray of uint8, shape (h, w), optional
        The label map after it, as stored and displayed; "unsure" and "skipped" need none.
    depth : int
        Slice of a volume; 0 for a slice.
    annotator : str
        Who did it.
    round : int
        The round that asked for it.
    started_from : {"prediction", "annotation", "empty", "mask"}
        What the person was given to begin with; "mask" is a file drawn elsewhere.
    tool : str
        What was drawn with, such as "brush".
    active_seconds : float
        Time of work since the entry before, idle time excluded.
    contour_mm : float
        Length of the contour drawn in this stroke, sub-pixel (`effort.stroke_mm`).
    note : str
        The reason of "skipped", or free words.
    number : int
        Given by the ledger: 1, 2, 3, …; a recovered ledger lacks those that were lost.
    time : float
        Given by the ledger: seconds since 1970, UTC.
    """

    sample: str
    kind: str
    classes: NDArray[np.uint8] | None = None
    depth: int = 0
    annotator: str = ""
    round: int = 0
    started_from: str = "empty"
    tool: str = ""
    active_seconds: float = 0.0
    contour_mm: float = 0.0
    note: str = ""
    number: int = 0
    time: float = 0.0


def checked(entry: Entry, classes: tuple[str, ...]) -> Entry:
    """Return an entry whose values may be written: names cleaned, label map read-only.

    Parameters
    ----------
    entry : Entry
        As it was given.
    classes : tuple of str
        Names of the classes, if the ledger knows them.

    Raises
    ------
    LedgerError
        If something in it cannot be kept.
    """
    if entry.kind not in KINDS:
        raise LedgerError(
            f"An entry of the kind {entry.kind!r} cannot be kept. Kinds are {', '.join(KINDS)}."
        )
    if entry.started_from not in STARTS:
        raise LedgerError(
            f"An annotation that started from {entry.started_from!r} is not known. It starts from "
            f"one of {', '.join(STARTS)}."
        )
    for name, least in (("depth", 0), ("round", 0), ("active_seconds", 0), ("contour_mm", 0)):
        value = getattr(entry, name)
        if not math.isfinite(value) or not least <= value < 2**53:
            raise LedgerError(f"An entry's {name} is {value!r}. It is a number from {least} on.")
    if not entry.sample:
        raise LedgerError("An entry must name the slice or volume that it belongs to.")
    _check_text("sample", entry.sample)
    _check_text("note", entry.note, lines=True)
    if entry.classes is None and entry.kind not in ("unsure", "skipped"):
        raise LedgerError(
            f"An entry of the kind {entry.kind!r} of {entry.sample} has no label map. Only "
            f"'unsure' and 'skipped' need none."
        )
    return replace(
        entry,
        classes=None if entry.classes is None else _checked_map(entry, classes),
        depth=int(entry.depth),
        round=int(entry.round),
        annotator=clean_name(entry.annotator),
        tool=clean_name(entry.tool, "tool"),
        active_seconds=float(entry.active_seconds),
        contour_mm=float(entry.contour_mm),
    )


def clean_name(name: str, what: str = "annotator") -> str:
    """Return a person's (or tool's) name as it is kept: without blanks at its ends, composed.

    Composed (Unicode NFC), so that one name typed on two machines is one annotator. Any script
    and emoji are welcome; every consumer shows names as text, never as markup.

    Raises
    ------
    LedgerError
        If it is too long, or holds what cannot be seen: control characters, marks that turn the
        direction of the text, characters of no encoding.
    """
    name = unicodedata.normalize("NFC", name).strip()
    _check_text(what, name)
    hidden = [each for each in name if unicodedata.category(each) == "Cf" and each not in JOINERS]
    if hidden:
        raise LedgerError(
            f"The name of the {what} {name[:60]!a} holds characters that cannot be seen, such "
            f"as U+{ord(hidden[0]):04X}, so that two names could look like one. Leave them out."
        )
    return name


def annotator_name(name: str) -> str:
    """Return the name of a person who annotates as it is kept; see `clean_name`.

    Raises
    ------
    LedgerError
        If there is none, or it cannot be kept.
    """
    kept = clean_name(name)
    if not kept:
        raise LedgerError("The annotator has no name. Give one, such as your initials.")
    return kept


def _check_text(what: str, text: str, lines: bool = False) -> None:
    if len(text) > LONGEST[what]:
        raise LedgerError(
            f"The {what} {text[:30]!a}… has {len(text):,} characters. At most "
            f"{LONGEST[what]:,} are kept: shorten it."
        )
    allowed = "\n\t" if lines else ""
    for each in text:
        if unicodedata.category(each) in ("Cc", "Cs") and each not in allowed:
            raise LedgerError(
                f"The {what} {text[:60]!a} holds the character U+{ord(each):04X}, which is no "
                f"text. Use letters, digits, signs and blanks"
                f"{', or rename the file' if what == 'sample' else ''}."
            )


def _checked_map(entry: Entry, classes: tuple[str, ...]) -> NDArray[np.uint8]:
    given = np.asarray(entry.classes)
    if given.ndim != 2 or 0 in given.shape or given.dtype != np.uint8:
        raise LedgerError(
            f"The label map of {entry.sample} has the shape {given.shape} and the type "
            f"{given.dtype}. It must be one slice of uint8, shape (h, w)."
        )
    if classes:
        unknown = np.unique(given[(given >= len(classes)) & (given != IGNORED)])
        if unknown.size:
            raise LedgerError(
                f"The label map of {entry.sample} holds the class {int(unknown[0])}. Classes are 0 "
                f"to {len(classes) - 1}: {', '.join(classes)}."
            )
    kept = np.array(given)
    kept.flags.writeable = False
    return kept


def pack(classes: NDArray[np.uint8]) -> tuple[int, bytes]:
    """Compress a label map; its CRC-32 is that of the shape and the pixels."""
    content = np.ascontiguousarray(classes).tobytes()
    return _map_check(classes.shape, content), zlib.compress(content, 3)


def unpack(height: int, width: int, check: int, packed: bytes) -> NDArray[np.uint8]:
    """Read back what `pack` made, read-only, shape (height, width).

    Raises
    ------
    ValueError
        If it is damaged.
    """
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, height * width + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) != height * width or _map_check((height, width), content) != check:
        raise ValueError("its checksum is wrong")
    return np.frombuffer(content, np.uint8).reshape(height, width)


def _map_check(shape: tuple[int, ...], content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(repr(tuple(shape)).encode()))


def row_check(values: tuple[Any, ...], packed: bytes | None) -> int:
    """CRC-32 of everything else in a row."""
    return zlib.crc32(packed or b"", zlib.crc32(json.dumps(values).encode()))


def is_whole(row: tuple[Any, ...]) -> bool:
    """Tell whether a row, its last values the checksum and the packed map, is as it was written."""
    try:
        return bool(row_check(row[:-2], row[-1]) == row[-2])
    except TypeError:  # a damaged row holds values of other types
        return False
