# The test makes allocations fail.
target_link_options(json_test_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
