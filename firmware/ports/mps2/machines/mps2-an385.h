// Arm's MPS2 board with the image AN385, a Cortex-M3: all else is as with AN386.
#include "mps2-an386.h"
