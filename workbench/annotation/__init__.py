"""What people, and simulated annotators, draw: how it is kept and what it costs."""
