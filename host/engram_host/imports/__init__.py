"""Models of other frameworks, as models of a board: read, cut, checked against the original."""
