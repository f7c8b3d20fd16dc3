"""Kills the emulated board at random instants of sessions: `make test-kill KILLS=500`.

Writes out/bench/kills.json and prints the figures; with --docs also puts both power tables into
docs/power.md. Ends with 1 when anything acknowledged was lost or anything torn was served.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/device")]

import killing  # noqa: E402
import power_table  # noqa: E402


def tell(campaign):
    kills = campaign.figures["kills"]
    if kills % 25 == 0:
        bad = {kind: campaign.figures[kind] for kind in killing.BAD if campaign.figures[kind]}
        print(f"{kills} kills, {bad or 'nothing lost, nothing torn'}", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--budget", type=float, help="minutes at most")
    options.add_argument("--board", default="qemu_m4f")
    options.add_argument("--format", default="f32", choices=killing.RATES)
    options.add_argument("--docs", action="store_true", help="tables into docs/power.md")
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="engram-kill-") as state:
        killing.own_boards(state)
        campaign = killing.Campaign(Path(state), options.seed, options.board, options.format)
        campaign.run(options.kills, options.budget, tell)
    figures = {"board": options.board, "format": options.format, "seed": options.seed}
    figures.update(campaign.report())
    power_table.write(power_table.of_kills(options.format), figures)
    print(power_table.kills(figures))
    if options.docs:
        power_table.put()
    for fault in campaign.faults:
        print("test-kill:", fault, file=sys.stderr)
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
