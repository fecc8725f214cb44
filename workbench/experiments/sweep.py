"""Expand a sweep file: many runs that differ in strategy, parameters and seed only.

::

    seeds = 3                       # 0, 1, 2; or a list
    full_data = true                # one reference run per seed that labels everything

    [common]                        # settings of `RunConfig`, the same for all
    source = "phantom"
    protocol = "iterative"
    rounds = 5
    segmentation.min_steps = 300

    [[strategies]]
    name = "gradient-guided"
    max_angle = [60, 180]           # a list expands
    manifold.z_dim = [3, 10]
    seeds = 10                      # its own

Everything is checked before anything runs; a mistake is told with its line (see
`sweep_file`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from workbench.annotation.simulated import Annotator
from workbench.cohort.opening import PHANTOM
from workbench.cohort.recipes import Recipe, VolumeRecipe
from workbench.errors import SettingError
from workbench.experiments.config import RunConfig
from workbench.experiments.protocols import FULL_DATA, protocol
from workbench.experiments.stopping import StopRule
from workbench.experiments.sweep_file import Key, SweepFile, open_sweep_file
from workbench.strategies import describe, from_record, record
from workbench.training.settings import ManifoldConfig, SegmentationConfig

__all__ = ["PlannedRun", "Sweep", "read_sweep"]

#: Settings of a run that are tables of settings.
SECTIONS: Mapping[str, type] = {
    "recipe": Recipe,
    "manifold": ManifoldConfig,
    "segmentation": SegmentationConfig,
    "stop": StopRule,
    "annotator": Annotator,
}
#: Settings that may differ between strategies of one sweep; the others are its protocol.
FREE = ("manifold", "segmentation", "manifold_seed", "retrain_manifold", "continue_weights")
#: Settings in the tables among these that are lists themselves.
ONE_VALUE = ("features", "width", "patch")
TOP = ("common", "seeds", "full_data", "strategies")


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep: the name of its folder, and its settings."""

    name: str
    config: RunConfig


@dataclass(frozen=True)
class Sweep:
    """The runs that a sweep file describes.

    Parameters
    ----------
    path : Path
        The file.
    runs : tuple of PlannedRun
        Seed by seed, so that what is finished first can be compared already.
    repeated : int
        How many more the file names that have the same settings as one of these.
    """

    path: Path
    runs: tuple[PlannedRun, ...]
    repeated: int = 0


def read_sweep(path: Path, threads: int | None = None) -> Sweep:
    """Read a sweep file and check every run that it describes.

    Parameters
    ----------
    path : Path
        A TOML file. A cohort's folder in it is relative to the file.
    threads : int, optional
        Threads of every run, where the file does not say.

    Raises
    ------
    SettingError
        If there is a mistake in the file; the sentence names the line.
    """
    return _Reader(open_sweep_file(path), threads).sweep()


