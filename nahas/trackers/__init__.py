"""Trackers: who is told of a search while it runs, and those for TensorBoard and MLflow."""
