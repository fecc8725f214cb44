"""Find the rows of a damaged SQLite file, page by page.

SQLite finds a row through the pages above it; where one of them is damaged it
stops. Here every page is looked at for itself, in the file and in its log, so
what is whole on the disk is found, whatever is broken around it. Only the caller
can tell a whole row from a damaged one: every row of a ledger has a checksum.

References
----------
The SQLite database file format, https://sqlite.org/fileformat2.html, sections
1.5 (tables and indexes), 2.1 (records) and 4.1 (write-ahead log).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.annotation.schema import MAGIC

__all__ = ["carve"]

#: Page size of every ledger, for files whose beginning does not say it any more.
PAGE = 4096
TABLE_LEAF, INDEX_LEAF = 13, 10
LOG_HEADER, FRAME_HEADER = 32, 24
#: Bytes of an integer of each serial type.
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Values = tuple[Any, ...]
Pages = Mapping[int, bytes]


def carve(path: Path) -> Iterator[Values]:
    """Find the rows and index entries in all pages of a SQLite file and of its log.

    Parameters
    ----------
    path : Path
        The file; it is only read, and need not be whole.

    Yields
    ------
    tuple
        The values of a row, its row id in the place of an integer key; whole or not. Of several
        with one key a later one is newer.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    content = path.read_bytes()
    log_path = path.with_name(path.name + "-wal")
    log = log_path.read_bytes() if log_path.exists() else b""
    size = _page_size(content, log)
    in_file = {
        1 + start // size: content[start : start + size].ljust(size, b"\0")
        for start in range(0, len(content), size)
    }
    old, new = _frames(log, size)
    current = in_file | dict(new)
    for number, page in [*old, *in_file.items(), *new]:
        for pages in (in_file, current) if log else (in_file,):  # where long rows continue
            yield from _rows(number, page, pages, size)


def _page_size(content: bytes, log: bytes) -> int:
    said = [int.from_bytes(log[8:12], "big")]
    if content.startswith(MAGIC):
        said.append(int.from_bytes(content[16:18], "big"))
    known = [size for size in said if 512 <= size <= 32768 and size & (size - 1) == 0]
    return known[-1] if known else PAGE


def _frames(log: bytes, size: int) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Pages in a log by number: those of the log before, which it overwrites, and its own."""
    salt = log[16:24]
    old: list[tuple[int, bytes]] = []
    new: list[tuple[int, bytes]] = []
    for start in range(LOG_HEADER, len(log) - FRAME_HEADER - size + 1, FRAME_HEADER + size):
        head = log[start : start + FRAME_HEADER]
        page = log[start + FRAME_HEADER : start + FRAME_HEADER + size]
        (new if head[8:16] == salt else old).append((int.from_bytes(head[:4], "big"), page))
    return old, new


def _rows(number: int, page: bytes, pages: Pages, size: int) -> Iterator[Values]:
    start = 100 if number == 1 else 0
    kind = page[start]
    if kind not in (TABLE_LEAF, INDEX_LEAF):
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for cell in range(min(cells, (size - start - 8) // 2)):
        place = start + 8 + 2 * cell
        at = int.from_bytes(page[place : place + 2], "big")
        try:
            if kind == TABLE_LEAF:
                yield _table_row(page, at, pages, size)
            else:
                yield _record(_payload(page, at, (size - 12) * 64 // 255 - 23, pages, size))
        except (ValueError, IndexError, KeyError, struct.error):  # damaged: not a row
            continue


def _table_row(page: bytes, at: int, pages: Pages, size: int) -> Values:
    _, after = _varint(page, at)
    row_id, _ = _varint(page, after)
    record = _record(_payload(page, at, size - 35, pages, size, has_id=True))
    return (row_id, *record[1:]) if record[0] is None else record


def _payload(
    page: bytes, at: int, most: int, pages: Pages, size: int, has_id: bool = False
) -> bytes:
    """Content of a cell: what lies in the page, and what continues in others."""
    length, at = _varint(page, at)
    if has_id:
        _, at = _varint(page, at)
    if length <= most:
        return page[at : at + length]
    least = (size - 12) * 32 // 255 - 23
    here = least + (length - least) % (size - 4)
    here = here if here <= most else least
    parts, held = [page[at : at + here]], here
    (following,) = struct.unpack(">I", page[at + here : at + here + 4])
    while held < length:
        further = pages[following]
        following = int.from_bytes(further[:4], "big")
        parts.append(further[4 : 4 + min(size - 4, length - held)])
        held += len(parts[-1])
    return b"".join(parts)


def _record(payload: bytes) -> Values:
    head, at = _varint(payload, 0)
    types = []
    while at < head:
        kind, at = _varint(payload, at)
        types.append(kind)
    values = []
    for kind in types:
        value, at = _value(kind, payload, at)
        values.append(value)
    if at != len(payload) or not values:
        raise ValueError("a record has another length than its header says")
    return tuple(values)


def _value(kind: int, payload: bytes, at: int) -> tuple[Any, int]:
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], at
    length = INTEGERS.get(kind, 8) if kind < 12 else (kind - 12) // 2
    part = payload[at : at + length]
    if len(part) != length or kind in (10, 11):
        raise ValueError("a record ends before its last value")
    read: Callable[[bytes], Any] = bytes
    if kind == 7:
        read = _float
    elif kind < 12:
        read = _integer
    elif kind % 2:
        read = bytes.decode
    return read(part), at + length


def _integer(part: bytes) -> int:
    return int.from_bytes(part, "big", signed=True)


def _float(part: bytes) -> float:
    (value,) = struct.unpack(">d", part)
    return float(value)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Read SQLite's integer of 1 to 9 bytes; return it and where the next byte is."""
    value = 0
    for place in range(at, at + 8):
        byte = content[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    return value << 8 | content[at + 8], at + 9
