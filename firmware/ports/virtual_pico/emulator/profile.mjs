// Where the cycles go: at moments that no loop of the firmware can keep step with, all cycles since
// the last one are put down to the address where the processor is.

import fs from "node:fs";

const LEAST_CYCLES = 1000;
const SPREAD_CYCLES = 2048; // a power of two

export class Profile {
  /** file: gets {address: cycles} as JSON at each `write`. */
  constructor(file) {
    this.file = file;
    this.state = 0x9e3779b9;
    this.clear();
  }

  clear() {
    this.cycles = new Map();
  }

  /** How many cycles to run up to the next look. */
  next() {
    let x = this.state; // xorshift32
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return LEAST_CYCLES + (x & (SPREAD_CYCLES - 1));
  }

  add(address, cycles) {
    const at = address >>> 0;
    this.cycles.set(at, (this.cycles.get(at) ?? 0) + cycles);
  }

  /** Write what there is and begin anew. extra: more to tell. */
  write(extra) {
    const addresses = Object.fromEntries([...this.cycles].sort((a, b) => a[0] - b[0]));
    fs.writeFileSync(this.file + ".new", JSON.stringify({ ...extra, addresses }) + "\n");
    fs.renameSync(this.file + ".new", this.file);
    this.clear();
  }
}
