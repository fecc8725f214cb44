"""The workbench in a notebook: views of a session.

``Workbench`` is the whole application; each view can be used alone::

    from widgets import Workbench
    Workbench("phantom")
"""

from widgets.activity import Activity
from widgets.app import Workbench
from widgets.cohort_panel import CohortPanel
from widgets.header import Header
from widgets.inspector import Inspector
from widgets.latent_map import LatentMap
from widgets.learning_curves import LearningCurves
from widgets.step_rail import StepRail
from widgets.training_panel import TrainingPanel
from widgets.tuning_panel import TuningPanel
from widgets.view import View

__all__ = [
    "Activity",
    "CohortPanel",
    "Header",
    "Inspector",
    "LatentMap",
    "LearningCurves",
    "StepRail",
    "TrainingPanel",
    "TuningPanel",
    "View",
    "Workbench",
]
