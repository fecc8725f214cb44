"""Strategies compared: one builder for the command ``workbench report`` and the notebook.

::

    folders → Results → Numbers → tables, figures, sentences → Section → page
              (workbench.experiments)                        └→ notebook cells
"""

from workbench.reports.comparison.sections import Report, make_report

__all__ = ["Report", "make_report"]
