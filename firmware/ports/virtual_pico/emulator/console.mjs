// The other end of the board's USB cable: its serial console on our standard input and output.

import fs from "node:fs";

const PACKET_BYTES = 64;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** Write all of it; who does not read makes the board wait, as behind a port. */
export function writeOut(bytes) {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") {
        process.exit(0); // nobody is there any more
      }
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

export class Input {
  /** Bytes from standard input, in the order they came. wake: called when there are new ones. */
  constructor(wake) {
    this.chunks = [];
    this.ended = false;
    process.stdin.on("data", (chunk) => {
      this.chunks.push(chunk);
      wake();
    });
    const end = () => {
      this.ended = true;
      wake();
    };
    process.stdin.on("end", end).on("error", end).on("close", end);
  }

  get isEmpty() {
    return this.chunks.length === 0;
  }

  /** At most as many as one packet holds. */
  take(most) {
    const first = this.chunks[0];
    const count = Math.min(most, PACKET_BYTES, first.length);
    if (count === first.length) {
      this.chunks.shift();
    } else {
      this.chunks[0] = first.subarray(count);
    }
    return first.subarray(0, count);
  }
}

export class UsbConsole {
  /** mcu: an RP2040 that has just been made. input: survives it. */
  constructor(library, mcu, input) {
    this.usb = mcu.usbCtrl;
    this.input = input;
    this.asked = null; // bytes the board would take now; null: it has not asked
    this.connected = false;
    this.cdc = new library.USBCDC(mcu.usbCtrl);
    this.cdc.onDeviceConnected = () => (this.connected = true);
    this.cdc.onSerialData = (bytes) => writeOut(bytes);
    // The library answers with an empty packet when there is nothing to send. A host does not: the
    // question waits, else the board is interrupted every 30 us.
    mcu.usbCtrl.onEndpointRead = (endpoint, size) => {
      if (endpoint === this.cdc.outEndpoint) {
        this.asked = size;
      }
    };
  }

  get canFeed() {
    return this.connected && this.asked !== null && !this.input.isEmpty;
  }

  /** Give the board one packet of what is waiting for it. */
  feed() {
    const bytes = this.input.take(this.asked);
    this.asked = null;
    this.usb.endpointReadDone(this.cdc.outEndpoint, Uint8Array.from(bytes));
  }
}
