// A Pico: rp2040js's RP2040 with our boot ROM and flash chip, the cable to the console, and what the
// library leaves out or does otherwise than the chip. A reset makes a new one around the same flash.

import { FlashChip } from "./flash_chip.mjs";
import { Processor } from "./processor.mjs";
import { qspi } from "./qspi.mjs";
import { exactSystick } from "./systick.mjs";
import { UsbConsole } from "./console.mjs";
import { frames } from "./usb_frames.mjs";

const PAGE = (address) => (address >>> 14) << 2; // as the library keys its peripherals
const SSI = PAGE(0x18000000);
const IO_QSPI = PAGE(0x40018000);
const WATCHDOG = PAGE(0x40058000);
const ROSC = PAGE(0x40060000);
const XIP_CONTROL = PAGE(0x14000000);
const XIP = 0x10000000;

export class Machine {
  /**
   * library: rp2040js. rom, parts (of a UF2): what it starts with. flashFile: where the data flash
   * is kept. input: of the console. profile: told where the cycles go, or null.
   */
  constructor(library, { rom, parts, flashBytes, busyNanos, flashFile, input, seed, profile }) {
    Object.assign(this, { library, rom, busyNanos, flashFile, input, seed, profile });
    this.flash = new Uint8Array(flashBytes).fill(0xff);
    flashFile.load(this.flash);
    for (const { address, data } of parts) {
      this.flash.set(data, address - XIP);
    }
    this.flashCounts = { sectors: 0, blocks: 0, pages: 0, busyNanos: 0 };
    this.cyclesBefore = 0; // of the lives before the last reset
    this.nanosBefore = 0;
    this.powerOn(null);
  }

  /** A new chip. watchdog: of the chip before, whose scratch registers and reason outlive a reset. */
  powerOn(watchdog) {
    const { library } = this;
    const mcu = new library.RP2040();
    this.mcu = mcu;
    this.core = mcu.core;
    this.clock = mcu.clock;
    this.nanosPerCycle = 1e9 / mcu.clkSys;
    mcu.addClockListener((hz) => (this.nanosPerCycle = 1e9 / hz));
    mcu.logger = { debug() {}, info() {}, warn() {}, error() {} };
    this.resetWanted = null;

    const words = new Uint32Array(mcu.bootrom.length);
    new Uint8Array(words.buffer).set(this.rom);
    mcu.loadBootrom(words);
    // The flash is one memory in every life; the library's window onto it is larger.
    mcu.flash = this.flash;
    mcu.flashView = new DataView(this.flash.buffer);

    const time = {
      nanos: () => this.clock.nanos,
      waitUntil: (nanos) => this.spend(Math.ceil((nanos - this.clock.nanos) / this.nanosPerCycle)),
    };
    const changed = (at, length) => this.flashFile.save(this.flash, at, length);
    const unique = [0xe6, 0x61, 0x45, 0x4e, 0x47, 0x52, 0x41, 0x4d];
    this.chip = new FlashChip(this.flash, time, this.busyNanos, changed, unique);
    this.chip.counts = this.flashCounts;
    this.processor = new Processor(mcu, this);
    const controller = qspi(library.BasePeripheral, mcu, this.chip, (n) => this.spend(n));
    mcu.peripherals[SSI] = controller.ssi;
    mcu.peripherals[IO_QSPI] = controller.pins;
    mcu.peripherals[XIP_CONTROL] = this.cacheControl();
    mcu.peripherals[ROSC] = this.ringOscillator();
    frames(mcu.usbCtrl, mcu.clock);
    exactSystick(mcu.ppb, () => this.core.cycles);

    const dog = mcu.peripherals[WATCHDOG];
    if (watchdog) {
      dog.scratchData.set(watchdog.scratchData);
      dog.reason = watchdog.reason;
    }
    dog.onWatchdogTrigger = () => (this.resetWanted = "watchdog");
    this.console = new UsbConsole(library, mcu, this.input);
  }

  /** Time that passes without an instruction: a byte on its way, a chip at work. */
  spend(cycles) {
    this.core.cycles += cycles;
  }

  /** The core sleeps: time passes up to an alarm. */
  skip(nanos) {
    this.spend(Math.max(Math.ceil(nanos / this.nanosPerCycle), 0));
    this.processor.tick();
  }

  /** Every life's cycles together. */
  get cycles() {
    return this.cyclesBefore + this.core.cycles;
  }

  get nanos() {
    return this.nanosBefore + this.clock.nanos;
  }

  /** Start again as the chip does; the flash stays. */
  reset() {
    this.cyclesBefore = this.cycles;
    this.nanosBefore = this.nanos;
    const cause = this.resetWanted;
    this.connectedBefore = this.console.connected; // the firmware had come as far as its console
    this.powerOn(cause === "watchdog" ? this.mcu.peripherals[WATCHDOG] : null);
  }

  /** The firmware met a breakpoint, which without a debugger stops a chip for ever. */
  breakpoint(code, at) {
    const where = `pc ${(at >>> 0).toString(16).padStart(8, "0")}`;
    this.resetWanted = code === 0xb0 ? "bootloader" : `FATAL: breakpoint ${code}, ${where}`;
  }

  /** A chip would now enter HardFault, where MicroPython stops for ever. */
  fault(what) {
    const [pc, lr] = [this.core.PC, this.core.LR].map((x) => x.toString(16).padStart(8, "0"));
    this.resetWanted = `FATAL: processor fault, pc ${pc}, lr ${lr}, ${what}`;
  }

  /** FLUSH and STAT of the cache's registers (datasheet 2.6.3.6). */
  cacheControl() {
    const machine = this;
    return new (class extends this.library.BasePeripheral {
      constructor() {
        super(machine.mcu, "XIP_CTRL");
      }
      readUint32(offset) {
        return offset === 0x08 ? 0b011 : 0; // flushed, and nothing streams
      }
      writeUint32(offset, value) {
        if (offset === 0x04 && value & 1) {
          machine.processor.cache.flush();
        }
      }
    })();
  }

  /** The oscillator whose jitter is the chip's source of random bits: here a generator with a seed. */
  ringOscillator() {
    const machine = this;
    return new (class extends this.library.BasePeripheral {
      constructor() {
        super(machine.mcu, "ROSC");
      }
      readUint32(offset) {
        if (offset === 0x1c) {
          let x = machine.seed; // xorshift32 (Marsaglia, 2003)
          x ^= x << 13;
          x ^= x >>> 17;
          x ^= x << 5;
          machine.seed = x;
          return x & 1;
        }
        return offset === 0x18 ? 0x80001000 : 0; // STATUS: stable, enabled
      }
      writeUint32() {}
    })();
  }
}
