"""Strategies compared: one builder for the command ``workbench report`` and the notebook."""
