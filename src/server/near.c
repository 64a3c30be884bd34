#include "near.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 40

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

// Letters to insert, remove or exchange, neighbours that changed places counting as one; upper and
// lower case are the same.
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = min3(row[j - 1] + 1, above[j] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void px_near_try(struct px_near *near, const char *typed, const char *known)
{
    size_t a = strlen(typed), b = strlen(known);
    if (a == 0 || a > NAME_MAX_LEN || b > NAME_MAX_LEN) {
        return;
    }
    size_t d = distance(typed, a, known, b);
    size_t longest = a > b ? a : b;
    if (d <= 1 + longest / 4 && d < longest && (!near->best || d < near->distance)) {
        near->best = known;
        near->distance = d;
    }
}
