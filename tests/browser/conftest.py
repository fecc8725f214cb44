"""JupyterLab with a page, and the editor without JupyterLab, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.bridge import Bridge, bridged
from tests.browser.desk import Desk
from tests.browser.find_browser import find_browser
from tests.browser.lab import Lab
from tests.widgets.fake_annotating import FakeAnnotating
from widgets.mask_editor import MaskEditor


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all browser tests."""
    find_browser()
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, {"WORKBENCH_CACHE": str(folder / "cache")}) as server:
        yield server


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    """A fresh page that is tall enough to need no scrolling."""
    with lab.browser() as fresh:
        yield fresh


@pytest.fixture
def desk() -> Iterator[Desk]:
    """The editor with an empty slice open."""
    session = FakeAnnotating(n=240, cases=8)
    with bridged() as page:
        desk = Desk(Bridge(MaskEditor(session), page), session)
        yield desk
        assert desk.bridge.errors == []
