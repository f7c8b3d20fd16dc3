// The frame that a USB host begins every millisecond, for a device that asks to be interrupted then
// (RP2040 datasheet, 4.1.4: INTE and INTR, DEV_SOF; SOF_RD). The library has it for hosts only.
//
// MicroPython counts ten of them from the moment a terminal is there to what it has printed before.

const SOF_RD = 0x48;
const INTE = 0x90;
const DEV_SOF = 1 << 17;
const FRAME_NANOS = 1e6;

/** usb: the library's controller. clock: its clock. */
export function frames(usb, clock) {
  const read = usb.readUint32.bind(usb);
  const write = usb.writeUint32.bind(usb);
  let number = 0;
  const alarm = clock.createAlarm(() => {
    number = (number + 1) & 0x7ff;
    if (usb.intEnable & DEV_SOF) {
      usb.intRaw |= DEV_SOF;
      usb.checkInterrupts();
      alarm.schedule(FRAME_NANOS);
    }
  });

  usb.readUint32 = (offset) => {
    if (offset !== SOF_RD) {
      return read(offset);
    }
    usb.intRaw &= ~DEV_SOF;
    usb.checkInterrupts();
    return number;
  };

  usb.writeUint32 = (offset, value) => {
    write(offset, value);
    if (offset === INTE) {
      if (usb.intEnable & DEV_SOF) {
        alarm.schedule(FRAME_NANOS);
      } else {
        alarm.cancel();
      }
    }
  };
}
