"""Is it enough? When a run may stop before its last round.

The answer is read from the learning curve of the validation cases, never from the test
cases: what a run is stopped by cannot judge it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import SettingError, did_you_mean

__all__ = ["StopRule", "enough", "stop_rule", "why_stop"]


@dataclass(frozen=True)
class StopRule:
    """When the validation Dice says that labeling more is not worth it.

    Parameters
    ----------
    dice : float or None
        Stop at this mean validation Dice, above 0 and at most 1.
    gain : float or None
        Stop when the best Dice of the last `rounds` rounds is not higher by this much than the
        best before them, 0 or more.
    rounds : int
        At least 1; only with `gain`.
    """

    dice: float | None = None
    gain: float | None = None
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.dice is None and self.gain is None:
            raise SettingError("stop names no reason. Give it dice, such as 0.85, or gain, 0.005.")
        if self.dice is not None and not 0 < self.dice <= 1:
            raise SettingError(f"stop.dice is {self.dice!r}. It is a Dice above 0 and at most 1.")
        if self.gain is not None and not self.gain >= 0:
            raise SettingError(f"stop.gain is {self.gain!r}. It is a gain of Dice, at least 0.")
        if not isinstance(self.rounds, int) or self.rounds < 1:
            raise SettingError(f"stop.rounds is {self.rounds!r}. It is a number of at least 1.")


def stop_rule(given: Mapping[str, Any]) -> StopRule:
    """Make a rule of settings.

    Raises
    ------
    SettingError
        If a setting is unknown or out of range.
    """
    known = ("dice", "gain", "rounds")
    for name in given:
        if name not in known:
            raise SettingError(
                f"stop has no setting {name!r}.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}."
            )
    return StopRule(**given)


def why_stop(stop: Mapping[str, Any] | None, validation: Sequence[Mapping[str, float]]) -> str:
    """Tell why a run with these settings may stop; empty where it should go on.

    Parameters
    ----------
    stop : mapping or None
        Fields of `StopRule`; None: never.
    validation : sequence of mapping
        Dice of the validation cases by region, and their ``"mean"``, of every round so far.
    """
    if stop is None:
        return ""
    return enough([each["mean"] for each in validation], stop_rule(stop))


def enough(curve: Sequence[float], rule: StopRule) -> str:
    """Tell why a run may stop after its latest round; empty where it should go on.

    Parameters
    ----------
    curve : sequence of float
        Mean validation Dice of every round so far.
    rule : StopRule
        What is enough.
    """
    if not curve:
        return ""
    if rule.dice is not None and curve[-1] >= rule.dice:
        return f"The validation Dice reached {curve[-1]:.3f}; {rule.dice:g} was asked for."
    if rule.gain is None or len(curve) <= rule.rounds:
        return ""
    before, lately = max(curve[: -rule.rounds]), max(curve[-rule.rounds :])
    if lately - before < rule.gain:
        return (
            f"The validation Dice is flat: {lately:.3f} in the last {rule.rounds} rounds, "
            f"{before:.3f} before; a gain of {rule.gain:g} was asked for."
        )
    return ""
