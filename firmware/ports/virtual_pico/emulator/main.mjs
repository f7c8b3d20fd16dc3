// A Raspberry Pi Pico as a process: its console is standard input and output, its data flash a file.
//
//   node main.mjs --rp2040js DIR --rom rom.bin --firmware firmware.uf2 --flash flash.bin \
//       --flash-bytes N --data-offset N --erase-us N --erase-64k-us N --program-us N
//
// --feed: read all of standard input first and give it to the board by the board's own time; the
// process ends when the board waits for more. Two runs are then the same to the cycle.
// --free: do not hold the board's clock to the wall's while it sleeps.
// --stat FILE: at the end, write cycles, time and flash operations there as JSON.
//
// ENGRAM_PICO_PROFILE=FILE in the environment: on SIGUSR2 and at the end, write there where the
// cycles went since the last time (profile.mjs).

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { Input, writeOut } from "./console.mjs";
import { FlashFile } from "./flash_file.mjs";
import { Machine } from "./machine.mjs";
import { numbers, parse } from "./options.mjs";
import { Runner } from "./runner.mjs";
import { Profile } from "./profile.mjs";
import { parts } from "./uf2.mjs";

const options = parse(process.argv.slice(2));
const sizes = numbers(options, {
  "flash-bytes": 2097152,
  "data-offset": 655360,
  "erase-us": 0,
  "erase-64k-us": 0,
  "program-us": 0,
  seed: 0x2545f491,
});
const library = await import(pathToFileURL(path.resolve(options.rp2040js, "dist/esm/index.js")));

let runner = null;
const input = new Input(() => runner?.wake());
const machine = new Machine(library, {
  rom: fs.readFileSync(options.rom),
  parts: parts(fs.readFileSync(options.firmware)),
  flashBytes: sizes["flash-bytes"],
  flashFile: new FlashFile(options.flash, sizes["data-offset"]),
  busyNanos: {
    sector: 1000 * sizes["erase-us"],
    block: 1000 * sizes["erase-64k-us"],
    page: 1000 * sizes["program-us"],
  },
  input,
  seed: sizes.seed,
  profile: process.env.ENGRAM_PICO_PROFILE ? new Profile(process.env.ENGRAM_PICO_PROFILE) : null,
});
runner = new Runner(machine, { feed: options.feed, free: options.free });

function writeProfile() {
  const { cycles, nanos, flashCounts } = machine;
  machine.profile.write({ cycles, nanos, flash: flashCounts });
}
if (machine.profile) {
  process.on("SIGUSR2", writeProfile);
}

function end(code) {
  if (machine.profile) {
    writeProfile();
  }
  if (options.stat) {
    const { cycles, nanos, flashCounts } = machine;
    fs.writeFileSync(options.stat, JSON.stringify({ cycles, nanos, flash: flashCounts }) + "\n");
  }
  process.exit(code);
}
process.on("SIGTERM", () => end(0));
runner.onEnd = () => end(0);
// A firmware that does nothing but fail is not run for ever.
const FAILURES_MOST = 5;
let failures = 0;
runner.onReset = (cause) => {
  failures = machine.connectedBefore ? 0 : failures + 1;
  if (cause !== "watchdog") {
    writeOut(Buffer.from(`\r\n${cause}; the board restarts\r\n`));
  }
  if (failures > FAILURES_MOST) {
    process.stderr.write(`the firmware does not start: ${cause}\n`);
    end(1);
  }
};
runner.start();
