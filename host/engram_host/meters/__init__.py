"""Power meters behind one interface, and from what they measured to millijoules a phase.

spec opens a meter by name; base is what every meter is; recorder reads one in the background.
timeline is what the device did; sync ties its clock to the meter's; energy integrates.
"""
