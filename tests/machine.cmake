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
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/machine/kernel/groups.def groups REGEX "^LARGE_GROUP\\(")
foreach(line IN LISTS groups)
    string(REGEX REPLACE "^LARGE_GROUP\\(([a-z_0-9]+)\\).*" "\\1" group ${line})
    machine_test(machine.kernel.${group} OPTIONS --memory 3072 RUN ktest.sys ktest.exe ${group} TIMEOUT 300)
    set_tests_properties(machine.kernel.${group} PROPERTIES LABELS long)
endforeach()
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/machine/kernel/groups.def groups REGEX "^UNCHECKED_GROUP\\(")
foreach(line IN LISTS groups)
    string(REGEX REPLACE "^UNCHECKED_GROUP\\(([a-z_0-9]+)\\).*" "\\1" group ${line})
    machine_test(machine.kernel.${group} OPTIONS --option noverifier RUN ktest.sys ktest.exe ${group})
endforeach()

# Programs and what the machine offers them.
set(LICENSE_FILE --add ${PROJECT_SOURCE_DIR}/LICENSE=license.txt)
file(WRITE ${PROJECT_BINARY_DIR}/two-lines.txt "first line\n42 0x2A")
add_test(NAME machine.user.hello COMMAND ${PROJECT_SOURCE_DIR}/tests/expect-status 0 "^at exit"
    ${NTRUN} --timeout 120 --stdin ${PROJECT_BINARY_DIR}/two-lines.txt --env "GREETING=good morning"
    u_hello.exe one "two words" "" "a\"quote" "back\\slash\\" WORKING_DIRECTORY ${TEST_OUTPUT}) # a list would lose the ""
set_tests_properties(machine.user.hello PROPERTIES TIMEOUT 150)
foreach(name heap vm threads fibers names pool sync seh try crt psapi)
    machine_test(machine.user.${name} RUN u_${name}.exe)
endforeach()
machine_test(machine.user.files RUN ${LICENSE_FILE} u_files.exe)
machine_test(machine.user.process RUN ${LICENSE_FILE} u_process.exe)
machine_test(machine.user.dll RUN ${LICENSE_FILE} --add u_plugin.dll --add u_second.dll u_dll.exe)
machine_test(machine.user.cpp RUN u_cpp.exe b c a)
machine_test(machine.user.io RUN iotest.sys u_io.exe)
machine_test(machine.user.overlapped RUN iotest.sys u_overlapped.exe)
machine_test(machine.user.scm RUN ${LICENSE_FILE} --add iotest.sys --add failentry.sys --add noimport.sys u_scm.exe)

# The same with other machines: one CPU, four, pages that leave at any moment, and exact counting.
foreach(name threads sync overlapped)
    machine_test(machine.one-cpu.${name} OPTIONS --cpus 1 RUN iotest.sys u_${name}.exe)
    machine_test(machine.four-cpus.${name} OPTIONS --cpus 4 RUN iotest.sys u_${name}.exe)
endforeach()
foreach(group waits dpcs spinlocks irql timers mdl_race)
    machine_test(machine.one-cpu.${group} OPTIONS --cpus 1 RUN ktest.sys ktest.exe ${group})
    machine_test(machine.four-cpus.${group} OPTIONS --cpus 4 RUN ktest.sys ktest.exe ${group})
endforeach()
# (Not the group `trim`: it counts pages, and here pages leave by themselves.)
foreach(group mdl_user mdl_kernel mdl_partial mdl_advance mdl_reserve mdl_race)
    machine_test(machine.trimming.${group} OPTIONS --option trim RUN ktest.sys ktest.exe ${group})
endforeach()
machine_test(machine.trimming.mdl_io OPTIONS --option trim --option noverifier RUN ktest.sys ktest.exe mdl_io)
machine_test(machine.trimming.files OPTIONS --option trim RUN ${LICENSE_FILE} u_files.exe)
machine_test(machine.icount.mdl_user OPTIONS --icount RUN ktest.sys ktest.exe mdl_user)

# What a DLL forwards must be there: the loader finds out only when a program imports it.
add_test(NAME machine.forwarders COMMAND ${PROJECT_SOURCE_DIR}/tests/machine/forwarders ${MACHINE_OUTPUT}/system)

# How a program's end is told.
machine_test(machine.exit.seven STATUS 7 RUN u_crash.exe 7)
machine_test(machine.exit.large STATUS 199 SAYS "0x12345678" RUN u_crash.exe large)
machine_test(machine.exit.abort STATUS 3 RUN u_crash.exe abort)
machine_test(machine.exit.null STATUS 199 SAYS "0xC0000005.*write to 0000000000000040" RUN u_crash.exe null)
machine_test(machine.exit.divide STATUS 199 SAYS "ended with 0xC0000094" RUN u_crash.exe divide)
machine_test(machine.exit.thread STATUS 199 SAYS "ended with 0xC0000005" RUN u_crash.exe thread)
machine_test(machine.exit.filter STATUS 199 SAYS "the last filter saw 0xc0000005" RUN u_crash.exe filter)
machine_test(machine.exit.stack STATUS 199 SAYS "ended with 0xC00000FD" RUN u_crash.exe stack)
machine_test(machine.exit.raise STATUS 199 SAYS "ended with 0xE0424242" RUN u_crash.exe raise)
machine_test(machine.exit.spin OPTIONS --timeout 3 STATUS 205 RUN u_crash.exe spin)
machine_test(machine.exit.sleep OPTIONS --timeout 3 STATUS 205 RUN u_crash.exe sleep)

