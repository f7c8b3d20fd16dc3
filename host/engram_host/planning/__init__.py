"""The needs of a model on a board, before anything is flashed: memory, time, energy."""
