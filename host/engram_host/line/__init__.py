"""The line to a board: frames, requests and answers, ports and what is on them, the REPL."""
