# SPDX-License-Identifier: MIT
# The kit on the machine: its demonstration, its own tests group by group, and the driver that leaves pages locked.
set(KIT_FILES ${KIT_OUTPUT}/isthmus.sys --add ${KIT_OUTPUT}/isthmus.dll)

foreach(group abi addresses regions views requests names peek lifetime races channels shared configuration limits
        trust stopped)
    machine_test(kit.${group} TIMEOUT 400 RUN ${KIT_FILES} kit-test.exe ${group})
endforeach()

# More than 4 GB in one region, of real memory.
machine_test(kit.large OPTIONS --memory 6144 TIMEOUT 1200 RUN ${KIT_FILES} kit-test.exe large)
set_tests_properties(kit.large PROPERTIES LABELS long)

# The library where isthmus.sys doesn't call it, and a driver and program made with it.
machine_test(kit.library RUN libcheck.sys libcheck.exe)
set(SAMPLES ${PROJECT_SOURCE_DIR}/out/samples)
machine_test(samples.events SAYS "process start .* parent .*" RUN ${SAMPLES}/events.sys --add u_threads.exe
    ${SAMPLES}/events.exe u_threads.exe)
machine_test(samples.events.seconds SAYS "events, 0 lost" RUN ${SAMPLES}/events.sys ${SAMPLES}/events.exe --seconds 1)
machine_test(samples.events.usage STATUS 2 SAYS "^usage: events" RUN ${SAMPLES}/events.sys ${SAMPLES}/events.exe)

# The same three files on Wine, where a driver is a user process: what works there, and what is refused.
add_test(NAME kit.wine COMMAND ${PROJECT_SOURCE_DIR}/tests/kit/wine-run ${KIT_OUTPUT} ${TEST_OUTPUT}
    ${PROJECT_SOURCE_DIR}/README.md)
set_tests_properties(kit.wine PROPERTIES TIMEOUT 600)

# The main job, as `make run` does it; a file of whole pages and a tiny one besides the default.
file(WRITE ${PROJECT_BINARY_DIR}/empty.bin "")
file(WRITE ${PROJECT_BINARY_DIR}/one-byte.bin "1")
file(WRITE ${PROJECT_BINARY_DIR}/two-bytes.bin "12")
string(REPEAT "0123456789abcdef" 768 pages)
file(WRITE ${PROJECT_BINARY_DIR}/three-pages.bin "${pages}")
foreach(file ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_BINARY_DIR}/one-byte.bin ${PROJECT_BINARY_DIR}/two-bytes.bin
        ${PROJECT_BINARY_DIR}/three-pages.bin)
    get_filename_component(name ${file} NAME)
    machine_test(kit.demo.${name} SAYS "locked pages 0, pool blocks 0, mappings 0"
        RUN --add ${file} --add ${KIT_OUTPUT}/isthmus.sys ${KIT_OUTPUT}/isthmus.exe demo --file ${name})
endforeach()

machine_test(kit.demo.refused STATUS 1 SAYS "name another file"
    RUN --add ${PROJECT_BINARY_DIR}/empty.bin --add ${KIT_OUTPUT}/isthmus.sys ${KIT_OUTPUT}/isthmus.exe demo --file empty.bin)

# The article's warning: a driver that leaves pages locked stops the machine, and ntrun says so.
machine_test(misuse.leftlock.none RUN leftlock.sys leftlock.exe none)
machine_test(misuse.leftlock.exit STATUS 203 SAYS "STOP 0x000000CB.*DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS" RUN leftlock.sys leftlock.exe exit)
machine_test(misuse.leftlock.crowd STATUS 203 SAYS "who locked them: leftlock.sys, LeftlockProbe," RUN leftlock.sys leftlock.exe crowd)
machine_test(misuse.leftlock.unload STATUS 203 SAYS "STOP 0x000000CB.*DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS" RUN leftlock.sys leftlock.exe unload)
machine_test(misuse.leftlock.untracked OPTIONS --option notrack STATUS 203 SAYS "STOP 0x00000076.*PROCESS_HAS_LOCKED_PAGES" RUN leftlock.sys leftlock.exe exit)

# The commands of isthmus.exe: each group is one start of the machine, judged by a script here.
foreach(group usage service hold describe channel plain segments pictures advice)
    add_test(NAME kit.cli.${group} COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/kit/cli/commands.py ${group})
    set_tests_properties(kit.cli.${group} PROPERTIES TIMEOUT 330)
endforeach()

# What programs and drivers include, by all compilers; what the README prints.
add_test(NAME kit.headers COMMAND ${PROJECT_SOURCE_DIR}/tests/kit/headers ${PROJECT_SOURCE_DIR})
set_tests_properties(kit.headers PROPERTIES LABELS long)
machine_test(kit.readme SAYS "^by the driver: CRC-32 8CDC1683" RUN ${KIT_FILES} readme-program.exe)
machine_test(kit.readme.channel SAYS "^1000 records, [0-9]+ bytes, to the end of the stream" RUN ${KIT_FILES}
    readme-channel.exe)
machine_test(kit.readme.no-driver STATUS 1 SAYS "isthmus start" RUN --add ${KIT_OUTPUT}/isthmus.dll readme-program.exe)
add_test(NAME docs.pictures COMMAND ${PROJECT_SOURCE_DIR}/docs/ways/make-pictures --check)
set_tests_properties(docs.pictures PROPERTIES TIMEOUT 700)
