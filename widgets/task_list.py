"""The queue and the cases as lines of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.cohort.pool import Pool
from workbench.session.tasks import Task

__all__ = ["listed_cases", "listed_tasks"]


def listed_tasks(queue: Sequence[Task], pool: Pool) -> list[dict[str, Any]]:
    """Name every task: what it is, its state, who did it, and their time of work together."""
    return [
        {
            "row": task.row,
            "case": pool.ids[task.row].case,
            "place": pool.ids[task.row].place,
            "state": task.state,
            "annotators": list(task.annotators),
            "seconds": float(task.seconds),
            "note": task.note,
        }
        for task in queue
    ]


def listed_cases(pool: Pool) -> list[dict[str, Any]]:
    """Name every case, its middle row, how much of it there is and how much is labeled."""
    cases = []
    for number in range(int(pool.case_of.max()) + 1):
        rows = np.flatnonzero(pool.case_of == number)
        cases.append(
            {
                "case": pool.ids[int(rows[0])].case,
                "row": int(rows[len(rows) // 2]),
                "count": len(rows),
                "done": int(pool.labeled[rows].sum()),
            }
        )
    return cases
