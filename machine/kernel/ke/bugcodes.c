/* SPDX-License-Identifier: MIT */
/*
 * The bug checks that this kernel raises: names, what the parameters say, what to look for.
 */
#include "kip.h"

static const KI_BUG_CODE KiCodes[] = {
    {0x01, "APC_INDEX_MISMATCH", {"address of the system service", "attach state", "APC disable counts", "call type"},
     "A service returned to user mode inside a critical or guarded region, or attached to another process: count "
     "KeEnterCriticalRegion and KeEnterGuardedRegion against their opposites in the drivers it called."},
    {0x05, "INVALID_PROCESS_ATTACH_ATTEMPT", {"target process", "present process", "attach state", "in a DPC"},
     "KeAttachProcess or KeStackAttachProcess in a DPC or in a thread that is attached already."},
    {0x06, "INVALID_PROCESS_DETACH_ATTEMPT", {"process it is attached to", "home process", "attach state", "in an APC"},
     "A detach without an attach, in the wrong order, or inside an APC."},
    {0x08, "IRQL_NOT_DISPATCH_LEVEL", {"DPC routine", "IRQL it returned at", "DPC", NULL},
     "A DPC routine returned at another IRQL than it was called at: an acquired spin lock not released, or one "
     "released with a wrong old IRQL."},
    {0x09, "IRQL_NOT_GREATER_OR_EQUAL", {"present IRQL", "IRQL asked for", NULL, "caller"},
     "KeRaiseIrql was asked for a lower IRQL than the present one."},
    {0x0A, "IRQL_NOT_LESS_OR_EQUAL", {"address", "IRQL", "0 read, 1 write, 8 execute", "instruction"},
     "The kernel touched memory that is paged out or not there, at DISPATCH_LEVEL or above; or a routine was called "
     "at too high an IRQL. Look at what the driver below it on the stack passed in."},
    {0x0C, "MAXIMUM_WAIT_OBJECTS_EXCEEDED", {NULL, NULL, NULL, NULL},
     "KeWaitForMultipleObjects: more than 3 objects need a WaitBlockArray, more than 64 are not possible."},
    {0x0D, "MUTEX_LEVEL_NUMBER_VIOLATION", {"thread", NULL, NULL, NULL}, "A thread that had ended ran again."},
    {0x0E, "NO_USER_MODE_CONTEXT", {"thread", "its system routine", NULL, NULL},
     "A system thread returned from its first routine instead of ending itself."},
    {0x0F, "SPIN_LOCK_ALREADY_OWNED", {"spin lock", "thread", NULL, NULL},
     "A spin lock was taken twice by the same thread or DPC."},
    {0x10, "SPIN_LOCK_NOT_OWNED", {"spin lock", NULL, NULL, NULL}, "A spin lock was released that nobody held."},
    {0x18, "REFERENCE_BY_POINTER", {"object type", "object", "kind", "count"},
     "An object was dereferenced more often than it was referenced."},
    {0x19, "BAD_POOL_HEADER", {"kind", "block or header", "3", "4"},
     "20: the header of a pool block is damaged. 21: the bytes behind a block are; 3 is its size. Somebody wrote past "
     "the end of a block, or freed an address that is not one."},
    {0x1A, "MEMORY_MANAGEMENT", {"kind", "2", "3", "4"}, "The memory manager found its own data wrong."},
    {0x1E, "KMODE_EXCEPTION_NOT_HANDLED", {"exception code", "address", "information 0", "information 1"},
     "Nobody handled an exception in a DPC, an interrupt or at raised IRQL. 80000003 is a break point "
     "(DbgBreakPoint, an assertion) without a debugger."},
    {0x31, "PHASE0_INITIALIZATION_FAILED", {"status", NULL, NULL, NULL}, "The kernel could not start."},
    {0x32, "PHASE1_INITIALIZATION_FAILED", {"status", NULL, NULL, NULL}, "The kernel could not start."},
    {0x35, "NO_MORE_IRP_STACK_LOCATIONS", {"IRP", NULL, NULL, NULL},
     "IoCallDriver on an IRP whose stack locations are used up: allocate it with the StackSize of the device it is "
     "sent to."},
    {0x3B, "SYSTEM_SERVICE_EXCEPTION", {"exception code", "address", "context record", NULL},
     "Nobody handled an exception inside a system service, in the thread of a program. A driver that touches user "
     "memory or calls something that raises (MmProbeAndLockPages, ProbeForRead, a UserMode mapping) needs __try / "
     "__except."},
    {0x3F, "NO_MORE_SYSTEM_PTES", {"type", "pages asked for", "free", "total"},
     "Mappings are made and not undone: MmMapLockedPages, MmMapIoSpace, MmAllocateMappingAddress."},
    {0x40, "TARGET_MDL_TOO_SMALL", {"source MDL", "target MDL", "address", "length"},
     "IoBuildPartialMdl: the target MDL was allocated for fewer pages."},
    {0x44, "MULTIPLE_IRP_COMPLETE_REQUESTS", {"IRP", NULL, NULL, NULL},
     "An IRP was completed twice: by a cancel routine and a DPC, or by two drivers of a stack."},
    {0x4A, "IRQL_GT_ZERO_AT_SYSTEM_SERVICE", {"address of the system service", "IRQL", NULL, "trap frame"},
     "A service was about to return to user mode at raised IRQL: a spin lock not released, or an IRQL not lowered."},
    {0x4E, "PFN_LIST_CORRUPT", {"kind", "page frame", "3", "4"},
     "7: unlocked more often than locked. 99: state of the page damaged. 9A: freed while locked."},
    {0x50, "PAGE_FAULT_IN_NONPAGED_AREA", {"address", "0 read, 2 write, 0x10 execute", "instruction", "type"},
     "A kernel address that is not there was touched: freed memory, an unmapped view, a stale pointer. __try / "
     "__except does not catch this."},
    {0x5C, "HAL_INITIALIZATION_FAILED", {"kind", NULL, NULL, NULL}, "The local APIC could not be used."},
    {0x76, "PROCESS_HAS_LOCKED_PAGES",
     {"0 process ends, 1 unlock of what is not locked", "process or MDL", "locked pages", NULL},
     "MmProbeAndLockPages without MmUnlockPages before the process ended; or MmUnlockPages twice."},
    {0x7E, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED", {"exception code", "address", "exception record", "context record"},
     "Nobody handled an exception in a system thread: a worker, a driver's thread, DriverEntry or DriverUnload. "
     "80000003 is a break point without a debugger."},
    {0x7F, "UNEXPECTED_KERNEL_MODE_TRAP", {"vector", "error code or trap frame", "instruction", "stack pointer"},
     "8 is a double fault: nearly always a kernel stack that overflowed (24 KB)."},
    {0x80, "NMI_HARDWARE_FAILURE", {NULL, NULL, NULL, NULL}, "A non-maskable interrupt that nobody registered for."},
    {0x9C, "MACHINE_CHECK_EXCEPTION", {"bank", "trap frame", NULL, NULL}, "The processor reported a hardware error."},
    {0xB8, "ATTEMPTED_SWITCH_FROM_DPC", {"thread", "DPC", "DPC routine", NULL},
     "A DPC (or the idle thread) waited, delayed or tried to take a lock that waits. Only a wait with a zero "
     "time-out is allowed there."},
    {0xBE, "ATTEMPTED_WRITE_TO_READONLY_MEMORY", {"address", "page table entry", "trap frame", "type"},
     "A write to code, to a constant, or through a view mapped with MdlMappingNoWrite."},
    {0xC2, "BAD_POOL_CALLER", {"kind", "2", "3", "4"},
     "0 zero size; 6, 7 freed twice; 8, 9 wrong IRQL; A wrong tag; 40 user address; 41 to 50 not a pool block; 99 "
     "bad address."},
    {0xC5, "DRIVER_CORRUPTED_EXPOOL", {"address", "IRQL", "0 read, 1 write", "instruction"},
     "A pool header is damaged: somebody wrote past a block, or to a freed one."},
    {0xC7, "TIMER_OR_DPC_INVALID", {"0 timer, 1 DPC", "its address", "memory freed", "its size"},
     "Memory with a running timer or a queued DPC was freed: cancel the timer, then KeFlushQueuedDpcs."},
    {0xC8, "IRQL_UNEXPECTED_VALUE", {"present, expected and previous IRQL", "APC routine", "APC", NULL},
     "An APC routine returned at another IRQL than it was called at."},
    {0xC9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION", {"rule", "2", "3", "4"},
     "5 IRQL changed by a dispatch routine; 6 completed while pending; 7 cancel routine still set; 8, 9 bad buffer; "
     "C, D status block or event on a stack that is gone; E, 10 wrong IRQL."},
    {0xCB, "DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS", {"who locked them", NULL, "MDL", "locked pages"},
     "The driver locked pages with MmProbeAndLockPages and did not unlock them before the process ended. Unlock on "
     "completion, on cancellation, and at IRP_MJ_CLEANUP."},
    {0xCE, "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS", {"address", "0 read, 1 write", "instruction", NULL},
     "Code or data of a driver that has been unloaded: a timer, DPC, work item, thread, callback or IRP of its was "
     "left."},
    {0xD0, "DRIVER_CORRUPTED_MMPOOL", {"address", "IRQL", "0 read, 1 write", "instruction"},
     "A pool header is damaged: somebody wrote past a block, or to a freed one."},
    {0xD1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", {"address", "IRQL", "0 read, 1 write, 8 execute", "instruction"},
     "A driver touched memory that is paged out or not there, at DISPATCH_LEVEL or above: pageable code or data, "
     "user memory that is not locked, a stale pointer."},
    {0xD7, "DRIVER_UNMAPPING_INVALID_VIEW", {"address", "1 unmap, 2 commit", NULL, NULL},
     "A view was unmapped that was not mapped, or twice."},
    {0xDA, "SYSTEM_PTE_MISUSE", {"kind", "2", "3", "4"},
     "1 mapped twice; 2 wrong page count; 3 wrong address; 4 PFN array changed; 5 StartVa changed; 6 never mapped; "
     "100 to 10C reserved mappings."},
    {0xFC, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY", {"address", "page table entry", "trap frame", "type"},
     "A call or return to data: a wild function pointer, a smashed stack, or code in NonPagedPoolNx."},
    {0x12E, "INVALID_MDL_RANGE", {"source MDL", "target MDL", "address", "length"},
     "IoBuildPartialMdl: the part does not lie inside the source MDL, or the target MDL is too small (length 40)."},
    {0x139, "KERNEL_SECURITY_CHECK_FAILURE", {"kind of check", "trap frame", "exception record", NULL},
     "2 stack cookie; 3 a LIST_ENTRY that is damaged (removed twice, or freed while in a list); others: fast-fail "
     "codes."},
    {0x4000008A, "THREAD_TERMINATE_HELD_MUTEX", {"thread", "mutex", NULL, NULL},
     "A thread ended while it owned a kernel mutex."},
};

