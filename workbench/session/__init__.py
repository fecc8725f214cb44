"""The one object that changes: `Session`, its traits and its background jobs."""

from workbench.session.session import Session
from workbench.session.state import MAPS_ON_DEMAND, STEPS, Preview, Step

__all__ = ["MAPS_ON_DEMAND", "STEPS", "Preview", "Session", "Step"]
