/* SPDX-License-Identifier: MIT */
/*
 * The system services as user mode sees them (the list is services.def), with the information
 * classes and structures that the headers of mingw lack. User mode only; in the kernel these
 * come from ntifs.h.
 */
#ifndef ISTHMUS_NTAPI_H
#define ISTHMUS_NTAPI_H

#include "ntpeb.h"

#define NtCurrentProcess() ((HANDLE)(LONG_PTR)-1)
#define NtCurrentThread() ((HANDLE)(LONG_PTR)-2)
#define NtCurrentPeb() (NtCurrentTeb()->ProcessEnvironmentBlock)

/* ---- The page the kernel shares with every process ---- */

typedef struct _KSYSTEM_TIME
{
    ULONG LowPart;
    LONG High1Time;
    LONG High2Time;
} KSYSTEM_TIME, *PKSYSTEM_TIME;

typedef struct _KUSER_SHARED_DATA
{
    ULONG TickCountLowDeprecated;
    ULONG TickCountMultiplier;
    volatile KSYSTEM_TIME InterruptTime;
    volatile KSYSTEM_TIME SystemTime;
    volatile KSYSTEM_TIME TimeZoneBias;
    USHORT ImageNumberLow;
    USHORT ImageNumberHigh;
    WCHAR NtSystemRoot[260];
    ULONG MaxStackTraceDepth;
    ULONG CryptoExponent;
    ULONG TimeZoneId;
    ULONG LargePageMinimum;
    ULONG Reserved2[7];
    ULONG NtProductType;
    BOOLEAN ProductTypeIsValid;
    ULONG NtMajorVersion;
    ULONG NtMinorVersion;
    BOOLEAN ProcessorFeatures[64];
    ULONG Reserved1;
    ULONG Reserved3;
    volatile ULONG TimeSlip;
    ULONG AlternativeArchitecture;
    ULONG AltArchitecturePad[1];
    LARGE_INTEGER SystemExpirationDate;
    ULONG SuiteMask;
    BOOLEAN KdDebuggerEnabled;
    UCHAR NXSupportPolicy;
    volatile ULONG ActiveConsoleId;
    volatile ULONG DismountCount;
    ULONG ComPlusPackage;
    ULONG LastSystemRITEventTickCount;
    ULONG NumberOfPhysicalPages;
    BOOLEAN SafeBootMode;
    UCHAR TscQpcData;
    UCHAR TscQpcPad[2];
    ULONG SharedDataFlags;
    ULONG DataFlagsPad[1];
    ULONGLONG TestRetInstruction;
    ULONG SystemCall;
    ULONG SystemCallReturn;
    ULONGLONG SystemCallPad[3];
    union
    {
        volatile KSYSTEM_TIME TickCount;
        volatile ULONG64 TickCountQuad;
        ULONG ReservedTickCountOverlay[4];
    };
    ULONG Cookie;
} KUSER_SHARED_DATA, *PKUSER_SHARED_DATA;

NTPEB_OFFSET(KUSER_SHARED_DATA, InterruptTime, 0x008);
NTPEB_OFFSET(KUSER_SHARED_DATA, SystemTime, 0x014);
NTPEB_OFFSET(KUSER_SHARED_DATA, NtSystemRoot, 0x030);
NTPEB_OFFSET(KUSER_SHARED_DATA, NtMajorVersion, 0x26C);
NTPEB_OFFSET(KUSER_SHARED_DATA, ProcessorFeatures, 0x274);
NTPEB_OFFSET(KUSER_SHARED_DATA, SuiteMask, 0x2D0);
NTPEB_OFFSET(KUSER_SHARED_DATA, NumberOfPhysicalPages, 0x2E8);
NTPEB_OFFSET(KUSER_SHARED_DATA, TickCountQuad, 0x320);
NTPEB_OFFSET(KUSER_SHARED_DATA, Cookie, 0x330);

#define SharedUserData ((const volatile KUSER_SHARED_DATA *)0x7FFE0000)

/* ---- Enumerations and access rights ---- */

#ifndef _NTDEF_
typedef enum _EVENT_TYPE
{
    NotificationEvent,
    SynchronizationEvent
} EVENT_TYPE;

typedef enum _TIMER_TYPE
{
    NotificationTimer,
    SynchronizationTimer
} TIMER_TYPE;

typedef enum _WAIT_TYPE
{
    WaitAll,
    WaitAny
} WAIT_TYPE;
#endif

