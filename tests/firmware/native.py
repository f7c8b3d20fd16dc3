"""A module of native code, made by mpy-cross for a board's chip, sent to it as a file and run."""

import subprocess

SOURCE = """
@micropython.viper
def total(p: ptr8, n: int) -> int:
    s = 0
    for i in range(n):
        s += p[i]
    return s
@micropython.native
def half(x):
    return x * 0.5
"""


def loads(child, place):
    """Whether it gives the right values on the board `child`; place: a folder to build it in."""
    source, module = place / "fast.py", place / "fast.mpy"
    source.write_text(SOURCE)
    cross = child.board.build_dir.parent / "mpy-cross" / "mpy-cross"
    arch = child.board.facts["chip"]["arch"]
    subprocess.run([cross, f"-march={arch}", source, "-o", module], check=True)
    content = module.read_bytes()
    child.run(f"f = open('fast.mpy', 'wb')\nf.write({content!r})\nf.close()\nimport fast")
    return child.value("fast.total(bytes(range(100)), 100), fast.half(3)") == (4950, 1.5)
