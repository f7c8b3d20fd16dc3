# The device library, frozen: a firmware's own manifest says include(".../device_lib/manifest.py").
# MicroPython's manifest language; its tools/makemanifest.py provides the names.
# python_kernels=False leaves out the kernels in Python, 40 kB: for firmware that has those in C.
metadata(description="Continual learning on a microcontroller", version="0.1.0", license="MIT")
import os

# short=True: for firmware with little flash: without lines in tracebacks, and without the modules
# of SHORT, whose callers say so.
SHORT = ("watch/adapting.py", "watch/neighbours.py", "watch/quarantine.py", "watch/shift.py")

options.defaults(python_kernels=True, short=False)

left_out = ["pc"]  # which runs on CPython alone
if not options.python_kernels:
    left_out.append("kernels")
files = [
    os.path.relpath(os.path.join(folder, name), "engram")
    for folder, _, names in os.walk("engram")
    for name in names
    if name.endswith(".py") and os.path.basename(folder) not in left_out
]
if options.short:
    files = [name for name in files if name.replace(os.sep, "/") not in SHORT]
# Level 2: no assertions, but lines, which tracebacks name; they lie in flash.
package("engram", files=sorted(files), base_path=".", opt=3 if options.short else 2)
