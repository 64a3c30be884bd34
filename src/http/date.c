#include "px/http_write.h"

#include <string.h>
#include <time.h>

static void put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10 % 10);
    at[1] = (char)('0' + number % 10);
}

struct px_str px_http_date(struct px_http_date *cache, int64_t wall_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(wall_ms / 1000);
    if (cache->second != now + 1) {
        struct tm tm = { 0 };
        gmtime_r(&now, &tm);
        char *text = cache->text;
        memcpy(text, "Day, 00 Mon 0000 00:00:00 GMT", sizeof(cache->text));
        memcpy(text, days + 3 * tm.tm_wday, 3);
        put_two(text + 5, tm.tm_mday);
        memcpy(text + 8, months + 3 * tm.tm_mon, 3);
        put_two(text + 12, (tm.tm_year + 1900) / 100);
        put_two(text + 14, tm.tm_year % 100);
        put_two(text + 17, tm.tm_hour);
        put_two(text + 20, tm.tm_min);
        put_two(text + 23, tm.tm_sec);
        cache->second = now + 1;
    }
    return (struct px_str){ cache->text, sizeof(cache->text) - 1 };
}
