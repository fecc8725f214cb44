"""The settings of an experiment, as one value that can be written down.

Everything that decides a run is here, so that a run can be repeated from its
folder alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, get_args

from workbench.annotation.simulated import annotator
from workbench.cohort.cohort import AUTO, CohortOptions
from workbench.cohort.recipes import Recipe, VolumeRecipe
from workbench.errors import RunError, SettingError, did_you_mean
from workbench.experiments.schedule import (
    Amount,
    Schedule,
    check_amount,
    check_unit,
    make_schedule,
    schedule_of,
)
from workbench.experiments.stopping import stop_rule
from workbench.strategies import from_record, record
from workbench.strategies.base import QueryStrategy, Unit
from workbench.study import Candidates
from workbench.training.settings import ManifoldConfig, SegmentationConfig

if TYPE_CHECKING:
    from workbench.cohort.pool import Pool

__all__ = ["RunConfig"]

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run.

    Parameters
    ----------
    source : str
        ``"phantom"`` or the folder of a cohort.
    strategy : mapping
        The query strategy as `workbench.strategies.record` wrote it.
    rounds : int
        Rounds of suggestions after the initial set; 0 trains on the initial set alone.
    budget : int, str, or a sequence of these
        What a round suggests: a number, or a share of the pool such as ``"1 %"``; a sequence
        has one for each round.
    initial : int or str
        The random initial set, likewise; ``"100 %"`` with no rounds is the full-data reference;
        0 with `transfer`: the network of the other site suggests the first samples.
    unit : {"slices", "cases", "volumes"}
        What `initial` and `budget` count: slices, or whole cases of slices; or volumes, for which
        all networks are 3-D.
    epochs : int, sequence of int, or None
        Epochs of every round, or of each (the initial set is the first); None: as in
        `segmentation`.
    seed : int
        Decides initial set, initial weights, augmentation and what a strategy draws.
    split_seed : int
        Decides which blocks of cases are held out, apart from `seed`: so that runs of all seeds
        are scored on the same cases and share one manifold.
    manifold_seed : int
        Seed of the VAE, apart from that of the run.
    cases : int or None
        Number of phantom cases, or of a cohort's to use, spread evenly over all of them.
    layout, task, unknown_labels, resample, labels
        How the cohort's files are understood; see `CohortOptions`.
    candidates : {"auto", "referenced", "all"}
        Which slices may be suggested, where a person annotates; see `open_data`. A simulated run
        suggests those with a reference, always.
    test_fraction : float
        Share of the cases held out for testing.
    validation_fraction : float
        Share of the cases held out to tell when training, or the run, should stop; 0: none.
    stop : mapping or None
        When the run may end before its last round, read from the validation cases: fields of
        `workbench.experiments.stopping.StopRule`.
    annotator : mapping or None
        A simulated annotator draws the labels, correcting what the network before predicts, and
        what that costs is recorded: fields of `workbench.annotation.simulated.Annotator`, such
        as ``{}`` for an exact one. None: labels are the references and cost nothing.
    continue_weights : bool
        Whether a round goes on from the weights of the one before, or from the first ones.
    retrain_manifold : bool
        Whether every round learns the VAE anew, with a seed of its own. Its images are the same
        in all rounds, so this shows how much a result owes to one VAE.
    transfer : mapping or None
        ``{"pretrain": SITE, "pool": SITE}``: the first weights are trained on all labeled cases
        of one site; pool, manifold and test cases are those of the other (Dai 2020).
    recipe, manifold, segmentation : mapping
        Fields of `Recipe` (of `VolumeRecipe` if the unit is volumes), `ManifoldConfig` and
        `SegmentationConfig` that differ from their defaults.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the networks.
    threads : int or None
        Threads of torch; None leaves torch's choice.
    """

    source: str = "phantom"
    strategy: Mapping[str, Any] = field(default_factory=lambda: {"name": "random"})
    rounds: int = 3
    budget: Amount | Sequence[Amount] = 12
    initial: Amount = 24
    unit: Unit = "slices"
    epochs: int | Sequence[int] | None = None
    seed: int = 0
    split_seed: int = 0
    manifold_seed: int = 0
    cases: int | None = None
    test_fraction: float = 0.25
    continue_weights: bool = True
    retrain_manifold: bool = False
    transfer: Mapping[str, str] | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    manifold: Mapping[str, Any] = field(default_factory=dict)
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "auto"
    threads: int | None = None
    layout: str = AUTO
    task: str = AUTO
    unknown_labels: str = "refuse"
    resample: bool = False
    validation_fraction: float = 0.0
    stop: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    candidates: Candidates = "auto"
    annotator: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not self.source:
            raise SettingError(
                f'source is {self.source!r}. It is "phantom" or the folder of a cohort.'
            )
        if self.precision not in PRECISIONS:
            raise SettingError(
                f"precision is {self.precision!r}. Choose one of: {', '.join(PRECISIONS)}."
            )
        if self.candidates not in get_args(Candidates):
            raise SettingError(
                f"candidates is {self.candidates!r}. Choose one of: "
                f"{', '.join(get_args(Candidates))}."
            )
        for name in ("rounds", "seed", "split_seed", "manifold_seed"):
            _check_whole(name, getattr(self, name), 0)
        for name in ("cases", "threads"):
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), 1)
        check_unit(self.unit)
        check_amount("initial", self.initial, 0)
        if self.initial == 0 and (self.transfer is None or self.rounds == 0):
            raise SettingError(
                "initial is 0, so nothing would be labeled at first. Then a network of another "
                "site must begin: give transfer, and at least one round; or label some first."
            )
        if isinstance(self.budget, (list, tuple)):
            object.__setattr__(self, "budget", tuple(self.budget))
            _check_length("budget", self.budget, max(self.rounds, 1), "one for each round")
            for index, each in enumerate(self.budget, 1):
                check_amount(f"budget of round {index}", each)
        else:
            check_amount("budget", self.budget)
        if isinstance(self.epochs, (list, tuple)):
            object.__setattr__(self, "epochs", tuple(self.epochs))
            _check_length(
                "epochs", self.epochs, self.rounds + 1, "one for the initial set and each round"
            )
        for each in self.epochs if isinstance(self.epochs, tuple) else (self.epochs,):
            if each is not None:
                _check_whole("epochs", each, 0)
        for name in ("continue_weights", "retrain_manifold"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(f"{name} is {getattr(self, name)!r}. It must be true or false.")
        if isinstance(self.test_fraction, str) or not 0 < self.test_fraction < 1:
            raise SettingError(
                f"test_fraction is {self.test_fraction!r}. It is the share of the cases held out "
                f"for testing, between 0 and 1, for example 0.25."
            )
        if self.transfer is not None and (
            not isinstance(self.transfer, Mapping)
            or set(self.transfer) != {"pretrain", "pool"}
            or self.transfer["pretrain"] == self.transfer["pool"]
        ):
            raise SettingError(
                f"transfer is {self.transfer!r}. It names two sites of the cohort: one to "
                f'pre-train on and one to suggest from, such as {{"pretrain": "CBICA", "pool": '
                f'"TCIA"}}.'
            )

        if self.annotator is not None:
            if not isinstance(self.annotator, Mapping):
                raise SettingError(
                    f"annotator is {self.annotator!r}. It is a table such as "
                    f'{{"noise_mm": 0.5, "mm_per_second": 10}}, or {{}}.'
                )
            annotator(self.annotator)
        _check_validation(self.validation_fraction, self.test_fraction, self.stop)
        # Refuse what is out of range, before anything is opened or written.
        self.cohort_options(), self.image_recipe(), self.manifold_config()
        for index in (None, *range(len(self.epochs) if isinstance(self.epochs, tuple) else 1)):
            self.segmentation_config(index)

    def schedule(self, pool: Pool) -> Schedule:
        """Count how much is labeled when in a pool.

        Raises
        ------
        SettingError
            If a share of the pool is less than one slice or case.
        """
        return make_schedule(pool, self.unit, self.initial, self.budget)

    def check_cases(self, cases: int, rounds: int) -> None:
        """Refuse, before any voxel is read, what a pool of so many cases cannot give.

        How many slices they have is known only afterwards.

        Raises
        ------
        SettingError
            If whole cases or volumes are labeled, and there are not enough for `rounds` rounds.
        """
        if self.unit != "slices":
            schedule_of(cases, self.unit, self.initial, self.budget).check(rounds)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """Read what `to_json` gave.

        Raises
        ------
        RunError
            If there is a setting that this version does not know.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(content) - known)
        if unknown:
            raise RunError(
                f"The run was made with settings that this version does not know: "
                f"{', '.join(unknown)}. Open it with the version that made it."
            )
        return cls(**content)

    def query_strategy(self) -> QueryStrategy:
        """Build the query strategy."""
        return from_record(self.strategy)

    def with_strategy(self, strategy: QueryStrategy) -> RunConfig:
        """Return the same settings with another strategy."""
        return RunConfig(**{**self.to_json(), "strategy": record(strategy)})

    def cohort_options(self) -> CohortOptions:
        """Build what `open_cohort` takes."""
        return CohortOptions(
            self.layout,
            self.task,
            self.unknown_labels,  # type: ignore[arg-type]
            self.resample,
            self.labels,
        )

    def image_recipe(self) -> Recipe | VolumeRecipe:
        """Build the recipe of the image store."""
        kind = VolumeRecipe if self.unit == "volumes" else Recipe
        return _build("recipe", kind, self.recipe)  # type: ignore[no-any-return]

    def manifold_config(self) -> ManifoldConfig:
        """Build the settings of the VAE."""
        return _build("manifold", ManifoldConfig, self.manifold)  # type: ignore[no-any-return]

    def segmentation_config(self, index: int | None = None) -> SegmentationConfig:
        """Build the settings of the U-Net, with the epochs of round `index` if one is named."""
        settings = dict(self.segmentation)
        if index is not None and self.epochs is not None:
            known = (self.epochs,) if isinstance(self.epochs, int) else self.epochs
            settings["epochs"] = known[min(index, len(known) - 1)]
        return _build("segmentation", SegmentationConfig, settings)  # type: ignore[no-any-return]


def _check_validation(validation: float, test: float, stop: Mapping[str, Any] | None) -> None:
    if isinstance(validation, (str, bool)) or not 0 <= validation < 1 - test:
        raise SettingError(
            f"--validation (validation_fraction) is {validation!r}, beside a test_fraction of "
            f"{test:g}. It is at least 0, and both together less than 1: the rest is the pool."
        )
    if stop is None:
        return
    if not isinstance(stop, Mapping):
        raise SettingError(f'stop is {stop!r}. It is a table such as {{"dice": 0.85}}.')
    stop_rule(stop)
    if not validation:
        raise SettingError(
            "stop is read from validation cases, and none are held out. Hold some out with "
            "--validation 0.1 (validation_fraction = 0.1): test cases that stop a run could not "
            "judge it."
        )


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name} is {value!r}. It must be a whole number of at least {least}.")


def _check_length(name: str, values: Sequence[object], length: int, what: str) -> None:
    if len(values) != length:
        raise SettingError(
            f"{name} has {len(values)} entries, but there must be {length}: {what}. Write a single "
            f"value for the same in all."
        )


def _build(section: str, kind: type, values: Mapping[str, Any]) -> Any:
    """Make the settings object of a section; lists (as JSON has them) become tuples."""
    known = {entry.name: entry.default for entry in fields(kind)}
    for name, value in values.items():
        if name not in known:
            raise SettingError(
                f"{section} has no setting {name!r}.{did_you_mean(name, known)} It has: "
                f"{', '.join(sorted(known))}."
            )
        _check_kind(f"{section}.{name}", value, known[name])
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    )


def _check_kind(name: str, value: object, default: object) -> None:
    """Refuse a value that is not of the kind of a setting's default."""
    if isinstance(default, bool):
        right, fits = "true or false", isinstance(value, bool)
    elif isinstance(default, int):
        right, fits = "a whole number", _is_whole(value)
    elif isinstance(default, float):
        right, fits = "a number", _is_number(value)
    elif isinstance(default, str):
        right, fits = f"a word such as {default!r}", isinstance(value, str)
    elif isinstance(default, tuple):
        whole = all(map(_is_whole, default))
        right = f"a list of {len(default)} {'whole ' if whole else ''}numbers"
        fits = isinstance(value, (list, tuple)) and len(value) == len(default)
        fits = fits and all(map(_is_whole if whole else _is_number, value))  # type: ignore[call-overload]
    else:  # nothing by default: how many there must be is said where they are used
        right = "a number or a list of numbers"
        numbers = value if isinstance(value, (list, tuple)) else [value]
        fits = value is None or all(map(_is_number, numbers))
    if not fits:
        raise SettingError(f"{name} is {value!r}. It must be {right}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return float(value).is_integer()  # 300.0 is 300
