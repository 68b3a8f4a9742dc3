# SPDX-License-Identifier: MIT
# The sources of the shared run-time library, for those who compile it: ntoskrnl, ntdll, the native tests.
set(ISTHMUS_RTL_DIR ${CMAKE_CURRENT_LIST_DIR})

# Structured exception handling; the .S file is for PE targets only.
set(ISTHMUS_RTL_SEH_SOURCES
    ${ISTHMUS_RTL_DIR}/chandler.c
    ${ISTHMUS_RTL_DIR}/dispatch.c
    ${ISTHMUS_RTL_DIR}/epilogue.c
    ${ISTHMUS_RTL_DIR}/funclookup.c
    ${ISTHMUS_RTL_DIR}/raise.c
    ${ISTHMUS_RTL_DIR}/stackwalk.c
    ${ISTHMUS_RTL_DIR}/unwind.c
    ${ISTHMUS_RTL_DIR}/unwindex.c)
set(ISTHMUS_RTL_ASM_SOURCES ${ISTHMUS_RTL_DIR}/sehasm.S)

# The C run time; compiled without the compiler's own idea of these functions, and without SSE, which the compiler
# would make out of the word loops in crtmem.c.
set(ISTHMUS_RTL_CRT_SOURCES
    ${ISTHMUS_RTL_DIR}/crtmem.c
    ${ISTHMUS_RTL_DIR}/crtnum.c
    ${ISTHMUS_RTL_DIR}/crtprintf.c
    ${ISTHMUS_RTL_DIR}/crtstr.c
    ${ISTHMUS_RTL_DIR}/crtwcs.c
    ${ISTHMUS_RTL_DIR}/format.c)
set(ISTHMUS_RTL_CRT_FLAGS "-fno-builtin;-mgeneral-regs-only")

# Strings, tables, security, and the rest.
set(ISTHMUS_RTL_SOURCES
    ${ISTHMUS_RTL_DIR}/acl.c
    ${ISTHMUS_RTL_DIR}/avltable.c
    ${ISTHMUS_RTL_DIR}/bitmap.c
    ${ISTHMUS_RTL_DIR}/casemap.c
    ${ISTHMUS_RTL_DIR}/doserror.c
    ${ISTHMUS_RTL_DIR}/gentable.c
    ${ISTHMUS_RTL_DIR}/image.c
    ${ISTHMUS_RTL_DIR}/inet.c
    ${ISTHMUS_RTL_DIR}/prefix.c
    ${ISTHMUS_RTL_DIR}/random.c
    ${ISTHMUS_RTL_DIR}/rtlmisc.c
    ${ISTHMUS_RTL_DIR}/rtltime.c
    ${ISTHMUS_RTL_DIR}/secdesc.c
    ${ISTHMUS_RTL_DIR}/sddl.c
    ${ISTHMUS_RTL_DIR}/shortname.c
    ${ISTHMUS_RTL_DIR}/sid.c
    ${ISTHMUS_RTL_DIR}/splay.c
    ${ISTHMUS_RTL_DIR}/ustrconv.c
    ${ISTHMUS_RTL_DIR}/ustring.c
    ${ISTHMUS_RTL_DIR}/ustrnum.c
    ${ISTHMUS_RTL_DIR}/utf.c
    ${ISTHMUS_RTL_DIR}/version.c)
