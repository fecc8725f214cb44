"""Figures, drawn once for the live view and the report alike, and reports made of notebooks."""
