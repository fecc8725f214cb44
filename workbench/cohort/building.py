"""Make a folder whole or not at all.

A folder that takes a while to fill is made under a hidden temporary name beside
its place and renamed at the end. A reader sees a complete folder or none; when
two processes make the same one, the second to finish uses the first one's; what
a killed process left behind is removed by the next that builds there.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import StoreError

__all__ = ["building"]


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder that becomes `folder` if all goes well.

    Parameters
    ----------
    folder : Path
        Where the result shall be; must not be there yet.

    Raises
    ------
    StoreError
        If the disk is full or may not be written; nothing remains of the attempt.
    """
    host = socket.gethostname().replace(".", "-")
    temporary = folder.parent / f".{folder.name}.{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder, host)
        temporary.mkdir()
        yield temporary
        try:
            os.replace(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was first: its result is as good
                raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else (error.strerror or str(error))
        raise StoreError(
            f"{folder} could not be written: {what}. Nothing half-made was left there. Free some "
            f"space, or set WORKBENCH_CACHE to a folder on a larger disk, then run it again."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_leftovers(folder: Path, host: str) -> None:
    """Remove what processes of this machine left when they were killed."""
    for left in folder.parent.glob(f".{folder.name}.{host}.*"):
        number = left.name.split(".")[-2]
        if not (number.isdigit() and _runs(int(number))):
            shutil.rmtree(left, ignore_errors=True)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
