"""Tabs over the middle of the application.

Changing a tab happens in the browser alone: it works while the kernel is busy,
and the views that are hidden stay as they were.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import List, Unicode

from widgets.view import SHARED

__all__ = ["Tabs"]


def _joined(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


class Tabs(anywidget.AnyWidget):  # type: ignore[misc]
    """A row of tabs; the pane ``i`` of the application has the class ``sw-pane-i``."""

    _esm = _joined(SHARED["_esm"], Path(__file__).with_suffix(".js"))
    _css = _joined(SHARED["_css"], Path(__file__).with_suffix(".css"))
    names = List(Unicode(), help="names of the tabs, in order").tag(sync=True)
    root = Unicode("sw-app", help="class of the element whose panes are shown").tag(sync=True)
