"""Models made on this computer, for a board to teach: auto-encoders, features of images."""
