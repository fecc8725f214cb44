"""A session can use any strategy, from the start or from any moment on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session.test_session import a_session
from workbench.errors import WorkbenchError
from workbench.models.variants import Ensemble
from workbench.session import Session
from workbench.strategies import get_strategy, strategies

TRAINED_DIFFERENTLY = ("cost-aware", "mc-dropout", "bald", "power-bald", "dal", "learning-loss")


@pytest.fixture(scope="module")
def suggested(tmp_path_factory):
    """A session with the first suggestions of gradient-guided sampling."""
    session = a_session(tmp_path_factory.mktemp("session") / "run")
    begin(session)
    yield session
    session.close()


def begin(session: Session) -> None:
    session.open()
    session.wait()
    session.next()
    session.wait()


@pytest.mark.parametrize("name", strategies())
def test_any_strategy_can_take_over_and_be_tuned(suggested, name):
    session = suggested
    session.use("gradient-guided")
    session.wait()
    before = session.suggestions.rows.tolist()
    session.use(name)
    session.wait()
    assert session.strategy == get_strategy(name)
    assert session.problem == ""
    assert session.preview.exact
    assert session.pool.free[session.suggestions.rows].all()
    if name in TRAINED_DIFFERENTLY:
        assert session.suggestions.rows.tolist() == before
        assert "from the next round on" in session.log[0]
    session.tune(settled=False)
    session.tune(settled=True)
    session.set_budget(4)
    session.wait()
    assert len(session.suggestions.rows) == (3 if name in TRAINED_DIFFERENTLY else 4)
    session.set_budget(3)
    session.wait()
    assert session.inspection(int(session.suggestions.rows[0])).rank == 1


def test_a_strategy_that_does_not_exist_is_refused_and_the_old_one_stays(suggested):
    before = suggested.strategy
    suggested.use("entropie")
    assert "Did you mean 'entropy'" in suggested.problem
    assert suggested.strategy is before
    with pytest.raises(WorkbenchError):
        suggested.wait()


def test_an_ensemble_takes_over_with_the_next_round_and_after_a_restart(tmp_path):
    session = a_session(tmp_path / "run")
    begin(session)
    session.use("dal", members=2)
    session.close()

    again = a_session(tmp_path / "run")
    again.open()
    again.wait()
    assert again.strategy == get_strategy("dal", members=2)
    assert len(again.suggestions.rows) == 3
    again.next()
    again.next()
    again.wait()
    assert isinstance(again.round.model, Ensemble)
    assert np.isfinite(again.round.metrics["mean"])
    wanted = again.suggestions.rows.tolist()
    again.close()

    third = a_session(tmp_path / "run")
    third.open()
    third.wait()
    assert isinstance(third.round.model, Ensemble)
    assert third.suggestions.rows.tolist() == wanted
    third.use("margin")
    third.wait()
    assert third.problem == ""
    assert third.pool.free[third.suggestions.rows].all()
    third.close()


@pytest.mark.parametrize("name", ["clsmc", "learning-loss"])
def test_a_session_can_begin_with_a_strategy_that_changes_the_round(tmp_path, name):
    session = a_session(tmp_path / "run", strategy=get_strategy(name))
    begin(session)
    assert len(session.suggestions.rows) == 3
    assert bool(session.round.head_losses) == (name == "learning-loss")
    session.close()
