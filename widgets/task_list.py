"""The queue and the cases as lines of a list, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from widgets.wording import count
from workbench.cohort.pool import Pool
from workbench.session import Session
from workbench.session.tasks import Task

__all__ = ["listed_cases", "listed_tasks", "nothing_open", "trainable"]

NOT_OPEN = (
    "The cohort is not open yet.",
    "Its {noun}s are annotated here as soon as it is.",
)
NOT_ASKED = (
    "Here the suggested {noun}s are annotated: the model draws first, you correct it, and every "
    "stroke is saved at once.",
    "Nothing is suggested yet. The first round trains a model and suggests what to annotate; until "
    "then choose any {noun} under Cases.",
)
ONLY_LOOKED_AT = (
    "Under Cases every {noun} can be looked at, with its annotations, its predictions as far as "
    "they are kept, and its reference. Any of them can be annotated, too.",
    "{why}",
)
NOT_BEGUN = (
    "{n} to annotate. Each begins with {start}: draw with the brush, press Done (D), and the "
    "next one opens.",
    "Every stroke is saved at once; undo goes back without limit. Press ? for all keys.",
)


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
            "differs": task.differs,
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


def trainable(session: Session) -> tuple[int, str]:
    """How many samples the next round could be trained with now, and why there are none."""
    pool = session.pool
    ready, reason = 0, "The first round has not been run yet."
    if session.round is None and session.queue:
        reason = "The first round trains on these: answer all of them first."
        if pool is not None and not any(task.open for task in session.queue):
            ready = int(pool.labeled.sum())
    elif session.round is not None and pool is not None:
        ready = int((pool.labeled_in > session.round.index).sum())
        reason = "Nothing is done yet: answer with Done what the next round should learn from."
    if session.busy or session.only_look:
        return 0, session.only_look or "A step is still running."
    return ready, reason


def nothing_open(session: Session) -> list[str]:
    """Say what is annotated, and how it is begun, where no slice is open."""
    nothing = ONLY_LOOKED_AT if session.only_look else NOT_ASKED
    asked = NOT_BEGUN if session.queue else nothing
    lines = NOT_OPEN if session.images is None else asked
    n = count(sum(task.open for task in session.queue), session.noun)
    start = "what the model predicts" if session.predicts else "an empty label map"
    told = {"noun": session.noun, "n": n, "start": start, "why": session.only_look}
    return [line.format(**told) for line in lines]
