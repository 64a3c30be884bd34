if(TARGET exchange_test_memory)
    px_wrap(exchange_test_memory malloc calloc realloc)
endif()
# The fake upstream of fetch's tests.
if(TARGET exchange_test_relay)
    target_include_directories(exchange_test_relay PRIVATE src/fetch)
endif()
