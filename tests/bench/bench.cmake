# The tools of `make bench`. They link nothing of ours, so that what is measured cannot help itself.
foreach(tool IN ITEMS upstream load)
    add_executable(bench_${tool} tests/bench/${tool}.c tests/bench/sock.c)
    target_link_libraries(bench_${tool} PRIVATE PkgConfig::openssl)
endforeach()
target_sources(bench_upstream PRIVATE tests/bench/answer.c)
target_sources(bench_load PRIVATE tests/bench/drive.c tests/bench/hold.c tests/bench/reply.c)

# What it measures is ours, against cJSON.
add_executable(bench_convert tests/bench/convert.c tests/lua/require.c)
target_include_directories(bench_convert PRIVATE src/script tests/lua)
target_link_libraries(bench_convert PRIVATE px_script PkgConfig::libcjson)
