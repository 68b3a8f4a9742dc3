/* SPDX-License-Identifier: MIT */
/* Mistakes with the order and the ownership of locks, which deadlock detection finds before they bite. */
#include "misuse.h"

static KSPIN_LOCK First, Second, Third;
static FAST_MUTEX Fast;
static KMUTEX Mutex;

static VOID Spin(PKSPIN_LOCK Outer, PKSPIN_LOCK Inner)
{
    KIRQL irql;

    KeAcquireSpinLock(Outer, &irql);
    KeAcquireSpinLockAtDpcLevel(Inner);
    KeReleaseSpinLockFromDpcLevel(Inner);
    KeReleaseSpinLock(Outer, irql);
}

static VOID Note(VOID)
{
    MisuseNote("first", (ULONG_PTR)&First);
    MisuseNote("second", (ULONG_PTR)&Second);
    MisuseNote("third", (ULONG_PTR)&Third);
    MisuseNote("fast", (ULONG_PTR)&Fast);
    MisuseNote("mutex", (ULONG_PTR)&Mutex);
}

static VOID Take(PKMUTEX Object)
{
    KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
}

/* Runs a routine in a thread of its own and waits for its end. */
static VOID InThread(PKSTART_ROUTINE Routine)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID thread;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Routine, NULL);
    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    status = ObReferenceObjectByHandle(handle, SYNCHRONIZE, *PsThreadType, KernelMode, &thread, NULL);
    ZwClose(handle);
    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
}

MISUSE(deadlock_order)
{
    Note();
    Spin(&First, &Second);
    Spin(&Second, &First); /* never at the same time, here */
}

CORRECT(deadlock_order)
{
    Spin(&First, &Second);
    Spin(&First, &Second);
}

MISUSE(deadlock_three)
{
    Note();
    Spin(&First, &Second);
    Spin(&Second, &Third);
    Spin(&Third, &First);
}

CORRECT(deadlock_three)
{
    Spin(&First, &Second);
    Spin(&Second, &Third);
    Spin(&First, &Third);
}

static VOID FastThenMutex(VOID)
{
    ExAcquireFastMutex(&Fast);
    Take(&Mutex);
    KeReleaseMutex(&Mutex, FALSE);
    ExReleaseFastMutex(&Fast);
}

