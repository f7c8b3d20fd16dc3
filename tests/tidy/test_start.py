"""What `engram` loads when it starts: nothing that only POSIX has, nothing that draws."""

import subprocess
import sys

import pytest

from engram_host import boards, build, system, virtual
from engram_host.cli import VERBS
from engram_host.errors import UnsupportedSystem
from engram_host.line import console

ENTRIES = ["engram_host.api", "engram_host.cli"]
ENTRIES += [f"engram_host.commands.{module}" for module in VERBS.values()]

# Modules of Python that Windows lacks, or that cannot be imported there.
POSIX_ONLY = "crypt fcntl grp nis pty pwd readline resource spwd syslog termios tty".split()
# pyserial takes another file of its own on Windows, so that it is loaded before they are blocked.
WITHOUT_POSIX = f"""
import sys, serial.tools.list_ports, serial.serialutil
sys.modules.update(dict.fromkeys({POSIX_ONLY}))
"""


def after_import(names, prepare, question):
    """What a new Python answers to a question after it has imported some modules."""
    program = f"import sys\n{prepare}\nimport {', '.join(names)}\nprint({question})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_nothing_that_only_posix_has_is_loaded_at_the_start():
    """On Windows real boards are learned on, flashed and measured as anywhere."""
    assert after_import(ENTRIES, WITHOUT_POSIX, "'engram_host.api' in sys.modules") == "True"


def test_the_check_above_can_fail():
    """The supervisor of virtual boards needs POSIX, and no start may load it."""
    with pytest.raises(AssertionError, match="import of fcntl halted"):
        after_import(["engram_host.virtual.supervisor"], WITHOUT_POSIX, "1")


def test_no_drawing_is_loaded_at_the_start():
    """`engram --help` answers before matplotlib would be there."""
    assert after_import(ENTRIES, "", "'matplotlib' in sys.modules") == "False"


class Keys:
    """Standard input, as a terminal."""

    def isatty(self):
        return True


NEEDS_POSIX = {
    "virtual": lambda: virtual.start("fake", lambda flash: ([], {})),
    "build": lambda: build.build(boards.load("qemu_m4f")),
    "source": build.find_source,
    "repl": lambda: console.run(None, Keys(), None),
}


@pytest.mark.parametrize("verb", NEEDS_POSIX)
def test_what_needs_posix_says_so_where_it_is_missing(verb, monkeypatch, tmp_path):
    """No traceback of an import, and a word on what to do."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    monkeypatch.setattr(system, "POSIX", False)
    with pytest.raises(UnsupportedSystem, match=r"expected a POSIX system for .+, got \w+; \w+"):
        NEEDS_POSIX[verb]()
