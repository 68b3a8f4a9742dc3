/* SPDX-License-Identifier: MIT */
/*
 * misuse.sys breaks one rule of the kernel per request; the machine must stop with the bug check that Windows, or its
 * Driver Verifier, has for it. Beside each mistake MISUSE(name) stands CORRECT(name), the same work as it should be
 * done, which must end well and leave nothing. rules.def says what each mistake must bring.
 */
#pragma once

#include <ntifs.h>
#include "codes.h"

#ifndef MdlMappingNoWrite /* words the driver kit's headers of mingw lack */
#define MdlMappingNoWrite 0x80000000u
#define MdlMappingNoExecute 0x40000000u
#endif
#ifndef MM_ALLOCATE_FULLY_REQUIRED
#define MM_ALLOCATE_FULLY_REQUIRED 0x00000004
#endif

typedef struct _MM_PHYSICAL_ADDRESS_LIST
{
    PHYSICAL_ADDRESS PhysicalAddress;
    SIZE_T NumberOfBytes;
} MM_PHYSICAL_ADDRESS_LIST, *PMM_PHYSICAL_ADDRESS_LIST;

NTKERNELAPI NTSTATUS NTAPI MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList,
                                                   SIZE_T NumberOfEntries, PMDL *NewMdl);
NTKERNELAPI VOID NTAPI MmProbeAndLockSelectedPages(PMDL MemoryDescriptorList, PFILE_SEGMENT_ELEMENT SegmentArray,
                                                   KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation);

#define MISUSE_TAG 'sseM'
#define MISUSE_USER_PAGES 2

typedef struct _MISUSE_CONTEXT
{
    PIRP Irp;
    PDEVICE_OBJECT Device;
    PUCHAR User;       /* MISUSE_USER_PAGES of the program's memory, writable, never touched */
    BOOLEAN Completed; /* set by a rule that has completed the request itself */
    NTSTATUS Status;   /* of the request if the rule let it live */
} MISUSE_CONTEXT;

#define MISUSE(name) VOID Misuse_##name(MISUSE_CONTEXT *Context)
#define CORRECT(name) VOID Correct_##name(MISUSE_CONTEXT *Context)

#define RULE(name, stop, options, source, words) MISUSE(name); CORRECT(name);
#define ALSO(name, variant, stop, options, source, words)
#include "rules.def"
#undef RULE
#undef ALSO

/** Called with each IRP_MJ_CLOSE. */
extern VOID (*MisuseAtClose)(PFILE_OBJECT File);

/** What to do when the driver is unloaded; by default nothing but what every driver must. */
extern VOID (*MisuseAtUnload)(VOID);

/** Tells the test a value that the bug check must carry: $Name in rules.def. */
VOID MisuseNote(PCSTR Name, ULONG_PTR Value);

/** Nonpaged pool; $pool. Raises if there is none. MisuseFree gives it back. */
PVOID MisusePool(SIZE_T Size);
VOID MisuseFree(PVOID Block);

/** An MDL for a buffer, not locked; $mdl. IoFreeMdl gives it back. */
PMDL MisuseMdl(PVOID Buffer, ULONG Length);

/** A locked MDL of the program's memory, written to by the device, mapped if wanted; $mdl, $va, $pfn, $pfn2. */
PMDL MisuseLocked(MISUSE_CONTEXT *Context, BOOLEAN Map);
/** Runs a routine in a system thread and waits for the end of it. */
VOID MisuseRunThread(PKSTART_ROUTINE Routine, PVOID Context);

/** A completion routine that keeps the IRP and sets the event that is its context. */
NTSTATUS NTAPI MisuseKeepIrp(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event);

/** The last request of MISUSE_HOLD, which the device keeps until MisuseRelease completes it. */
extern PIRP MisuseHeld;
VOID MisuseRelease(VOID);
#define MISUSE_HOLD MISUSE_CODE(0xB02u) /* internal */

/** Runs a routine as a DPC of the running thread's processor, on top of the thread, and returns after it. */
VOID MisuseRunDpc(PKDEFERRED_ROUTINE Routine, PVOID Context);

/** A kernel handle to a new event; $handle. */
HANDLE MisuseEventHandle(VOID);

/** The processor's interrupts; what _enable and _disable are in Microsoft's compiler. */
static inline VOID MisuseInterrupts(BOOLEAN On)
{
    if (On)
    {
        __asm__ volatile("sti" ::: "memory");
    }
    else
    {
        __asm__ volatile("cli" ::: "memory");
    }
}

/** Raises the IRQL and returns the old one. */
KIRQL MisuseRaise(KIRQL Irql);
#define MISUSE_HIGH 5 /* above DISPATCH_LEVEL, of no device */

/** The end of such an MDL: unlocked (which unmaps) and freed. */
VOID MisuseUnlock(PMDL Mdl);
