// The QSPI controller (RP2040 datasheet, 4.10: SSI) as far as a program talks to the flash chip with
// it byte by byte, and the override of the chip's select line (2.19.6.2: IO_QSPI).
//
// In the mode for execution the content of the chip is simply memory, so only the plain serial mode
// with 8 bits a frame reaches the chip.

const CTRLR0 = 0x00;
const SSIENR = 0x08;
const BAUDR = 0x14;
const TXFLR = 0x20;
const RXFLR = 0x24;
const SR = 0x28;
const IDR = 0x58;
const VERSION = 0x5c;
const DR0 = 0x60;

const SR_IDLE = 0b0110; // nothing waits to be sent, and there is room
const SR_RECEIVED = 0b1000;
const FORMAT = 0x00600000; // 0: one line
const FRAME_BITS = 0x001f0000;
const FRAME_8 = 7 << 16;
const RECEIVES = 0x00000300; // 0: every frame sent is one received

const SELECT_CTRL = 0x0c;
const OVERRIDE = 3 << 8;
const LOW = 2 << 8;
const HIGH = 3 << 8;

/** {ssi, pins}: two peripherals for one chip. base: rp2040js's BasePeripheral. */
export function qspi(base, mcu, chip, spend) {
  let override = 0;

  class Ssi extends base {
    constructor() {
      super(mcu, "SSI");
      this.registers = new Map();
      this.queue = [];
    }

    get isSerial() {
      const mode = this.registers.get(CTRLR0) ?? 0;
      return (mode & (FORMAT | RECEIVES)) === 0 && (mode & FRAME_BITS) === FRAME_8;
    }

    // A command that the controller frames itself ends when its queue has run dry.
    endOwnCommand() {
      if (override === 0 && chip.received !== null) {
        chip.deselect();
      }
    }

    readUint32(offset) {
      switch (offset) {
        case SR:
          this.endOwnCommand();
          return SR_IDLE | (this.queue.length ? SR_RECEIVED : 0);
        case RXFLR:
          return this.queue.length;
        case TXFLR:
          return 0;
        case DR0:
          return this.queue.shift() ?? 0;
        case IDR:
          return 0x51535049;
        case VERSION:
          return 0x3430312a;
        default:
          return this.registers.get(offset) ?? 0;
      }
    }

    writeUint32(offset, value) {
      if (offset === DR0) {
        this.queue.push(this.isSerial ? this.send(value & 0xff) : 0);
        return;
      }
      this.registers.set(offset, value);
      if (offset === SSIENR) {
        this.endOwnCommand();
        this.queue.length = 0;
      }
    }

    send(byte) {
      if (override === 0 && chip.received === null) {
        chip.select();
      }
      spend(8 * (this.registers.get(BAUDR) ?? 2));
      return chip.exchange(byte);
    }
  }

  class Pins extends base {
    constructor() {
      super(mcu, "IO_QSPI");
      this.registers = new Map();
    }

    readUint32(offset) {
      return this.registers.get(offset) ?? 0;
    }

    writeUint32(offset, value) {
      this.registers.set(offset, value);
      if (offset === SELECT_CTRL) {
        const before = override;
        override = value & OVERRIDE;
        if (override === LOW && before !== LOW) {
          chip.select();
        } else if (before === LOW && override !== LOW) {
          chip.deselect();
        } else if (override === HIGH && chip.received !== null) {
          chip.deselect();
        }
      }
    }
  }

  return { ssi: new Ssi(), pins: new Pins() };
}
