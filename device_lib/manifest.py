# The device library, frozen: a firmware's own manifest says include(".../device_lib/manifest.py").
# MicroPython's manifest language; its tools/makemanifest.py provides the names.
# python_kernels=False leaves out the kernels in Python, 40 kB: for firmware that has those in C.
metadata(description="Continual learning on a microcontroller", version="0.1.0", license="MIT")
import os

options.defaults(python_kernels=True)

left_out = ["pc"]  # which runs on CPython alone
if not options.python_kernels:
    left_out.append("kernels")
files = [
    os.path.relpath(os.path.join(folder, name), "engram")
    for folder, _, names in os.walk("engram")
    for name in names
    if name.endswith(".py") and os.path.basename(folder) not in left_out
]
# Level 2: no assertions, but lines, which tracebacks name; they lie in flash.
package("engram", files=sorted(files), base_path=".", opt=2)