@dataclass(frozen=True)
class _Reader:
    """Expands one sweep file into its runs."""

    file: SweepFile
    threads: int | None

    def sweep(self) -> Sweep:
        self.file.know((), self.file.content, TOP)
        entries = self.file.content.get("strategies", [])
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self.file.mistake(
                ("strategies",), "strategies are written as [[strategies]] tables."
            )
        planned = [*self._full_data(), *itertools.chain(*map(self._entry, range(len(entries))))]
        if not planned:
            raise SettingError(
                f"{self.file.path} describes no run. Add at least one [[strategies]] with a name, "
                f"or full_data = true."
            )
        planned.sort(key=lambda run: run.config.seed)  # stable: strategies stay in their order
        distinct: dict[str, PlannedRun] = {}
        for run in planned:
            distinct.setdefault(_identity(run.config), run)
        names: set[str] = set()
        for run in distinct.values():
            if run.name in names:
                raise SettingError(
                    f"{self.file.path} describes two runs called {run.name!r} that differ. Write "
                    f"what differs as one key with a list of values."
                )
            names.add(run.name)
        runs = tuple(distinct.values())
        return Sweep(self.file.path, runs, len(planned) - len(runs))

    # ------------------------------------------------------------ the parts of the file
    def _common(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Settings that all runs share, and parameters for strategies that have them."""
        given = dict(self._table(("common",)))
        known = {field.name for field in fields(RunConfig)} - {"strategy", "seed"}
        self.file.know(("common",), given, [*sorted(known), "protocol"])
        named = given.pop("protocol", None)
        for section in SECTIONS:
            self._section(("common",), section, given)
        source = given.get("source", PHANTOM)
        if isinstance(source, str) and source != PHANTOM:
            given["source"] = str((self.file.path.parent / source).resolve())
        if self.threads is not None:
            given.setdefault("threads", self.threads)
        with self.file.at(("common", "protocol")):
            settings, parameters = protocol(named, given)
        self._config(("common",), settings, given)
        return settings, parameters

    def _full_data(self) -> Iterable[PlannedRun]:
        wanted = self.file.content.get("full_data", False)
        if isinstance(wanted, bool):
            wanted = {} if wanted else None
        elif not isinstance(wanted, dict):
            raise self.file.mistake(
                ("full_data",), "full_data is true, false or a table of settings."
            )
        if wanted is None:
            return
        common, _ = self._common()
        wanted = dict(wanted)
        self.file.know(("full_data",), wanted, ["seeds", "epochs", "segmentation"])
        seeds = self._seeds(("full_data", "seeds"), wanted.pop("seeds", None))
        self._section(("full_data",), "segmentation", wanted)
        if isinstance(common.get("epochs"), list) and "epochs" not in wanted:
            wanted["epochs"] = common["epochs"][-1]
        settings = _merged({**common, **FULL_DATA}, wanted)
        for seed in seeds:
            config = self._config(("full_data",), {**settings, "seed": seed}, wanted)
            yield PlannedRun(f"full-data,seed={seed}", config)

    def _entry(self, index: int) -> Iterable[PlannedRun]:
        key: Key = ("strategies", index)
        common, parameters = self._common()
        given = dict(self.file.content["strategies"][index])
        name = given.pop("name", None)
        if not isinstance(name, str):
            raise self.file.mistake(
                key, "every [[strategies]] needs a name, such as name = 'random'."
            )
        with self.file.at((*key, "name")):
            own = list(describe(name)["parameters"])
        self.file.know(key, given, [*own, *FREE, "seeds"], f"the strategy {name!r} takes", own)
        seeds = self._seeds((*key, "seeds"), given.pop("seeds", None))
        settings = {each: given.pop(each) for each in FREE if each in given}
        for section in ("manifold", "segmentation"):
            self._section(key, section, settings)
        defaults = {each: value for each, value in parameters.items() if each in own}
        axes: dict[tuple[str, ...], list[Any]] = {}
        for path, value, deep in (*_leaves(given), *_leaves(settings)):
            axes[path] = _values(value, deep)
            if not axes[path]:
                raise self.file.mistake(
                    (*key, *path), f"{path[-1]} is an empty list, which expands to no run."
                )
        for values in itertools.product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            mine = {path[0]: value for path, value in chosen.items() if path[0] in given}
            with self.file.at(key, given):
                strategy = record(from_record({"name": name, "parameters": {**defaults, **mine}}))
            changed = _nested({p: v for p, v in chosen.items() if p[0] not in given})
            for seed in seeds:
                config = self._config(
                    key,
                    {**_merged(common, changed), "strategy": strategy, "seed": seed},
                    settings,
                )
                yield PlannedRun(_name(name, chosen, seed), config)

    # ------------------------------------------------------------ checks
    def _seeds(self, key: Key, given: Any) -> Sequence[int]:
        if given is None:
            key, given = ("seeds",), self.file.content.get("seeds", 1)
        if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
            return range(given)
        if (
            isinstance(given, list)
            and given
            and all(type(each) is int and each >= 0 for each in given)
        ):
            return list(dict.fromkeys(given))
        raise self.file.mistake(
            key,
            f"seeds is {given!r}. It is a number of seeds (3 for 0, 1 and 2), or a list of them.",
        )

    def _table(self, key: Key) -> Mapping[str, Any]:
        found = self.file.content.get(str(key[0]), {})
        if not isinstance(found, dict):
            raise self.file.mistake(
                key, f"{key[0]} is a table: write its settings below [{key[0]}]."
            )
        return found

    def _section(self, key: Key, section: str, given: Mapping[str, Any]) -> None:
        """Check the names in a table of settings such as ``manifold``."""
        if section not in given:
            return
        if not isinstance(given[section], dict):
            raise self.file.mistake((*key, section), f"{section} is a table of settings.")
        of_volumes = section == "recipe" and given.get("unit") == "volumes"
        known = [each.name for each in fields(VolumeRecipe if of_volumes else SECTIONS[section])]
        self.file.know((*key, section), given[section], known)

    def _config(self, key: Key, settings: Mapping[str, Any], given: Mapping[str, Any]) -> RunConfig:
        with self.file.at(key, given):
            return RunConfig.from_json(settings)


def _leaves(settings: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], Any, bool]]:
    """Path, value, and whether a list of plain values is one value, of every setting."""
    for name, value in settings.items():
        if isinstance(value, dict):
            for inner, each in value.items():
                yield (name, inner), each, inner in ONE_VALUE
        else:
            yield (name,), value, False


def _values(value: Any, deep: bool) -> list[Any]:
    """The values that a key expands to; of a tuple-like setting only a list of lists expands."""
    if not isinstance(value, list):
        return [value]
    if deep and not any(isinstance(each, list) for each in value):
        return [value]
    return value


def _nested(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        if len(path) == 1:
            nested[path[0]] = value
        else:
            nested.setdefault(path[0], {})[path[1]] = value
    return nested


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes; tables are merged and not replaced."""
    merged = dict(settings)
    for name, value in changes.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


def _name(strategy: str, chosen: Mapping[tuple[str, ...], Any], seed: int) -> str:
    last = [path[-1] for path in chosen]
    keys = [path[-1] if last.count(path[-1]) == 1 else ".".join(path) for path in chosen]
    parts = [f"{key}={_word(value)}" for key, value in zip(keys, chosen.values(), strict=True)]
    return ",".join([_word(strategy.rpartition(":")[2]), *parts, f"seed={seed}"])


def _word(value: Any) -> str:
    """Write a value so that it can be part of a folder's name."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "-".join(map(_word, value))
    return re.sub(r"[^\w.+%-]+", "-", str(value))


def _identity(config: RunConfig) -> str:
    """Write all settings out, so that a default and the same value given are equal."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return float(value) if type(value) is int else value  # 60 and 60.0 are one angle

    settings = plain(
        {
            **config.to_json(),
            "recipe": asdict(config.image_recipe()),
            "manifold": asdict(config.manifold_config()),
            "segmentation": asdict(config.segmentation_config()),
        }
    )
    return json.dumps(settings, sort_keys=True)
