"""What a model needs and costs on a board, before anything is flashed: memory, time, energy."""
