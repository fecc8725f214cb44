"""The application on images that nobody has labeled yet."""

from __future__ import annotations

import shutil

import numpy as np

from tests.experiments.tiny import tiny_config
from widgets import Workbench
from workbench.cohort.phantom import make_phantom
from workbench.jobs import finish


def test_the_application_shows_images_that_nobody_has_labeled_in_every_state(tmp_path):
    (tmp_path / "scans" / "images").mkdir(parents=True)
    for path in sorted(finish(make_phantom(cases=3)).rglob("*flair*.nii*")):
        shutil.copy(path, tmp_path / "scans" / "images" / path.name)
    settings = tiny_config(initial=2, budget=2, labels={"1": "bright"}).to_json()
    for name in ("source", "strategy", "cases", "annotator"):
        settings.pop(name)
    app = Workbench(tmp_path / "scans", tmp_path / "run", **settings)
    session = app.session
    session.wait()
    assert app.still()
    session.next()
    session.wait()
    assert app.header.action == "Annotate these 2"
    assert not app.curves.can_label
    session.next()
    classes = np.zeros_like(session.editing.classes)
    classes[20:40, 20:40] = 1
    session.draw(classes, tool="polygon", active_seconds=3.0, contour_mm=80.0)
    session.answer("done")
    assert app.still()
    session.start_round()
    session.wait()
    assert session.round.index == 0
    assert "no case is held out" in app.curves.latest
    assert app.curves.lines == []
    assert app.still()
    app.close()
    session.close()
