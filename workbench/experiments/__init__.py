"""Simulated annotation: configuration, runs on disk, and the loop over rounds."""
