// The counter the kernels' face brackets every kernel with (see firmware/binding).
#pragma once

#include "engram_port.h"

#define ENGRAM_TICKS() engram_counter()
