# What the stock firmware freezes: its boot, and nothing of ours.
freeze(".", ("_boot.py",), opt=3)
