// Runs a machine in slices, between which this process looks at its input, and decides when the
// board's time goes on and when a byte reaches it.
//
// While the board computes, its time is its cycles. While it waits for an alarm, time jumps to the
// alarm, but waits are no shorter than by the wall's. While it waits for nothing but input, its time
// stands still: how long somebody thinks changes nothing on the board.
//
// Input is given to the board when it waits with no alarm set, which is when it wants to read; or,
// so that Ctrl-C reaches a program that runs, when it has not waited so for some of its own time.

const SLICE_MS = 8;
const CYCLES_BETWEEN_LOOKS = 100000;
const BUSY_NANOS = 20e6; // a board that has not waited for this long gets its input anyway
const AHEAD_MS = 1;
// The timer compares 32 bits of microseconds. An alarm more than half of that away was set for a
// time that had just passed; pico-sdk leaves it so, and nothing on the board waits for it.
const PASSED_NANOS = 2 ** 31 * 1000;

export class Runner {
  constructor(machine, { feed, free }) {
    Object.assign(this, { machine, feed, free });
    this.onEnd = () => {};
    this.onReset = () => {};
    this.asleep = false; // nothing to do until input comes
    this.busySince = 0;
    this.anchorWall = 0;
    this.anchorNanos = 0;
  }

  start() {
    this.anchor();
    this.slice();
  }

  /** There is input. */
  wake() {
    if (this.asleep) {
      this.asleep = false;
      this.anchor();
      setImmediate(() => this.slice());
    }
  }

  /** From here on the board's clock and the wall's go together. */
  anchor() {
    this.anchorWall = performance.now();
    this.anchorNanos = this.machine.nanos;
  }

  slice() {
    const { machine } = this;
    if (this.feed && !machine.input.ended) {
      this.asleep = true; // the whole of it first
      return;
    }
    const end = performance.now() + SLICE_MS;
    do {
      if (machine.core.waiting) {
        const pause = this.wait();
        if (pause === null) {
          this.asleep = true;
          return;
        }
        if (pause > 0) {
          setTimeout(() => this.slice(), pause);
          return;
        }
      } else {
        this.compute();
      }
      if (machine.resetWanted) {
        const cause = machine.resetWanted;
        machine.reset();
        this.busySince = machine.nanos;
        this.onReset(cause);
      }
    } while (performance.now() < end);
    setImmediate(() => this.slice());
  }

  compute() {
    const { machine } = this;
    const [wall, nanos] = [performance.now(), machine.nanos];
    machine.processor.run(CYCLES_BETWEEN_LOOKS);
    // The board's flash erases for longer than we take; that lead is not waited for afterwards.
    this.anchorNanos += Math.max(machine.nanos - nanos - 1e6 * (performance.now() - wall), 0);
    if (machine.console.canFeed && machine.nanos - this.busySince > BUSY_NANOS) {
      machine.console.feed();
    }
  }

  /** The core waits. 0: go on; a number: not before so many ms; null: not before there is input. */
  wait() {
    const { machine } = this;
    const { clock } = machine;
    if (clock.nextAlarm === null || clock.nanosToNextAlarm > PASSED_NANOS) {
      this.busySince = machine.nanos;
      if (machine.console.canFeed) {
        machine.console.feed();
        return 0;
      }
      if (machine.input.ended) {
        this.onEnd();
      }
      return null;
    }
    const due = machine.nanos + clock.nanosToNextAlarm;
    if (!this.free && !this.feed) {
      const ahead = (due - this.anchorNanos) / 1e6 - (performance.now() - this.anchorWall);
      if (ahead > AHEAD_MS) {
        return ahead;
      }
      this.anchor();
    }
    machine.skip(clock.nanosToNextAlarm);
    return 0;
  }
}
