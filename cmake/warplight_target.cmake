# warplight_library(NAME DIR... ): a static library of every .cpp directly in the given folders, with the project's
# include root, warnings and sanitizers. A new file in such a folder needs no edit here.
function(warplight_options target)
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-unknown-pragmas)
    # GCC 13 and later take members of an empty std::optional for uninitialised.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
        target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
    if(WARPLIGHT_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(WARPLIGHT_SANITIZE)
        target_compile_options(${target} PUBLIC -fsanitize=${WARPLIGHT_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=undefined
                                        # What the first two find ends at the address sanitizer when it is used; the
                                        # fuzzers, by Clang, have all three. More than half of the time to compile.
                                        $<$<CXX_COMPILER_ID:GNU>:-fno-sanitize=null,pointer-overflow,alignment>
                                        # A stack needs lines, no more: half the time to compile.
                                        PRIVATE -O1 -g1 $<$<CXX_COMPILER_ID:GNU>:-fno-var-tracking>)
        target_link_options(${target} PUBLIC -fsanitize=${WARPLIGHT_SANITIZE})
    endif()
    if(WARPLIGHT_FUZZ)
        target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
    endif()
    target_compile_options(${target} PRIVATE ${WARPLIGHT_OPTIMISATION})
endfunction()

# Files without long loops, in time of compilation: -O3 takes a quarter more than -O2, sanitized -O1 twice as much as -O0.
# Takes effect as WARPLIGHT_OPTIMISATION. At -O2 GCC 12, too, takes members of an empty std::variant for uninitialised, and
# what a growing std::vector moves for memory that is not the heap's.
set(WARPLIGHT_LIGHT_OPTIMISATION $<$<CONFIG:Release>:-O2>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-free-nonheap-object>)
if(WARPLIGHT_SANITIZE)
    set(WARPLIGHT_LIGHT_OPTIMISATION -O0)
endif()

# What most files of the program include.
set(WARPLIGHT_STANDARD_HEADERS
    algorithm array atomic bit chrono cmath cstddef cstdint cstring exception filesystem functional limits map memory mutex
    optional set span stdexcept string string_view system_error tuple type_traits utility variant vector fmt/format.h)

# warplight_precompile(NAME HEADERS...): headers that are read once, for all targets with the flags that NAME has when
# warplight_use_precompiled(TARGET NAME) gives them to it; libraries take those of the variable WARPLIGHT_PRECOMPILED.
# It is a matter of time only: every file includes what it uses, and -DWARPLIGHT_PRECOMPILE=OFF builds without.
function(warplight_precompile name)
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp @ONLY CONTENT "")
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
    set_target_properties(${name} PROPERTIES AUTOMOC OFF AUTORCC OFF)
    warplight_options(${name})
    target_link_libraries(${name} PRIVATE fmt::fmt)
    list(TRANSFORM ARGN REPLACE "(.+)" "<\\1>")
    target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

function(warplight_use_precompiled target name)
    if(WARPLIGHT_PRECOMPILE)
        target_precompile_headers(${target} REUSE_FROM ${name})
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
            # The first is for ccache. The others: with precompiled headers GCC 12 inlines strings a little differently,
            # and then says what it wrongly believes about them (its bug 105651).
            target_compile_options(${target} PRIVATE -fpch-preprocess -Wno-array-bounds -Wno-restrict
                                                     -Wno-stringop-overflow -Wno-stringop-overread)
        endif()
    endif()
endfunction()

function(warplight_library name)
    set(globs)
    foreach(dir ${ARGN})
        list(APPEND globs ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.h)
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS ${globs})
    if(NOT "${sources}" MATCHES "\\.cpp") # a room that has only its header so far
        file(TOUCH ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp)
        list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp)
    endif()
    add_library(${name} STATIC ${sources})
    warplight_options(${name})
    if(WARPLIGHT_PRECOMPILED)
        warplight_use_precompiled(${name} ${WARPLIGHT_PRECOMPILED})
    endif()
endfunction()
