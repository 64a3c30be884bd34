px_wrap(http_test_alloc malloc calloc realloc inflateInit2_ ZSTD_createDCtx)
