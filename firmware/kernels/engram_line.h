// A line of text that is put together in memory of the caller's; what does not fit is cut off.
#ifndef ENGRAM_LINE_H
#define ENGRAM_LINE_H

#include <stddef.h>
#include <stdint.h>

typedef struct { char *p; size_t room; size_t n; } engram_line_t;

void engram_put(engram_line_t *line, const char *text, size_t length);
void engram_put_text(engram_line_t *line, const char *text);
void engram_put_int(engram_line_t *line, int64_t value);

#endif
