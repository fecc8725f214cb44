"""Everything of an experiment, in one folder.

::

    runs/NAME/
        run.json                    settings, hardware mode, versions
        rounds/000/weights.safetensors
        rounds/000/round.json       written last: a round counts when this is there

A process killed at any moment leaves whole rounds only; run again, it goes on
from the last of them and suggests the same.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import RunError, StoreError
from workbench.experiments.config import RunConfig
from workbench.files import read_json, write_json
from workbench.strategies import record
from workbench.strategies.base import Suggestions
from workbench.study import rows_of
from workbench.words import count

if TYPE_CHECKING:
    from torch import nn

    from workbench.cohort.pool import Pool
    from workbench.models.compute import Compute
    from workbench.rounds import Round
    from workbench.training.metrics import CaseScores

__all__ = ["Run", "SavedRound", "rounds_of"]

_PACKAGES = ("suggestive-workbench", "torch", "monai", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class SavedRound:
    """One round as it is written down.

    ``labeled`` names the slices that were labeled for this round, ``suggested``
    those that were asked for next; ``metrics`` are Dice by region; ``cases`` are the
    scores of every test case and ``annotated`` what was annotated so far, both empty in
    runs of versions that did not save them; ``head_losses`` are the ranking loss of every
    step, empty where no loss head was trained; ``pool`` counts the ``"slices"`` of the pool, or
    its volumes, and those ``"without_reference"``, which are never candidates, its ``"cases"``
    and those of the whole cohort (``"all_cases"``), and is empty in runs of versions that did
    not save it.
    ``validation``, ``validation_losses``, ``stopped`` and ``effort`` are those of
    `workbench.rounds.Round`.
    """

    index: int
    labeled: tuple[str, ...]
    suggested: tuple[str, ...]
    details: Mapping[str, Any]
    strategy: Mapping[str, Any]
    metrics: Mapping[str, float]
    losses: tuple[float, ...]
    seconds: Mapping[str, float]
    cases: CaseScores = field(default_factory=dict)
    annotated: Mapping[str, float] = field(default_factory=dict)
    head_losses: tuple[float, ...] = ()
    pool: Mapping[str, int] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    validation_losses: tuple[tuple[int, float], ...] = ()
    stopped: str = ""
    effort: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """An experiment on disk.

    Parameters
    ----------
    folder : Path
        Its folder.
    config : RunConfig
        Its settings.
    environment : mapping
        Hardware mode and versions of the process that began it.
    rounds : tuple of SavedRound
        The rounds that are complete.
    """

    folder: Path
    config: RunConfig
    environment: Mapping[str, Any]
    rounds: tuple[SavedRound, ...] = ()

    @classmethod
    def create(cls, folder: Path, config: RunConfig, compute: Compute) -> Run:
        """Begin a run in a folder that holds none.

        Raises
        ------
        RunError
            If the folder holds a run already.
        """
        if (folder / "run.json").exists():
            raise RunError(
                f"{folder} holds a run already. Load it to go on with it, or choose another folder."
            )
        environment = {
            "compute": compute.record(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in _PACKAGES},
        }
        write_json(folder / "run.json", {"config": config.to_json(), "environment": environment})
        return cls(folder, config, environment)

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read a run and its complete rounds.

        Raises
        ------
        RunError
            If there is no run, or its files cannot be read.
        """
        if not (folder / "run.json").is_file():
            raise RunError(
                f"{folder} holds no run: there is no run.json in it. Name the folder of a run: "
                f"runs/NAME beside the notebook of the application, or what was given to "
                f"`workbench simulate --out`."
            )
        try:
            begun = read_json(folder / "run.json")
            config = RunConfig.from_json(begun["config"])
            rounds = tuple(_read_rounds(folder))
            return cls(folder, config, begun["environment"], rounds)
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{folder} holds a run that cannot be read ({error}). It was damaged after it was "
                f"written; restore it from a copy, or start again in another folder."
            ) from error

    @classmethod
    def open(cls, folder: Path, config: RunConfig, compute: Compute) -> Run:
        """Load the run in a folder if its settings are these, else begin one.

        Raises
        ------
        RunError
            If the folder holds a run with other settings.
        """
        if not (folder / "run.json").exists():
            return cls.create(folder, config, compute)
        run = cls.load(folder)
        run.check_settings(config)
        return run

    def check_settings(self, config: RunConfig) -> None:
        """Refuse to go on with other settings; more rounds are not other settings.

        Raises
        ------
        RunError
            If a setting differs; it is named.
        """
        ours, theirs = _comparable(config), _comparable(self.config)
        differing = sorted(name for name in ours if ours[name] != theirs[name])
        if differing:
            name = differing[0]
            raise RunError(
                f"{self.folder} holds a run with other settings: {name} is {theirs[name]!r} there "
                f"and {ours[name]!r} here. Choose another folder, or use the settings of the run."
            )

    def append(self, round: Round, all_cases: int | None = None) -> Run:
        """Write a finished round and return the run that has it.

        Parameters
        ----------
        round : Round
            As `workbench.rounds.run_round` gave it.
        all_cases : int, optional
            Cases of the whole cohort, those held out included.
        """
        from workbench.models.weights import save_weights

        assert round.model is not None
        save_weights(round.model, self.weights(round.index))
        saved = _saved(round, all_cases)
        write_json(_round_folder(self.folder, round.index) / "round.json", vars(saved))
        return Run(self.folder, self.config, self.environment, (*self.rounds, saved))

    @property
    def pool_sentence(self) -> str:
        """How many slices, or volumes, of its pool are no candidates, having no reference."""
        noun = "volume" if self.config.unit == "volumes" else "slice"
        pool = self.rounds[-1].pool if self.rounds else {}
        if not pool:
            return (
                f"How many {noun}s of the pool have no reference and were no candidates is not "
                f"known: the version that made the run did not save it."
            )
        told = f"The pool has {count(pool['slices'], noun)}"
        if not pool["without_reference"]:
            return f"{told}, each with a reference."
        return (
            f"{told}; {pool['without_reference']:,} of them have "
            f"no reference and were no candidates."
        )

    def weights(self, index: int) -> Path:
        """Where the U-Net of a round is kept."""
        return _round_folder(self.folder, index) / "weights.safetensors"

    @property
    def has_network(self) -> bool:
        """Whether the U-Net of the last round is there; False before the first."""
        return bool(self.rounds) and self.weights(self.rounds[-1].index).is_file()

    def load_model(self, index: int, model: nn.Module) -> nn.Module:
        """Fill `model` with the weights of a round.

        Raises
        ------
        RunError
            If they are damaged, or those of another network.
        """
        from workbench.models.weights import load_weights

        path = self.weights(index)
        try:
            load_weights(model, path)
        except StoreError as error:
            raise RunError(
                f"The weights of round {index} cannot be used: {path} is absent, damaged or those "
                f"of another network. Delete {path.parent}: the run then goes on from the round "
                f"before it, to the same result."
            ) from error
        return model

    def pool_after(self, pool: Pool, rounds: int | None = None) -> Pool:
        """Return the pool with the labels of the first `rounds` rounds (all by default)."""
        for saved in self.rounds[:rounds]:
            pool = pool.with_labeled(rows_of(pool, saved.labeled), saved.index, again=True)
        return pool

    @property
    def stopped(self) -> str:
        """Why it ended before its last round; empty if it did not."""
        return self.rounds[-1].stopped if self.rounds else ""

    @property
    def unused(self) -> str:
        """Say which rounds lie in the folder but behind a missing one; empty if none does."""
        missing = len(self.rounds)
        there = sorted(each.parent.name for each in self.folder.glob("rounds/*/round.json"))
        behind = [name for name in there if name.isdecimal() and int(name) > missing]
        if not behind:
            return ""
        which = ", ".join(f"rounds/{name}" for name in behind)
        one = len(behind) == 1
        return (
            f"{which} {'lies' if one else 'lie'} in {self.folder}, too, but round {missing} is "
            f"missing, so {'it is' if one else 'they are'} not used. Put rounds/{missing:03d} back "
            f"from a backup, or move {which} away before round {missing} is trained anew."
        )

    def next_rows(self, pool: Pool) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the rows that the last round asks for."""
        return rows_of(pool, self.rounds[-1].suggested)


def _saved(round: Round, all_cases: int | None) -> SavedRound:
    pool, found = round.pool, round.suggestions
    names: Sequence[str] = [str(slice_id) for slice_id in pool.ids]
    return SavedRound(
        index=round.index,
        labeled=tuple(
            names[row] for row in np.flatnonzero(pool.labeled_in == round.index).tolist()
        ),
        suggested=tuple(names[row] for row in found.rows.tolist()),
        details=_details(found, names),
        strategy=record(round.strategy),
        metrics=dict(round.metrics),
        losses=tuple(round.losses),
        head_losses=tuple(round.head_losses),
        seconds=dict(round.seconds),
        cases=round.cases,
        annotated=round.annotated,
        pool={
            "slices": len(pool),
            "without_reference": int((~pool.eligible).sum()),
            "cases": len(np.unique(pool.case_of)),
            **({} if all_cases is None else {"all_cases": all_cases}),
        },
        validation=dict(round.validation),
        validation_losses=round.validation_losses,
        stopped=round.stopped,
        effort=round.effort,
    )


def _details(found: Suggestions, names: Sequence[str]) -> dict[str, Any]:
    """Why each slice was suggested, as plain values; NaN becomes null."""
    details: dict[str, Any] = {}
    if found.source is not None:
        details["source"] = [names[row] if row >= 0 else None for row in found.source.tolist()]
    for name in ("distance", "angle"):
        values = getattr(found, name)
        if values is not None:
            details[name] = [float(value) if np.isfinite(value) else None for value in values]
    if found.flags is not None:
        details["flags"] = list(found.flags)
    return details


def rounds_of(folder: Path, known: int = 0) -> int:
    """Count the finished rounds of a run without opening it, up to the first that is missing.

    The first `known` are not looked for.
    """
    count = known
    while (_round_folder(folder, count) / "round.json").is_file():
        count += 1
    return count


def _round_folder(folder: Path, index: int) -> Path:
    return folder / "rounds" / f"{index:03d}"


def _read_rounds(folder: Path) -> list[SavedRound]:
    rounds = []
    for index in range(rounds_of(folder)):
        content = read_json(_round_folder(folder, index) / "round.json")
        for name in ("labeled", "suggested", "losses", "head_losses"):
            content[name] = tuple(content.get(name, ()))
        losses = content.get("validation_losses", ())
        content["validation_losses"] = tuple((step, loss) for step, loss in losses)
        rounds.append(SavedRound(**content))
    return rounds


def _comparable(config: RunConfig) -> dict[str, Any]:
    """Settings that must agree to go on: all but how many rounds there are to be."""
    content: dict[str, Any] = json.loads(json.dumps(config.to_json()))  # tuples, too, as saved
    del content["rounds"]
    return content


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
