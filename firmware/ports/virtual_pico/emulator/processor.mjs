// The processor: Armv6-M instructions on the registers of rp2040js's core, with the cycles of a
// Cortex-M0+ (technical reference manual r0p1, table 3-1: single-cycle multiplier, no wait states)
// plus what flash outside of the cache costs. The library keeps interrupts, exceptions, peripherals.
//
// The library's own interpreter decodes anew each time, lets unaligned accesses pass and slips in a
// few flags and cycles; this one is checked against the manual's tables and is several times faster.
//
// It runs in bursts: up to the next alarm of the library's clock, which is told of the time when a
// burst ends or a peripheral is used. Registers are in `r`; program counter, flags and cycles are local
// while a burst lasts, touched by no inner function so that the compiler keeps them in registers, and
// are put back (`leave`) for whatever else looks at them. For the same reason an instruction only
// says what it adds, loads or stores; one place behind the switch does it.

import { Bus, Fault } from "./bus.mjs";
import { DECODED, DISCARD, INVERT, SUM, TODO, TODO_SHIFT, WITH_CARRY } from "./decode.mjs";
import { LINE_SHIFT, XipCache } from "./xip_cache.mjs";

const FLASH = 0x10000000;
const RAM = 0x20000000;
const ROM_BYTES = 0x4000;
const RETURN = 0xf0000000; // an address from here on is the return from an exception
const BURST_CYCLES = 250000;

// Entering an exception: TRM 3.6 (interrupt latency). Leaving: as a POP of eight with branch; the
// manual gives no figure.
const ENTRY_CYCLES = 15;
const RETURN_CYCLES = 11;

// The cases of the switches are numbers, as SHAPE and TODO in decode.mjs have them: with names in their
// place an engine makes no table of them.
const { LOAD16S, LOAD8S, STORE32, EXCHANGE } = TODO;
const SIZE = new Uint8Array([0, 4, 2, 1, 2, 1, 4, 2, 1]); // bytes of an access

const BITS = new Uint8Array(512); // of a register list, LR or PC with it
for (let i = 1; i < 512; i++) {
  BITS[i] = BITS[i >> 1] + (i & 1);
}

export class Processor {
  /** machine: has clock, nanosPerCycle, resetWanted, profile; is told of faults, breakpoints. */
  constructor(mcu, machine) {
    this.mcu = mcu;
    this.core = mcu.core;
    this.machine = machine;
    this.bus = new Bus(mcu);
    this.cache = new XipCache();
    this.r = new Int32Array(mcu.core.registers.buffer);
    this.ram = mcu.sram.buffer;
    this.flash = mcu.flash.buffer;
    this.rom = mcu.bootrom.buffer;
    this.ticked = 0; // cycles that the clock has been told of
    this.limit = 0; // where the burst ends
    this.look = Infinity; // where the profile wants to look
  }

  /** Tell the clock how far we are, and find out when it next wants something. */
  tick() {
    const { core, machine } = this;
    const passed = core.cycles - this.ticked;
    if (passed > 0) {
      this.ticked = core.cycles;
      machine.clock.tick(passed * machine.nanosPerCycle);
    }
    const alarm = machine.clock.nextAlarm;
    const cycles = alarm
      ? Math.ceil((alarm.nanos - machine.clock.nanos) / machine.nanosPerCycle)
      : BURST_CYCLES;
    const stop = core.interruptsUpdated || core.waiting || machine.resetWanted !== null;
    this.limit = stop ? 0 : Math.min(core.cycles + Math.max(cycles, 1), this.end, this.look);
  }

  /** What is at an address that is no plain memory, or faults. The burst's state has been left. */
  load(address, size) {
    this.tick();
    const value = this.bus.load(address, size);
    this.core.cycles += this.bus.wait(address, false);
    this.tick();
    return value | 0;
  }

  store(address, value, size) {
    this.tick();
    this.bus.store(address, value, size);
    this.core.cycles += this.bus.wait(address, true);
    this.tick();
  }

  /** Put a burst's local state where everything else finds it. */
  leave(pc, n, z, c, v, cycles) {
    const { core } = this;
    this.r[15] = pc;
    core.N = n < 0;
    core.Z = z === 0;
    core.C = c !== 0;
    core.V = v !== 0;
    core.cycles = cycles;
  }

