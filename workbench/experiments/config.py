"""The settings of an experiment, as one value that can be written down.

Everything that decides a run is here, so that a run can be repeated from its
folder alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from workbench.cohort.preprocess import Recipe
from workbench.errors import RunError, SettingError
from workbench.strategies import from_record, record
from workbench.strategies.base import QueryStrategy

if TYPE_CHECKING:
    from workbench.training.manifold import ManifoldConfig
    from workbench.training.segmentation import SegmentationConfig

__all__ = ["RunConfig"]


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
        Rounds of suggestions after the initial set; at least 1.
    budget : int
        Slices suggested in a round.
    initial : int
        Slices of the random initial set.
    seed : int
        Decides split, initial set, initial weights and augmentation.
    manifold_seed : int
        Seed of the VAE, apart from that of the run.
    cases : int or None
        Number of phantom cases, or use only the first so many of a cohort.
    test_fraction : float
        Share of the cases held out for testing.
    continue_weights : bool
        Whether a round goes on from the weights of the one before.
    recipe, manifold, segmentation : mapping
        Fields of `Recipe`, `ManifoldConfig` and `SegmentationConfig` that differ
        from their defaults.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the networks.
    threads : int or None
        Threads of torch; None leaves torch's choice.
    """

    source: str = "phantom"
    strategy: Mapping[str, Any] = field(default_factory=lambda: {"name": "random"})
    rounds: int = 3
    budget: int = 12
    initial: int = 24
    seed: int = 0
    manifold_seed: int = 0
    cases: int | None = None
    test_fraction: float = 0.25
    continue_weights: bool = True
    recipe: Mapping[str, Any] = field(default_factory=dict)
    manifold: Mapping[str, Any] = field(default_factory=dict)
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "budget", "initial"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SettingError(f"{name} is {value!r}. It must be a whole number of at least 1.")
        if not 0 < self.test_fraction < 1:
            raise SettingError(
                f"test_fraction is {self.test_fraction!r}. It is the share of the cases held out "
                f"for testing, between 0 and 1, for example 0.25."
            )

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

    def image_recipe(self) -> Recipe:
        """Build the recipe of the image store."""
        return _build(Recipe, self.recipe)  # type: ignore[no-any-return]

    def manifold_config(self) -> ManifoldConfig:
        """Build the settings of the VAE."""
        from workbench.training.manifold import ManifoldConfig

        return _build(ManifoldConfig, self.manifold)  # type: ignore[no-any-return]

    def segmentation_config(self) -> SegmentationConfig:
        """Build the settings of the U-Net."""
        from workbench.training.segmentation import SegmentationConfig

        return _build(SegmentationConfig, self.segmentation)  # type: ignore[no-any-return]


def _build(kind: type, values: Mapping[str, Any]) -> Any:
    """Make a settings object; lists (as JSON has them) become tuples."""
    known = {entry.name for entry in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingError(
            f"{kind.__name__} has no setting {', '.join(map(repr, unknown))}. It has: "
            f"{', '.join(sorted(known))}."
        )
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    )
