# SPDX-License-Identifier: MIT
# The misuse tests, made from rules.def: per RULE one that breaks the rule and one that keeps it, per ALSO one more.
add_executable(expect-stop ${PROJECT_SOURCE_DIR}/tests/misuse/expect/expect-stop.c)
set_target_properties(expect-stop PROPERTIES C_STANDARD 17)
target_compile_definitions(expect-stop PRIVATE _GNU_SOURCE)
target_compile_options(expect-stop PRIVATE -O1 -Wall -Wextra)

# misuse_test(test stop options arguments...)
function(misuse_test test stop options)
    set(flags)
    separate_arguments(options)
    foreach(option IN LISTS options)
        list(APPEND flags --option ${option})
    endforeach()
    add_test(NAME ${test}
        COMMAND expect-stop ${stop} ${NTRUN} --timeout 120 ${flags} misuse.sys misuse.exe ${ARGN}
        WORKING_DIRECTORY ${TEST_OUTPUT})
    set_tests_properties(${test} PROPERTIES TIMEOUT 150)
endfunction()

set(RULES ${PROJECT_SOURCE_DIR}/tests/misuse/rules/rules.def)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${RULES})
file(STRINGS ${RULES} lines REGEX "^(RULE|ALSO)\\(")
foreach(line IN LISTS lines)
    if(line MATCHES "^RULE\\(([a-z_0-9]+), \"([^\"]+)\", \"([^\"]*)\", \"[^\"]+\", \"[^\"]+\"\\)$")
        set(name ${CMAKE_MATCH_1})
        set(options "${CMAKE_MATCH_3}")
        misuse_test(misuse.${name} "${CMAKE_MATCH_2}" "${options}" ${name})
        misuse_test(misuse.${name}.correct survives "${options}" --correct ${name})
    elseif(line MATCHES
           "^ALSO\\(([a-z_0-9]+), ([a-z_0-9]+), \"([^\"]+)\", \"([^\"]*)\", \"[^\"]+\", \"[^\"]+\"\\)$")
        misuse_test(misuse.${CMAKE_MATCH_1}.${CMAKE_MATCH_2} "${CMAKE_MATCH_3}" "${CMAKE_MATCH_4}" ${CMAKE_MATCH_1})
    else()
        message(FATAL_ERROR "rules.def: not in the form that its head describes: ${line}")
    endif()
endforeach()

# What the blue screen says besides.
machine_test(misuse.blame STATUS 203 SAYS "caused by misuse.sys" RUN misuse.sys misuse.exe unhandled)
machine_test(misuse.words STATUS 203 SAYS "SYSTEM_SERVICE_EXCEPTION" RUN misuse.sys misuse.exe unhandled)
