"""Programs for a board's raw REPL. They are sent as text, never imported on this computer."""
