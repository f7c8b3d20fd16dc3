"""Power meters behind one interface, and the millijoules per phase that they measured.

spec opens a meter by name, a file each; base is what every meter is. timeline is what the device
did; sync ties its clock to the meter's; energy integrates; result is what the log gets of it.
"""
