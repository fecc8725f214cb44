"""The page about strategies has a working example of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench.cli import parse_settings
from workbench.strategies import get_strategy, registry

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_strategy_has_an_example_that_is_understood(name):
    (example,) = re.findall(
        rf"`(workbench simulate [^`]*--strategy {name}(?: [^`]*)?)`", PAGE.read_text()
    )
    given = parse_settings(re.findall(r"--set (\S+)", example)).get("strategy", {})
    strategy = get_strategy(name, **given)
    assert all(getattr(strategy, field) == value for field, value in given.items())
