/* SPDX-License-Identifier: MIT */
/* What the groups have in common. */
#include "ktlib.h"

LARGE_INTEGER KtMilliseconds(LONG Count)
{
    LARGE_INTEGER time = {.QuadPart = -10000LL * Count};
    return time;
}

VOID KtSleep(LONG Milliseconds)
{
    LARGE_INTEGER time = KtMilliseconds(Milliseconds);
    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

PETHREAD KtStart(KTEST_RUN *Run, PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE handle;
    PVOID thread = NULL;
    OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Routine, Context);
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (!NT_SUCCESS(status))
    {
        return NULL;
    }
    status = ObReferenceObjectByHandle(handle, SYNCHRONIZE, NULL, KernelMode, &thread, NULL);
    CHECK_STATUS(status, STATUS_SUCCESS);
    ZwClose(handle);
    return thread;
}

VOID KtJoin(PETHREAD Thread)
{
    if (Thread != NULL)
    {
        KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Thread);
    }
}

BOOLEAN KtUntil(volatile LONG *Value, LONG Expected)
{
    for (ULONG i = 0; i < 5000 && *Value != Expected; i++)
    {
        KtSleep(2);
    }
    return *Value == Expected;
}

BOOLEAN KtRunOn(ULONG Cpu)
{
    KeSetSystemAffinityThread((KAFFINITY)1 << Cpu);
    return KeGetCurrentProcessorNumber() == Cpu;
}

PVOID KtUserAllocate(KTEST_RUN *Run, SIZE_T Size, ULONG Protect)
{
    PVOID base = NULL;
    NTSTATUS status = ZwAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &Size, MEM_RESERVE | MEM_COMMIT, Protect);

    CHECK_STATUS(status, STATUS_SUCCESS);
    return NT_SUCCESS(status) ? base : NULL;
}

VOID KtUserFree(PVOID Base)
{
    SIZE_T size = 0;

    if (Base != NULL)
    {
        ZwFreeVirtualMemory(NtCurrentProcess(), &Base, &size, MEM_RELEASE);
    }
}

NTSTATUS KtUserProtect(PVOID Base, SIZE_T Size, ULONG Protect)
{
    ULONG old;
    return ZwProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, Protect, &old);
}

PFN_NUMBER KtPfn(PVOID Va)
{
    return (PFN_NUMBER)(MmGetPhysicalAddress(Va).QuadPart >> PAGE_SHIFT);
}

NTSTATUS KtLock(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    return KT_RAISED(MmProbeAndLockPages(Mdl, Mode, Operation));
}

PVOID KtMapUser(PMDL Mdl, PVOID Base, ULONG Priority, NTSTATUS *Status)
{
    PVOID volatile va = NULL;

    *Status = KT_RAISED(va = MmMapLockedPagesSpecifyCache(Mdl, UserMode, MmCached, Base, FALSE, Priority));
    return NT_SUCCESS(*Status) ? va : NULL;
}

ULONG KtFlags(const MDL *Mdl)
{
    return (USHORT)Mdl->MdlFlags;
}

VOID KtSayMdl(KTEST_RUN *Run, PCSTR What, PMDL Mdl)
{
    KtSay(Run, "%s: MDL %p StartVa %p offset 0x%lX count 0x%lX size 0x%hX flags 0x%04lX system VA %p process %p", What,
          Mdl, Mdl->StartVa, Mdl->ByteOffset, Mdl->ByteCount, Mdl->Size, KtFlags(Mdl), Mdl->MappedSystemVa,
          Mdl->Process);
}

ULONG KtRandom(PULONG Seed)
{
    ULONG x = *Seed != 0 ? *Seed : 0x9E3779B9;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *Seed = x;
    return x;
}

static UCHAR KtPattern(SIZE_T Place, ULONG Seed)
{
    return (UCHAR)(Place * 31 + (Place >> 8) * 7 + Seed * 0x9D + (Seed >> 8));
}

VOID KtFill(PVOID Memory, SIZE_T Size, ULONG Seed)
{
    for (SIZE_T i = 0; i < Size; i++)
    {
        ((PUCHAR)Memory)[i] = KtPattern(i, Seed);
    }
}

SIZE_T KtMismatches(const VOID *Memory, SIZE_T Size, ULONG Seed)
{
    SIZE_T wrong = 0;

    for (SIZE_T i = 0; i < Size; i++)
    {
        wrong += ((const UCHAR *)Memory)[i] != KtPattern(i, Seed);
    }
    return wrong;
}

BOOLEAN KtAllBytes(const VOID *Memory, SIZE_T Size, UCHAR Byte)
{
    for (SIZE_T i = 0; i < Size; i++)
    {
        if (((const UCHAR *)Memory)[i] != Byte)
        {
            return FALSE;
        }
    }
    return TRUE;
}
