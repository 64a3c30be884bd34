// Fields of a multipart/form-data body, found in what has come of it.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "px/http_multipart.h"

#define TYPE "multipart/form-data; boundary=B"
#define FIELD(name, value) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value
#define FILE_PART                                                                                  \
    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;\\\"b\"\r\n"               \
    "Content-Type: image/png\r\n\r\n\0\r\n--A\r\n-"

static enum px_multipart_found find(const char *type, const char *bytes, size_t len, bool whole,
                                    struct px_str *value)
{
    // Bytes of their own, so that a sanitizer sees every look past the end.
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    struct px_str type_text = { type, strlen(type) };
    struct px_error err = { PX_OK, "" };
    enum px_multipart_found found = px_http_multipart_find((struct px_str){ copy, len }, whole,
                                                           type_text, PX_STR("model"), value, &err);
    if (found == PX_MULTIPART_FOUND) {
        value->ptr = bytes + (value->ptr - copy);
    }
    assert_true((found == PX_MULTIPART_BAD) == (err.text[0] != '\0'));
    free(copy);
    return found;
}

static void test_a_field_is_found_whatever_stands_around_it(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        FIELD("model", "m\r\n") "--B--",
        FIELD("a", "1\r\n") FIELD("model", "m\r\n") FIELD("b", "") "\r\n--B--\r\n",
        FIELD("Model", "x\r\n") FIELD("model", "m\r\n") "--B--\r\nepilogue",
        ("--B\r\ncontent-type: text/plain\r\ncontent-disposition:form-data;name=model;\r\n"
         "content-transfer-encoding: 8BIT\r\n\r\nm\r\n--B--"),
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct px_str value = { 0 };
        assert_int_equal(find(TYPE, bodies[i], strlen(bodies[i]), true, &value),
                         PX_MULTIPART_FOUND);
        assert_true(px_str_eq(value, PX_STR("m")));
    }
}

static void test_what_has_not_come_is_late_at_every_cut(void **state)
{
    (void)state;
    static const char body[] = FILE_PART "\r\n" FIELD("model", "m\r\n") "--B--\r\n";
    const size_t known = sizeof(body) - 1 - strlen("--\r\n");
    for (size_t len = 0; len < sizeof(body); len++) {
        struct px_str value = { 0 };
        enum px_multipart_found found = find(TYPE, body, len, false, &value);
        assert_int_equal(found, len < known ? PX_MULTIPART_LATE : PX_MULTIPART_FOUND);
        found = find(TYPE, body, len, true, &value);
        assert_int_equal(found, len < known + 2 ? PX_MULTIPART_BAD : PX_MULTIPART_FOUND);
    }
}

static void test_what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        FIELD("model", "a\r\n") FIELD("model", "a\r\n") "--B--",
        "--B\r\nContent-Disposition: form-data; name=\"model\"; filename=\"x\"\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name*=utf-8''model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=model; name=x\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=\"model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: attachment; name=model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=x\r\nContent-Disposition: form-data; "
        "name=model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=model\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition : form-data; name=model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data;\r\n name=model\r\n\r\na\r\n--B--",
        "--B\r\nContent-Disposition: form-data;\n name=model\r\n\r\na\r\n--B--",
        "--B\nContent-Disposition: form-data; name=model\n\na\n--B--",
        "--B\r\n\r\na\r\n--B--",
        "--B\r\nX: y\r\n\r\na\r\n--B--",
        "--B \r\nContent-Disposition: form-data; name=model\r\n\r\na\r\n--B--",
        "\r\n--B\r\nContent-Disposition: form-data; name=model\r\n\r\na\r\n--B--",
        FIELD("model", "a\r\n") "--BB--",
        "preamble\r\n" FIELD("model", "a\r\n") "--B--",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct px_str value;
        if (find(TYPE, bodies[i], strlen(bodies[i]), true, &value) != PX_MULTIPART_BAD) {
            fail_msg("taken: %s", bodies[i]);
        }
    }
}

static void test_a_form_without_the_field_has_none(void **state)
{
    (void)state;
    struct px_str value;
    assert_int_equal(find(TYPE, "--B--", 5, false, &value), PX_MULTIPART_ABSENT);
    static const char body[] = FIELD("x", "model\r\n") "--B--";
    assert_int_equal(find(TYPE, body, strlen(body), false, &value), PX_MULTIPART_ABSENT);
}

static void test_the_content_type_must_name_one_good_boundary(void **state)
{
    (void)state;
    static const char *const good[] = {
        TYPE,
        "Multipart/Form-Data;BOUNDARY=\"B\"",
        "multipart/form-data ; x=y; boundary=B ;",
    };
    static const char *const wrong[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; bound",
        "multipart/form-data; boundary=B; boundary=B",
        "multipart/mixed; boundary=B",
        "multipart/form-data2; boundary=B",
        "multipart/form-data; boundary=\"B",
        "multipart/form-data; boundary=\"B \"",
        "multipart/form-data; boundary=\"a{b\"",
        "",
        ("multipart/form-data; boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaa"),
    };
    static const char body[] = FIELD("model", "m\r\n") "--B--";
    struct px_str value;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(find(good[i], body, strlen(body), true, &value), PX_MULTIPART_FOUND);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(find(wrong[i], body, strlen(body), true, &value), PX_MULTIPART_BAD);
    }
    assert_true(px_http_is_multipart(PX_STR("MULTIPART/FORM-DATA")));
    assert_false(px_http_is_multipart(PX_STR("multipart/form-dat")));
    assert_false(px_http_is_multipart(PX_STR("multipart/form-data2")));
}

static void test_the_headers_of_a_part_have_a_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        static char body[2 * PX_MULTIPART_HEAD_MAX];
        const char *start = "--B\r\n", *head = "Content-Disposition: form-data; name=model\r\nX: ";
        size_t fill = PX_MULTIPART_HEAD_MAX - strlen(head) - 4 + over;
        size_t len = (size_t)snprintf(body, sizeof(body), "%s%s%*s\r\n\r\nm\r\n--B--", start, head,
                                      (int)fill, "x");
        struct px_str value;
        assert_int_equal(find(TYPE, body, len, true, &value),
                         over ? PX_MULTIPART_BAD : PX_MULTIPART_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_is_found_whatever_stands_around_it),
        cmocka_unit_test(test_what_has_not_come_is_late_at_every_cut),
        cmocka_unit_test(test_what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(test_a_form_without_the_field_has_none),
        cmocka_unit_test(test_the_content_type_must_name_one_good_boundary),
        cmocka_unit_test(test_the_headers_of_a_part_have_a_limit),
    };
    return cmocka_run_group_tests_name("http multipart", tests, NULL, NULL);
}
