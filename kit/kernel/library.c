/* SPDX-License-Identifier: MIT */
/*
 * The library as a whole: start and stop, what this system can do, small allocations, parameters, statistics.
 *
 * Only routines that every Windows since 7 exports are imported. The differences that matter are decided here, once,
 * at run time: no-execute and read-only mappings and NonPagedPoolNx came with Windows 8; MmAllocatePagesForMdlEx is
 * looked up because some compatible kernels have only MmAllocatePagesForMdl.
 */
#include "ist.h"

IST_LIBRARY IstLibrary;

/* Values of Windows 8 that older headers lack. */
#define IST_NON_PAGED_POOL_NX    ((POOL_TYPE)512)
#define IST_MAPPING_NO_WRITE     0x80000000u
#define IST_MAPPING_NO_EXECUTE   0x40000000u

/* One MDL may describe up to 4 GB - PAGE_SIZE since Windows 7; some kernels stop at 2 GB. */
#define IST_SEGMENT_DEFAULT (1ull << 30)
#define IST_SEGMENT_MAXIMUM (1ull << 30)

/* Small blocks carry their size, so that the statistics can tell bytes as well as blocks. */
typedef struct DECLSPEC_ALIGN(16) _IST_BLOCK
{
    SIZE_T Bytes;
    SIZE_T Reserved;
} IST_BLOCK, *PIST_BLOCK;

/* The address of an exported kernel routine, or NULL. PASSIVE_LEVEL. */
PVOID IstFindRoutine(_In_z_ PCWSTR Name)
{
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, Name);
    return MmGetSystemRoutineAddress(&name);
}

