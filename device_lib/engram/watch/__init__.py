"""Anomaly scores of single samples, a threshold for their means, alarms: Learner.watch()."""

# For one of its modules that is missing, and what that does.
NOT_FROZEN = (
    "expected firmware that %s, got one with a short library, as little flash holds no more; take "
    "MicroPython's own firmware and `engram install --kernels all`"
)
