"""Query strategies: which samples to label next (see `base` for the contract)."""
