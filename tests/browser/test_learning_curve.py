"""The session's learning curve in a browser."""

from __future__ import annotations

from dataclasses import replace

from tests.browser.bridge import Bridge, bridged
from tests.widgets.fake_app import FakeApp
from widgets.learning_curves import LearningCurves
from workbench.experiments.costs import EFFORTS


def test_a_menu_draws_the_curve_against_strokes_once_somebody_drew():
    session = FakeApp(n=240, cases=8, rounds=2)
    with bridged() as page:
        bridge = Bridge(LearningCurves(session), page)
        menu = page.get_by_label("Draw against")
        title = page.locator(".sw-chart-title").first
        assert menu.is_hidden()
        assert title.text_content() == "labeled slices"
        plain = {"slices": 36, "cases": 9, "pixels": 3600}
        cost = dict.fromkeys(EFFORTS, 2.5) | {"strokes": 41, "from_reference": 36}
        first, last = session.rounds
        session.rounds = (
            replace(first, annotated=plain),
            replace(last, annotated={**plain, "slices": 48, **cost}),
        )
        bridge.push()
        menu.select_option(label="strokes")
        bridge.settle()
        assert title.text_content() == "strokes; labels from the reference count 0"
        page.locator("svg[role=img]").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert "strokes: 41" in page.locator(".sw-chart-tip").text_content()
        assert "random" not in page.get_by_label("Legend").text_content()
        menu.select_option(label="labeled slices")
        bridge.settle()
        assert title.text_content() == "labeled slices"
        assert bridge.errors == []
