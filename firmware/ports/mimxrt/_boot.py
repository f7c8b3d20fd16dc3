# Runs before anything else, in the namespace of the REPL: the file system, then an SD card, as the
# port does it, unless a file SKIPSD is there.
import engram_board

engram_board.mount()
del engram_board


def _card():
    import os
    import sys
    import vfs

    try:
        os.stat("SKIPSD")
    except OSError:
        try:
            from machine import SDCard

            vfs.mount(vfs.VfsFat(SDCard(1)), "/sdcard")
        except Exception:  # no card, or none that can be read
            return
        os.chdir("/sdcard")
        sys.path.append("/sdcard")


_card()
del _card
