/* SPDX-License-Identifier: MIT */
/* The parts of the interlocked singly linked list that need no 16-byte exchange; the others are in entry.S. */
#include "ntdllp.h"

VOID NTAPI RtlInitializeSListHead(PSLIST_HEADER Header)
{
    if ((ULONG_PTR)Header & 15)
    {
        RtlRaiseStatus(STATUS_DATATYPE_MISALIGNMENT);
    }
    Header->Alignment = 0;
    Header->Region = 1; /* the x64 kind of header */
}

/** The first entry, which another thread may take at any moment. */
PSLIST_ENTRY NTAPI RtlFirstEntrySList(const SLIST_HEADER *Header)
{
    return (PSLIST_ENTRY)(*(volatile const ULONGLONG *)&Header->Region & ~(ULONGLONG)15);
}

/** The number of entries, modulo 65536. */
WORD NTAPI RtlQueryDepthSList(PSLIST_HEADER Header)
{
    return (WORD)*(volatile ULONGLONG *)&Header->Alignment;
}
