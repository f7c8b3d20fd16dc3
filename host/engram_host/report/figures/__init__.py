"""The pictures of a report. Each is a function of the result that returns a Picture."""
