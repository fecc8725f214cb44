"""Find query strategies by name: the built-in ones and those of other packages.

A strategy reaches an experiment in three ways: by a line in `BUILT_IN`, through
the entry-point group ``workbench.strategies`` of an installed package, or as an
object handed in. It is saved as its name and its fields (`record`), and made
again from that (`from_record`).
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from workbench.errors import SettingError, StrategyError, UnknownStrategyError, did_you_mean
from workbench.strategies.base import QueryStrategy, naming_failures
from workbench.strategies.baselines import ForegroundRandom, Oracle, Random
from workbench.strategies.cost_aware import CostAware
from workbench.strategies.ensemble import DAL
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.gradient_variants import GradientDrawn, GradientSpread
from workbench.strategies.gradient_voting import GradientVoting
from workbench.strategies.learned_loss import LearningLoss
from workbench.strategies.representative import ClsMC, CoreSet
from workbench.strategies.uncertainty import (
    BALD,
    ClaSPPE,
    Entropy,
    LeastConfidence,
    Margin,
    MCDropout,
    PowerBALD,
)

__all__ = ["GROUP", "describe", "from_record", "get_strategy", "record", "strategies"]

#: Entry-point group in which other packages declare their strategies.
GROUP = "workbench.strategies"

BUILT_IN: Mapping[str, type[QueryStrategy]] = {
    "random": Random,
    "foreground-random": ForegroundRandom,
    "oracle": Oracle,
    "gradient-guided": GradientGuided,
    "gradient-voting": GradientVoting,
    "gradient-drawn": GradientDrawn,
    "gradient-spread": GradientSpread,
    "least-confidence": LeastConfidence,
    "margin": Margin,
    "entropy": Entropy,
    "mc-dropout": MCDropout,
    "bald": BALD,
    "power-bald": PowerBALD,
    "dal": DAL,
    "clsmc": ClsMC,
    "learning-loss": LearningLoss,
    "core-set": CoreSet,
    "clasp-pe": ClaSPPE,
    "cost-aware": CostAware,
}


def strategies() -> dict[str, type[QueryStrategy]]:
    """Return every strategy by name: the built-in ones, then installed plug-ins.

    A plug-in that cannot be loaded, keeps no contract or takes a known name is
    left out with a warning that names it; the others stay usable.
    """
    known = dict(BUILT_IN)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found = point.load()
            problem = _problem_of(found)
            if problem is None and known.get(point.name, found) is not found:
                problem = f"the name {point.name!r} is taken by {known[point.name].__qualname__}"
        except Exception as error:  # a plug-in may fail in any way
            problem = f"{type(error).__name__}: {error}"
        if problem is None:
            known[point.name] = found
        else:
            warnings.warn(
                f"The query strategy {point.name!r} ({point.value}) was skipped: {problem}. "
                f"Update or uninstall the package that declares it.",
                stacklevel=2,
            )
    return known


def get_strategy(strategy: str | QueryStrategy, /, **parameters: Any) -> QueryStrategy:
    """Make the strategy of a name, or pass a strategy object through.

    Parameters
    ----------
    strategy : str or QueryStrategy
        A key of `strategies`; or a strategy, on which `parameters` are replaced.
    **parameters
        Fields of the strategy.

    Raises
    ------
    UnknownStrategyError
        If no strategy has that name.
    SettingError
        If the strategy has no such parameter, or its value is out of range.
    StrategyError
        If an object is handed in that is no strategy; or if the class raises something of its
        own when it is made, or asked what it needs.
    """
    if isinstance(strategy, str):
        kind = _class_of(strategy)
        _check_parameters(strategy, kind, parameters)
        _check_complete(strategy, kind, parameters)
        return _made(kind, lambda: kind(**parameters))
    problem = _problem_of(type(strategy))
    if isinstance(strategy, type) or problem is not None:
        raise StrategyError(
            f"{strategy!r} is not a query strategy: "
            f"{'it is a class; make an object of it' if isinstance(strategy, type) else problem}. "
            f"A strategy is an object of a frozen dataclass with needs() and select()."
        )
    if not parameters:
        return strategy
    _check_parameters(type(strategy).__name__, type(strategy), parameters)
    return _made(type(strategy), lambda: dataclasses.replace(strategy, **parameters))  # type: ignore[type-var]


def _made(kind: type[QueryStrategy], make: Callable[[], QueryStrategy]) -> QueryStrategy:
    """Make a strategy that can say what it needs."""
    with naming_failures(kind, "__init__"):
        made = make()
    with naming_failures(kind, "needs"):
        frozenset(made.needs())
    return made


def describe(name: str) -> dict[str, Any]:
    """Say in plain values what a strategy is, for lists and help texts.

    Returns
    -------
    dict
        ``name``; ``summary``, the first line of its docstring; ``parameters``, a mapping
        from each parameter to its default (None where it has none); ``needs``, what
        it needs with default parameters, in words, None where some parameter has no default;
        ``source``, the paper and equation: the section *References* of its docstring, in one
        line, empty if it has none.

    Raises
    ------
    StrategyError
        If there is none of that name, or it cannot say what it needs.
    """
    kind = _class_of(name)
    parameters = {}
    complete = True
    for field in _fields(kind):
        if field.default is not dataclasses.MISSING:
            parameters[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            parameters[field.name] = field.default_factory()
        else:
            parameters[field.name] = None
            complete = False
    return {
        "name": name,
        "summary": _first_line(kind),
        "parameters": parameters,
        "needs": sorted({_in_words(type(need)) for need in get_strategy(name).needs()})
        if complete
        else None,
        "source": _section(kind, "References"),
    }


def record(strategy: QueryStrategy) -> dict[str, Any]:
    """Return a strategy as plain values that can be saved as JSON.

    Returns
    -------
    dict
        ``name`` and ``parameters``. A strategy that was handed in as an object has the name
        ``module:Class``; to make it again, that module must be importable.
    """
    kind = type(strategy)
    name = next((name for name, known in strategies().items() if known is kind), None)
    return {
        "name": name or f"{kind.__module__}:{kind.__qualname__}",
        "parameters": {field.name: getattr(strategy, field.name) for field in _fields(kind)},
    }


def from_record(saved: Mapping[str, Any]) -> QueryStrategy:
    """Make the strategy that `record` wrote down.

    Raises
    ------
    UnknownStrategyError
        If the strategy, or the module it came from, is no longer there.
    """
    return get_strategy(str(saved["name"]), **saved.get("parameters", {}))


def _first_line(made: type) -> str:
    return (made.__doc__ or "").strip().partition("\n")[0]


def _in_words(need: type) -> str:
    """What a need is: the first line of its docstring, without the form of its value."""
    words = _first_line(need).partition(":")[0].rstrip(".")
    return words[:1].lower() + words[1:]


def _section(made: type, title: str) -> str:
    """Text of a section of a numpydoc docstring, in one line."""
    _, _, rest = inspect.cleandoc(made.__doc__ or "").partition(f"\n{title}\n{'-' * len(title)}\n")
    lines = rest.splitlines()
    ends = [i - 1 for i, line in enumerate(lines) if line.startswith("---")]
    return " ".join(" ".join(lines[: ends[0] if ends else None]).split())


def _class_of(name: str) -> type[QueryStrategy]:
    if ":" in name:
        return _imported(name)
    known = strategies()
    if name not in known:
        raise UnknownStrategyError(
            f"No query strategy is called {name!r}.{did_you_mean(name, known)} "
            f"Known strategies: {', '.join(known)}. A strategy from another package must "
            f"declare an entry point in {GROUP!r}."
        )
    return known[name]


def _imported(name: str) -> type[QueryStrategy]:
    """Find the class of a strategy that is named ``module:Class``."""
    module_name, _, qualified = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownStrategyError(
            f"The strategy {name!r} cannot be found ({error}). Run the cell or install the "
            f"package that defines it, or hand the strategy in as an object."
        ) from error
    problem = _problem_of(found)
    if problem is not None:
        raise StrategyError(
            f"{name!r} is no query strategy: {problem}. A strategy is a frozen dataclass with "
            f"needs() and select()."
        )
    return found  # type: ignore[no-any-return]


def _fields(made: type) -> tuple[dataclasses.Field[Any], ...]:
    fields = dataclasses.fields(made) if dataclasses.is_dataclass(made) else ()
    return tuple(field for field in fields if field.init)


def _problem_of(found: object) -> str | None:
    """Why an object is not the class of a strategy, or None if it is one."""
    if not isinstance(found, type):
        return "it is not a class"
    missing = [name for name in ("needs", "select") if not callable(getattr(found, name, None))]
    if missing:
        return f"it has no method {' and no method '.join(missing)}"
    if not dataclasses.is_dataclass(found):
        return "it is not a dataclass"
    if not found.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return "its dataclass is not frozen"
    return None


def _check_parameters(name: str, made: type, parameters: Mapping[str, Any]) -> None:
    known = [field.name for field in _fields(made)]
    for given in parameters:
        if given not in known:
            takes = f"It takes: {', '.join(known)}." if known else "It takes none."
            raise SettingError(
                f"The strategy {name!r} has no parameter {given!r}.{did_you_mean(given, known)} "
                f"{takes}"
            )


def _check_complete(name: str, made: type, parameters: Mapping[str, Any]) -> None:
    for field in _fields(made):
        plain = field.default is field.default_factory is dataclasses.MISSING
        if plain and field.name not in parameters:
            raise SettingError(
                f"The strategy {name!r} needs a value for its parameter {field.name!r}, which has "
                f"no default."
            )
