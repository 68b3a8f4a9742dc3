# SPDX-License-Identifier: MIT
# ntrun's sources, for the command itself and for the native tests, which build it with the sanitizers.

find_library(JANSSON_LIBRARY jansson REQUIRED) # reads llvm-symbolizer's answers, writes --json

set(NTRUN_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})
set(NTRUN_SOURCES
    ${NTRUN_DIRECTORY}/archivewriter.c
    ${NTRUN_DIRECTORY}/bootconfig.c
    ${NTRUN_DIRECTORY}/buggeneral.c
    ${NTRUN_DIRECTORY}/bugmemory.c
    ${NTRUN_DIRECTORY}/bugverifier.c
    ${NTRUN_DIRECTORY}/bugwords.c
    ${NTRUN_DIRECTORY}/cmdline.c
    ${NTRUN_DIRECTORY}/faults.c
    ${NTRUN_DIRECTORY}/hostfile.c
    ${NTRUN_DIRECTORY}/image.c
    ${NTRUN_DIRECTORY}/jsonreport.c
    ${NTRUN_DIRECTORY}/ledger.c
    ${NTRUN_DIRECTORY}/ledgerline.c
    ${NTRUN_DIRECTORY}/main.c
    ${NTRUN_DIRECTORY}/options.c
    ${NTRUN_DIRECTORY}/package.c
    ${NTRUN_DIRECTORY}/places.c
    ${NTRUN_DIRECTORY}/qemu.c
    ${NTRUN_DIRECTORY}/report.c
    ${NTRUN_DIRECTORY}/reportline.c
    ${NTRUN_DIRECTORY}/run.c
    ${NTRUN_DIRECTORY}/screen.c
    ${NTRUN_DIRECTORY}/symbols.c
    ${NTRUN_DIRECTORY}/sweep.c
    ${NTRUN_DIRECTORY}/sweepnames.c
    ${NTRUN_DIRECTORY}/sweeprun.c
    ${NTRUN_DIRECTORY}/sweeptable.c
    ${NTRUN_DIRECTORY}/text.c
    ${NTRUN_DIRECTORY}/verify.c
    ${NTRUN_DIRECTORY}/../common/pe.c
    ${NTRUN_DIRECTORY}/../common/petables.c
)
