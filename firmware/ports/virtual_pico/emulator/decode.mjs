// Which instruction a halfword is (Armv6-M architecture reference manual, A5.2): one row each; letters
// and dots are operands, the first row that fits counts. A row says where the operands are, which is
// the case in processor.mjs, and what is then left to do with them.

export const SHAPE = {
  LSL: 0, // by a number or a register, as LSR and ASR
  LSR: 1,
  ASR: 2,
  ROR: 3,
  MOV: 4,
  AND: 5,
  EOR: 6,
  ORR: 7,
  BIC: 8,
  MVN: 9,
  TST: 10,
  MUL: 11,
  THREE: 12, // operands from two registers, result to a third
  IMM3: 13, // a register and a number of so many bits
  IMM5: 14, // in units of what is loaded or stored
  IMM8: 15,
  TWO: 16, // two registers, the result to the first
  NEGATE: 17,
  HIGH_CMP: 18, // any registers
  HIGH: 19,
  STACK: 20, // beside the stack pointer
  LITERAL: 21, // beside the program counter
  ADDRESS: 22, // the sum of either and a number
  ADD_SP: 23,
  SXTH: 24,
  SXTB: 25,
  UXTH: 26,
  UXTB: 27,
  REV: 28,
  REV16: 29,
  REVSH: 30,
  STORE_LIST: 31,
  LOAD_LIST: 32,
  BRANCH: 33, // to a register
  CPS: 34,
  BREAK: 35,
  HINT: 36,
  SVC: 37,
  B_IF: 38,
  B: 39,
  LONG: 40, // 32 bits
  NONE: 255,
};

// Below SUM: accesses, then a branch that may change the mode. SUM with INVERT adds the complement
// of b and 1, with WITH_CARRY the carry in its place; DISCARD keeps the flags alone.
export const INVERT = 1;
export const WITH_CARRY = 2;
export const DISCARD = 4;
export const SUM = 16;
export const TODO = {
  NOTHING: 0,
  LOAD32: 1,
  LOAD16: 2,
  LOAD8: 3,
  LOAD16S: 4,
  LOAD8S: 5,
  STORE32: 6,
  STORE16: 7,
  STORE8: 8,
  EXCHANGE: 9,
  ADD: SUM,
  SUB: SUM | INVERT,
  ADC: SUM | WITH_CARRY,
  SBC: SUM | WITH_CARRY | INVERT,
  CMN: SUM | DISCARD,
  CMP: SUM | DISCARD | INVERT,
};

