// Prototypes of this family of kernels; included by engram_kernels.h, whose rules they keep.
// Replay: which records go into a mini-batch, and from flash into it.
#ifndef ENGRAM_REPLAY_H
#define ENGRAM_REPLAY_H

// slots (B) = `fresh` new records, then old ones whose classes take turns; random (3) = state of
// the generator, place (2) = next new record and class served last, order (n) = slots of the new
// records, then of the old ones by class, start = first old record of each class and the end,
// present = the classes that have old records, `groups` of them; new records that have all been
// served are shuffled and served again
int32_t engram_draw_batch(engram_L_t slots, engram_L_t random, engram_L_t place, engram_H_t order,
    engram_h_t start, engram_b_t present, int32_t fresh, int32_t groups, engram_fault_t *fault);

// out (B, n) and labels (B): rows at .. at + count - 1 = the latents of records in raw, looked up
// in codes (2**bits); raw = the log as it lies in flash, slots (B), layout (8) = slots a unit,
// bytes from unit to unit, of slot 0, from slot to slot; of the record, its latent, its targets and
// its end in the slot; returns at + count, or the first row whose record is deleted or fails its
// crc32
int32_t engram_gather_latents(engram_F_t out, engram_B_t labels, engram_b_t raw, engram_l_t slots,
    engram_l_t layout, engram_f_t codes, int32_t at, int32_t count, engram_fault_t *fault);

// out (B, n) and labels (B) as gather_latents, with codes (2**bits) of int8
int32_t engram_gather_codes(engram_B_t out, engram_B_t labels, engram_b_t raw, engram_l_t slots,
    engram_l_t layout, engram_b_t codes, int32_t at, int32_t count, engram_fault_t *fault);

// out (B, n): rows at .. at + count - 1 = the targets of records in raw that gather_latents took,
// which is not checked again; raw, slots (B) and layout (8) as there, n = float32 targets of a record
int32_t engram_gather_targets(engram_F_t out, engram_b_t raw, engram_l_t slots, engram_l_t layout,
    int32_t at, int32_t count, engram_fault_t *fault);

#endif
