"""Read a sweep file: many runs that differ in strategy, parameters and seed only.

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

Everything is checked before anything runs; a mistake is told with its line.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from workbench.cohort.opening import PHANTOM
from workbench.errors import SettingError, WorkbenchError
from workbench.experiments.config import RunConfig
from workbench.experiments.protocols import FULL_DATA, protocol
from workbench.strategies import describe, from_record, record

__all__ = ["PlannedRun", "Sweep", "read_sweep"]

#: Settings of a run that are tables of settings.
SECTIONS = ("recipe", "manifold", "segmentation")
#: Settings that may differ between strategies of one sweep; the others are its protocol.
FREE = ("manifold", "segmentation", "manifold_seed", "retrain_manifold", "continue_weights")
TOP = ("common", "seeds", "full_data", "strategies")

Key = tuple[str | int, ...]


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The sweep file {path} cannot be read ({error}). Name a TOML file, for example "
            f"notebooks/sweeps/demo.toml."
        ) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path} is not TOML: {error}. Correct it and try again.") from error
    return _Reader(path, text, content, threads).sweep()


@dataclass(frozen=True)
class _Reader:
    """One sweep file while it is read, so that every mistake can be told with its line."""

    path: Path
    text: str
    content: Mapping[str, Any]
    threads: int | None

    def sweep(self) -> Sweep:
        self._know((), self.content, TOP)
        entries = self.content.get("strategies", [])
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self._mistake(("strategies",), "strategies are written as [[strategies]] tables.")
        planned = [*self._full_data(), *itertools.chain(*map(self._entry, range(len(entries))))]
        if not planned:
            raise SettingError(
                f"{self.path} describes no run. Add at least one [[strategies]] with a name, or "
                f"full_data = true."
            )
        planned.sort(key=lambda run: run.config.seed)  # stable: strategies stay in their order
        distinct: dict[str, PlannedRun] = {}
        for run in planned:
            distinct.setdefault(_identity(run.config), run)
        names: set[str] = set()
        for run in distinct.values():
            if run.name in names:
                raise SettingError(
                    f"{self.path} describes two runs called {run.name!r} that differ. Write what "
                    f"differs as one key with a list of values."
                )
            names.add(run.name)
        runs = tuple(distinct.values())
        return Sweep(self.path, runs, len(planned) - len(runs))

    # ------------------------------------------------------------ the parts of the file
    def _common(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Settings that all runs share, and parameters for strategies that have them."""
        given = dict(self._table(("common",)))
        known = {field.name for field in fields(RunConfig)} - {"strategy", "seed"}
        self._know(("common",), given, [*sorted(known), "protocol"])
        named = given.pop("protocol", None)
        for section in SECTIONS:
            self._section(("common",), section, given)
        source = given.get("source", PHANTOM)
        if source != PHANTOM:
            given["source"] = str((self.path.parent / str(source)).resolve())
        if self.threads is not None:
            given.setdefault("threads", self.threads)
        with self._at(("common", "protocol")):
            settings, parameters = protocol(named, given)
        self._config(("common",), settings, given)
        return settings, parameters

    def _full_data(self) -> Iterable[PlannedRun]:
        wanted = self.content.get("full_data", False)
        if isinstance(wanted, bool):
            wanted = {} if wanted else None
        elif not isinstance(wanted, dict):
            raise self._mistake(("full_data",), "full_data is true, false or a table of settings.")
        if wanted is None:
            return
        common, _ = self._common()
        wanted = dict(wanted)
        self._know(("full_data",), wanted, ["seeds", "epochs", "segmentation"])
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
        given = dict(self.content["strategies"][index])
        name = given.pop("name", None)
        if not isinstance(name, str):
            raise self._mistake(key, "every [[strategies]] needs a name, such as name = 'random'.")
        with self._at((*key, "name")):
            own = list(describe(name)["parameters"])
        self._know(key, given, [*own, *FREE, "seeds"], f"the strategy {name!r} takes", own)
        seeds = self._seeds((*key, "seeds"), given.pop("seeds", None))
        settings = {each: given.pop(each) for each in FREE if each in given}
        for section in ("manifold", "segmentation"):
            self._section(key, section, settings)
        defaults = {each: value for each, value in parameters.items() if each in own}
        axes: dict[tuple[str, ...], list[Any]] = {}
        for path, value, deep in (*_leaves(given), *_leaves(settings)):
            axes[path] = _values(value, deep)
        for values in itertools.product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            mine = {path[0]: value for path, value in chosen.items() if path[0] in given}
            with self._at(key, given):
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
            key, given = ("seeds",), self.content.get("seeds", 1)
        if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
            return range(given)
        if (
            isinstance(given, list)
            and given
            and all(type(each) is int and each >= 0 for each in given)
        ):
            return list(dict.fromkeys(given))
        raise self._mistake(
            key,
            f"seeds is {given!r}. It is a number of seeds (3 for 0, 1 and 2), or a list of them.",
        )

    def _table(self, key: Key) -> Mapping[str, Any]:
        found = self.content.get(str(key[0]), {})
        if not isinstance(found, dict):
            raise self._mistake(key, f"{key[0]} is a table: write its settings below [{key[0]}].")
        return found

    def _section(self, key: Key, section: str, given: Mapping[str, Any]) -> None:
        """Check the names in a table of settings such as ``manifold``."""
        if section not in given:
            return
        if not isinstance(given[section], dict):
            raise self._mistake((*key, section), f"{section} is a table of settings.")
        config = RunConfig()
        kind: Any = {
            "recipe": config.image_recipe,
            "manifold": config.manifold_config,
            "segmentation": config.segmentation_config,
        }[section]()
        self._know((*key, section), given[section], [each.name for each in fields(kind)])

    def _know(
        self,
        key: Key,
        given: Mapping[str, Any],
        known: Sequence[str],
        what: str = "known are",
        shown: Sequence[str] | None = None,
    ) -> None:
        """Refuse a key that is not known, with the nearest one."""
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                listed = ", ".join(known if shown is None else shown) or "nothing"
                raise self._mistake(
                    (*key, name), f"{name!r} is not known.{hint} ({what}: {listed})"
                )

    def _config(self, key: Key, settings: Mapping[str, Any], given: Mapping[str, Any]) -> RunConfig:
        with self._at(key, given):
            config = RunConfig.from_json(settings)
            config.image_recipe(), config.manifold_config(), config.segmentation_config(0)
        return config

    def _at(self, key: Key, given: Mapping[str, Any] | None = None) -> _Where:
        return _Where(self, key, given or {})

    def _mistake(self, key: Key, sentence: str) -> SettingError:
        return SettingError(f"{self.path}, line {line_of(self.text, key)}: {sentence}")


