// SysTick from the processor's own cycle count (Armv6-M architecture reference manual, B3.3).
//
// The library's SysTick loses a cycle at each wrap and keeps an alarm in its clock for ever; this
// one is exact and has no alarm. Where a program wants SysTick's interrupt, which MicroPython does
// not, the library's takes over.

const CSR = 0x10;
const RVR = 0x14;
const CVR = 0x18;
const ENABLE = 1;
const INTERRUPT = 2;

export function exactSystick(ppb, cycles) {
  const theirs = { read: ppb.readUint32.bind(ppb), write: ppb.writeUint32.bind(ppb) };
  let control = 0;
  let reload = 0xffffff;
  let zeroAt = 0; // cycles when the counter was last made 0

  ppb.readUint32 = (offset) => {
    if (control & INTERRUPT || offset < CSR || offset > CVR) {
      return theirs.read(offset);
    }
    if (offset === CVR) {
      const passed = control & ENABLE && reload ? (cycles() - zeroAt) % (reload + 1) : 0;
      return passed === 0 ? 0 : reload + 1 - passed;
    }
    return offset === RVR ? reload : control;
  };

  ppb.writeUint32 = (offset, value) => {
    if (offset === CSR) {
      if (!(control & ENABLE)) {
        zeroAt = cycles();
      }
      control = value & 7;
    } else if (offset === RVR) {
      reload = value & 0xffffff;
    } else if (offset === CVR) {
      zeroAt = cycles();
    }
    if (offset < CSR || offset > CVR || control & INTERRUPT) {
      theirs.write(offset, value);
    }
  };
}
