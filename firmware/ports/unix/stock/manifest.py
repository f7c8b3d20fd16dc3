# What the stock unix board freezes: its boot, what makes a process of it, and nothing of Engram.
freeze("../../common/stock", ("_boot.py",), opt=3)
freeze(".", ("_flash.py",), opt=3)
module("_unix_board.py", base_path="..", opt=3)