static VOID NTAPI MutexThenFast(PVOID Context)
{
    Take(&Mutex);
    ExAcquireFastMutex(&Fast);
    ExReleaseFastMutex(&Fast);
    KeReleaseMutex(&Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(deadlock_two_threads)
{
    Note();
    ExInitializeFastMutex(&Fast);
    KeInitializeMutex(&Mutex, 0);
    FastThenMutex();
    InThread(MutexThenFast);
}

CORRECT(deadlock_two_threads)
{
    ExInitializeFastMutex(&Fast);
    KeInitializeMutex(&Mutex, 0);
    FastThenMutex();
    ExAcquireFastMutex(&Fast);
    if (KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, &(LARGE_INTEGER){.QuadPart = 0}) == STATUS_SUCCESS)
    {
        KeReleaseMutex(&Mutex, FALSE);
    }
    ExReleaseFastMutex(&Fast);
    Take(&Mutex);
    if (ExTryToAcquireFastMutex(&Fast)) /* asks, and does not wait: no deadlock */
    {
        ExReleaseFastMutex(&Fast);
    }
    KeReleaseMutex(&Mutex, FALSE);
}

MISUSE(deadlock_self)
{
    Note();
    ExInitializeFastMutex(&Fast);
    ExAcquireFastMutex(&Fast);
    ExAcquireFastMutex(&Fast);
}

CORRECT(deadlock_self)
{
    KeInitializeMutex(&Mutex, 0);
    Take(&Mutex);
    Take(&Mutex); /* a mutex is recursive */
    KeReleaseMutex(&Mutex, FALSE);
    KeReleaseMutex(&Mutex, FALSE);
}

MISUSE(deadlock_uninitialised)
{
    Note();
    ExAcquireFastMutex(&Fast);
}

CORRECT(deadlock_uninitialised)
{
    ExInitializeFastMutex(&Fast);
    ExAcquireFastMutex(&Fast);
    ExReleaseFastMutex(&Fast);
}

MISUSE(deadlock_release_order)
{
    KIRQL outer, inner;

    Note();
    KeAcquireSpinLock(&First, &outer);
    KeAcquireSpinLock(&Second, &inner);
    KeReleaseSpinLock(&First, outer); /* PASSIVE_LEVEL, with the second lock still held */
    KeReleaseSpinLock(&Second, inner);
}

CORRECT(deadlock_release_order)
{
    KIRQL outer, inner;

    KeAcquireSpinLock(&First, &outer);
    KeAcquireSpinLock(&Second, &inner);
    KeReleaseSpinLock(&First, inner); /* hand over hand: the IRQL stays */
    KeReleaseSpinLock(&Second, outer);
}

static VOID NTAPI TakeAndEnd(PVOID Context)
{
    Take(&Mutex);
    KeReleaseMutex(&Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI ReleaseOthers(PVOID Context)
{
    MisuseNote("other", (ULONG_PTR)KeGetCurrentThread());
    KeReleaseMutex(&Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(deadlock_wrong_thread)
{
    Note();
    KeInitializeMutex(&Mutex, 0);
    Take(&Mutex);
    InThread(ReleaseOthers);
}

CORRECT(deadlock_wrong_thread)
{
    KeInitializeMutex(&Mutex, 0);
    InThread(TakeAndEnd);
}

MISUSE(deadlock_initialised_twice)
{
    Note();
    KeInitializeMutex(&Mutex, 0);
    KeInitializeMutex(&Mutex, 0);
}

CORRECT(deadlock_initialised_twice)
{
    PKMUTEX mutex = MisusePool(sizeof(KMUTEX));

    KeInitializeMutex(mutex, 0);
    MisuseFree(mutex); /* the end of it */
    mutex = MisusePool(sizeof(KMUTEX));
    KeInitializeMutex(mutex, 0);
    MisuseFree(mutex);
}

MISUSE(deadlock_not_acquired)
{
    Note();
    KeInitializeMutex(&Mutex, 0);
    KeReleaseMutex(&Mutex, FALSE);
}

CORRECT(deadlock_not_acquired)
{
    KeInitializeMutex(&Mutex, 0);
    Take(&Mutex);
    KeReleaseMutex(&Mutex, FALSE);
}

MISUSE(deadlock_mixed_kinds)
{
    KLOCK_QUEUE_HANDLE handle;
    KIRQL irql;

    Note();
    KeAcquireSpinLock(&First, &irql);
    KeReleaseSpinLock(&First, irql);
    KeAcquireInStackQueuedSpinLock(&First, &handle);
    KeReleaseInStackQueuedSpinLock(&handle);
}

CORRECT(deadlock_mixed_kinds)
{
    KLOCK_QUEUE_HANDLE handle;
    KIRQL irql;

    KeAcquireSpinLock(&First, &irql);
    KeReleaseSpinLock(&First, irql);
    KeAcquireInStackQueuedSpinLock(&Second, &handle);
    KeReleaseInStackQueuedSpinLock(&handle);
}

static VOID NTAPI KeepAndEnd(PVOID Context)
{
    MisuseNote("other", (ULONG_PTR)KeGetCurrentThread());
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&Fast);
    KeLeaveCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(deadlock_thread_ends)
{
    Note();
    ExInitializeFastMutex(&Fast);
    InThread(KeepAndEnd);
}

CORRECT(deadlock_thread_ends)
{
    KeInitializeMutex(&Mutex, 0);
    InThread(TakeAndEnd);
}

MISUSE(deadlock_freed_while_held)
{
    PFAST_MUTEX mutex = MisusePool(sizeof(*mutex));

    ExInitializeFastMutex(mutex);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(mutex);
    MisuseFree(mutex);
}

CORRECT(deadlock_freed_while_held)
{
    PFAST_MUTEX mutex = MisusePool(sizeof(*mutex));

    ExInitializeFastMutex(mutex);
    ExAcquireFastMutex(mutex);
    ExReleaseFastMutex(mutex);
    MisuseFree(mutex);
}