export const INSTRUCTIONS = [
  ["00000...........", "LSLS Rd, Rm, #imm5", SHAPE.LSL],
  ["00001...........", "LSRS Rd, Rm, #imm5", SHAPE.LSR],
  ["00010...........", "ASRS Rd, Rm, #imm5", SHAPE.ASR],
  ["0001100.........", "ADDS Rd, Rn, Rm", SHAPE.THREE, TODO.ADD],
  ["0001101.........", "SUBS Rd, Rn, Rm", SHAPE.THREE, TODO.SUB],
  ["0001110.........", "ADDS Rd, Rn, #imm3", SHAPE.IMM3, TODO.ADD],
  ["0001111.........", "SUBS Rd, Rn, #imm3", SHAPE.IMM3, TODO.SUB],
  ["00100...........", "MOVS Rd, #imm8", SHAPE.MOV],
  ["00101...........", "CMP Rn, #imm8", SHAPE.IMM8, TODO.CMP],
  ["00110...........", "ADDS Rdn, #imm8", SHAPE.IMM8, TODO.ADD],
  ["00111...........", "SUBS Rdn, #imm8", SHAPE.IMM8, TODO.SUB],
  ["0100000000......", "ANDS Rdn, Rm", SHAPE.AND],
  ["0100000001......", "EORS Rdn, Rm", SHAPE.EOR],
  ["0100000010......", "LSLS Rdn, Rm", SHAPE.LSL],
  ["0100000011......", "LSRS Rdn, Rm", SHAPE.LSR],
  ["0100000100......", "ASRS Rdn, Rm", SHAPE.ASR],
  ["0100000101......", "ADCS Rdn, Rm", SHAPE.TWO, TODO.ADC],
  ["0100000110......", "SBCS Rdn, Rm", SHAPE.TWO, TODO.SBC],
  ["0100000111......", "RORS Rdn, Rm", SHAPE.ROR],
  ["0100001000......", "TST Rn, Rm", SHAPE.TST],
  ["0100001001......", "RSBS Rd, Rn, #0", SHAPE.NEGATE, TODO.SUB],
  ["0100001010......", "CMP Rn, Rm", SHAPE.TWO, TODO.CMP],
  ["0100001011......", "CMN Rn, Rm", SHAPE.TWO, TODO.CMN],
  ["0100001100......", "ORRS Rdn, Rm", SHAPE.ORR],
  ["0100001101......", "MULS Rdm, Rn", SHAPE.MUL],
  ["0100001110......", "BICS Rdn, Rm", SHAPE.BIC],
  ["0100001111......", "MVNS Rd, Rm", SHAPE.MVN],
  ["01000100........", "ADD Rdn, Rm, any registers", SHAPE.HIGH],
  ["01000101........", "CMP Rn, Rm, any registers", SHAPE.HIGH_CMP, TODO.CMP],
  ["01000110........", "MOV Rd, Rm, any registers", SHAPE.HIGH],
  ["010001110....000", "BX Rm", SHAPE.BRANCH, TODO.EXCHANGE],
  ["010001111....000", "BLX Rm", SHAPE.BRANCH, TODO.EXCHANGE],
  ["01001...........", "LDR Rt, [PC, #imm8]", SHAPE.LITERAL, TODO.LOAD32],
  ["0101000.........", "STR Rt, [Rn, Rm]", SHAPE.THREE, TODO.STORE32],
  ["0101001.........", "STRH Rt, [Rn, Rm]", SHAPE.THREE, TODO.STORE16],
  ["0101010.........", "STRB Rt, [Rn, Rm]", SHAPE.THREE, TODO.STORE8],
  ["0101011.........", "LDRSB Rt, [Rn, Rm]", SHAPE.THREE, TODO.LOAD8S],
  ["0101100.........", "LDR Rt, [Rn, Rm]", SHAPE.THREE, TODO.LOAD32],
  ["0101101.........", "LDRH Rt, [Rn, Rm]", SHAPE.THREE, TODO.LOAD16],
  ["0101110.........", "LDRB Rt, [Rn, Rm]", SHAPE.THREE, TODO.LOAD8],
  ["0101111.........", "LDRSH Rt, [Rn, Rm]", SHAPE.THREE, TODO.LOAD16S],
  ["01100...........", "STR Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.STORE32],
  ["01101...........", "LDR Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.LOAD32],
  ["01110...........", "STRB Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.STORE8],
  ["01111...........", "LDRB Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.LOAD8],
  ["10000...........", "STRH Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.STORE16],
  ["10001...........", "LDRH Rt, [Rn, #imm5]", SHAPE.IMM5, TODO.LOAD16],
  ["10010...........", "STR Rt, [SP, #imm8]", SHAPE.STACK, TODO.STORE32],
  ["10011...........", "LDR Rt, [SP, #imm8]", SHAPE.STACK, TODO.LOAD32],
  ["10100...........", "ADR Rd, label", SHAPE.ADDRESS],
  ["10101...........", "ADD Rd, SP, #imm8", SHAPE.ADDRESS],
  ["101100000.......", "ADD SP, SP, #imm7", SHAPE.ADD_SP],
  ["101100001.......", "SUB SP, SP, #imm7", SHAPE.ADD_SP],
  ["1011001000......", "SXTH Rd, Rm", SHAPE.SXTH],
  ["1011001001......", "SXTB Rd, Rm", SHAPE.SXTB],
  ["1011001010......", "UXTH Rd, Rm", SHAPE.UXTH],
  ["1011001011......", "UXTB Rd, Rm", SHAPE.UXTB],
  ["1011010.........", "PUSH {registers}", SHAPE.STORE_LIST],
  ["10110110011.0010", "CPSIE i, CPSID i", SHAPE.CPS],
  ["1011101000......", "REV Rd, Rm", SHAPE.REV],
  ["1011101001......", "REV16 Rd, Rm", SHAPE.REV16],
  ["1011101011......", "REVSH Rd, Rm", SHAPE.REVSH],
  ["1011110.........", "POP {registers}", SHAPE.LOAD_LIST],
  ["10111110........", "BKPT #imm8", SHAPE.BREAK],
  ["10111111....0000", "NOP, YIELD, WFE, WFI, SEV", SHAPE.HINT],
  ["11000...........", "STM Rn!, {registers}", SHAPE.STORE_LIST],
  ["11001...........", "LDM Rn!, {registers}", SHAPE.LOAD_LIST],
  ["11011110........", "UDF #imm8", SHAPE.BREAK],
  ["11011111........", "SVC #imm8", SHAPE.SVC],
  ["1101............", "B<condition> label", SHAPE.B_IF],
  ["11100...........", "B label", SHAPE.B],
  ["11110...........", "BL, MSR, MRS, DMB, DSB, ISB: 32 bits", SHAPE.LONG],
];

export const TODO_SHIFT = 8;

/** Halfword -> shape, and above TODO_SHIFT what is left to do. */
export const DECODED = new Uint16Array(65536).fill(SHAPE.NONE);
for (const [pattern, , shape, todo = TODO.NOTHING] of [...INSTRUCTIONS].reverse()) {
  const fixed = parseInt(pattern.replace(/[01]/g, "1").replace(/\./g, "0"), 2);
  const value = parseInt(pattern.replace(/\./g, "0"), 2);
  for (let halfword = 0; halfword < 65536; halfword++) {
    if ((halfword & fixed) === value) {
      DECODED[halfword] = shape | (todo << TODO_SHIFT);
    }
  }
}
