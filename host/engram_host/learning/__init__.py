"""Learning on a board: sessions and their order, the session and its measuring, the log of it."""
