px_wrap(json_test_memory malloc calloc realloc)
