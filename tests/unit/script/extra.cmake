px_wrap(script_test_json_lua malloc calloc realloc)
