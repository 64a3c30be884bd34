if(TARGET fetch_test_memory)
    px_wrap(fetch_test_memory malloc calloc realloc free)
endif()

# Most tests go to 127.0.0.1 over plain HTTP. They run again with everything in the library's lane.
foreach(name IN ITEMS answer flow limit memory storm transfer upload)
    if(TARGET fetch_test_${name})
        add_test(NAME fetch_test_${name}_no_lane COMMAND fetch_test_${name}
            WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties(fetch_test_${name}_no_lane PROPERTIES TIMEOUT 120
            ENVIRONMENT PX_TEST_NO_LANE=1)
    endif()
endforeach()
