"""What a worker process of a sweep does first: leave Ctrl-C to the command.

The terminal sends it to every process; the command alone answers, and stops the
workers' runs between two steps.
"""

from __future__ import annotations

import signal

__all__ = ["dask_setup"]


def dask_setup(worker: object) -> None:
    """Ignore the interrupt signal; Dask calls this when the process starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
