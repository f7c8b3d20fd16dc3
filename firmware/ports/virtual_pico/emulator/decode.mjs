// Which instruction a halfword is (Armv6-M architecture reference manual, A5.2): one row each, the
// row's number is the case in processor.mjs. Letters and dots are operands; the first row that fits
// counts.

export const INSTRUCTIONS = [
  ["00000...........", "LSLS Rd, Rm, #imm5"], // 0
  ["00001...........", "LSRS Rd, Rm, #imm5"],
  ["00010...........", "ASRS Rd, Rm, #imm5"],
  ["0001100.........", "ADDS Rd, Rn, Rm"],
  ["0001101.........", "SUBS Rd, Rn, Rm"],
  ["0001110.........", "ADDS Rd, Rn, #imm3"], // 5
  ["0001111.........", "SUBS Rd, Rn, #imm3"],
  ["00100...........", "MOVS Rd, #imm8"],
  ["00101...........", "CMP Rn, #imm8"],
  ["00110...........", "ADDS Rdn, #imm8"],
  ["00111...........", "SUBS Rdn, #imm8"], // 10
  ["0100000000......", "ANDS Rdn, Rm"],
  ["0100000001......", "EORS Rdn, Rm"],
  ["0100000010......", "LSLS Rdn, Rm"],
  ["0100000011......", "LSRS Rdn, Rm"],
  ["0100000100......", "ASRS Rdn, Rm"], // 15
  ["0100000101......", "ADCS Rdn, Rm"],
  ["0100000110......", "SBCS Rdn, Rm"],
  ["0100000111......", "RORS Rdn, Rm"],
  ["0100001000......", "TST Rn, Rm"],
  ["0100001001......", "RSBS Rd, Rn, #0"], // 20
  ["0100001010......", "CMP Rn, Rm"],
  ["0100001011......", "CMN Rn, Rm"],
  ["0100001100......", "ORRS Rdn, Rm"],
  ["0100001101......", "MULS Rdm, Rn"],
  ["0100001110......", "BICS Rdn, Rm"], // 25
  ["0100001111......", "MVNS Rd, Rm"],
  ["01000100........", "ADD Rdn, Rm, any registers"],
  ["01000101........", "CMP Rn, Rm, any registers"],
  ["01000110........", "MOV Rd, Rm, any registers"],
  ["010001110....000", "BX Rm"], // 30
  ["010001111....000", "BLX Rm"],
  ["01001...........", "LDR Rt, [PC, #imm8]"],
  ["0101000.........", "STR Rt, [Rn, Rm]"],
  ["0101001.........", "STRH Rt, [Rn, Rm]"],
  ["0101010.........", "STRB Rt, [Rn, Rm]"], // 35
  ["0101011.........", "LDRSB Rt, [Rn, Rm]"],
  ["0101100.........", "LDR Rt, [Rn, Rm]"],
  ["0101101.........", "LDRH Rt, [Rn, Rm]"],
  ["0101110.........", "LDRB Rt, [Rn, Rm]"],
  ["0101111.........", "LDRSH Rt, [Rn, Rm]"], // 40
  ["01100...........", "STR Rt, [Rn, #imm5]"],
  ["01101...........", "LDR Rt, [Rn, #imm5]"],
  ["01110...........", "STRB Rt, [Rn, #imm5]"],
  ["01111...........", "LDRB Rt, [Rn, #imm5]"],
  ["10000...........", "STRH Rt, [Rn, #imm5]"], // 45
  ["10001...........", "LDRH Rt, [Rn, #imm5]"],
  ["10010...........", "STR Rt, [SP, #imm8]"],
  ["10011...........", "LDR Rt, [SP, #imm8]"],
  ["10100...........", "ADR Rd, label"],
  ["10101...........", "ADD Rd, SP, #imm8"], // 50
  ["101100000.......", "ADD SP, SP, #imm7"],
  ["101100001.......", "SUB SP, SP, #imm7"],
  ["1011001000......", "SXTH Rd, Rm"],
  ["1011001001......", "SXTB Rd, Rm"],
  ["1011001010......", "UXTH Rd, Rm"], // 55
  ["1011001011......", "UXTB Rd, Rm"],
  ["1011010.........", "PUSH {registers}"],
  ["10110110011.0010", "CPSIE i, CPSID i"],
  ["1011101000......", "REV Rd, Rm"],
  ["1011101001......", "REV16 Rd, Rm"], // 60
  ["1011101011......", "REVSH Rd, Rm"],
  ["1011110.........", "POP {registers}"],
  ["10111110........", "BKPT #imm8"],
  ["10111111....0000", "NOP, YIELD, WFE, WFI, SEV"],
  ["11000...........", "STM Rn!, {registers}"], // 65
  ["11001...........", "LDM Rn!, {registers}"],
  ["11011110........", "UDF #imm8"],
  ["11011111........", "SVC #imm8"],
  ["1101............", "B<condition> label"],
  ["11100...........", "B label"], // 70
  ["11110...........", "BL, MSR, MRS, DMB, DSB, ISB: 32 bits"],
];

/** Halfword -> number of its row; 255: no instruction. */
export const DECODED = new Uint8Array(65536).fill(255);
for (let number = INSTRUCTIONS.length - 1; number >= 0; number--) {
  const pattern = INSTRUCTIONS[number][0];
  const fixed = parseInt(pattern.replace(/[01]/g, "1").replace(/\./g, "0"), 2);
  const value = parseInt(pattern.replace(/\./g, "0"), 2);
  for (let halfword = 0; halfword < 65536; halfword++) {
    if ((halfword & fixed) === value) {
      DECODED[halfword] = number;
    }
  }
}
