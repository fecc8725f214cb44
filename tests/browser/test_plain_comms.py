"""The application where widget messages wait for the running cell (no subshells)."""

from __future__ import annotations

import pytest

from tests.browser.walking import (
    move_the_cone_beside_a_busy_cell,
    opened,
    press_primary,
    wait_for_button,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_what_was_moved_during_a_cell_counts_afterwards(tmp_path):
    with opened(tmp_path, "lab", "disabled") as page:
        press_primary(page, "first suggestions")
        wait_for_button(page, "Label these 3")
        move_the_cone_beside_a_busy_cell(page)
