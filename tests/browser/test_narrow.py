"""A laptop's window (1366 × 768): the words of every view are seen, and none covers another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.browser.bridge import Bridge, bridged
from tests.widgets.fake_annotating import FakeAnnotating
from tests.widgets.fake_app import FakeApp
from widgets.cohort_panel import CohortPanel
from widgets.latent_map import LatentMap
from widgets.mask_editor import MaskEditor
from widgets.training_panel import TrainingPanel

pytestmark = pytest.mark.browser

#: What JupyterLab leaves there: the editor's room, and that of the middle column.
EDITOR, MIDDLE = (765, 575), (468, 380)
LONG = "BraTS19_TCIA00_P013_"


def renamed(session):
    """Give its cases names as long as those of BraTS."""
    ids = tuple(replace(each, case=LONG + each.case[-1]) for each in session.pool.ids)
    session.pool = replace(session.pool, ids=ids)
    if session.cohort is not None:
        cases = tuple(replace(each, id=LONG + each.id[-1]) for each in session.cohort.cases[:8])
        session.cohort = replace(session.cohort, cases=cases)
    return session


def shown(view, page, size):
    bridge = Bridge(view, page)
    page.evaluate(
        """([width, height]) => {
          const { style } = document.getElementById("place");
          Object.assign(style, { width: `${width}px`, height: `${height}px` });
        }""",
        size,
    )
    bridge.settle()
    return bridge


def cut(page, selector):
    """Texts of the elements that show less than all of theirs."""
    return page.locator(selector).evaluate_all(
        """(nodes) => nodes.filter((node) => node.checkVisibility()
          && (node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight + 1))
          .map((node) => node.textContent)"""
    )


def right_of(box):
    return box["x"] + box["width"]


def test_the_heading_keeps_the_end_of_the_case_and_the_slice():
    session = renamed(FakeAnnotating(n=240, cases=8))
    with bridged() as page:
        bridge = shown(MaskEditor(session), page, EDITOR)
        page.get_by_role("button", name="Begin with the first").click()
        bridge.settle()
        heading = page.locator(".sw-editor-head h3")
        name = bridge.view.info["name"]
        assert heading.text_content() == name
        assert heading.get_attribute("title").startswith(name)
        tail = heading.locator("span").last
        assert tail.text_content().startswith("P013_")
        assert tail.text_content().endswith(name.split(" · ")[1])
        assert cut(page, ".sw-editor-head h3 > :last-child") == []
        assert right_of(tail.bounding_box()) <= right_of(heading.bounding_box()) + 0.5


@pytest.mark.parametrize("begun", [False, True])
def test_a_long_failure_stays_in_its_column_with_its_full_text_as_title(begun):
    session = renamed(FakeAnnotating(n=240, cases=8))
    with bridged() as page:
        bridge = shown(MaskEditor(session), page, EDITOR)
        if begun:
            page.get_by_role("button", name="Begin with the first").click()
            bridge.settle()
        page.evaluate("() => { model.send = () => { throw new Error('gone'); }; }")
        page.get_by_role("button", name="Next of the queue").click()
        said = page.locator(".sw-editor-saved")
        assert said.get_attribute("title") == "no answer: the kernel has stopped"
        column = page.locator(".sw-editor-middle").bounding_box()
        assert right_of(said.bounding_box()) <= right_of(column)
        words = ".sw-editor-head, .sw-editor-saved, .sw-editor-head h3 > :last-child"
        assert cut(page, words) == []
        said.evaluate("(n) => { n.textContent = 'no answer yet: the kernel does not answer'; }")
        assert cut(page, words) == []
        if begun:
            heading, tail = (
                page.locator(f".sw-editor-head {each}") for each in ("h3", "h3 > :last-child")
            )
            assert right_of(tail.bounding_box()) <= right_of(heading.bounding_box()) + 0.5


def test_counts_and_table_of_the_cohort_are_seen_whole():
    session = renamed(FakeApp(n=240, cases=8))
    with bridged() as page:
        shown(CohortPanel(session), page, MIDDLE)
        # lists in an output of JupyterLab look so
        page.evaluate("() => document.getElementById('place').parentNode.classList.add('lab')")
        page.add_style_tag(content=".lab dl dt { float: left; width: 20%; min-width: 0 }")
        for name, told in zip(
            page.locator(".sw-cohort-groups dt").all(),
            page.locator(".sw-cohort-groups dd").all(),
            strict=True,
        ):
            assert right_of(name.bounding_box()) < told.bounding_box()["x"]
            assert name.evaluate("(node) => node.scrollWidth <= node.clientWidth")
        assert cut(page, ".sw-cohort-groups dt, .sw-cohort-cases th") == []
        assert page.locator(".sw-cohort-cases").evaluate("(n) => n.scrollWidth <= n.clientWidth")
        first = page.locator(".sw-cohort-cases tbody tr").first
        assert "site B · pool" in first.inner_text()
        # in a wide place every one has its column
        page.evaluate("() => { document.getElementById('place').style.width = '900px'; }")
        assert not page.locator(".sw-cohort-below").first.is_visible()
        assert page.locator(".sw-cohort-cases th").nth(2).is_visible()


def test_headings_of_the_training_are_seen_whole():
    with bridged() as page:
        bridge = shown(TrainingPanel(FakeApp(n=240, cases=8)), page, MIDDLE)
        bridge.settle()
        assert page.locator(".sw-training figcaption:visible").count() == 2
        assert cut(page, ".sw-training figcaption, .sw-training figcaption > *") == []


def test_what_lies_outside_the_view_of_the_map_is_told_beside_its_ticks():
    session = FakeApp(n=1440)
    session.maps["z1·z2"].xy[:3] += 50.0
    with bridged() as page:
        shown(LatentMap(session), page, MIDDLE)
        told = page.locator(".sw-map-rest")
        assert told.is_visible()
        stage = page.locator(".sw-map-stage").bounding_box()
        box = told.bounding_box()
        ticks = page.evaluate(
            """() => {
              const context = document.createElement("canvas").getContext("2d");
              context.font = "11px sans-serif";
              return context.measureText("−2.5").width;
            }"""
        )
        assert box["x"] - stage["x"] > 4 + ticks
        assert box["y"] + box["height"] < stage["y"] + stage["height"] - 15
