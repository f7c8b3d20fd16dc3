"""Continual-learning metrics, by the names and definitions of Avalanche.

matrix[i][j] is the accuracy on task j after session i, or None where not evaluated.
"""


def average_accuracy(matrix):
    """Mean of the last row."""
    row = [a for a in matrix[-1] if a is not None]
    return sum(row) / len(row)


def forgetting(matrix):
    """Mean over the tasks before the last of (best accuracy so far - last accuracy).

    A task counts from the first session after which it had been learned: row i holds
    task j in its first position j <= i. 0.0 when there is only one session.
    """
    last = matrix[-1]
    lost = []
    for j in range(len(last) - 1):
        best = max([row[j] for row in matrix[:-1] if row[j] is not None] + [0.0])
        if last[j] is not None:
            lost.append(best - last[j])
    return sum(lost) / len(lost) if lost else 0.0
