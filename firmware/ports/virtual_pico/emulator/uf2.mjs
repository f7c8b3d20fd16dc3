// UF2, the format in which a Pico takes firmware: blocks of 512 bytes, each saying where its part
// goes (the specification is in github.com/microsoft/uf2).

const BLOCK_BYTES = 512;
const DATA_AT = 32;
const DATA_MOST = 476;
const MAGIC = [0x0a324655, 0x9e5d5157];
const MAGIC_END = 0x0ab16f30;
const NOT_FOR_FLASH = 0x00000001;
const HAS_FAMILY = 0x00002000;
const FAMILY_RP2040 = 0xe48bff56;

/** [{address, data}] of a file's content; throws when it is no UF2 for an RP2040. */
export function parts(content) {
  if (content.length === 0 || content.length % BLOCK_BYTES) {
    throw new Error(`a UF2 is whole blocks of ${BLOCK_BYTES} bytes, this has ${content.length}`);
  }
  const found = [];
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const word = (i) => content.readUInt32LE(at + 4 * i);
    const [flags, address, size, family] = [word(2), word(3), word(4), word(7)];
    if (word(0) !== MAGIC[0] || word(1) !== MAGIC[1] || word(127) !== MAGIC_END) {
      throw new Error(`no UF2 block at byte ${at}`);
    }
    if (flags & NOT_FOR_FLASH) {
      continue;
    }
    if (!(flags & HAS_FAMILY) || family !== FAMILY_RP2040) {
      throw new Error(`expected a UF2 for an RP2040, got a block for another chip at byte ${at}`);
    }
    if (size > DATA_MOST) {
      throw new Error(`the block at byte ${at} holds ${size} bytes, ${DATA_MOST} are the most`);
    }
    found.push({ address, data: content.subarray(at + DATA_AT, at + DATA_AT + size) });
  }
  return found;
}
