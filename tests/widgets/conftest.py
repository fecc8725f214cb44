"""Sessions made up for the tests of views."""

from __future__ import annotations

import pytest

from tests.widgets.fake import FakeSession


@pytest.fixture
def session() -> FakeSession:
    """1,440 slices of 24 cases, 12 sources, 3 latent dimensions, suggestions there."""
    return FakeSession()
