"""Fill a ``.npy`` file with the rows of many cases: on all cores, and resumably.

Cases are read by threads (unpacking and arithmetic run beside each other in them)
and written in their order. A journal beside the file tells which rows are whole,
with their checksums: a process that was killed goes on after the last of them.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from workbench.errors import StoreError
from workbench.jobs import Progress, Work

__all__ = ["Make", "check_rows", "write_rows"]

#: Reads one case: its rows, and what is to be remembered of it (JSON-serializable).
Make = Callable[[], tuple[NDArray[Any], dict[str, Any]]]
#: Bytes that are checked at a time.
PART = 1 << 24


def write_rows(
    path: Path, form: tuple[int, ...], dtype: str, makes: Sequence[Make], stage: str
) -> Work[list[dict[str, Any]]]:
    """Write the rows of all cases one after the other, or go on where this was stopped.

    Parameters
    ----------
    path : Path
        The ``.npy`` file; there may be an unfinished one with its journal.
    form : tuple of int
        Shape of one row.
    dtype : str
        Type of the file, such as ``"<f2"``; rows are written as they are given.
    makes : sequence of callable
        One for each case; called in a thread, at most once more than there are cores ahead.
    stage : str
        What is told while it lasts.

    Returns
    -------
    list of dict
        What is remembered of each case, with ``rows`` and ``checksum`` (CRC-32) added.
    """
    journal = path.with_suffix(".journal")
    with path.open("r+b" if path.exists() else "w+b", buffering=0) as file:
        _write_header(file, dtype, (0, *form))
        start = file.tell()
        row_bytes = int(np.prod(form)) * np.dtype(dtype).itemsize
        done = _whole_entries(file, journal, row_bytes)
        file.truncate(start + row_bytes * sum(entry["rows"] for entry in done))
        file.seek(0, os.SEEK_END)
        with journal.open("w", encoding="utf-8") as log:
            for entry in done:
                log.write(json.dumps(entry) + "\n")
            for rows, entry in _in_order(makes[len(done) :]):
                content = np.ascontiguousarray(rows, dtype=dtype).data
                if len(rows):
                    _write_all(file, content.cast("B"))
                checksum = zlib.crc32(content) if len(rows) else 0
                done.append({**entry, "rows": len(rows), "checksum": checksum})
                log.write(json.dumps(done[-1]) + "\n")
                log.flush()
                yield Progress(stage, len(done), len(makes))
        file.seek(0)
        _write_header(file, dtype, (sum(entry["rows"] for entry in done), *form))
    journal.unlink()
    return done


def check_rows(path: Path, cases: Sequence[dict[str, Any]], stage: str) -> Work[None]:
    """Compare a file that `write_rows` wrote with the checksums that it gave.

    Parameters
    ----------
    path : Path
    cases : sequence of dict
        Entries with ``rows`` and ``checksum``, in the order of the file.
    stage : str
        What is told while it lasts.

    Raises
    ------
    StoreError
        If the disk holds something else than was written.
    """
    array = np.load(path, mmap_mode="r")
    row_bytes = int(np.prod(array.shape[1:])) * array.itemsize
    with path.open("rb") as file:
        file.seek(path.stat().st_size - array.nbytes)
        for number, case in enumerate(cases):
            yield Progress(stage, number, len(cases))
            if _checksum(file, case["rows"] * row_bytes) != case["checksum"]:
                raise StoreError(
                    f"{path} does not hold what was written to it: its checksum differs at case "
                    f"{number + 1} of {len(cases)}. Delete {path.parent}: it is built again. If "
                    f"this happens twice, the disk is failing."
                )


# ---------------------------------------------------------------------- helpers
def _in_order(makes: Sequence[Make]) -> Iterator[tuple[NDArray[Any], dict[str, Any]]]:
    """Call every function in a thread for each core; give the results in order."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores or 1) as pool:
        waiting: deque[Future[tuple[NDArray[Any], dict[str, Any]]]] = deque()
        try:
            for make in makes:
                waiting.append(pool.submit(make))
                if len(waiting) > (cores or 1):  # no more cases in memory than that
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _whole_entries(file: BinaryIO, journal: Path, row_bytes: int) -> list[dict[str, Any]]:
    """Entries of the journal whose rows lie in the file as they were written."""
    done: list[dict[str, Any]] = []
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except OSError:
        return done
    for line in lines:
        try:
            entry = json.loads(line)
            if _checksum(file, entry["rows"] * row_bytes) != entry["checksum"]:
                break
        except (ValueError, KeyError, TypeError):
            break
        done.append(entry)
    return done


def _checksum(file: BinaryIO, length: int) -> int:
    """CRC-32 of the next bytes of a file."""
    checksum = 0
    while length > 0:
        part = file.read(min(length, PART))
        if not part:
            return -1
        checksum = zlib.crc32(part, checksum)
        length -= len(part)
    return checksum


def _write_all(file: BinaryIO, content: memoryview) -> None:
    """Write everything: an unbuffered file may take less than it is given."""
    while len(content):
        content = content[file.write(content) :]


def _write_header(file: BinaryIO, dtype: str, shape: tuple[int, ...]) -> None:
    """Write a ``.npy`` header, whose length does not depend on the number of rows."""
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)  # pads for a growing first axis
