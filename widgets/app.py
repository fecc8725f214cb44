"""The whole application: every view of one session, laid out as one instrument.

This is the only file that knows all views. It makes no decision of its own: the
session changes, the views follow. Running its cell twice adopts the session
that is there, because a second one would train on the same cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import plotly.graph_objects as go

from widgets.activity import Activity
from widgets.cohort_panel import CohortPanel
from widgets.header import Header
from widgets.inspector import Inspector
from widgets.latent_map import LatentMap
from widgets.learning_curves import LearningCurves
from widgets.mask_editor import MaskEditor
from widgets.step_rail import StepRail
from widgets.tabs import Tabs
from widgets.training_panel import TrainingPanel
from widgets.tuning_panel import TuningPanel
from widgets.view import View
from workbench.session import Session

__all__ = ["Workbench"]


class Frame(anywidget.AnyWidget):  # type: ignore[misc]
    """Carries the style of the layout; draws nothing itself."""

    _esm = "export default { render({ el }) { el.style.display = 'none'; } };"
    _css = Path(__file__).with_suffix(".css")


class Workbench(ipywidgets.Box):  # type: ignore[misc]
    """Show the suggestive-annotation workbench in a notebook.

    Parameters
    ----------
    source : str or Path
        ``"phantom"``, the embedded cohort, or the folder of your own.
    folder : str or Path, optional
        Where the experiment is kept; see `Session`. What is there is continued.
    session : Session, optional
        A session that exists already; then `source` and `folder` are not used.
    **settings
        Settings of `Session`, such as ``strategy``, ``seed``, ``budget``, ``cases``.

    Examples
    --------
    >>> from widgets import Workbench  # doctest: +SKIP
    >>> app = Workbench("phantom")     # doctest: +SKIP
    >>> app                            # doctest: +SKIP
    """

    def __init__(
        self,
        source: str | Path = "phantom",
        folder: str | Path | None = None,
        *,
        session: Session | None = None,
        **settings: Any,
    ) -> None:
        if session is None:
            session = _adopt(source, folder, settings)
        self._own = session
        for other in [app for app in _shown if app.session is session]:
            other.close()
        self.header = Header(session)
        self.steps = StepRail(session)
        self.map = LatentMap(session)
        self.editor = MaskEditor(session)
        self.cohort = CohortPanel(session)
        self.training = TrainingPanel(session)
        self.inspector = Inspector(session)
        self.tuning = TuningPanel(session)
        self.curves = LearningCurves(session)
        self.activity = Activity(session)
        tabs = Tabs(names=["Map", "Annotate", "Cohort", "Training", "Curve"])
        # the curve is shown twice, small below and large in its tab: one view, drawn twice
        panes = [
            _area(ipywidgets.Box([view]), f"sw-pane sw-pane-{i}")
            for i, view in enumerate(
                [self.map, self.editor, self.cohort, self.training, self.curves]
            )
        ]
        center = _area(ipywidgets.Box([tabs, *panes]), "sw-area-center")
        small = _area(ipywidgets.Box([self.curves]), "sw-area-curve")
        grid = ipywidgets.Box(
            [
                _area(self.header, "sw-area-header"),
                _area(self.steps, "sw-area-steps"),
                center,
                _area(self.inspector, "sw-area-why"),
                _area(self.tuning, "sw-area-tuning"),
                small,
                _area(self.activity, "sw-area-log"),
            ]
        )
        _area(grid, "sw-app")
        frame = Frame()
        # all of them are closed with it: one that held closed ones would end every page's reload
        self._extra = [tabs, frame, center, small, grid, *panes]
        super().__init__([frame, grid])
        self.add_class("sw-frame")
        _shown.append(self)
        if session.cohort is None and not session.busy and not session.problem:
            session.open()

    @property
    def session(self) -> Session:
        """The session that is shown: its methods do what the buttons do."""
        return self._own

    @property
    def views(self) -> tuple[View, ...]:
        """Every view of the application."""
        return (
            self.header,
            self.steps,
            self.map,
            self.inspector,
            self.editor,
            self.tuning,
            self.curves,
            self.training,
            self.cohort,
            self.activity,
        )

    def still(self) -> list[go.Figure]:
        """Draw the whole application as still pictures of its current state.

        Returns
        -------
        Stills
            A list of plain plotly figures that shows itself at the end of a cell,
            also in a notebook that is run without a browser.
        """
        from workbench.reports.stills import Stills

        return Stills(figure for view in self.views for figure in view.still())

    def close(self) -> None:
        """Take the application off the page; the session goes on.

        One that could not be made is closed, too, when it is collected: then only some of its
        views are there, or none.
        """
        if self in _shown:
            _shown.remove(self)
        for view in [each for each in vars(self).values() if isinstance(each, View)]:
            view.close()
        for widget in getattr(self, "_extra", []):
            widget.close()
        super().close()


#: Applications that are on the page of this kernel.
_shown: list[Workbench] = []
#: Sessions of this kernel by source and folder, with the settings they were made with.
_sessions: dict[tuple[str, str], tuple[Session, dict[str, Any]]] = {}


def _adopt(source: str | Path, folder: str | Path | None, settings: dict[str, Any]) -> Session:
    """Return the session of this source and folder, or make one.

    With other settings than before, the earlier session is closed first.
    """
    place = str(source) if str(source) == "phantom" else str(Path(source).expanduser().resolve())
    key = (place, "" if folder is None else str(Path(folder).expanduser().resolve()))
    known = _sessions.get(key)
    if known is not None:
        session, before = known
        if before == settings:
            return session
        for app in [app for app in _shown if app.session is session]:
            app.close()
        session.close()
    session = Session(source, folder, **settings)
    _sessions[key] = (session, settings)
    return session


def _area(widget: Any, names: str) -> Any:
    """Give a widget its place in the layout."""
    for name in names.split():
        widget.add_class(name)
    return widget
