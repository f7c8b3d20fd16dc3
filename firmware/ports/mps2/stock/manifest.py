# What the stock firmware freezes: its boot, and nothing of ours.
freeze("../../common/stock", ("_boot.py",), opt=3)
freeze(".", ("_flash.py",), opt=3)
