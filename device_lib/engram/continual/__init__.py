"""Continual learning: what to mix into a batch, what to keep, when to step."""
