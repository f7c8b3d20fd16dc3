"""A run as a page, pictures, JSON and a table in the terminal.

schema.py says what a run hands in; summary.py derives every figure; figures/ draws.
"""

from .log_page import write_log_report
from .schema import DemoResult, Summary
from .summary import model_facts, summarise
from .terminal import summary_table
from .write import ReportPaths, write_hero, write_report

__all__ = [
    "DemoResult",
    "ReportPaths",
    "Summary",
    "model_facts",
    "summarise",
    "summary_table",
    "write_hero",
    "write_log_report",
    "write_report",
]
