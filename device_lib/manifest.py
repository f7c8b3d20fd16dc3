# Freezes the device library into a firmware: include("$(PORT_DIR)/…/device_lib/manifest.py").
# MicroPython's manifest language, run by its tools/makemanifest.py, which provides these names.
metadata(description="On-device continual learning", version="0.1.0", license="MIT")
package("engram", base_path=".")
