// The cache between processor and flash (RP2040 datasheet, 2.6.3: 16 KB, two ways, lines of 8 bytes).
//
// What is not in it comes over four lines of the QSPI bus: address and mode 8 clocks, pause 4, eight
// bytes 16, each clock two of the processor's; the datasheet does not say more. Which way a new line
// takes is not documented either: here the one used longer ago.

const LINE_SHIFT = 3;
const SETS = 1024;
const MISS_CYCLES = (8 + 4 + 16) * 2;

export class XipCache {
  constructor() {
    this.ways = new Int32Array(2 * SETS).fill(-1); // the more recent one first
    this.misses = 0;
  }

  /** Cycles lost at the line of an address. */
  touch(line) {
    const { ways } = this;
    const at = (line & (SETS - 1)) << 1;
    const first = ways[at];
    if (first === line) {
      return 0;
    }
    ways[at] = line;
    const second = ways[at + 1];
    ways[at + 1] = first;
    if (second === line) {
      return 0;
    }
    this.misses++;
    return MISS_CYCLES;
  }

  flush() {
    this.ways.fill(-1);
  }
}

export { LINE_SHIFT };
