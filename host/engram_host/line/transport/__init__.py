"""Ways to carry bytes to a board and back: a serial port, or memory in tests."""
