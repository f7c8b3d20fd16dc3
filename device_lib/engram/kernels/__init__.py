"""The kernels in Python: `python` is the definition, `numpy` the one over numpy or ulab."""
