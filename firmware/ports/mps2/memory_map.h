#pragma once

// Leave only the memory of the chip accessible.
void memory_map_init(void);
