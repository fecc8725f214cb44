"""What a round cost, read from the ledger: against what the effort is measured."""

from __future__ import annotations

import numpy as np
import pytest

from tests.annotation.made import SAMPLE, picture
from workbench.annotation import Entry
from workbench.annotation.costs import cost_of_round

SQUARE = picture(*(24 * y + x for y in range(4, 10) for x in range(4, 10)))


def one_pixel_more():
    changed = SQUARE.copy()
    changed[10, 4] = 1
    return changed


def cost(ledger, index=0):
    return cost_of_round(ledger, index, 3, {SAMPLE: (1.0, 1.0)}).effort


@pytest.fixture
def work(ledger):
    def write(*steps, round=0):
        for kind, classes in steps:
            ledger.append(Entry(SAMPLE, kind, classes, annotator="Ada", round=round))

    return write


def test_a_prediction_that_is_accepted_saves_all(ledger, work):
    work(("opened", SQUARE), ("done", SQUARE))
    assert (cost(ledger).saved[0], cost(ledger).changed) == (1.0, 0)


def test_what_is_drawn_after_starting_over_from_nothing_is_not_saved(ledger, work):
    nothing = np.zeros_like(SQUARE)
    work(("opened", SQUARE), ("opened", nothing), ("stroke", SQUARE), ("done", SQUARE))
    assert (cost(ledger).saved[0], cost(ledger).changed) == (0.0, 36)


def test_starting_over_that_was_undone_costs_nothing(ledger, work):
    nothing = np.zeros_like(SQUARE)
    work(("opened", SQUARE), ("opened", nothing), ("undo", SQUARE), ("done", SQUARE))
    assert (cost(ledger).saved[0], cost(ledger).changed) == (1.0, 0)


def test_answering_again_in_a_later_round_costs_what_was_changed_since(ledger, work):
    nothing = np.zeros_like(SQUARE)
    work(("opened", nothing), ("stroke", SQUARE), ("done", SQUARE))
    assert cost(ledger).changed == 36
    work(("stroke", one_pixel_more()), ("done", one_pixel_more()), round=1)
    assert cost(ledger, 1).changed == 1


def test_answering_again_in_the_same_round_costs_all_that_was_drawn_in_it(ledger, work):
    work(("opened", np.zeros_like(SQUARE)), ("stroke", SQUARE), ("done", SQUARE))
    work(("stroke", one_pixel_more()), ("done", one_pixel_more()))
    assert cost(ledger).changed == 37


def test_an_answer_that_was_withdrawn_is_no_beginning(ledger, work):
    work(("opened", np.zeros_like(SQUARE)), ("stroke", SQUARE), ("done", SQUARE), ("unsure", None))
    work(("done", SQUARE), round=1)
    assert cost(ledger, 1).changed == 36
