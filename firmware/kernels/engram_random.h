// The stream of standard normal numbers, for kernels beside gaussian_f32.
#ifndef ENGRAM_RANDOM_H
#define ENGRAM_RANDOM_H

#include <stdint.h>

uint32_t engram_stream_key(int32_t seed);

// Number `counter` of the stream of a key.
float engram_normal(uint32_t key, uint32_t counter);

#endif
