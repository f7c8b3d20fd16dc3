# What the port freezes by itself, without the drivers it takes from micropython-lib (onewire,
# ds18x20, dht, neopixel): that repository is not among the sources of a build.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
