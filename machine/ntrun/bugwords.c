/* SPDX-License-Identifier: MIT */
/* Bug checks in words. See bugwords.h; the words themselves are in buggeneral.c, bugmemory.c and bugverifier.c. */
#include "bugwords.h"

#include <ctype.h>
#include <string.h>

static const struct
{
    uint32_t Code;
    const char *Name;
} Names[] = {
    {0x01, "APC_INDEX_MISMATCH"},
    {0x05, "INVALID_PROCESS_ATTACH_ATTEMPT"},
    {0x06, "INVALID_PROCESS_DETACH_ATTEMPT"},
    {0x08, "IRQL_NOT_DISPATCH_LEVEL"},
    {0x09, "IRQL_NOT_GREATER_OR_EQUAL"},
    {0x0A, "IRQL_NOT_LESS_OR_EQUAL"},
    {0x0C, "MAXIMUM_WAIT_OBJECTS_EXCEEDED"},
    {0x0D, "MUTEX_LEVEL_NUMBER_VIOLATION"},
    {0x0E, "NO_USER_MODE_CONTEXT"},
    {0x0F, "SPIN_LOCK_ALREADY_OWNED"},
    {0x10, "SPIN_LOCK_NOT_OWNED"},
    {0x18, "REFERENCE_BY_POINTER"},
    {0x19, "BAD_POOL_HEADER"},
    {0x1A, "MEMORY_MANAGEMENT"},
    {0x1E, "KMODE_EXCEPTION_NOT_HANDLED"},
    {0x20, "KERNEL_APC_PENDING_DURING_EXIT"},
    {0x31, "PHASE0_INITIALIZATION_FAILED"},
    {0x32, "PHASE1_INITIALIZATION_FAILED"},
    {0x35, "NO_MORE_IRP_STACK_LOCATIONS"},
    {0x3B, "SYSTEM_SERVICE_EXCEPTION"},
    {0x3F, "NO_MORE_SYSTEM_PTES"},
    {0x40, "TARGET_MDL_TOO_SMALL"},
    {0x41, "MUST_SUCCEED_POOL_EMPTY"},
    {0x44, "MULTIPLE_IRP_COMPLETE_REQUESTS"},
    {0x48, "CANCEL_STATE_IN_COMPLETED_IRP"},
    {0x4A, "IRQL_GT_ZERO_AT_SYSTEM_SERVICE"},
    {0x4E, "PFN_LIST_CORRUPT"},
    {0x50, "PAGE_FAULT_IN_NONPAGED_AREA"},
    {0x5C, "HAL_INITIALIZATION_FAILED"},
    {0x5F, "OBJECT1_INITIALIZATION_FAILED"},
    {0x60, "PROCESS_INITIALIZATION_FAILED"},
    {0x61, "SECURITY_INITIALIZATION_FAILED"},
    {0x69, "IO1_INITIALIZATION_FAILED"},
    {0x76, "PROCESS_HAS_LOCKED_PAGES"},
    {0x7A, "KERNEL_DATA_INPAGE_ERROR"},
    {0x7E, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"},
    {0x7F, "UNEXPECTED_KERNEL_MODE_TRAP"},
    {0x80, "NMI_HARDWARE_FAILURE"},
    {0x93, "INVALID_KERNEL_HANDLE"},
    {0x96, "INVALID_WORK_QUEUE_ITEM"},
    {0x9C, "MACHINE_CHECK_EXCEPTION"},
    {0xB8, "ATTEMPTED_SWITCH_FROM_DPC"},
    {0xBE, "ATTEMPTED_WRITE_TO_READONLY_MEMORY"},
    {0xC1, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION"},
    {0xC2, "BAD_POOL_CALLER"},
    {0xC4, "DRIVER_VERIFIER_DETECTED_VIOLATION"},
    {0xC5, "DRIVER_CORRUPTED_EXPOOL"},
    {0xC7, "TIMER_OR_DPC_INVALID"},
    {0xC8, "IRQL_UNEXPECTED_VALUE"},
    {0xC9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION"},
    {0xCB, "DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS"},
    {0xCC, "PAGE_FAULT_IN_FREED_SPECIAL_POOL"},
    {0xCD, "PAGE_FAULT_BEYOND_END_OF_ALLOCATION"},
    {0xCE, "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS"},
    {0xD0, "DRIVER_CORRUPTED_MMPOOL"},
    {0xD1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL"},
    {0xD3, "DRIVER_PORTION_MUST_BE_NONPAGED"},
    {0xD5, "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"},
    {0xD6, "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"},
    {0xD7, "DRIVER_UNMAPPING_INVALID_VIEW"},
    {0xDA, "SYSTEM_PTE_MISUSE"},
    {0xDF, "IMPERSONATING_WORKER_THREAD"},
    {0xE1, "WORKER_THREAD_RETURNED_AT_BAD_IRQL"},
    {0xE2, "MANUALLY_INITIATED_CRASH"},
    {0xE3, "RESOURCE_NOT_OWNED"},
    {0xE4, "WORKER_INVALID"},
    {0xFC, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"},
    {0x12E, "INVALID_MDL_RANGE"},
    {0x139, "KERNEL_SECURITY_CHECK_FAILURE"},
    {0x4000008A, "THREAD_TERMINATE_HELD_MUTEX"},
};

static const struct
{
    uint32_t Status;
    const char *Name;
} Statuses[] = {
    {0x00000000, "STATUS_SUCCESS"},
    {0x00000103, "STATUS_PENDING"},
    {0x80000002, "STATUS_DATATYPE_MISALIGNMENT"},
    {0x80000003, "STATUS_BREAKPOINT"},
    {0x80000004, "STATUS_SINGLE_STEP"},
    {0xC0000001, "STATUS_UNSUCCESSFUL"},
    {0xC0000005, "STATUS_ACCESS_VIOLATION"},
    {0xC0000006, "STATUS_IN_PAGE_ERROR"},
    {0xC0000008, "STATUS_INVALID_HANDLE"},
    {0xC000000D, "STATUS_INVALID_PARAMETER"},
    {0xC0000010, "STATUS_INVALID_DEVICE_REQUEST"},
    {0xC0000017, "STATUS_NO_MEMORY"},
    {0xC0000018, "STATUS_CONFLICTING_ADDRESSES"},
    {0xC000001D, "STATUS_ILLEGAL_INSTRUCTION"},
    {0xC0000022, "STATUS_ACCESS_DENIED"},
    {0xC0000023, "STATUS_BUFFER_TOO_SMALL"},
    {0xC0000034, "STATUS_OBJECT_NAME_NOT_FOUND"},
    {0xC0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO"},
    {0xC0000095, "STATUS_INTEGER_OVERFLOW"},
    {0xC0000096, "STATUS_PRIVILEGED_INSTRUCTION"},
    {0xC000009A, "STATUS_INSUFFICIENT_RESOURCES"},
    {0xC00000A1, "STATUS_WORKING_SET_QUOTA"},
    {0xC00000BB, "STATUS_NOT_SUPPORTED"},
    {0xC00000FD, "STATUS_STACK_OVERFLOW"},
    {0xC0000120, "STATUS_CANCELLED"},
    {0xC0000141, "STATUS_INVALID_ADDRESS"},
    {0xC0000420, "STATUS_ASSERTION_FAILURE"},
};

static const struct
{
    uint16_t Flag;
    const char *Name;
} MdlFlags[] = {
    {0x0001, "MAPPED_TO_SYSTEM_VA"},
    {0x0002, "PAGES_LOCKED"},
    {0x0004, "SOURCE_IS_NONPAGED_POOL"},
    {0x0008, "ALLOCATED_FIXED_SIZE"},
    {0x0010, "PARTIAL"},
    {0x0020, "PARTIAL_HAS_BEEN_MAPPED"},
    {0x0040, "IO_PAGE_READ"},
    {0x0080, "WRITE_OPERATION"},
    {0x0100, "LOCKED_PAGE_TABLES"},
    {0x0200, "FREE_EXTRA_PTES"},
    {0x0400, "DESCRIBES_AWE"},
    {0x0800, "IO_SPACE"},
    {0x1000, "NETWORK_HEADER"},
    {0x2000, "MAPPING_CAN_FAIL"},
    {0x4000, "PAGE_CONTENTS_INVARIANT"},
    {0x8000, "INTERNAL"},
};

#define COUNT(Array) (sizeof(Array) / sizeof((Array)[0]))

static const BUG_WORDS Unknown = {
    0, BUG_ANY_KIND, "A code that the machine does not raise: the driver's own.",
    {"x:parameter 1", "x:parameter 2", "x:parameter 3", "x:parameter 4"},
    "Look for KeBugCheckEx in the driver."};

const char *BugName(uint32_t Code)
{
    for (size_t i = 0; i < COUNT(Names); i++)
    {
        if (Names[i].Code == Code)
        {
            return Names[i].Name;
        }
    }
    return NULL;
}

static const BUG_WORDS *BugFind(uint32_t Code, uint64_t Kind)
{
    const struct
    {
        const BUG_WORDS *Words;
        size_t Count;
    } tables[] = {
        {BugVerifierWords, BugVerifierCount}, {BugMemoryWords, BugMemoryCount}, {BugGeneralWords, BugGeneralCount}};

    for (size_t t = 0; t < COUNT(tables); t++)
    {
        for (size_t i = 0; i < tables[t].Count; i++)
        {
            if (tables[t].Words[i].Code == Code && tables[t].Words[i].Kind == Kind)
            {
                return &tables[t].Words[i];
            }
        }
    }
    return NULL;
}

const BUG_WORDS *BugWords(uint32_t Code, uint64_t Parameter1)
{
    const BUG_WORDS *words = BugFind(Code, Parameter1);

    if (words == NULL)
    {
        words = BugFind(Code, BUG_ANY_KIND);
    }
    return words != NULL ? words : &Unknown;
}

const char *BugAdvice(const BUG_WORDS *Words)
{
    if (Words->Advice == NULL && Words->Kind != BUG_ANY_KIND)
    {
        Words = BugFind(Words->Code, BUG_ANY_KIND);
    }
    return Words != NULL ? Words->Advice : NULL;
}

const char *IrqlName(unsigned Irql)
{
    static const char *const names[16] = {"PASSIVE_LEVEL", "APC_LEVEL", "DISPATCH_LEVEL", [13] = "CLOCK_LEVEL",
                                          [14] = "IPI_LEVEL", [15] = "HIGH_LEVEL"};

    return Irql < 16 && names[Irql] != NULL ? names[Irql] : Irql > 2 && Irql < 13 ? "a device's" : "";
}

static void AppendFlags(TEXT *Text, uint64_t Flags)
{
    const char *separator = "";

    if (Flags == 0)
    {
        TextAppend(Text, "none");
    }
    for (size_t i = 0; i < COUNT(MdlFlags); i++)
    {
        if (Flags & MdlFlags[i].Flag)
        {
            TextAppend(Text, "%s%s", separator, MdlFlags[i].Name);
            separator = " | ";
        }
    }
}

void BugAppendTag(TEXT *Text, uint64_t Tag)
{
    TextAppend(Text, "'");
    for (int i = 0; i < 4; i++)
    {
        unsigned char letter = (unsigned char)(Tag >> 8 * i);

        TextAppend(Text, "%c", letter < 0x80 && isprint(letter) ? letter : '.');
    }
    TextAppend(Text, "'");
}

static void AppendStatus(TEXT *Text, uint64_t Status)
{
    for (size_t i = 0; i < COUNT(Statuses); i++)
    {
        if (Statuses[i].Status == (uint32_t)Status)
        {
            TextAppend(Text, ": %s", Statuses[i].Name);
        }
    }
}

static const char *AccessName(char Form, uint64_t Value)
{
    bool execute = Value == (Form == 'a' ? 8 : 0x10);
    bool write = Value == (Form == 'b' ? 2 : 1);

    return execute ? "execute" : write ? "write" : Value == 0 ? "read" : "not known";
}

static const char *PoolTypeName(uint64_t Type)
{
    static const char *const names[] = {"NonPagedPool", "PagedPool", "NonPagedPoolMustSucceed", NULL,
                                        "NonPagedPoolCacheAligned", "PagedPoolCacheAligned"};

    return Type == 512 ? "NonPagedPoolNx" : Type < COUNT(names) && names[Type] != NULL ? names[Type] : "not known";
}

void BugAppendMeaning(TEXT *Text, const BUG_WORDS *Words, unsigned Index, uint64_t Value)
{
    const char *words = Words->Parameters[Index];

    if (words == NULL)
    {
        return;
    }
    TextAppend(Text, "%s", words + 2);
    switch (words[0])
    {
    case 'i':
        TextAppend(Text, ": %s", Value < 16 ? IrqlName((unsigned)Value) : "none");
        break;
    case 'a':
    case 'b':
    case 'c':
        TextAppend(Text, ": %s", AccessName(words[0], Value));
        break;
    case 'f':
        TextAppend(Text, ": ");
        AppendFlags(Text, Value);
        break;
    case 'm':
        TextAppend(Text, ": %s", Value == 0 ? "KernelMode" : Value == 1 ? "UserMode" : "not known");
        break;
    case 'n':
        TextAppend(Text, ": %lld", (long long)Value);
        break;
    case 'o':
        TextAppend(Text, ": %s", PoolTypeName(Value));
        break;
    case 's':
        AppendStatus(Text, Value);
        break;
    case 't':
        TextAppend(Text, ": ");
        BugAppendTag(Text, Value);
        break;
    default:
        break;
    }
}
