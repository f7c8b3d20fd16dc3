"""Prints the rates after the tests; with --docs puts them into docs/int8-reference.md."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "int8-reference.md"


def pytest_addoption(parser):
    parser.addoption("--docs", action="store_true", help="write the rates into the document")


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    from qlinear import rates

    if not rates.RATES:
        return
    tables = {"kernels": rates.table(), "shifts": rates.table_by_shift()}
    for text in tables.values():
        terminalreporter.write("\n" + text)
    if config.getoption("--docs", False) and not exitstatus:
        page = DOCUMENT.read_text()
        for name, text in tables.items():
            begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
            page = re.sub(f"(?s){begin}.*?{end}", lambda _, t=begin + text + end: t, page)
        DOCUMENT.write_text(page)