/* 0xC4: the rule is the first parameter. */
static const KI_BUG_CODE KiRules[] = {
    {0x00, NULL, {"rule 0: pool of zero bytes", "IRQL", "pool type", NULL}, NULL},
    {0x01, NULL, {"rule 1: paged pool allocated above APC_LEVEL", "IRQL", "pool type", "size"}, NULL},
    {0x02, NULL, {"rule 2: nonpaged pool allocated above DISPATCH_LEVEL", "IRQL", "pool type", "size"}, NULL},
    {0x10, NULL, {"rule 10: freed address is not pool", "address", NULL, NULL}, NULL},
    {0x11, NULL, {"rule 11: paged pool freed above APC_LEVEL", "IRQL", "pool type", "address"}, NULL},
    {0x12, NULL, {"rule 12: nonpaged pool freed above DISPATCH_LEVEL", "IRQL", "pool type", "address"}, NULL},
    {0x13, NULL, {"rule 13: pool freed twice", "address", NULL, NULL}, NULL},
    {0x14, NULL, {"rule 14: pool freed twice", "address", NULL, NULL}, NULL},
    {0x16, NULL, {"rule 16: freed at an address that is not a block's", "address", NULL, NULL}, NULL},
    {0x30, NULL, {"rule 30: KeRaiseIrql to a lower IRQL", "present IRQL", "IRQL asked for", NULL}, NULL},
    {0x31, NULL, {"rule 31: KeLowerIrql to a higher IRQL", "present IRQL", "IRQL asked for", NULL}, NULL},
    {0x32, NULL, {"rule 32: KeReleaseSpinLock below DISPATCH_LEVEL", "IRQL", "spin lock", NULL}, NULL},
    {0x3B, NULL, {"rule 3B: a wait at DISPATCH_LEVEL or above", "IRQL", "object", "time-out"}, NULL},
    {0x40, NULL, {"rule 40: KeAcquireSpinLock above DISPATCH_LEVEL", "IRQL", "spin lock", NULL}, NULL},
    {0x41, NULL, {"rule 41: KeAcquireSpinLockAtDpcLevel below it", "IRQL", "spin lock", NULL}, NULL},
    {0x42, NULL, {"rule 42: KeReleaseSpinLockFromDpcLevel below it", "IRQL", "spin lock", NULL}, NULL},
    {0x51, NULL, {"rule 51: written past the end of a pool block", "block", "address", NULL}, NULL},
    {0x52, NULL, {"rule 52: written past the end of a pool block", "block", "address", NULL}, NULL},
    {0x53, NULL, {"rule 53: written past the end of a pool block", "block", "address", NULL}, NULL},
    {0x54, NULL, {"rule 54: written before the start of a pool block", "block", "address", NULL}, NULL},
    {0x59, NULL, {"rule 59: written outside a pool block", "block", "address", NULL}, NULL},
    {0x60, NULL, {"rule 60: driver unloaded with pool allocated", "bytes", "blocks", NULL}, NULL},
    {0x61, NULL, {"rule 61: driver unloads while its pool is allocated", "bytes", "blocks", NULL}, NULL},
    {0x62, NULL, {"rule 62: driver unloaded with pool allocated", "driver", "3", "blocks"}, NULL},
    {0x6F, NULL, {"rule 6F: page not known to the memory manager", "MDL", "page frame", "highest"}, NULL},
    {0x70, NULL, {"rule 70: MmProbeAndLockPages at the wrong IRQL", "IRQL", "MDL", "mode"}, NULL},
    {0x71, NULL, {"rule 71: MmProbeAndLockProcessPages, wrong IRQL", "IRQL", "MDL", "process"}, NULL},
    {0x72, NULL, {"rule 72: MmProbeAndLockSelectedPages, wrong IRQL", "IRQL", "MDL", "process"}, NULL},
    {0x74, NULL, {"rule 74: MmMapLockedPages, wrong IRQL", "IRQL", "MDL", "mode"}, NULL},
    {0x75, NULL, {"rule 75: MmMapLockedPages to user, wrong IRQL", "IRQL", "MDL", "mode"}, NULL},
    {0x76, NULL, {"rule 76: MmMapLockedPagesSpecifyCache, wrong IRQL", "IRQL", "MDL", "mode"}, NULL},
    {0x77, NULL, {"rule 77: the same to user, wrong IRQL", "IRQL", "MDL", "mode"}, NULL},
    {0x78, NULL, {"rule 78: MmUnlockPages, wrong IRQL", "IRQL", "MDL", NULL}, NULL},
    {0x79, NULL, {"rule 79: MmUnmapLockedPages, wrong IRQL", "IRQL", "address", "MDL"}, NULL},
    {0x7A, NULL, {"rule 7A: MmUnmapLockedPages of user, wrong IRQL", "IRQL", "address", "MDL"}, NULL},
    {0x7C, NULL, {"rule 7C: unlock of pages that were never locked", "MDL", "flags", NULL}, NULL},
    {0x7D, NULL, {"rule 7D: unlock of nonpaged pool", "MDL", "flags", NULL}, NULL},
    {0x7E, NULL, {"rule 7E: pages for an MDL, wrong IRQL", "IRQL", "2", "3"}, NULL},
    {0x7F, NULL, {"rule 7F: MmBuildMdlForNonPagedPool on paged memory", "MDL", "flags", NULL}, NULL},
    {0x80, NULL, {"rule 80: KeSetEvent above DISPATCH_LEVEL", "IRQL", "event", NULL}, NULL},
    {0x81, NULL, {"rule 81: MmMapLockedPages is obsolete", "MDL", "flags", NULL}, NULL},
    {0x82, NULL, {"rule 82: mapped with BugCheckOnFailure", "MDL", "flags", NULL}, NULL},
    {0x83, NULL, {"rule 83: map of pages that are not locked", "MDL", "flags", NULL}, NULL},
    {0x85, NULL, {"rule 85: map of pages that are not locked", "MDL", "flags", NULL}, NULL},
    {0x89, NULL, {"rule 89: an MDL of what is not memory", "MDL", "page", NULL}, NULL},
    {0xB0, NULL, {"rule B0: probe of an MDL with bad flags", "MDL", "flags", "bad flags"}, NULL},
    {0xB1, NULL, {"rule B1: probe of an MDL with bad flags", "MDL", "flags", "bad flags"}, NULL},
    {0xB2, NULL, {"rule B2: map of an MDL mapped already or not locked", "MDL", "flags", "bad flags"}, NULL},
    {0xB3, NULL, {"rule B3: map of an MDL that lacks a flag", "MDL", "flags", NULL}, NULL},
    {0xB4, NULL, {"rule B4: unlock of a partial MDL", "MDL", "flags", "bad flags"}, NULL},
    {0xB5, NULL, {"rule B5: unmap of a partial MDL", "address", "MDL", "flags"}, NULL},
    {0xB6, NULL, {"rule B6: unmap of what is not mapped", "address", "MDL", "flags"}, NULL},
    {0xB8, NULL, {"rule B8: MDL freed while mapped", "MDL", "flags", NULL}, NULL},
    {0xB9, NULL, {"rule B9: bad user address", "address", "MDL", NULL}, NULL},
    {0xE0, NULL, {"rule E0: user address where a kernel one belongs", "address", NULL, NULL}, NULL},
    {0xE1, NULL, {"rule E1: user address in an IRP", "address", "IRP", NULL}, NULL},
    {0xE2, NULL, {"rule E2: user address in an IRP", "IRP", "address", NULL}, NULL},
    {0xE3, NULL, {"rule E3: user address passed to a Zw routine", "address", "parameter", NULL}, NULL},
    {0xE4, NULL, {"rule E4: unaligned or user address", "address", NULL, NULL}, NULL},
    {0xF6, NULL, {"rule F6: user handle used from kernel mode", "handle", "process", "caller"}, NULL},
    {0x105, NULL, {"rule 105: ExFreePool on an IRP", "IRP", NULL, NULL}, NULL},
    {0x140, NULL, {"rule 140: MDL built from pageable memory", "MDL", "address", NULL}, NULL},
    {0x2002, NULL, {"rule 2002: executable mapping", "MDL", "flags", "priority"}, NULL},
};

static const CHAR KiRuleAdvice[] =
    "A driver broke a rule that Driver Verifier checks; the rule is in the first line, the driver is named below. "
    "option=noverifier runs the machine without these checks.";

/* The entry for a code, or NULL. For 0xC4 the result is made up of the rule's words; one caller at a time. */
const KI_BUG_CODE *KiFindBugCode(ULONG Code, ULONG_PTR Parameter1)
{
    static KI_BUG_CODE verifier = {
        0xC4, "DRIVER_VERIFIER_DETECTED_VIOLATION", {"rule", "2", "3", "4"}, KiRuleAdvice};

    if (Code == 0xC4)
    {
        for (ULONG i = 0; i < RTL_NUMBER_OF(KiRules); i++)
        {
            if (KiRules[i].Code == Parameter1)
            {
                RtlCopyMemory(verifier.Parameters, KiRules[i].Parameters, sizeof(verifier.Parameters));
            }
        }
        return &verifier;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(KiCodes); i++)
    {
        if (KiCodes[i].Code == Code)
        {
            return &KiCodes[i];
        }
    }
    return NULL;
}