# The blue screen: functions, files and lines of driver and kernel; what stood behind an address that has been unloaded.
machine_test(machine.screen.driver STATUS 203
    SAYS "> +[0-9]+ +misuse.sys.0x[0-9a-f]+ +Misuse_unhandled +[^ ]*misuse/rules/lifetime.c:[0-9]+"
    RUN misuse.sys misuse.exe unhandled)
machine_test(machine.screen.kernel STATUS 203
    SAYS "[0-9]+ +ntoskrnl.exe.0x[0-9a-f]+ +NtDeviceIoControlFile +[^ ]*machine/kernel/io/ioctl.c:[0-9]+"
    RUN misuse.sys misuse.exe unhandled)
machine_test(machine.screen.unloaded STATUS 203
    SAYS "caused by misuse.sys .unloaded., SleepTooLong, [^ ]*unload.c:" RUN misuse.sys misuse.exe unload_with_thread)
machine_test(machine.screen.recursion STATUS 203 SAYS "^    \\.\\.\\.  [0-9]+ times more"
    RUN misuse.sys misuse.exe stack_overflow)
machine_test(machine.screen.json OPTIONS --json - STATUS 203 SAYS "\"function\": \"Misuse_unhandled\""
    RUN misuse.sys misuse.exe unhandled)

# Threads that are moved between processors at any instruction.
machine_test(machine.shuffle.seh OPTIONS --cpus 3 --shuffle --seed 1 RUN ktest.sys ktest.exe seh)

# The ledger: exactly what the driver holds, each with the function that took it; nothing after it has given all back.
set(one_of_each mdl:TakeMdl page-lock:TakePageLock system-mapping:TakeSystemMapping mdl-pages:TakeMdlPages
    pool:TakeMdlPages user-mapping:TakeUserMapping reserved-mapping:TakeReservedMapping system-mapping:TakeViewThere
    io-space-mapping:TakeIoMapping contiguous-memory:TakeContiguous pool:TakePool irp:TakeIrp work-item:TakeWorkItem
    handle:TakeHandle reference:TakeReference reference:TakeProcess)
function(ledger_test name title)
    add_test(NAME machine.ledger.${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/expect-ledger ${title} ${ARGN} --
        ${NTRUN} --timeout 120 --ledger ledgertest.sys ledgertest.exe WORKING_DIRECTORY ${TEST_OUTPUT})
    set_tests_properties(machine.ledger.${name} PROPERTIES TIMEOUT 150)
endfunction()
ledger_test(before "before")
ledger_test(held "with one of each" ${one_of_each})
ledger_test(released "after the release")
ledger_test(unloaded "when ledgertest.sys has unloaded")
ledger_test(shutdown "at shutdown")
# MmAdvanceMdl moves a view's first page, by which the ledger knows the view.
add_test(NAME machine.ledger.advanced COMMAND ${PROJECT_SOURCE_DIR}/tests/expect-ledger "at shutdown" --
    ${NTRUN} --timeout 120 --ledger ktest.sys ktest.exe mdl_advance WORKING_DIRECTORY ${TEST_OUTPUT})
set_tests_properties(machine.ledger.advanced PROPERTIES TIMEOUT 150)
machine_test(machine.ledger.off RUN ledgertest.sys ledgertest.exe off)
machine_test(machine.ledger.leak OPTIONS --ledger STATUS 203 SAYS "^  pool, 3 times: 300 bytes in all, .*tag .LTst"
    RUN ledgertest.sys ledgertest.exe leak)
machine_test(machine.ledger.stop OPTIONS --ledger STATUS 203 SAYS "^  page-lock: 2 pages, MDL"
    RUN misuse.sys misuse.exe map_twice)

# Drivers and programs that do not come up.
machine_test(machine.refused.import STATUS 202 SAYS "NoKernelHasThisRoutine" RUN noimport.sys u_crash.exe)
machine_test(machine.refused.entry STATUS 202 SAYS "failentry.sys.*0xC00000A3" RUN failentry.sys u_crash.exe)
file(WRITE ${PROJECT_BINARY_DIR}/text.sys "This is no driver.\n")
machine_test(machine.refused.text STATUS 202 SAYS "text.sys" RUN ${PROJECT_BINARY_DIR}/text.sys u_crash.exe)
