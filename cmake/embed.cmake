# Makes the shipped Lua part of the binary: a C file with one array for each file of lua/ (without
# the type stubs in lua/px/_meta, which are never loaded). Changes of the files, and new ones, are
# noticed at the next build.
#
# Called by cmake itself too, in script mode: cmake -DROOT=… -DOUT=… -P cmake/embed.cmake
if(CMAKE_SCRIPT_MODE_FILE)
    file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/lua/*.lua)
    list(FILTER files EXCLUDE REGEX "/_meta/")
    list(SORT files)
    set(arrays "")
    set(rows "")
    set(number 0)
    foreach(file IN LISTS files)
        file(READ ${ROOT}/${file} hex HEX)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
        string(REGEX REPLACE "^lua/(.*)\\.lua$" "\\1" name ${file})
        string(REGEX REPLACE "/init$" "" name ${name})
        string(REPLACE "/" "." name ${name})
        string(APPEND arrays "static const unsigned char f${number}[] = {${bytes}0};\n")
        string(APPEND rows "    { \"${name}\", \"${file}\", (const char *)f${number}, sizeof(f${number}) - 1 },\n")
        math(EXPR number "${number} + 1")
    endforeach()
    file(WRITE ${OUT} "#include \"embed.h\"\n\n${arrays}\nconst struct px_embedded px_embedded_files[] = {\n${rows}};\n"
        "const size_t px_embedded_count = ${number};\n")
    return()
endif()

file(GLOB_RECURSE lua_files CONFIGURE_DEPENDS lua/*.lua)
set(embedded ${PROJECT_BINARY_DIR}/embedded.c)
add_custom_command(OUTPUT ${embedded}
    COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUT=${embedded}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${lua_files} cmake/embed.cmake
    COMMENT "Embedding lua/")
target_sources(px_script PRIVATE ${embedded})
