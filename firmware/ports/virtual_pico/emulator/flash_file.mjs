// The file that holds the data flash: every change is in the system's keeping before the firmware
// goes on, so that killing the emulator is what cutting the power is.

import fs from "node:fs";

export class FlashFile {
  /** offset: of the file's first byte in the chip. */
  constructor(path, offset) {
    this.offset = offset;
    this.file = fs.openSync(path, "r+");
    this.size = fs.fstatSync(this.file).size;
  }

  load(memory) {
    const most = Math.min(this.size, memory.length - this.offset);
    fs.readSync(this.file, memory, this.offset, most, 0);
  }

  /** Bytes of the chip have changed; those outside of the file are nobody's. */
  save(memory, at, length) {
    const from = Math.max(at, this.offset);
    const to = Math.min(at + length, this.offset + this.size);
    if (from < to) {
      fs.writeSync(this.file, memory, from, to - from, from - this.offset);
    }
  }
}
