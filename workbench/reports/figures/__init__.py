"""Every still picture of the workbench, as plain plotly figures.

They are made here once, for the report and for the still state of each view, in
the colors and marks of the live application. A figure takes values (a
projection, a pool, a shift) and no session, so that a script can draw the same.
"""

from workbench.reports.figures.annotation import annotation_figure
from workbench.reports.figures.curves import learning_curve_figure, loss_curve_figure
from workbench.reports.figures.latent_map import latent_map_figure
from workbench.reports.figures.pictures import (
    cohort_figure,
    inspection_figure,
    pictures_figure,
    reconstructions_figure,
    traversals_figure,
    volume_figure,
)
from workbench.reports.figures.rounding import rounding_figure
from workbench.reports.figures.stepped import stepped_figure
from workbench.reports.figures.tables import suggestions_figure
from workbench.reports.theme import blank_figure

__all__ = [
    "annotation_figure",
    "blank_figure",
    "cohort_figure",
    "inspection_figure",
    "latent_map_figure",
    "learning_curve_figure",
    "loss_curve_figure",
    "pictures_figure",
    "reconstructions_figure",
    "rounding_figure",
    "stepped_figure",
    "suggestions_figure",
    "traversals_figure",
    "volume_figure",
]