typedef enum _SECTION_INHERIT
{
    ViewShare = 1,
    ViewUnmap = 2
} SECTION_INHERIT;

typedef enum _MEMORY_INFORMATION_CLASS
{
    MemoryBasicInformation
} MEMORY_INFORMATION_CLASS;

typedef enum _EVENT_INFORMATION_CLASS
{
    EventBasicInformation
} EVENT_INFORMATION_CLASS;

typedef struct _EVENT_BASIC_INFORMATION
{
    EVENT_TYPE EventType;
    LONG EventState;
} EVENT_BASIC_INFORMATION;

typedef enum _SEMAPHORE_INFORMATION_CLASS
{
    SemaphoreBasicInformation
} SEMAPHORE_INFORMATION_CLASS;

typedef struct _SEMAPHORE_BASIC_INFORMATION
{
    LONG CurrentCount;
    LONG MaximumCount;
} SEMAPHORE_BASIC_INFORMATION;

typedef enum _KEY_INFORMATION_CLASS
{
    KeyBasicInformation,
    KeyNodeInformation,
    KeyFullInformation,
    KeyNameInformation
} KEY_INFORMATION_CLASS;

typedef enum _KEY_VALUE_INFORMATION_CLASS
{
    KeyValueBasicInformation,
    KeyValueFullInformation,
    KeyValuePartialInformation
} KEY_VALUE_INFORMATION_CLASS;

#define DIRECTORY_QUERY 0x0001u
#define DIRECTORY_TRAVERSE 0x0002u
#define DIRECTORY_CREATE_OBJECT 0x0004u
#define SYMBOLIC_LINK_QUERY 0x0001u
#define EVENT_QUERY_STATE 0x0001u

/* Information classes beyond those of winternl.h. */
#define ThreadIsTerminated ((THREADINFOCLASS)20)
#define ThreadGroupInformation ((THREADINFOCLASS)30)
#define SystemFullMemoryInformation ((SYSTEM_INFORMATION_CLASS)25)

/* ---- Structures ---- */

typedef struct _OBJECT_DIRECTORY_INFORMATION
{
    UNICODE_STRING Name;
    UNICODE_STRING TypeName;
} OBJECT_DIRECTORY_INFORMATION, *POBJECT_DIRECTORY_INFORMATION;

typedef struct _KEY_BASIC_INFORMATION
{
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex;
    ULONG NameLength;
    WCHAR Name[1];
} KEY_BASIC_INFORMATION, *PKEY_BASIC_INFORMATION;

typedef struct _KEY_FULL_INFORMATION
{
    LARGE_INTEGER LastWriteTime;
    ULONG TitleIndex;
    ULONG ClassOffset;
    ULONG ClassLength;
    ULONG SubKeys;
    ULONG MaxNameLen;
    ULONG MaxClassLen;
    ULONG Values;
    ULONG MaxValueNameLen;
    ULONG MaxValueDataLen;
    WCHAR Class[1];
} KEY_FULL_INFORMATION, *PKEY_FULL_INFORMATION;

typedef struct _KEY_VALUE_FULL_INFORMATION
{
    ULONG TitleIndex;
    ULONG Type;
    ULONG DataOffset;
    ULONG DataLength;
    ULONG NameLength;
    WCHAR Name[1];
} KEY_VALUE_FULL_INFORMATION, *PKEY_VALUE_FULL_INFORMATION;

typedef struct _KEY_VALUE_PARTIAL_INFORMATION
{
    ULONG TitleIndex;
    ULONG Type;
    ULONG DataLength;
    UCHAR Data[1];
} KEY_VALUE_PARTIAL_INFORMATION, *PKEY_VALUE_PARTIAL_INFORMATION;

typedef struct _FILE_COMPLETION_INFORMATION
{
    HANDLE Port;
    PVOID Key;
} FILE_COMPLETION_INFORMATION, *PFILE_COMPLETION_INFORMATION;

/* The Reserved1/Unknown fields of mingw's SYSTEM_BASIC_INFORMATION, by name. */
typedef struct _SYSTEM_BASIC_INFORMATION_FULL
{
    ULONG Reserved;
    ULONG TimerResolution;
    ULONG PageSize;
    ULONG NumberOfPhysicalPages;
    ULONG LowestPhysicalPageNumber;
    ULONG HighestPhysicalPageNumber;
    ULONG AllocationGranularity;
    ULONG_PTR MinimumUserModeAddress;
    ULONG_PTR MaximumUserModeAddress;
    ULONG_PTR ActiveProcessorsAffinityMask;
    CCHAR NumberOfProcessors;
} SYSTEM_BASIC_INFORMATION_FULL, *PSYSTEM_BASIC_INFORMATION_FULL;

