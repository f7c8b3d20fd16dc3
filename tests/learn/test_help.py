"""help() at the REPL: the modules that come and go leave the packages whole."""

import pytest

from hosts import CPYTHON, BoardHost, run_cpython

PACKAGES = ("", ".link", ".nn", ".store", ".continual")


@pytest.mark.board
@pytest.mark.parametrize("name", ["unix", "qemu_m4f"])
def test_help_of_every_package_is_shown_after_modules_were_dropped(name, tmp_path):
    host = BoardHost(name, tmp_path / "state")
    host.start()
    try:
        text = host.run("help_check")
    finally:
        host.stop()
    assert text[-1] == "ok"
    for package in PACKAGES:
        assert any(line.startswith(f"object <module 'engram{package}'") for line in text), package


@pytest.mark.parametrize("host", CPYTHON)
def test_dropping_modules_keeps_names_on_cpython(host):
    assert run_cpython(host, "help_check")[-1] == "ok"
