# SPDX-License-Identifier: MIT
# ntrun's sources, for the command itself and for the native tests, which build it with the sanitizers.

set(NTRUN_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})
set(NTRUN_SOURCES
    ${NTRUN_DIRECTORY}/archivewriter.c
    ${NTRUN_DIRECTORY}/bootconfig.c
    ${NTRUN_DIRECTORY}/cmdline.c
    ${NTRUN_DIRECTORY}/hostfile.c
    ${NTRUN_DIRECTORY}/image.c
    ${NTRUN_DIRECTORY}/main.c
    ${NTRUN_DIRECTORY}/options.c
    ${NTRUN_DIRECTORY}/package.c
    ${NTRUN_DIRECTORY}/places.c
    ${NTRUN_DIRECTORY}/qemu.c
    ${NTRUN_DIRECTORY}/report.c
    ${NTRUN_DIRECTORY}/run.c
    ${NTRUN_DIRECTORY}/text.c
    ${NTRUN_DIRECTORY}/../common/pe.c
    ${NTRUN_DIRECTORY}/../common/petables.c
)
