# The device library, frozen: a firmware's own manifest says include(".../device_lib/manifest.py").
# MicroPython's manifest language; its tools/makemanifest.py provides the names.
metadata(description="Continual learning on a microcontroller", version="0.1.0", license="MIT")
import os

# Without engram/pc, which runs on CPython alone.
files = [
    os.path.relpath(os.path.join(folder, name), "engram")
    for folder, _, names in os.walk("engram")
    for name in names
    if name.endswith(".py") and os.path.basename(folder) != "pc"
]
# Level 2 keeps lines, which tracebacks name; they take 11 kB of flash. Level 3 has none.
options.defaults(lines=False)
package("engram", files=sorted(files), base_path=".", opt=2 if options.lines else 3)
