"""The content of a replay region, read from an image: needs no board, changes nothing."""
