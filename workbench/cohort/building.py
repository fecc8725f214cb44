"""Make a folder whole or not at all.

A folder that takes a while to fill is made under a hidden temporary name beside
its place and renamed at the end. A reader sees a complete folder or none; when
two processes make the same one, the second to finish uses the first one's; what
a stopped or killed process left behind is removed by the next that builds there,
or taken over, where the work can be resumed.
"""

from __future__ import annotations

import contextlib
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

#: Stands for the number of a process that was stopped and left its work on purpose.
STOPPED = "stopped"


@contextmanager
def building(folder: Path, resume: bool = False) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` if all goes well.

    Parameters
    ----------
    folder : Path
        Where the result shall be; must not be there yet.
    resume : bool
        Whether the work can go on with what a stopped or killed process left: then the folder may
        hold that, and it is kept when this work is stopped.

    Raises
    ------
    StoreError
        If the disk is full or may not be written; nothing remains of the attempt.
    """
    host = socket.gethostname().replace(".", "-")
    temporary = folder.parent / f".{folder.name}.{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _take_over(folder, host, temporary if resume else None)
        temporary.mkdir(exist_ok=True)
        try:
            yield temporary
        except (GeneratorExit, KeyboardInterrupt):
            if resume:
                name = f".{folder.name}.{host}.{STOPPED}.{uuid.uuid4().hex[:8]}"
                os.replace(temporary, folder.with_name(name))
            raise
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


def _take_over(folder: Path, host: str, temporary: Path | None) -> None:
    """Rename to `temporary` what a process of this machine left; remove what is not needed."""
    for left in sorted(folder.parent.glob(f".{folder.name}.{host}.*")):
        number = left.name.split(".")[-2]
        if number.isdigit() and _runs(int(number)):
            continue
        with contextlib.suppress(OSError):  # another process was first
            if temporary is not None and not temporary.exists():
                os.rename(left, temporary)
                continue
        shutil.rmtree(left, ignore_errors=True)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
