"""A PC in the place of a board: CPython's spelling, numpy's arrays, state in a folder.

No board gets this package: the firmware's manifest, the packs and mip's list leave it out.
"""
