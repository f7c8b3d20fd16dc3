// A NOR flash chip of the 25 series, as the Pico has one: its commands, its rules, its time.
//
// Erasing sets a sector to ones; programming clears bits within a page, whose address wraps. Both
// take effect when the chip is deselected, and only after a write enable. The chip is then busy for
// as long as the datasheet says is typical; only its status can be read meanwhile.

const BUSY = 1;
const WRITE_ENABLED = 2;
const QUAD_ENABLED = 2; // in the second status register; the second stage of the boot wants it
const PAGE_BYTES = 256;
const SECTOR_BYTES = 4096;
const BLOCK_BYTES = 65536;
const JEDEC_ID = [0xef, 0x40, 0x15]; // Winbond, 16 Mbit
const UNIQUE_ID_AT = 5; // four bytes after the command come before it

export class FlashChip {
  /**
   * memory: its content. time: {nanos(), waitUntil(nanos)} of the emulated world. busyNanos:
   * {sector, block, page}. changed(at, length): called when content has changed for good.
   */
  constructor(memory, time, busyNanos, changed, uniqueId) {
    Object.assign(this, { memory, time, busyNanos, changed, uniqueId });
    this.busyUntil = 0;
    this.writeEnabled = false;
    this.statusTwo = QUAD_ENABLED;
    this.received = null; // bytes of the command that is under way; null: not selected
    this.counts = { sectors: 0, blocks: 0, pages: 0, busyNanos: 0 };
  }

  select() {
    this.received = [];
  }

  /** The chip is deselected: what was sent is a command now. */
  deselect() {
    const bytes = this.received;
    this.received = null;
    if (!bytes || bytes.length === 0 || this.time.nanos() < this.busyUntil) {
      return;
    }
    const finish = FINISH[bytes[0]];
    if (finish) {
      finish.call(this, bytes);
    }
  }

  /** One byte each way. */
  exchange(byte) {
    if (this.received === null) {
      return 0xff;
    }
    this.received.push(byte);
    const at = this.received.length - 1;
    const answer = ANSWER[this.received[0]];
    return at > 0 && answer ? answer.call(this, at) : 0xff;
  }

  status() {
    // Who asks waits, with interrupts off: the next thing that can happen is the end of the wait.
    const busy = this.time.nanos() < this.busyUntil;
    if (busy) {
      this.time.waitUntil(this.busyUntil);
    }
    return (busy ? BUSY : 0) | (this.writeEnabled ? WRITE_ENABLED : 0);
  }

  erase(bytes, size, name) {
    const start = address(bytes) & ~(size - 1) & (this.memory.length - 1);
    if (bytes.length !== 4 || !this.takeWriteEnable()) {
      return;
    }
    this.memory.fill(0xff, start, start + size);
    this.changed(start, size);
    this.work(name);
  }

  program(bytes) {
    if (bytes.length < 5 || !this.takeWriteEnable()) {
      return;
    }
    const start = address(bytes) & (this.memory.length - 1);
    const page = start & ~(PAGE_BYTES - 1);
    for (let i = 4; i < bytes.length; i++) {
      this.memory[page + ((start + i - 4) & (PAGE_BYTES - 1))] &= bytes[i];
    }
    this.changed(page, PAGE_BYTES);
    this.work("page");
  }

  takeWriteEnable() {
    const was = this.writeEnabled;
    this.writeEnabled = false;
    return was;
  }

  work(name) {
    this.counts[name + "s"]++;
    this.counts.busyNanos += this.busyNanos[name];
    this.busyUntil = this.time.nanos() + this.busyNanos[name];
  }
}

function address(bytes) {
  return (bytes[1] << 16) | (bytes[2] << 8) | bytes[3];
}

// Command -> what it does when the chip is deselected; -> what is read at its byte `at`.
const FINISH = {
  0x06() {
    this.writeEnabled = true;
  },
  0x04() {
    this.writeEnabled = false;
  },
  0x01(bytes) {
    if (this.takeWriteEnable() && bytes.length > 2) {
      this.statusTwo = bytes[2];
    }
  },
  0x02(bytes) {
    this.program(bytes);
  },
  0x20(bytes) {
    this.erase(bytes, SECTOR_BYTES, "sector");
  },
  0xd8(bytes) {
    this.erase(bytes, BLOCK_BYTES, "block");
  },
};
const ANSWER = {
  0x05() {
    return this.status();
  },
  0x35() {
    return this.statusTwo;
  },
  0x9f(at) {
    return JEDEC_ID[(at - 1) % JEDEC_ID.length];
  },
  0x4b(at) {
    return at < UNIQUE_ID_AT ? 0xff : this.uniqueId[(at - UNIQUE_ID_AT) % this.uniqueId.length];
  },
};
