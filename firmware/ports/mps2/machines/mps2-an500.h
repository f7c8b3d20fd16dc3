// Arm's MPS2 board with the image AN500, a Cortex-M7: the PSRAM lies elsewhere than with AN386.
#include "mps2-an386.h"

#undef MACHINE_FLASH_BASE
#define MACHINE_FLASH_BASE 0x60000000
