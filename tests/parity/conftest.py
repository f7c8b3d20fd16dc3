"""One board of each kind for this folder, started when first asked for."""

import pytest

from hosts import BOARDS, BoardHost, run_cpython


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