_Static_assert(sizeof(SYSTEM_BASIC_INFORMATION_FULL) == 0x40, "SYSTEM_BASIC_INFORMATION");

typedef VOID(NTAPI *PPS_APC_ROUTINE)(PVOID Argument1, PVOID Argument2, PVOID Argument3);
typedef VOID(NTAPI *PTIMER_APC_ROUTINE)(PVOID TimerContext, ULONG TimerLowValue, LONG TimerHighValue);

/* ---- The services ---- */

NTSTATUS NTAPI NtAdjustPrivilegesToken(HANDLE Token, BOOLEAN DisableAll, PTOKEN_PRIVILEGES NewState, ULONG Length,
                                       PTOKEN_PRIVILEGES PreviousState, PULONG ReturnLength);
NTSTATUS NTAPI NtAlertThread(HANDLE Thread);
NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE Process, PVOID *Base, ULONG_PTR ZeroBits, PSIZE_T Size, ULONG Type,
                                       ULONG Protect);
NTSTATUS NTAPI NtCancelIoFile(HANDLE File, PIO_STATUS_BLOCK IoStatus);
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE File, PIO_STATUS_BLOCK Request, PIO_STATUS_BLOCK IoStatus);
NTSTATUS NTAPI NtCancelTimer(HANDLE Timer, PBOOLEAN State);
NTSTATUS NTAPI NtClearEvent(HANDLE Event);
NTSTATUS NTAPI NtContinue(PCONTEXT Context, BOOLEAN TestAlert);
NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE Directory, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtCreateEvent(PHANDLE Event, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, EVENT_TYPE Type,
                             BOOLEAN InitialState);
NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE Port, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Count);
NTSTATUS NTAPI NtCreateKey(PHANDLE Key, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG Options, PULONG Disposition);
NTSTATUS NTAPI NtCreateMutant(PHANDLE Mutant, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, BOOLEAN Owned);
NTSTATUS NTAPI NtCreateSection(PHANDLE Section, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                               PLARGE_INTEGER MaximumSize, ULONG PageProtection, ULONG AllocationAttributes,
                               HANDLE File);
NTSTATUS NTAPI NtCreateSemaphore(PHANDLE Semaphore, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, LONG Initial,
                                 LONG Maximum);
NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE Link, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                          PUNICODE_STRING Target);
NTSTATUS NTAPI NtCreateThreadEx(PHANDLE Thread, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, HANDLE Process,
                                PVOID StartRoutine, PVOID Argument, ULONG CreateFlags, SIZE_T ZeroBits,
                                SIZE_T StackCommit, SIZE_T StackReserve, PPS_ATTRIBUTE_LIST AttributeList);
NTSTATUS NTAPI NtCreateTimer(PHANDLE Timer, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, TIMER_TYPE Type);
NTSTATUS NTAPI NtCreateUserProcess(PHANDLE Process, PHANDLE Thread, ACCESS_MASK ProcessAccess,
                                   ACCESS_MASK ThreadAccess, POBJECT_ATTRIBUTES ProcessAttributes,
                                   POBJECT_ATTRIBUTES ThreadAttributes, ULONG ProcessFlags, ULONG ThreadFlags,
                                   PRTL_USER_PROCESS_PARAMETERS Parameters, PPS_CREATE_INFO CreateInfo,
                                   PPS_ATTRIBUTE_LIST AttributeList);
NTSTATUS NTAPI NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval);
NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtDeleteKey(HANDLE Key);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE Key, PUNICODE_STRING ValueName);
NTSTATUS NTAPI NtDisplayString(PUNICODE_STRING String);
NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcess, HANDLE Source, HANDLE TargetProcess, PHANDLE Target,
                                 ACCESS_MASK Access, ULONG Attributes, ULONG Options);
NTSTATUS NTAPI NtDuplicateToken(HANDLE Token, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                BOOLEAN EffectiveOnly, TOKEN_TYPE Type, PHANDLE NewToken);
NTSTATUS NTAPI NtEnumerateKey(HANDLE Key, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length,
                              PULONG ResultLength);
