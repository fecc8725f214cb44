"""A kernel that draws on the first suggestion until it is killed: the target of a child process."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.session.test_session import a_session


def draw_for_ever(folder: Path) -> None:
    """Draw one pixel after the other, telling each when it is drawn."""
    session = a_session(folder)
    session.annotator = "anna"
    session.open()
    session.wait()
    session.edit(int(session.suggestions.rows[0]))
    print("ready", flush=True)
    for number in range(100_000):
        classes = session.editing.classes.copy()
        classes.ravel()[number % classes.size] = 1 + number % 2
        session.draw(classes, tool="brush", active_seconds=1.0, contour_mm=2.0)
        print(session.editing.number, flush=True)


if __name__ == "__main__":
    draw_for_ever(Path(sys.argv[1]))
