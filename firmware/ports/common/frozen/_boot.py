# Runs before anything else, in the namespace of the REPL.
import engram_board

engram_board.mount()
del engram_board
