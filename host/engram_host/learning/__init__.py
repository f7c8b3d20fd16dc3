"""Learning on a board: tasks and their order, the session and its measuring, the log of it."""