NTSTATUS NTAPI NtEnumerateValueKey(HANDLE Key, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                                   ULONG Length, PULONG ResultLength);
NTSTATUS NTAPI NtFilterToken(HANDLE Token, ULONG Flags, PTOKEN_GROUPS SidsToDisable,
                             PTOKEN_PRIVILEGES PrivilegesToDelete,
                             PTOKEN_GROUPS RestrictedSids, PHANDLE NewToken);
NTSTATUS NTAPI NtFlushBuffersFile(HANDLE File, PIO_STATUS_BLOCK IoStatus);
NTSTATUS NTAPI NtFlushInstructionCache(HANDLE Process, PVOID Base, SIZE_T Length);
NTSTATUS NTAPI NtFlushKey(HANDLE Key);
NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG Type);
NTSTATUS NTAPI NtGetContextThread(HANDLE Thread, PCONTEXT Context);
NTSTATUS NTAPI NtLoadDriver(PUNICODE_STRING ServiceKey);
NTSTATUS NTAPI NtLockVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG MapType);
NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE Handle);
NTSTATUS NTAPI NtMapViewOfSection(HANDLE Section, HANDLE Process, PVOID *Base, ULONG_PTR ZeroBits, SIZE_T CommitSize,
                                  PLARGE_INTEGER Offset, PSIZE_T ViewSize, SECTION_INHERIT Inherit, ULONG Type,
                                  ULONG Protect);
NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE Directory, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenEvent(PHANDLE Event, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenKey(PHANDLE Key, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenMutant(PHANDLE Mutant, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenProcess(PHANDLE Process, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, PCLIENT_ID Id);
NTSTATUS NTAPI NtOpenProcessToken(HANDLE Process, ACCESS_MASK Access, PHANDLE Token);
NTSTATUS NTAPI NtOpenProcessTokenEx(HANDLE Process, ACCESS_MASK Access, ULONG HandleAttributes, PHANDLE Token);
NTSTATUS NTAPI NtOpenSection(PHANDLE Section, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenSemaphore(PHANDLE Semaphore, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Link, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtOpenThread(PHANDLE Thread, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, PCLIENT_ID Id);
NTSTATUS NTAPI NtOpenThreadToken(HANDLE Thread, ACCESS_MASK Access, BOOLEAN OpenAsSelf, PHANDLE Token);
NTSTATUS NTAPI NtOpenThreadTokenEx(HANDLE Thread, ACCESS_MASK Access, BOOLEAN OpenAsSelf, ULONG HandleAttributes,
                                   PHANDLE Token);
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG NewProtect, PULONG OldProtect);
NTSTATUS NTAPI NtPulseEvent(HANDLE Event, PLONG PreviousState);
NTSTATUS NTAPI NtQueryAttributesFile(POBJECT_ATTRIBUTES Attributes, PFILE_BASIC_INFORMATION Information);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatus, PVOID Buffer, ULONG Length,
                                    FILE_INFORMATION_CLASS Class, BOOLEAN SingleEntry, PUNICODE_STRING Pattern,
                                    BOOLEAN Restart);
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE Directory, PVOID Buffer, ULONG Length, BOOLEAN SingleEntry,
                                      BOOLEAN Restart, PULONG Context, PULONG ReturnLength);
NTSTATUS NTAPI NtQueryEvent(HANDLE Event, EVENT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length,
                            PULONG ReturnLength);
NTSTATUS NTAPI NtQueryFullAttributesFile(POBJECT_ATTRIBUTES Attributes, PFILE_NETWORK_OPEN_INFORMATION Information);
NTSTATUS NTAPI NtQueryInformationToken(HANDLE Token, TOKEN_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length,
                                       PULONG ReturnLength);
NTSTATUS NTAPI NtQueryKey(HANDLE Key, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length, PULONG ResultLength);
NTSTATUS NTAPI NtQueryPerformanceCounter(PLARGE_INTEGER Counter, PLARGE_INTEGER Frequency);
NTSTATUS NTAPI NtQuerySection(HANDLE Section, SECTION_INFORMATION_CLASS Class, PVOID Buffer, SIZE_T Length,
                              PSIZE_T ReturnLength);
NTSTATUS NTAPI NtQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION Which, PSECURITY_DESCRIPTOR Descriptor,
                                     ULONG Length, PULONG LengthNeeded);
NTSTATUS NTAPI NtQuerySemaphore(HANDLE Semaphore, SEMAPHORE_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length,
                                PULONG ReturnLength);
NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Link, PUNICODE_STRING Target, PULONG ReturnedLength);
NTSTATUS NTAPI NtQueryValueKey(HANDLE Key, PUNICODE_STRING ValueName, KEY_VALUE_INFORMATION_CLASS Class,
                               PVOID Buffer, ULONG Length, PULONG ResultLength);
NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE Process, PVOID Base, MEMORY_INFORMATION_CLASS Class, PVOID Buffer,
                                    SIZE_T Length, PSIZE_T ReturnLength);
NTSTATUS NTAPI NtQueueApcThread(HANDLE Thread, PPS_APC_ROUTINE Routine, PVOID Argument1, PVOID Argument2,
                                PVOID Argument3);
NTSTATUS NTAPI NtRaiseException(PEXCEPTION_RECORD Record, PCONTEXT Context, BOOLEAN FirstChance);
NTSTATUS NTAPI NtReadFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatus, PVOID Buffer, ULONG Length, PLARGE_INTEGER Offset, PULONG Key);
NTSTATUS NTAPI NtReadVirtualMemory(HANDLE Process, PVOID Base, PVOID Buffer, SIZE_T Length, PSIZE_T Transferred);
NTSTATUS NTAPI NtReleaseMutant(HANDLE Mutant, PLONG PreviousCount);
NTSTATUS NTAPI NtReleaseSemaphore(HANDLE Semaphore, LONG Count, PLONG PreviousCount);
NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE Port, PVOID *Key, PVOID *ApcContext, PIO_STATUS_BLOCK IoStatus,
                                    PLARGE_INTEGER Timeout);
NTSTATUS NTAPI NtResetEvent(HANDLE Event, PLONG PreviousState);
NTSTATUS NTAPI NtResumeProcess(HANDLE Process);
NTSTATUS NTAPI NtResumeThread(HANDLE Thread, PULONG PreviousCount);
NTSTATUS NTAPI NtSetContextThread(HANDLE Thread, PCONTEXT Context);
NTSTATUS NTAPI NtSetEvent(HANDLE Event, PLONG PreviousState);
NTSTATUS NTAPI NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length);
NTSTATUS NTAPI NtSetInformationThread(HANDLE Thread, THREADINFOCLASS Class, PVOID Buffer, ULONG Length);
NTSTATUS NTAPI NtSetInformationToken(HANDLE Token, TOKEN_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length);
NTSTATUS NTAPI NtSetIoCompletion(HANDLE Port, PVOID Key, PVOID ApcContext, NTSTATUS Status, ULONG_PTR Information);
NTSTATUS NTAPI NtSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION Which, PSECURITY_DESCRIPTOR Descriptor);
NTSTATUS NTAPI NtSetTimer(HANDLE Timer, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          BOOLEAN Resume, LONG Period, PBOOLEAN PreviousState);
NTSTATUS NTAPI NtSetValueKey(HANDLE Key, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data,
                             ULONG DataSize);
NTSTATUS NTAPI NtSignalAndWaitForSingleObject(HANDLE Signal, HANDLE Wait, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTSTATUS NTAPI NtSuspendProcess(HANDLE Process);
NTSTATUS NTAPI NtSuspendThread(HANDLE Thread, PULONG PreviousCount);
NTSTATUS NTAPI NtTerminateProcess(HANDLE Process, NTSTATUS ExitStatus);
NTSTATUS NTAPI NtTerminateThread(HANDLE Thread, NTSTATUS ExitStatus);
NTSTATUS NTAPI NtTestAlert(void);
NTSTATUS NTAPI NtUnloadDriver(PUNICODE_STRING ServiceKey);
NTSTATUS NTAPI NtUnlockVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG MapType);
NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE Process, PVOID Base);
NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG Count, const HANDLE *Handles, WAIT_TYPE Type, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout);
NTSTATUS NTAPI NtWriteFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                           PIO_STATUS_BLOCK IoStatus, PVOID Buffer, ULONG Length, PLARGE_INTEGER Offset, PULONG Key);
NTSTATUS NTAPI NtWriteVirtualMemory(HANDLE Process, PVOID Base, const void *Buffer, SIZE_T Length,
                                    PSIZE_T Transferred);
NTSTATUS NTAPI NtYieldExecution(void);

#endif /* ISTHMUS_NTAPI_H */
