"""The workbench in a notebook: views of a session."""
