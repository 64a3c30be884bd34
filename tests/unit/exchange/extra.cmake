if(TARGET exchange_test_memory)
    px_wrap(exchange_test_memory malloc calloc realloc)
endif()
