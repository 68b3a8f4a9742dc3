/* SPDX-License-Identifier: MIT */
/* EncodePointer and DecodePointer: function pointers kept in memory that an attacker may write, mixed with a secret. */
#include "base.h"

#define BASE_PROCESS_COOKIE 36

static ULONG BaseCookie(VOID)
{
    static ULONG cookie; /* the same for the whole life of the process, so a race writes the same twice */
    if (cookie == 0)
    {
        NtQueryInformationProcess(NtCurrentProcess(), BASE_PROCESS_COOKIE, &cookie, sizeof(cookie), NULL);
    }
    return cookie;
}

PVOID WINAPI EncodePointer(PVOID Ptr)
{
    ULONG cookie = BaseCookie();
    ULONG64 value = (ULONG64)(ULONG_PTR)Ptr ^ cookie;
    unsigned turn = cookie & 63;
    return (PVOID)(ULONG_PTR)(turn == 0 ? value : value >> turn | value << (64 - turn));
}

PVOID WINAPI DecodePointer(PVOID Ptr)
{
    ULONG cookie = BaseCookie();
    ULONG64 value = (ULONG64)(ULONG_PTR)Ptr;
    unsigned turn = cookie & 63;
    value = turn == 0 ? value : value << turn | value >> (64 - turn);
    return (PVOID)(ULONG_PTR)(value ^ cookie);
}
