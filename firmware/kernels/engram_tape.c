// Finding the rows of a tape, and the wording of what is wrong with one.
#include "engram_line.h"
#include "engram_tape.h"

engram_row_t *engram_row_at(engram_row_t *row, size_t at) {
    for (; at > 0; at--) {
        row = engram_next_row(row);
    }
    return row;
}

size_t engram_tape_message(char *out, size_t size, const char *place, int32_t row,
    const char *expected, const char *got) {
    engram_line_t line = { out, size - 1, 0 };
    engram_put_text(&line, place);
    if (row >= 0) {
        engram_put_text(&line, " ");
        engram_put_int(&line, row);
    }
    engram_put_text(&line, ": expected ");
    engram_put_text(&line, expected);
    engram_put_text(&line, ", got ");
    engram_put_text(&line, got);
    out[line.n] = '\0';
    return line.n;
}

size_t engram_range_message(char *out, size_t size, const char *place, int64_t low, int64_t high,
    int64_t got) {
    engram_line_t line = { out, size - 1, 0 };
    engram_put_text(&line, place);
    engram_put_text(&line, ": expected an int from ");
    engram_put_int(&line, low);
    engram_put_text(&line, " to ");
    engram_put_int(&line, high);
    engram_put_text(&line, ", got ");
    engram_put_int(&line, got);
    out[line.n] = '\0';
    return line.n;
}
