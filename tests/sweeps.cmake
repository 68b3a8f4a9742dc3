# SPDX-License-Identifier: MIT
# ntrun's sweeps: over the kit, and over a driver with a mistake for each, which they must find.

# sweep_test(name kind RUN files and arguments... [STATUS code] [SAYS regex] [LONG])
function(sweep_test name kind)
    cmake_parse_arguments(A "LONG" "STATUS;SAYS" "RUN" ${ARGN})
    if(NOT DEFINED A_STATUS)
        set(A_STATUS 0)
    endif()
    if(NOT DEFINED A_SAYS)
        set(A_SAYS "[1-9][0-9]* held, 0 failed")
    endif()
    machine_test(${name} TIMEOUT 1200 OPTIONS --timeout 20 --sweep ${kind} STATUS ${A_STATUS} SAYS "${A_SAYS}" RUN ${A_RUN})
    set_tests_properties(${name} PROPERTIES PROCESSORS 2) # it runs two machines at a time
    if(A_LONG)
        set_tests_properties(${name} PROPERTIES LABELS long)
    endif()
endfunction()

# A sweep that cannot fail is a defect: each finds its mistake, and nothing in the careful way beside it.
set(CARELESS careless.sys careless.exe)
sweep_test(sweep.careless.two failures STATUS 1 SAYS "FAILED: blue screen: bug check c4 62" RUN ${CARELESS} two)
sweep_test(sweep.careless.use failures STATUS 1 SAYS "FAILED: blue screen: bug check 3b c0000005" LONG RUN ${CARELESS} use)
sweep_test(sweep.careless.site sites STATUS 1 SAYS "FAILED: blue screen: bug check c4 62" RUN ${CARELESS} two)
sweep_test(sweep.careless.lock kill STATUS 1 SAYS "FAILED: blue screen: bug check cb" LONG RUN ${CARELESS} lock)
sweep_test(sweep.careless.count schedules=6 STATUS 1 SAYS "FAILED: exit 3 instead of 0" RUN ${CARELESS} count)
sweep_test(sweep.careful.two failures LONG RUN ${CARELESS} two careful)
sweep_test(sweep.careful.use failures LONG RUN ${CARELESS} use careful)
sweep_test(sweep.careful.lock kill LONG RUN ${CARELESS} lock careful)
sweep_test(sweep.careful.count schedules=6 RUN ${CARELESS} count careful)

# What a sweep says how to repeat does repeat.
machine_test(sweep.repeat.failure OPTIONS --icount --fail nth=19 STATUS 203 SAYS "request 19 .* refused" RUN ${CARELESS} two)
machine_test(sweep.repeat.kill OPTIONS --kill point=3 STATUS 203 SAYS "killed at point 3: entry, NtDeviceIoControlFile"
    RUN ${CARELESS} lock)
machine_test(sweep.repeat.seed OPTIONS --shuffle --seed 5 STATUS 3 RUN ${CARELESS} count)
machine_test(sweep.killed OPTIONS --kill instruction=3000 STATUS 137 RUN ${CARELESS} lock careful)

# What makes no sense is refused.
machine_test(sweep.refused.option OPTIONS --option fail:nth=0 STATUS 202 SAYS "cannot use fail" RUN u_crash.exe 0)
sweep_test(sweep.refused.nothing failures STATUS 201 SAYS "no point to sweep" RUN u_crash.exe 0)
sweep_test(sweep.refused.kill kill STATUS 201 SAYS "no point to sweep" RUN u_crash.exe 0)
sweep_test(sweep.refused.crash failures STATUS 201 SAYS "does not come through by itself" RUN u_crash.exe null)

# A view that is gone for one processor is gone for the other too (the group `shootdown` tries what does not end in a bug check).
machine_test(misuse.shootdown.view STATUS 203 SAYS "bug check 50 " RUN ${CARELESS} view)
machine_test(misuse.shootdown.view.correct RUN ${CARELESS} view careful)

# The kit.
set(SCENARIO ${KIT_OUTPUT}/isthmus.sys --add ${KIT_OUTPUT}/isthmus.dll scenario.exe)
sweep_test(kit.sweep.sites sites LONG RUN ${SCENARIO} walk)
sweep_test(kit.sweep.failures failures LONG RUN ${SCENARIO} walk)
sweep_test(kit.sweep.kill kill LONG RUN ${SCENARIO} walk)
sweep_test(kit.sweep.kill.threads kill=80 LONG RUN ${SCENARIO} threads)
sweep_test(kit.sweep.kill.crowd kill=60 LONG RUN ${SCENARIO} crowd)
sweep_test(kit.sweep.schedules schedules=40 LONG RUN ${SCENARIO} threads)
sweep_test(kit.sweep.schedules.ends schedules=30 LONG RUN ${SCENARIO} ends)
sweep_test(kit.sweep.schedules.crowd schedules=30 LONG RUN ${SCENARIO} crowd)
sweep_test(kit.sweep.channels.failures failures LONG RUN ${SCENARIO} stream)
sweep_test(kit.sweep.channels.kill kill=80 LONG RUN ${SCENARIO} stream)
sweep_test(kit.sweep.channels.schedules schedules=20 LONG RUN ${SCENARIO} stream)
sweep_test(machine.sweep.failures failures LONG RUN iotest.sys u_io.exe)