@dataclass(frozen=True)
class _Where:
    """Context that adds file and line to what is wrong with a value."""

    reader: _Reader
    key: Key
    given: Mapping[str, Any]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (WorkbenchError, TypeError, ValueError)):
            # Our sentences name the setting that is wrong: look for it among those written here.
            named = [
                name
                for name in _names(self.given)
                if re.search(rf"\b{name.rpartition('.')[2]}\b", str(error))
            ]
            key = (*self.key, *named[0].split(".")) if named else self.key
            raise self.reader._mistake(key, str(error)) from error


def line_of(text: str, key: Key) -> int:
    """Find the line of a TOML text, counted from 1, in which a key is set.

    Parameters
    ----------
    text : str
        TOML that can be read.
    key : tuple of str and int
        Path to the key; a number is a place in an array of tables. If the key itself is not
        found (in a table on one line, say), the line of the nearest key around it.
    """
    tables: dict[str, int] = {}
    header: Key = ()
    best, best_line = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        array = re.match(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]", line)
        table = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$", line)
        setting = re.match(r"\s*([\w\"'.\- ]+?)\s*=", line)
        if array:
            name = array[1]
            tables[name] = tables.get(name, -1) + 1
            here = header = (*_parts(name), tables[name])
        elif table:
            parts = _parts(table[1])
            first = parts[0]
            inside = (first, tables[first]) if first in tables else (first,)
            here = header = (*inside, *parts[1:])
        elif setting:
            here = (*header, *_parts(setting[1]))
        else:
            continue
        shared = len([1 for a, b in zip(here, key, strict=False) if a == b])
        if here[:shared] == key[:shared] and shared > best and shared in (len(here), len(key)):
            best, best_line = shared, number
    return best_line


def _parts(dotted: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _names(given: Mapping[str, Any]) -> list[str]:
    """Names of settings, those inside of tables dotted and last."""
    plain = [name for name, value in given.items() if not isinstance(value, dict)]
    inside = [
        f"{table}.{name}"
        for table, value in given.items()
        if isinstance(value, dict)
        for name in value
    ]
    return plain + inside


# ---------------------------------------------------------------------- expanding
def _leaves(settings: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], Any, bool]]:
    """Path, value, and whether a list of plain values is one value, of every setting."""
    for name, value in settings.items():
        if isinstance(value, dict):
            for inner, each in value.items():
                yield (name, inner), each, inner in ("features", "width", "size")
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