/* A zeroed block of nonpaged, no-execute pool for the library's own objects, or NULL. <= DISPATCH_LEVEL. */
PVOID IstAllocate(_In_ SIZE_T Bytes)
{
    if (Bytes > MAXULONG - sizeof(IST_BLOCK))
    {
        return NULL;
    }
    SIZE_T total = Bytes + sizeof(IST_BLOCK);
    PIST_BLOCK block = ExAllocatePoolWithTag(IstLibrary.NonPaged, total, IST_TAG);
    if (block == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(block, total);
    block->Bytes = total;
    IstCount(IstCountPoolBlocks, 1);
    IstCount(IstCountPoolBytes, (LONG64)total);
    return block + 1;
}

/* Frees a block of IstAllocate; NULL is allowed. <= DISPATCH_LEVEL. */
VOID IstFree(_In_opt_ PVOID Block)
{
    if (Block == NULL)
    {
        return;
    }
    PIST_BLOCK block = (PIST_BLOCK)Block - 1;
    IstCount(IstCountPoolBlocks, -1);
    IstCount(IstCountPoolBytes, -(LONG64)block->Bytes);
    ExFreePoolWithTag(block, IST_TAG);
}

static VOID IstSystemDetect(VOID)
{
    RTL_OSVERSIONINFOW version;
    RtlZeroMemory(&version, sizeof(version));
    version.dwOSVersionInfoSize = sizeof(version);
    BOOLEAN windows8 = NT_SUCCESS(RtlGetVersion(&version)) &&
                       (version.dwMajorVersion > 6 || (version.dwMajorVersion == 6 && version.dwMinorVersion >= 2));

    IstLibrary.NonPaged = windows8 ? IST_NON_PAGED_POOL_NX : NonPagedPool;
    IstLibrary.MapPriority = NormalPagePriority | (windows8 ? IST_MAPPING_NO_EXECUTE : 0);
    IstLibrary.MapNoWrite = windows8 ? IST_MAPPING_NO_WRITE : 0;
    IstLibrary.Capabilities = windows8 ? ISTHMUS_CAN_MAP_READ_ONLY | ISTHMUS_CAN_NO_EXECUTE : 0;
    IstLibrary.Tokens = IstTokensDetect();
    IstLibrary.AllocatePages = (IST_ALLOCATE_PAGES)IstFindRoutine(L"MmAllocatePagesForMdlEx");
}

/* Reads the number from an open key. */
static NTSTATUS IstReadNumber(_In_ HANDLE Key, _In_z_ PCWSTR Name, _Inout_ PULONGLONG Value)
{
    UNICODE_STRING name;
    union
    {
        KEY_VALUE_PARTIAL_INFORMATION Information;
        UCHAR Room[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + sizeof(ULONGLONG)];
    } answer;
    ULONG length = 0;

    RtlInitUnicodeString(&name, Name);
    NTSTATUS status = ZwQueryValueKey(Key, &name, KeyValuePartialInformation, &answer, sizeof(answer), &length);
    if (!NT_SUCCESS(status))
    {
        /* What is longer than a number is none. */
        return status == STATUS_BUFFER_OVERFLOW ? STATUS_SUCCESS : status;
    }
    if (answer.Information.Type == REG_DWORD && answer.Information.DataLength == sizeof(ULONG))
    {
        ULONG number;
        RtlCopyMemory(&number, answer.Information.Data, sizeof(number));
        *Value = number;
    }
    else if (answer.Information.Type == REG_QWORD && answer.Information.DataLength == sizeof(ULONGLONG))
    {
        RtlCopyMemory(Value, answer.Information.Data, sizeof(*Value));
    }
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusReadParameter(_In_opt_ PUNICODE_STRING RegistryPath, _In_z_ PCWSTR Name, _In_ ULONGLONG Default,
                              _Out_ PULONGLONG Value)
{
    HANDLE service = NULL, parameters = NULL;
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    NTSTATUS status;

    *Value = Default;
    if (RegistryPath == NULL)
    {
        return STATUS_SUCCESS;
    }
    InitializeObjectAttributes(&attributes, RegistryPath, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ZwOpenKey(&service, KEY_READ, &attributes);
    if (NT_SUCCESS(status))
    {
        RtlInitUnicodeString(&name, L"Parameters");
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, service, NULL);
        status = ZwOpenKey(&parameters, KEY_READ, &attributes);
        ZwClose(service);
    }
    if (NT_SUCCESS(status))
    {
        status = IstReadNumber(parameters, Name, Value);
        ZwClose(parameters);
    }
    return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
}

UINT32 IsthmusSystemCapabilities(VOID)
{
    return IstLibrary.Capabilities;
}

POOL_TYPE IsthmusNonPagedPoolType(VOID)
{
    return IstLibrary.NonPaged;
}

SIZE_T IsthmusSegmentBytes(VOID)
{
    return IstLibrary.SegmentBytes;
}

NTSTATUS IsthmusLibraryStart(_In_opt_ PUNICODE_STRING RegistryPath)
{
    RtlZeroMemory(&IstLibrary, sizeof(IstLibrary));
    ExInitializeFastMutex(&IstLibrary.Lock);
    InitializeListHead(&IstLibrary.Sessions);
    InitializeListHead(&IstLibrary.Regions);
    InitializeListHead(&IstLibrary.Accounts);
    IstSystemDetect();
    ULONGLONG segment;
    NTSTATUS status = IstQuotaRead(RegistryPath);
    if (NT_SUCCESS(status))
    {
        status = IsthmusReadParameter(RegistryPath, L"SegmentBytes", IST_SEGMENT_DEFAULT, &segment);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    segment &= ~(ULONGLONG)(PAGE_SIZE - 1);
    IstLibrary.SegmentBytes = (SIZE_T)min(max(segment, (ULONGLONG)PAGE_SIZE), IST_SEGMENT_MAXIMUM);

    status = PsSetCreateProcessNotifyRoutine(IstProcessNotify, FALSE);
    IstLibrary.Started = NT_SUCCESS(status);
    return status;
}

VOID IsthmusLibraryStop(VOID)
{
    if (!IstLibrary.Started)
    {
        return;
    }

    /* Sessions first: their regions and views go with them. Taking one from the list makes it ours. */
    for (;;)
    {
        IstLock();
        PISTHMUS_SESSION session = NULL;
        if (!IsListEmpty(&IstLibrary.Sessions))
        {
            session = CONTAINING_RECORD(IstLibrary.Sessions.Flink, ISTHMUS_SESSION, Link);
        }
        IstUnlock();
        if (session == NULL)
        {
            break;
        }
        IsthmusSessionCleanup(session);
        IsthmusSessionClose(session);
    }

    /* Then regions that another thread is still draining. */
    for (;;)
    {
        IstLock();
        PISTHMUS_REGION region = NULL;
        if (!IsListEmpty(&IstLibrary.Regions))
        {
            region = CONTAINING_RECORD(IstLibrary.Regions.Flink, ISTHMUS_REGION, Link);
            IstRegionReference(region);
        }
        IstUnlock();
        if (region == NULL)
        {
            break;
        }
        KeWaitForSingleObject(&region->Gone, Executive, KernelMode, FALSE, NULL);
        IstRegionDereference(region);
    }

    /* The notify routine stays to the end: until here a process could have ended with pages of ours locked. */
    PsSetCreateProcessNotifyRoutine(IstProcessNotify, TRUE);

    /* A watch's DPC may still be on its last instructions, in code that is about to be unloaded. */
    VOID(NTAPI * flushDpcs)(VOID) = (VOID(NTAPI *)(VOID))IstFindRoutine(L"KeFlushQueuedDpcs");
    if (flushDpcs != NULL)
    {
        flushDpcs();
    }
    IstLibrary.Started = FALSE;
}

static UINT64 IstCounter(IST_COUNT Kind)
{
    return (UINT64)InterlockedCompareExchange64(&IstLibrary.Counts[Kind], 0, 0);
}

VOID IsthmusQueryStatistics(_Out_ ISTHMUS_STATISTICS *Statistics)
{
    RtlZeroMemory(Statistics, sizeof(*Statistics));
    Statistics->Header.Revision = ISTHMUS_REVISION;
    Statistics->Header.Size = sizeof(*Statistics);

    IstLock();
    Statistics->Sessions = IstLibrary.Used[IstChargeSessions];
    Statistics->Regions = IstLibrary.Used[IstChargeRegions];
    Statistics->Views = IstLibrary.Used[IstChargeViews];
    Statistics->LockedBytes = IstLibrary.Used[IstChargeLocked];
    Statistics->AllocatedBytes = IstLibrary.Used[IstChargeAllocated];
    IstUnlock();

    Statistics->Mdls = IstCounter(IstCountMdls);
    Statistics->Locks = IstCounter(IstCountLocks);
    Statistics->KernelMappings = IstCounter(IstCountKernelMappings);
    Statistics->UserMappings = IstCounter(IstCountUserMappings);
    Statistics->PoolBlocks = IstCounter(IstCountPoolBlocks);
    Statistics->PoolBytes = IstCounter(IstCountPoolBytes);
    Statistics->PageAllocations = IstCounter(IstCountPageAllocations);
    Statistics->Watches = IstCounter(IstCountWatches);
    Statistics->TotalSessions = IstCounter(IstCountTotalSessions);
    Statistics->TotalRegions = IstCounter(IstCountTotalRegions);
    Statistics->TotalViews = IstCounter(IstCountTotalViews);
    Statistics->TotalRequests = IstCounter(IstCountTotalRequests);
    Statistics->TotalBytes = IstCounter(IstCountTotalBytes);
    Statistics->Refusals = IstCounter(IstCountRefusals);
    Statistics->Revocations = IstCounter(IstCountRevocations);

    Statistics->LimitProcessLocked = IstLibrary.LimitProcess[IstChargeLocked];
    Statistics->LimitProcessAllocated = IstLibrary.LimitProcess[IstChargeAllocated];
    Statistics->LimitProcessRegions = IstLibrary.LimitProcess[IstChargeRegions];
    Statistics->LimitProcessViews = IstLibrary.LimitProcess[IstChargeViews];
    Statistics->LimitProcessSessions = IstLibrary.LimitProcess[IstChargeSessions];
    Statistics->LimitTotalLocked = IstLibrary.LimitTotal[IstChargeLocked];
    Statistics->LimitTotalAllocated = IstLibrary.LimitTotal[IstChargeAllocated];
    Statistics->LimitTotalRegions = IstLibrary.LimitTotal[IstChargeRegions];
    Statistics->LimitTotalViews = IstLibrary.LimitTotal[IstChargeViews];
    Statistics->LimitTotalSessions = IstLibrary.LimitTotal[IstChargeSessions];
}
