# The device library, frozen: a firmware's own manifest says include(".../device_lib/manifest.py").
# MicroPython's manifest language; its tools/makemanifest.py provides the names.
metadata(description="Continual learning on a microcontroller", version="0.1.0", license="MIT")
package("engram", base_path=".", opt=3)
