"""Write files so that a killed process leaves the old one or the new one.

Everything that must survive goes through `replace_file`: it is written under a
temporary name beside its target, flushed to the disk and renamed. A reader,
also one in another process, sees a whole file or none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import StoreError

__all__ = ["cache_folder", "content_key", "may_write", "read_json", "replace_file", "write_json"]


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path
        The file that is made or replaced; its folder is made if absent.
    write : callable
        Takes a temporary path in the same folder and writes the content there.

    Raises
    ------
    StoreError
        If the content cannot be written; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        advice = "Free some space on the disk"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = f"Allow writing in {path.parent}"
        raise StoreError(
            f"{path} could not be written ({error.strerror or error}). Nothing was "
            f"lost: what was there before is unchanged. {advice} "
            f"or choose another folder, then run the same step again."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def may_write(path: Path) -> bool:
    """Tell whether this process may change a file, or make files in a folder."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def content_key(*parts: Any) -> str:
    """Name a result by everything that it was made from.

    Parameters
    ----------
    *parts : JSON-serializable
        What decides the result; equal parts give equal keys, on any machine.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where results that can be made again are kept.

    ``$WORKBENCH_CACHE`` if set, else ``suggestive-workbench`` in the user's
    cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``).
    """
    chosen = os.environ.get("WORKBENCH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "suggestive-workbench"
