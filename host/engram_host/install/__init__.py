"""`engram install`: the library and its kernels onto a board whose firmware is not ours.

raw_repl  the board's raw REPL, the only thing asked of its firmware
facts     what the board says of itself
packages  which modules of the library are which package
files     where the files come from: an installed wheel, or the build tree of a checkout
choice    what a board gets, or why it cannot
transfer  files there, verified, so that a cut is seen and mended
check     a kernel, an import, a few training steps on the board, and what they cost
installer the steps in their order
"""
