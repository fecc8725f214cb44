"""The protocols of the papers, as settings of a run (method.md §6).

A protocol says when how much is labeled and how a round trains. It is nothing
but settings: choose one by name, and change any of them beside it. Under
``strategy`` are parameters for strategies that have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.errors import SettingError, did_you_mean

__all__ = ["PROTOCOLS", "protocol"]

#: The network of the effort paper and its training (§2.1, §3.3): 64 … 1024 channels, 64×64 patches,
#: loss m − Σ DSC, Adam, no augmentation, early stopping with a patience of 30 epochs of 500.
EFFORT_NETWORK: Mapping[str, Any] = {
    "architecture": "u-shape",
    "features": [64, 128, 256, 512, 1024, 64],
    "patch": [64, 64],
    "loss": "effort",
    "batch_dice": True,
    "epochs": 500,
    "min_steps": 0,
    "patience": 30,
    "decay": False,
    "augment": False,
}

PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    # Dai 2020 §3.2, image-wise: of 39,000 slices 500 at random, then 500 suggested, 30 epochs each.
    "one-shot": {
        "initial": "1.3 %",
        "budget": "1.3 %",
        "rounds": 1,
        "epochs": 30,
        "continue_weights": True,
    },
    # Dai 2020 §3.2, patient-wise: of 260 patients 10 at random, then 10 suggested.
    "one-shot-cases": {
        "unit": "cases",
        "initial": "3.85 %",
        "budget": "3.85 %",
        "rounds": 1,
        "epochs": 30,
        "continue_weights": True,
    },
    # Dai 2022 §3.2, BraTS: 0.5 % at random, 0.5 % suggested, then 8 × 1 %, 10 epochs each. All of
    # L are sources: a round of 1 % needs more of them than the 0.5 % labeled before.
    "iterative": {
        "strategy": {"sources": "all"},
        "initial": "0.5 %",
        "budget": ["0.5 %", *["1 %"] * 8],
        "rounds": 9,
        "epochs": 10,
        "continue_weights": True,
    },
    # Dai 2022 §3.2, MALC: a small pool, so 6 % at random and 9 × 6 % suggested.
    "iterative-small": {
        "strategy": {"sources": "all"},
        "initial": "6 %",
        "budget": "6 %",
        "rounds": 9,
        "epochs": 10,
        "continue_weights": True,
    },
    # Rahimi: 22 scans for the pool, 22 for testing and 6 for validation, 11 of the pool at first
    # and 5 more a round; the last round takes what is left.
    "volumes": {
        "unit": "volumes",
        "test_fraction": 0.44,
        "validation_fraction": 0.12,
        "initial": 11,
        "budget": 5,
        "rounds": 3,
        "epochs": 24,
        "continue_weights": True,
    },
    # Effort paper §3.1, IBSR18: 10 volumes for the pool (one of them tells when to stop training)
    # and 8 for testing; 2 at random, then 1 a round, each round from the weights of the last.
    # "margin" is its strategy; a criterion to stop the run by is given with `stop`. From nothing
    # labeled, as on MRBrainS18 (§3.2): initial = 0, and `transfer` names the site to come from.
    "effort": {
        "unit": "cases",
        "test_fraction": 0.44,
        "validation_fraction": 0.06,
        "initial": 2,
        "budget": 1,
        "rounds": 4,
        "continue_weights": True,
        "annotator": {},
        "segmentation": EFFORT_NETWORK,
    },
}

#: The ceiling of every curve: everything is labeled, nothing is suggested.
FULL_DATA: Mapping[str, Any] = {"initial": "100 %", "budget": 1, "rounds": 0}


def protocol(
    name: str | None, given: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a protocol, with those given beside it.

    Parameters
    ----------
    name : str or None
        A key of `PROTOCOLS`; None for no protocol.
    given : mapping, optional
        Settings that go before those of the protocol; of tables such as ``segmentation``, entry
        by entry. Fewer or more rounds leave out the protocol's last ones, or repeat them.

    Returns
    -------
    settings : dict
        Settings of a run.
    parameters : dict
        Parameters for strategies that have them.

    Raises
    ------
    SettingError
        If no protocol has that name.
    """
    if name is not None and str(name) not in PROTOCOLS:  # a file may say anything
        raise SettingError(
            f"No protocol is called {name!r}.{did_you_mean(str(name), PROTOCOLS)} "
            f"Known protocols: {', '.join(PROTOCOLS)}."
        )
    settings = dict(PROTOCOLS[name]) if name is not None else {}
    parameters = settings.pop("strategy", {})
    for key, value in (given or {}).items():
        both = isinstance(value, Mapping) and isinstance(settings.get(key), Mapping)
        settings[key] = {**settings[key], **value} if both else value
    budget, rounds = settings.get("budget"), settings.get("rounds")
    if isinstance(budget, list) and isinstance(rounds, int) and "budget" not in (given or {}):
        settings["budget"] = [*budget, *[budget[-1]] * rounds][: max(rounds, 1)]
    return settings, parameters
