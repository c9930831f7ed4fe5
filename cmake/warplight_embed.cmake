# warplight_embed(TARGET HEADER LIST FILES...): makes files part of a library. HEADER, as it is included, gets
#   inline const warplight::EmbeddedFile LIST[] = {...};
# for all files in the order given.
function(warplight_embed target header list)
    set(declarations "")
    set(entries "")
    set(data "")
    foreach(file ${ARGN})
        get_filename_component(name ${file} NAME)
        string(MAKE_C_IDENTIFIER "${list}_${name}" symbol)
        string(APPEND declarations "extern \"C\" const char ${symbol}_begin[], ${symbol}_end[];\n")
        string(APPEND entries "    {\"${name}\", ${symbol}_begin, ${symbol}_end},\n")
        string(APPEND data "asm(\".section .rodata\\n.balign 16\\n.global ${symbol}_begin\\n.global ${symbol}_end\\n\"\n"
                           "    \"${symbol}_begin:\\n.incbin \\\"${file}\\\"\\n${symbol}_end:\\n.byte 0\\n.text\\n\");\n")
    endforeach()
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
    file(CONFIGURE OUTPUT ${generated}/${header} @ONLY CONTENT "#pragma once
#include \"gpu/embedded_file.h\"
@declarations@inline const warplight::EmbeddedFile @list@[] = {
@entries@};
")
    file(CONFIGURE OUTPUT ${generated}/${header}.cpp @ONLY CONTENT "@data@")
    set_source_files_properties(${generated}/${header}.cpp PROPERTIES OBJECT_DEPENDS "${ARGN}")
    target_sources(${target} PRIVATE ${generated}/${header}.cpp)
    target_include_directories(${target} PRIVATE ${generated})
endfunction()
