// Text and numbers into a line.
#include "engram_line.h"

void engram_put(engram_line_t *line, const char *text, size_t length) {
    for (size_t i = 0; i < length && line->n < line->room; i++) {
        line->p[line->n++] = text[i];
    }
}

void engram_put_text(engram_line_t *line, const char *text) {
    for (; *text != '\0'; text++) {
        engram_put(line, text, 1);
    }
}

void engram_put_int(engram_line_t *line, int64_t value) {
    char digits[20];
    int n = 20;
    uint64_t v = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    if (value < 0) {
        engram_put_text(line, "-");
    }
    engram_put(line, digits + n, (size_t)(20 - n));
}
