"""What every view of a session has in common.

A view watches traits of the session and calls its methods; it sets no trait of
the session and knows no other view. What the browser sees are the view's own
traits; what the browser asks for comes back as a message ``{"do": name, …}``
and is handed to the method ``do_name``. After each message the browser is told
that it is done, or why it could not be, so that a slider can keep at most one
message on its way and the newest value always wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from traitlets import Unicode

from workbench.errors import WorkbenchError
from workbench.session import Session

__all__ = ["View", "packed"]

FOLDER = Path(__file__).parent
#: Script and style that every view starts with.
SHARED = {"_esm": FOLDER / "theme.js", "_css": FOLDER / "theme.css"}


def packed(values: ArrayLike, dtype: str) -> bytes:
    """Give an array to the browser as little-endian bytes, row by row.

    Parameters
    ----------
    values : array_like
        Any shape; the browser gets it flat.
    dtype : {"float32", "int32", "uint8"}
        What the browser reads it as; other types would travel as text.
    """
    return np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()


class View(anywidget.AnyWidget):  # type: ignore[misc]
    """A picture of a session, live in the browser and still in a report.

    A subclass names its script and its style as files beside it::

        class Steps(View):
            _esm = Path(__file__).with_suffix(".js")
            _css = Path(__file__).with_suffix(".css")

    (a tuple of paths where there are several). Both are sent with the shared
    ``theme.js``, which defines ``sw``, and ``theme.css`` in front.

    Parameters
    ----------
    session : Session
        What is watched and asked.
    """

    noun = Unicode("slice", help='what is suggested: "slice" or "volume"').tag(sync=True)
    message = Unicode("", help="Why the latest wish could not be met; empty if it was.").tag(
        sync=True
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        for key, shared in SHARED.items():
            own = cls.__dict__.get(key)
            files = (own,) if isinstance(own, Path) else own
            if isinstance(files, tuple):
                texts = (path.read_text(encoding="utf-8") for path in (shared, *files))
                setattr(cls, key, "\n".join(texts))
        super().__init_subclass__(**kwargs)

    def __init__(self, session: Session, **traits: Any) -> None:
        self.session = session
        self._watched: list[tuple[Callable[[Any], None], list[str]]] = []
        super().__init__(noun=session.noun, **traits)
        self.on_msg(self._receive)

    def watch(self, names: str | Iterable[str], handler: Callable[[], None]) -> None:
        """Call `handler` now, and whenever one of the session's traits changes.

        Parameters
        ----------
        names : str or iterable of str
            Traits of the session.
        handler : callable
            Takes nothing; reads what it needs from ``self.session``. It is
            called no more once the view is closed.
        """
        watched = [names] if isinstance(names, str) else list(names)

        def changed(_change: Any) -> None:
            handler()

        self.session.observe(changed, watched)
        self._watched.append((changed, watched))
        handler()

    def close(self) -> None:
        """Stop watching and leave the browser; also a view that could not be made."""
        watched = getattr(self, "_watched", [])
        for changed, names in watched:
            self.session.unobserve(changed, names)
        watched.clear()
        super().close()

    def still(self) -> list[go.Figure]:
        """Draw the current state as plain figures, for a report."""
        return []

    def _receive(self, _widget: Any, content: Any, buffers: Any) -> None:
        """Answer a message of the browser, and tell it when that is done."""
        if not isinstance(content, dict):
            return
        action = getattr(self, f"do_{content.get('do', '')}", None)
        problem = "Something unexpected went wrong in the kernel."
        try:
            if action is not None:
                wishes = {k: v for k, v in content.items() if k not in ("do", "ticket")}
                if buffers:
                    wishes["buffers"] = buffers
                action(**wishes)
                self.message = ""
            problem = ""
        except WorkbenchError as error:
            self.message = problem = str(error)
        finally:
            if "ticket" in content:
                self.send({"done": content["ticket"], "message": problem})
