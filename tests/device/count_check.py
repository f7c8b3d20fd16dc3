"""Instructions of each step of a learning run: the same numbers at every run on an emulator."""

import engram_board
import tiny_model
from heap_check import flash
from learner_check import open_learner


def main():
    learner = open_learner(*flash(), counter=engram_board.counter)
    for label in (0, 1):
        for i in range(12):
            learner.observe(tiny_model.sample(label, i), label)
    learner.end_session()
    for i in range(12):
        learner.observe(tiny_model.sample(2, i), 2)
    for record in learner.steps(epochs=8):
        phases = record["phases"]
        print(record["step"], record["total"], record["outside"], sorted(phases.items()))


if __name__ == "__main__":
    main()
