"""The picture of the README, from the result.json of a run.

python -m engram_host.report out/demo/result.json docs/images/demo.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .write import write_hero


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 when the arguments are not the two files."""
    if len(arguments) != 2:
        print("usage: python -m engram_host.report RESULT.json PICTURE.png", file=sys.stderr)
        return 2
    result, picture = map(Path, arguments)
    print(write_hero(json.loads(result.read_text(encoding="utf-8")), picture))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
