"""One board of each kind for this folder, started when first asked for."""

from pathlib import Path

import pytest

from hosts import BOARDS, BoardHost, run_cpython

HERE = Path(__file__).parent
# Checks of what runs in Python above the kernels: boards of one MicroPython answer as one does.
IN_PYTHON = {
    "strategies_check", "objectives_check", "unlabelled_check", "store_check", "watch_check",
    "vibration_check", "once_check", "wire_check",
}  # fmt: skip
LIKE_ANOTHER = {"qemu_m3", "qemu_m0p"}
ON_PICO = ("test_planned_is_measured[virtual_pico-digits-16]", "[virtual_pico-digits-q8]")


def pytest_collection_modifyitems(items):
    """Marks `thorough` what another row of the same test stands for."""
    for item in items:
        values = item.callspec.params if hasattr(item, "callspec") else {}
        if HERE not in item.path.parents:
            continue
        if values.get("host") in LIKE_ANOTHER and values.get("check") in IN_PYTHON:
            item.add_marker("thorough")
        if values.get("board") == "virtual_pico" and not item.name.endswith(ON_PICO):
            item.add_marker("thorough")


@pytest.fixture(scope="session")
def outputs(tmp_path_factory):
    """outputs(host, check): what tests/device/<check>.py prints there, each run once."""
    hosts_there, seen = {}, {}

    def run(host, check):
        if (host, check) not in seen:
            if host in BOARDS:
                if host not in hosts_there:
                    hosts_there[host] = BoardHost(host, tmp_path_factory.mktemp(host))
                    hosts_there[host].start()
                seen[host, check] = hosts_there[host].run(check)
            else:
                seen[host, check] = run_cpython(host, check)
        return seen[host, check]

    yield run
    for host in hosts_there.values():
        host.stop()
