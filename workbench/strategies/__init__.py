"""Query strategies: which samples to label next (see `base` for the contract).

To add one, write a frozen dataclass with ``needs`` and ``select`` and name it in
`registry.BUILT_IN`; or declare it in another package under the entry-point group
``workbench.strategies``; or hand the object in.
"""

from workbench.strategies.registry import (
    describe,
    from_record,
    get_strategy,
    record,
    strategies,
)

__all__ = ["describe", "from_record", "get_strategy", "record", "strategies"]
