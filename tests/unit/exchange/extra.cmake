if(TARGET exchange_test_memory)
    px_wrap(exchange_test_memory malloc calloc realloc)
endif()
# The fake upstream of fetch's tests.
foreach(test IN ITEMS exchange_test_relay exchange_test_reply)
    if(TARGET ${test})
        target_include_directories(${test} PRIVATE src/fetch)
    endif()
endforeach()
