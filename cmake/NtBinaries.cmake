# SPDX-License-Identifier: MIT
# How each sort of PE binary is compiled and linked. One function per sort.

set(MINGW_INCLUDE /usr/x86_64-w64-mingw32/include)

# Flags that every PE object gets. -fasync-exceptions: a fault at a plain load or store inside __try is caught;
# -funwind-tables: .pdata for every function, also where -ffreestanding would drop it.
set(NT_COMMON_FLAGS
    -fms-extensions -Xclang -fasync-exceptions -funwind-tables -mno-stack-arg-probe -fno-stack-protector
    -gdwarf-4 -Wall -Wextra -Wno-unused-parameter -Wno-unknown-pragmas -Wno-ignored-attributes -Wno-\#warnings
    -Wno-microsoft -Wno-missing-field-initializers)
set(NT_KERNEL_MODE_FLAGS ${NT_COMMON_FLAGS} -ffreestanding -fno-builtin-memcpy)
# The intrinsics header declares these two as external functions, the driver kit then defines them as static ones: without the
# first, no object exports them.
set(NT_KERNEL_DEFINITIONS _WIN32_WINNT=0x0A00 NTDDI_VERSION=0x0A000000
    __INTRINSIC_DEFINED_InterlockedBitTestAndSet __INTRINSIC_DEFINED_InterlockedBitTestAndReset)
set(NT_KERNEL_INCLUDES ${MINGW_INCLUDE} ${MINGW_INCLUDE}/ddk)

# What the machine loads carries no debug information: every start would copy it. The full file goes to symbols/.
function(isthmus_part_symbols target)
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E make_directory ${MACHINE_OUTPUT}/symbols
        COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:${target}> ${MACHINE_OUTPUT}/symbols/
        COMMAND llvm-strip-19 -g $<TARGET_FILE:${target}>
        VERBATIM)
endfunction()

# isthmus_driver(name SOURCES ... [LIBRARIES ...] [OUTPUT dir] [ENTRY name])
# A WDM driver: native subsystem, DriverEntry, no C run-time. Without LIBRARIES it links against the machine's own list.
function(isthmus_driver name)
    cmake_parse_arguments(A "" "OUTPUT;ENTRY" "SOURCES;LIBRARIES;DEFINITIONS" ${ARGN})
    if(NOT A_ENTRY)
        set(A_ENTRY DriverEntry)
    endif()
    add_executable(${name}.sys ${A_SOURCES})
    set_target_properties(${name}.sys PROPERTIES OUTPUT_NAME ${name} SUFFIX .sys RUNTIME_OUTPUT_DIRECTORY ${A_OUTPUT})
    target_compile_options(${name}.sys PRIVATE ${NT_KERNEL_MODE_FLAGS})
    target_compile_definitions(${name}.sys PRIVATE ${NT_KERNEL_DEFINITIONS} ${A_DEFINITIONS})
    target_include_directories(${name}.sys SYSTEM PRIVATE ${NT_KERNEL_INCLUDES})
    target_include_directories(${name}.sys PRIVATE ${PROJECT_SOURCE_DIR}/include)
    if(NOT A_LIBRARIES)
        set(A_LIBRARIES ${NTOSKRNL_IMPORT_LIBRARY})
        add_dependencies(${name}.sys ntoskrnl-import-library)
    endif()
    target_link_libraries(${name}.sys PRIVATE ${A_LIBRARIES})
    target_link_options(${name}.sys PRIVATE -nostdlib -Wl,--subsystem,native -Wl,--entry,${A_ENTRY} -Wl,--dynamicbase
        -Wl,--no-insert-timestamp)
endfunction()

# mingw_program(name SOURCES ... [LIBRARIES ...] [OPTIONS ...] OUTPUT dir)
# A console program exactly as Debian's own x86_64-w64-mingw32-gcc makes it: ordinary start-up code and msvcrt.dll.
function(mingw_program name)
    cmake_parse_arguments(A "" "OUTPUT" "SOURCES;LIBRARIES;OPTIONS;DEPENDS" ${ARGN})
    set(absolute)
    foreach(source IN LISTS A_SOURCES)
        get_filename_component(path ${source} ABSOLUTE)
        list(APPEND absolute ${path})
    endforeach()
    set(depfile)
    if(absolute) # of objects alone gcc writes none, and ninja would take the program for stale for ever
        set(depfile DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${name}.d)
    endif()
    add_custom_command(
        OUTPUT ${A_OUTPUT}/${name}.exe
        COMMAND ${CMAKE_COMMAND} -E make_directory ${A_OUTPUT}
        COMMAND x86_64-w64-mingw32-gcc -std=c11 -O2 -g -Wall -Wextra -I${PROJECT_SOURCE_DIR}/include ${A_OPTIONS}
                -MD -MF ${CMAKE_CURRENT_BINARY_DIR}/${name}.d -o ${A_OUTPUT}/${name}.exe ${absolute} ${A_LIBRARIES}
        DEPENDS ${absolute} ${A_DEPENDS}
        ${depfile}
        COMMENT "Compiling ${name}.exe with mingw gcc"
        VERBATIM)
    add_custom_target(${name}.exe ALL DEPENDS ${A_OUTPUT}/${name}.exe)
endfunction()
