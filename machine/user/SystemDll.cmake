# SPDX-License-Identifier: MIT
# isthmus_system_dll(name BASE address EXPORTS list... SOURCES file... [LIBRARIES target...] [SERVICES file])
#
# A DLL of the machine: no C run-time, an entry point that has nothing to do, its own preferred address, and an export table made from lists
# (one name per line; "Name=Other" renames, "Name=DLL.Other" forwards, "Name DATA" is a variable, '#' starts a comment).
# SERVICES adds NtXxx and ZwXxx for every system service. Other targets link against the DLL's own import library.
include_guard()

set(SYSTEM_DLL_DIR ${CMAKE_CURRENT_LIST_DIR})

# Without this CMake adds the import libraries of mingw, and names would quietly come from there.
set(CMAKE_C_STANDARD_LIBRARIES "")

function(isthmus_system_dll name)
    cmake_parse_arguments(A "" "BASE;SERVICES" "EXPORTS;SOURCES;LIBRARIES" ${ARGN})
    set(def ${CMAKE_CURRENT_BINARY_DIR}/${name}.def)
    set(lists)
    foreach(list IN LISTS A_EXPORTS)
        get_filename_component(path ${list} ABSOLUTE)
        list(APPEND lists ${path})
    endforeach()
    add_custom_command(
        OUTPUT ${def}
        COMMAND ${CMAKE_COMMAND} -DNAME=${name}.dll "-DLISTS=${lists}" -DSERVICES=${A_SERVICES} -DDEF=${def}
                -P ${SYSTEM_DLL_DIR}/make-def.cmake
        DEPENDS ${lists} ${A_SERVICES} ${SYSTEM_DLL_DIR}/make-def.cmake
        COMMENT "Listing the exports of ${name}.dll"
        VERBATIM)
    add_custom_target(${name}-def DEPENDS ${def})

    add_library(${name} SHARED ${A_SOURCES} ${SYSTEM_DLL_DIR}/dllmain.c)
    add_dependencies(${name} ${name}-def)
    set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${SYSTEM_OUTPUT}
        LINK_DEPENDS ${def})
    isthmus_part_symbols(${name})
    target_compile_options(${name} PRIVATE ${NT_COMMON_FLAGS} -ffreestanding)
    target_compile_definitions(${name} PRIVATE _NTSYSTEM_ _KERNEL32_ _ADVAPI32_ _WIN32_WINNT=0x0A00
        NTDDI_VERSION=0x0A000000)
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${SYSTEM_DLL_DIR}/ntdll
        ${PROJECT_SOURCE_DIR}/machine/include ${PROJECT_SOURCE_DIR}/machine/common)
    target_link_libraries(${name} PRIVATE ${A_LIBRARIES})
    target_link_options(${name} PRIVATE -fuse-ld=lld -nostdlib -Wl,--entry,SystemDllMain -Wl,--dynamicbase -Wl,--no-insert-timestamp
        -Wl,--image-base,${A_BASE} ${def})
endfunction()
