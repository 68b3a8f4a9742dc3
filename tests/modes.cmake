# SPDX-License-Identifier: MIT
# Tests of machine and kit again, under the verifier's modes: right code must pass them all. (What each mode catches is
# in tests/misuse/rules: modes.c and deadlock.c.)
set(MODES special-pool special-pool:underrun force-irql trim deadlock all)

# What a mode changes on purpose: the group `trim` counts pages that leave; a lookaside list keeps no block in special
# pool.
set(NOT_UNDER_trim trim)
set(NOT_UNDER_special-pool lookaside)
set(NOT_UNDER_special-pool-underrun lookaside)
set(NOT_UNDER_all trim lookaside)

# mode_tests(prefix files-and-program groups...)
function(mode_tests prefix command)
    foreach(mode IN LISTS MODES)
        string(REPLACE ":" "-" label ${mode})
        foreach(group IN LISTS ARGN)
            if(group IN_LIST NOT_UNDER_${label})
                continue()
            endif()
            machine_test(modes.${label}.${prefix}.${group} TIMEOUT 400 OPTIONS --verify ${mode} RUN ${command} ${group})
            set_tests_properties(modes.${label}.${prefix}.${group} PROPERTIES LABELS long)
        endforeach()
    endforeach()
endfunction()

set(KERNEL_GROUPS)
foreach(line IN LISTS groups)
    if(NOT line MATCHES "^GROUP")
        continue() # a larger machine, for minutes
    endif()
    string(REGEX REPLACE "^GROUP\\(([a-z_0-9]+)\\).*" "\\1" group ${line})
    list(APPEND KERNEL_GROUPS ${group})
endforeach()
mode_tests(kernel "ktest.sys;ktest.exe" ${KERNEL_GROUPS})
mode_tests(kit "${KIT_FILES};kit-test.exe"
    abi addresses regions views requests names peek lifetime races configuration)

# The spelling, and the checks that are on by default.
machine_test(modes.unknown STATUS 200 SAYS "--verify has no mode \"spezial\"; the modes are special-pool"
    OPTIONS --verify trim,spezial RUN u_crash.exe 7)
machine_test(modes.none STATUS 203 SAYS "bug check 76 " OPTIONS --verify none RUN leftlock.sys leftlock.exe exit)
machine_test(modes.track STATUS 203 SAYS "bug check cb " OPTIONS --verify none,track RUN leftlock.sys leftlock.exe exit)
machine_test(modes.without-io STATUS 203 SAYS "bug check 4a "
    OPTIONS --verify none,track RUN misuse.sys misuse.exe return_raised)
machine_test(modes.io STATUS 203 SAYS "bug check c9 5 " OPTIONS --verify none,io RUN misuse.sys misuse.exe return_raised)
