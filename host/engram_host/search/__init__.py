"""The search of `engram plan`: which options of a learner are worth their memory and time."""
