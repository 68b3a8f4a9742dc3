/* SPDX-License-Identifier: MIT */
/*
 * Small blocks of one size that come and go all the time (MDLs, trackers of locks, VADs), kept per processor in front
 * of the pool. At DISPATCH_LEVEL a processor's list belongs to whoever runs on it, so it needs no lock. What is usual
 * is inline in lockp.h; here is what is not: the way to the pool, and waiting for a spin lock.
 */
#include "mmp.h"

VF_SELDOM PVOID MiCacheFill(MI_CACHE *Cache)
{
    return ExAllocatePoolWithTag(NonPagedPoolNx, Cache->Size, Cache->Tag);
}

VF_SELDOM VOID MiCacheSpill(MI_CACHE *Cache, PVOID Address)
{
    ExFreePoolWithTag(Address, Cache->Tag);
}

DECLSPEC_NORETURN VOID MiCacheReport(ULONG Tag, PVOID Address)
{
    KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 7, 0, Tag, (ULONG_PTR)Address);
}

VF_SELDOM VOID MiSpin(PKSPIN_LOCK Lock, LONG64 Owner)
{
    do
    {
        while (*(volatile KSPIN_LOCK *)Lock != 0)
        {
            YieldProcessor();
        }
    } while (InterlockedCompareExchange64((volatile LONG64 *)Lock, Owner, 0) != 0);
}
