if(TARGET fetch_test_memory)
    px_wrap(fetch_test_memory malloc calloc realloc)
endif()
