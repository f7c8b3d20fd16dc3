"""Models that were never trained: made on this computer, to learn from the start on a board."""
