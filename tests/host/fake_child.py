"""What stands in for a board's process in the tests of the supervisor.

Says hello, then echoes; its argument adds to that:

echo   nothing                              flood   says a lot first
die    ends with code 3, without a hello    sleep   ignores SIGTERM
"""

import os
import signal
import sys


def write_all(data):
    while data:
        data = data[os.write(1, data) :]


def echo():
    while data := os.read(0, 65536):
        write_all(data)


how = sys.argv[1]
if how == "die":
    print("no such firmware", file=sys.stderr)
    sys.exit(3)
if how == "sleep":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"hello\r\n")
if how == "flood":
    write_all(bytes(range(256)) * 12000)
echo()
