px_wrap(sse_test_alloc malloc calloc realloc)
