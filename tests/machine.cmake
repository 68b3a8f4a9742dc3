# SPDX-License-Identifier: MIT
# Tests that run in the machine: each is one ntrun, and its exit code decides.
set(NTRUN ${MACHINE_OUTPUT}/ntrun)

# machine_test(name [OPTIONS ntrun-options...] RUN files and arguments... [STATUS code] [SAYS regex] [TIMEOUT seconds])
#   STATUS  the exit code ntrun must give (default 0)
#   SAYS    what the output must contain as well
function(machine_test name)
    cmake_parse_arguments(A "" "STATUS;SAYS;TIMEOUT" "OPTIONS;RUN" ${ARGN})
    if(NOT DEFINED A_STATUS)
        set(A_STATUS 0)
    endif()
    if(NOT DEFINED A_TIMEOUT)
        set(A_TIMEOUT 120)
    endif()
    add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/expect-status ${A_STATUS} "${A_SAYS}"
        ${NTRUN} --timeout ${A_TIMEOUT} ${A_OPTIONS} ${A_RUN} WORKING_DIRECTORY ${TEST_OUTPUT})
    math(EXPR limit "${A_TIMEOUT} + 30")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${limit})
endfunction()

# The groups of ktest.sys.
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/machine/kernel/groups.def groups REGEX "^GROUP\\(")
foreach(line IN LISTS groups)
    string(REGEX REPLACE "^GROUP\\(([a-z_0-9]+)\\).*" "\\1" group ${line})
    machine_test(machine.kernel.${group} RUN ktest.sys ktest.exe ${group})
endforeach()