  /** Run until the core waits, a reset is wanted, or the given number of cycles has passed. */
  run(cycles) {
    const { core, machine } = this;
    this.end = core.cycles + cycles;
    while (!core.waiting && machine.resetWanted === null && core.cycles < this.end) {
      if (core.interruptsUpdated && core.checkForInterrupts()) {
        core.cycles += ENTRY_CYCLES;
      }
      this.tick();
      if (this.limit > 0) {
        this.burst();
      }
    }
  }

  /** Up to where the clock wants something; with a profile, in short pieces. */
  burst() {
    const { core, machine } = this;
    if (machine.profile === null) {
      this.guarded();
    } else {
      const before = core.cycles;
      this.look = core.cycles + machine.profile.next();
      this.limit = Math.min(this.limit, this.look);
      this.guarded();
      machine.profile.add(core.PC, core.cycles - before);
      this.look = Infinity;
    }
    this.tick();
  }

  guarded() {
    try {
      this.execute();
    } catch (error) {
      if (!(error instanceof Fault)) {
        throw error;
      }
      this.machine.fault(error.message);
    }
  }

  execute() {
    const { core, r, cache, bus } = this;
    const ram8 = new Uint8Array(this.ram);
    const ram16 = new Uint16Array(this.ram);
    const ram32 = new Int32Array(this.ram);
    const flash8 = new Uint8Array(this.flash);
    const flash16 = new Uint16Array(this.flash);
    const flash32 = new Int32Array(this.flash);
    const rom16 = new Uint16Array(this.rom);
    const rom32 = new Int32Array(this.rom);
    const ramBytes = ram8.length;
    const flashMask = flash8.length - 1;

    let pc = r[15] & ~1; // of the next instruction
    let n = core.N ? -1 : 0; // negative where N is set
    let z = core.Z ? 0 : 1; // zero where Z is set
    let c = core.C ? 1 : 0;
    let v = core.V ? 1 : 0;
    let cycles = core.cycles;
    let limit = this.limit;
    let line = -1;

    while (cycles < limit) {
      const at = pc;
      let op = 0;
      if (at >>> 28 === 1) {
        const offset = at & flashMask;
        if (offset >> LINE_SHIFT !== line) {
          line = offset >> LINE_SHIFT;
          cycles += cache.touch(line);
        }
        op = flash16[offset >> 1];
      } else if ((at - RAM) >>> 0 < ramBytes) {
        op = ram16[(at - RAM) >> 1];
      } else if (at >>> 0 < ROM_BYTES) {
        op = rom16[at >> 1];
      } else {
        this.leave(pc, n, z, c, v, cycles);
        throw new Fault(at, "no code at");
      }
      pc = (pc + 2) | 0;
      cycles++;
      const d = op & 7;
      const m = (op >> 3) & 7;
      const i8 = (op >> 8) & 7;
      // For what is done behind the switch: operands and target of a sum, or parts of an address and
      // register of an access.
      const what = DECODED[op];
      let todo = what >> TODO_SHIFT;
      let a = 0;
      let b = 0;
      let to = d;
      switch (what & 255) {
        case 0: { // LSL
          const fixed = op < 0x4000;
          const by = fixed ? (op >> 6) & 31 : r[m] & 255;
          const value = fixed ? r[m] : r[d];
          if (by) {
            c = by < 32 ? (value >>> (32 - by)) & 1 : by === 32 ? value & 1 : 0;
          }
          n = z = by < 32 ? value << by : 0;
          r[d] = n;
          break;
        }
        case 1: { // LSR
          const fixed = op < 0x4000;
          const by = fixed ? (op >> 6) & 31 || 32 : r[m] & 255;
          const value = fixed ? r[m] : r[d];
          if (by) {
            c = by <= 32 ? (value >>> (by - 1)) & 1 : 0;
          }
          n = z = by < 32 ? (value >>> by) | 0 : 0;
          r[d] = n;
          break;
        }
        case 2: { // ASR
          const fixed = op < 0x4000;
          const by = fixed ? (op >> 6) & 31 || 32 : Math.min(r[m] & 255, 32);
          const value = fixed ? r[m] : r[d];
          if (by) {
            c = (value >> (by - 1)) & 1;
          }
          n = z = value >> (by === 32 ? 31 : by);
          r[d] = n;
          break;
        }
        case 3: { // ROR
          const by = r[m] & 255;
          const turn = by & 31;
          n = z = turn ? (r[d] >>> turn) | (r[d] << (32 - turn)) : r[d];
          if (by) {
            c = n >>> 31;
          }
          r[d] = n;
          break;
        }
        case 4: // MOV
          n = z = op & 255;
          r[i8] = n;
          break;
        case 5: // AND
          n = z = r[d] & r[m];
          r[d] = n;
          break;
        case 6: // EOR
          n = z = r[d] ^ r[m];
          r[d] = n;
          break;
        case 7: // ORR
          n = z = r[d] | r[m];
          r[d] = n;
          break;
        case 8: // BIC
          n = z = r[d] & ~r[m];
          r[d] = n;
          break;
        case 9: // MVN
          n = z = ~r[m];
          r[d] = n;
          break;
        case 10: // TST
          n = z = r[d] & r[m];
          break;
        case 11: // MUL
          n = z = Math.imul(r[d], r[m]);
          r[d] = n;
          break;
        case 12: // THREE
          a = r[m];
          b = r[(op >> 6) & 7];
          break;
        case 13: // IMM3
          a = r[m];
          b = (op >> 6) & 7;
          break;
        case 14: // IMM5
          a = r[m];
          b = ((op >> 6) & 31) * SIZE[todo];
          break;
        case 15: // IMM8
          a = r[i8];
          b = op & 255;
          to = i8;
          break;
        case 16: // TWO
          a = r[d];
          b = r[m];
          break;
        case 17: // NEGATE
          b = r[m];
          break;
        case 18: { // HIGH_CMP
          const from = (op >> 3) & 15;
          a = r[((op >> 4) & 8) | d];
          b = from === 15 ? at + 4 : r[from];
          break;
        }
        case 19: { // HIGH: ADD, or MOV
          const target = ((op >> 4) & 8) | d;
          const from = (op >> 3) & 15;
          const left = op & 0x200 ? 0 : target === 15 ? at + 4 : r[target];
          const value = (left + (from === 15 ? at + 4 : r[from])) | 0;
          if (target === 15) {
            pc = value & ~1;
            cycles++;
          } else {
            r[target] = target === 13 ? value & ~3 : value;
          }
          break;
        }
        case 20: // STACK
          a = r[13];
          b = (op & 255) << 2;
          to = i8;
          break;
        case 21: // LITERAL
          a = (at + 4) & ~3;
          b = (op & 255) << 2;
          to = i8;
          break;
        case 22: // ADDRESS
          r[i8] = (op & 0x800 ? r[13] : (at + 4) & ~3) + ((op & 255) << 2);
          break;
        case 23: // ADD_SP
          r[13] += op & 128 ? -((op & 127) << 2) : (op & 127) << 2;
          break;
        case 24: // SXTH
          r[d] = (r[m] << 16) >> 16;
          break;
        case 25: // SXTB
          r[d] = (r[m] << 24) >> 24;
          break;
        case 26: // UXTH
          r[d] = r[m] & 0xffff;
          break;
        case 27: // UXTB
          r[d] = r[m] & 0xff;
          break;
        case 28: { // REV
          const swapped = ((r[m] & 0x00ff00ff) << 8) | ((r[m] >>> 8) & 0x00ff00ff);
          r[d] = (swapped << 16) | (swapped >>> 16);
          break;
        }
        case 29: // REV16
          r[d] = ((r[m] & 0x00ff00ff) << 8) | ((r[m] >>> 8) & 0x00ff00ff);
          break;
        case 30: // REVSH
          r[d] = (((r[m] & 0xff) << 24) >> 16) | ((r[m] >> 8) & 0xff);
          break;
        case 31: { // STORE_LIST: PUSH, STM
          const push = op >>> 12 === 11;
          const list = op & (push ? 511 : 255);
          const count = BITS[list];
          a = push ? (r[13] - 4 * count) | 0 : r[i8];
          if ((a - RAM) >>> 0 < ramBytes - 36 && (a & 3) === 0) {
            let word = (a - RAM) >> 2;
            for (let i = 0; i < 8; i++) {
              if (list & (1 << i)) {
                ram32[word++] = r[i];
              }
            }
            if (list & 256) {
              ram32[word] = r[14];
            }
            cycles += count;
          } else {
            this.leave(at, n, z, c, v, cycles);
            this.storeList(a, list);
            cycles = core.cycles;
            limit = this.limit;
          }
          if (push) {
            r[13] = a;
          } else {
            r[i8] = a + 4 * count;
          }
          break;
        }
        case 32: { // LOAD_LIST: POP, LDM
          const pop = op >>> 12 === 11;
          const list = op & (pop ? 511 : 255);
          const count = BITS[list];
          const base = pop ? 13 : i8;
          a = r[base];
          if ((a - RAM) >>> 0 < ramBytes - 36 && (a & 3) === 0) {
            let word = (a - RAM) >> 2;
            for (let i = 0; i < 8; i++) {
              if (list & (1 << i)) {
                r[i] = ram32[word++];
              }
            }
            b = ram32[word];
            cycles += count;
          } else {
            this.leave(at, n, z, c, v, cycles);
            b = this.loadList(a, list);
            cycles = core.cycles;
            limit = this.limit;
          }
          if (pop || (list & (1 << base)) === 0) {
            r[base] = a + 4 * count;
          }
          if (list & 256) {
            cycles += 2;
            a = b;
            todo = EXCHANGE;
          }
          break;
        }
        case 33: // BRANCH: BX, BLX
          a = r[(op >> 3) & 15];
          if (op & 128) {
            r[14] = pc | 1;
          }
          cycles++;
          break;
        case 34: // CPS
          core.PM = (op & 16) !== 0;
          if (!core.PM) {
            core.interruptsUpdated = true;
            limit = 0;
          }
          break;
        case 35: // BREAK
          this.leave(pc, n, z, c, v, cycles);
          this.machine.breakpoint(op & 255, at);
          limit = 0;
          break;
        case 36: { // HINT
          const hint = (op >> 4) & 15;
          if (hint === 2) {
            cycles++;
            if (core.eventRegistered) {
              core.eventRegistered = false;
            } else {
              core.waiting = true;
              limit = 0;
            }
          } else if (hint === 3) {
            cycles++;
            core.waiting = true;
            limit = 0;
          } else if (hint === 4) {
            core.eventRegistered = true;
          }
          break;
        }
        case 37: // SVC
          core.pendingSVCall = true;
          core.interruptsUpdated = true;
          limit = 0;
          break;
        case 38: { // B_IF
          let holds = false;
          switch ((op >> 9) & 7) {
            case 0:
              holds = z === 0;
              break;
            case 1:
              holds = c !== 0;
              break;
            case 2:
              holds = n < 0;
              break;
            case 3:
              holds = v !== 0;
              break;
            case 4:
              holds = c !== 0 && z !== 0;
              break;
            case 5:
              holds = n < 0 === (v !== 0);
              break;
            default:
              holds = z !== 0 && n < 0 === (v !== 0);
          }
          if (holds !== ((op & 256) !== 0)) {
            pc = (at + 4 + ((op << 24) >> 23)) | 0;
            cycles++;
          }
          break;
        }
        case 39: // B
          pc = (at + 4 + ((op << 21) >> 20)) | 0;
          cycles++;
          break;
        case 40: { // LONG
          let low = 0;
          if (pc >>> 28 === 1) {
            const offset = pc & flashMask;
            if (offset >> LINE_SHIFT !== line) {
              line = offset >> LINE_SHIFT;
              cycles += cache.touch(line);
            }
            low = flash16[offset >> 1];
          } else {
            low = bus.load(pc >>> 0, 2);
          }
          pc = (pc + 2) | 0;
          cycles += 2;
          if ((low & 0xd000) === 0xd000) {
            const sign = (op >> 10) & 1;
            const high = (~((low >> 13) ^ sign) & 1) << 23;
            const next = (~((low >> 11) ^ sign) & 1) << 22;
            const rest = ((op & 1023) << 12) | ((low & 2047) << 1);
            r[14] = pc | 1;
            pc = (at + 4 + ((-sign << 24) | high | next | rest)) | 0;
          } else if ((op & 0xffe0) === 0xf380) {
            this.leave(pc, n, z, c, v, cycles);
            core.writeSpecialRegister(low & 255, r[op & 15] >>> 0);
            return; // the flags, or what may interrupt, are others now
          } else if ((op & 0xffe0) === 0xf3e0) {
            this.leave(pc, n, z, c, v, cycles);
            r[(low >> 8) & 15] = core.readSpecialRegister(low & 255);
          } else if (op !== 0xf3bf) {
            this.leave(at, n, z, c, v, cycles);
            throw new Fault(at, "undefined instruction at");
          }
          break;
        }
        default:
          this.leave(at, n, z, c, v, cycles);
          throw new Fault(at, "undefined instruction at");
      }
      if (todo === 0) {
        continue;
      }
      if (todo >= SUM) {
        const carry = todo & WITH_CARRY ? c : todo & INVERT;
        if (todo & INVERT) {
          b = ~b;
        }
        const sum = (a + b + carry) | 0;
        c = (a >>> 0) + (b >>> 0) + carry > 0xffffffff ? 1 : 0;
        v = ((a ^ sum) & (b ^ sum)) >>> 31;
        n = z = sum;
        if ((todo & DISCARD) === 0) {
          r[to] = sum;
        }
        continue;
      }
      if (todo === EXCHANGE) {
        if (a >>> 0 >= RETURN && core.IPSR !== 0) {
          this.leave(pc, n, z, c, v, cycles);
          core.BXWritePC(a >>> 0);
          core.cycles += RETURN_CYCLES;
          r[15] &= ~1;
          return; // other interrupts may wait
        }
        if ((a & 1) === 0) {
          this.leave(at, n, z, c, v, cycles);
          throw new Fault(a, "branch to Arm code at");
        }
        pc = a & ~1;
        continue;
      }
      a = (a + b) | 0;
      const place = (a - RAM) >>> 0;
      const size = SIZE[todo];
      let value = 0;
      if (place < ramBytes && (a & (size - 1)) === 0) {
        cycles++;
        switch (todo) {
          case 1: // LOAD32
            r[to] = ram32[place >> 2];
            break;
          case 2: // LOAD16
            r[to] = ram16[place >> 1];
            break;
          case 3: // LOAD8
            r[to] = ram8[place];
            break;
          case 4: // LOAD16S
            r[to] = (ram16[place >> 1] << 16) >> 16;
            break;
          case 5: // LOAD8S
            r[to] = (ram8[place] << 24) >> 24;
            break;
          case 6: // STORE32
            ram32[place >> 2] = r[to];
            break;
          case 7: // STORE16
            ram16[place >> 1] = r[to];
            break;
          default:
            ram8[place] = r[to];
        }
        continue;
      }
      if (todo >= STORE32) {
        this.leave(at, n, z, c, v, cycles);
        this.store(a >>> 0, r[to], size);
        cycles = core.cycles;
        limit = this.limit;
        continue;
      }
      if (a >>> 26 === FLASH >>> 26 && (a & (size - 1)) === 0) {
        const offset = a & flashMask;
        cycles += 1 + cache.touch(offset >> LINE_SHIFT);
        if (size === 4) {
          value = flash32[offset >> 2];
        } else {
          value = size === 2 ? flash16[offset >> 1] : flash8[offset];
        }
      } else if (a >>> 0 < ROM_BYTES && size === 4 && (a & 3) === 0) {
        cycles++;
        value = rom32[a >> 2];
      } else {
        this.leave(at, n, z, c, v, cycles);
        value = this.load(a >>> 0, size);
        cycles = core.cycles;
        limit = this.limit;
      }
      if (todo === LOAD16S) {
        value = (value << 16) >> 16;
      } else if (todo === LOAD8S) {
        value = (value << 24) >> 24;
      }
      r[to] = value;
    }
    this.leave(pc, n, z, c, v, cycles);
  }

  /** PUSH and STM where the whole list is not within RAM; a list's bit 8 is LR. */
  storeList(address, list) {
    for (let i = 0; i < 9; i++) {
      if (list & (1 << i)) {
        this.store(address >>> 0, this.r[i === 8 ? 14 : i], 4);
        address += 4;
      }
    }
  }

  /** POP and LDM there; what bit 8 stands for is returned. */
  loadList(address, list) {
    for (let i = 0; i < 8; i++) {
      if (list & (1 << i)) {
        this.r[i] = this.load(address >>> 0, 4);
        address += 4;
      }
    }
    return list & 256 ? this.load(address >>> 0, 4) : 0;
  }
}
