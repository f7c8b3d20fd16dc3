"""Anomaly scores of single samples, a threshold for their means, alarms: Learner.watch()."""
