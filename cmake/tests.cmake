# Unit tests: tests/unit/<layer>/test_*.c, each an executable linked with its layer alone.
# Fuzzers:    tests/fuzz/<layer>/fuzz_*.c, likewise; a folder corpus_<name> beside one is its seed.
set(PX_LAYERS base crypto json sse http net fetch exchange state script server)

# Lets a test stand between the code and functions that it calls: __wrap_NAME() replaces NAME().
function(px_wrap target)
    foreach(name IN LISTS ARGN)
        target_link_options(${target} PRIVATE LINKER:--wrap=${name})
    endforeach()
endfunction()

if(PX_TESTS)
    enable_testing()
    pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
    foreach(layer IN LISTS PX_LAYERS)
        file(GLOB sources CONFIGURE_DEPENDS tests/unit/${layer}/test_*.c)
        foreach(source IN LISTS sources)
            get_filename_component(name ${source} NAME_WE)
            set(target ${layer}_${name})
            add_executable(${target} ${source})
            target_include_directories(${target} PRIVATE src/${layer} tests/unit)
            target_link_libraries(${target} PRIVATE px_${layer} PkgConfig::cmocka)
            add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
            set_tests_properties(${target} PROPERTIES TIMEOUT 120)
        endforeach()
        # What a folder's tests need beyond their layer they say themselves.
        include(${PROJECT_SOURCE_DIR}/tests/unit/${layer}/extra.cmake OPTIONAL)
    endforeach()

    # Lua specs, run in a state of the engine.
    add_executable(lua_spec tests/lua/runner.c tests/lua/require.c tests/lua/splits.c)
    target_include_directories(lua_spec PRIVATE src/script src/exchange)
    target_link_libraries(lua_spec PRIVATE px_script)
    file(GLOB specs CONFIGURE_DEPENDS tests/lua/*_spec.lua)
    if(specs)
        add_test(NAME lua_specs COMMAND lua_spec ${specs} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    endif()
endif()

if(PX_FUZZ)
    foreach(layer IN LISTS PX_LAYERS)
        file(GLOB sources CONFIGURE_DEPENDS tests/fuzz/${layer}/fuzz_*.c)
        foreach(source IN LISTS sources)
            get_filename_component(name ${source} NAME_WE)
            add_executable(${name} ${source})
            target_include_directories(${name} PRIVATE src/${layer})
            target_link_libraries(${name} PRIVATE px_${layer})
            target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        endforeach()
        # What a folder needs beyond its layer (another parser to compare with) it says itself.
        include(${PROJECT_SOURCE_DIR}/tests/fuzz/${layer}/extra.cmake OPTIONAL)
    endforeach()
endif()

if(PX_BENCH)
    include(${PROJECT_SOURCE_DIR}/tests/bench/bench.cmake OPTIONAL)
endif()
