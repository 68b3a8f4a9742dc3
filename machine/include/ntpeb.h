/* SPDX-License-Identifier: MIT */
/*
 * The structures that the kernel builds in user space and ntdll lives in: TEB, PEB, the loader's
 * lists, process parameters. x64 layouts; the offsets that programs and compilers count on are
 * asserted at the end.
 *
 * Kernel: include after ntifs.h. User mode: include first, it brings windows.h, the NTSTATUS
 * values and the native types.
 */
#ifndef ISTHMUS_NTPEB_H
#define ISTHMUS_NTPEB_H

#include <stddef.h>

#if !defined(_NTIFS_INCLUDED_) && !defined(_NTOSKRNL_)
#define ISTHMUS_USER_MODE 1

#ifndef WIN32_NO_STATUS
#define WIN32_NO_STATUS
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

/* The winternl.h of mingw has abridged versions of these; ours are complete. */
#define _PEB_LDR_DATA MINGW_PEB_LDR_DATA_S
#define PEB_LDR_DATA MINGW_PEB_LDR_DATA
#define PPEB_LDR_DATA MINGW_PPEB_LDR_DATA
#define _LDR_DATA_TABLE_ENTRY MINGW_LDR_DATA_TABLE_ENTRY_S
#define LDR_DATA_TABLE_ENTRY MINGW_LDR_DATA_TABLE_ENTRY
#define PLDR_DATA_TABLE_ENTRY MINGW_PLDR_DATA_TABLE_ENTRY
#define _RTL_USER_PROCESS_PARAMETERS MINGW_RTL_USER_PROCESS_PARAMETERS_S
#define RTL_USER_PROCESS_PARAMETERS MINGW_RTL_USER_PROCESS_PARAMETERS
#define PRTL_USER_PROCESS_PARAMETERS MINGW_PRTL_USER_PROCESS_PARAMETERS
#define _PEB MINGW_PEB_S
#define PEB MINGW_PEB
#define _TEB MINGW_TEB_S
#define TEB MINGW_TEB
#define PTEB MINGW_PTEB
#define PPEB MINGW_PPEB
#include <winternl.h>
#undef _PEB_LDR_DATA
#undef PEB_LDR_DATA
#undef PPEB_LDR_DATA
#undef _LDR_DATA_TABLE_ENTRY
#undef LDR_DATA_TABLE_ENTRY
#undef PLDR_DATA_TABLE_ENTRY
#undef _RTL_USER_PROCESS_PARAMETERS
#undef RTL_USER_PROCESS_PARAMETERS
#undef PRTL_USER_PROCESS_PARAMETERS
#undef _PEB
#undef PEB
#undef PPEB
#undef _TEB
#undef TEB
#undef PTEB
#endif /* user mode */

struct _RTL_CRITICAL_SECTION;
struct _RTL_BITMAP;
struct _ACTIVATION_CONTEXT_STACK;

typedef struct _CURDIR
{
    UNICODE_STRING DosPath;
    HANDLE Handle;
} CURDIR, *PCURDIR;

typedef struct _RTL_DRIVE_LETTER_CURDIR
{
    USHORT Flags;
    USHORT Length;
    ULONG TimeStamp;
    STRING DosPath;
} RTL_DRIVE_LETTER_CURDIR, *PRTL_DRIVE_LETTER_CURDIR;

#define RTL_MAX_DRIVE_LETTERS 32

/* RTL_USER_PROCESS_PARAMETERS.Flags */
#define RTL_USER_PROC_PARAMS_NORMALIZED 0x00000001u

/*
 * One block: this header, then the strings, then the environment. Before NORMALIZED is set, the
 * Buffer fields are offsets from the start of the block.
 */
typedef struct _RTL_USER_PROCESS_PARAMETERS
{
    ULONG MaximumLength;
    ULONG Length;
    ULONG Flags;
    ULONG DebugFlags;
    HANDLE ConsoleHandle;
    ULONG ConsoleFlags;
    HANDLE StandardInput;
    HANDLE StandardOutput;
    HANDLE StandardError;
    CURDIR CurrentDirectory;
    UNICODE_STRING DllPath;
    UNICODE_STRING ImagePathName;
    UNICODE_STRING CommandLine;
    PWSTR Environment;
    ULONG StartingX;
    ULONG StartingY;
    ULONG CountX;
    ULONG CountY;
    ULONG CountCharsX;
    ULONG CountCharsY;
    ULONG FillAttribute;
    ULONG WindowFlags;
    ULONG ShowWindowFlags;
    UNICODE_STRING WindowTitle;
    UNICODE_STRING DesktopInfo;
    UNICODE_STRING ShellInfo;
    UNICODE_STRING RuntimeData;
    RTL_DRIVE_LETTER_CURDIR CurrentDirectories[RTL_MAX_DRIVE_LETTERS];
    SIZE_T EnvironmentSize;
    SIZE_T EnvironmentVersion;
    PVOID PackageDependencyData;
    ULONG ProcessGroupId;
    ULONG LoaderThreads;
} RTL_USER_PROCESS_PARAMETERS, *PRTL_USER_PROCESS_PARAMETERS;

typedef struct _PEB_LDR_DATA
{
    ULONG Length;
    BOOLEAN Initialized;
    HANDLE SsHandle;
    LIST_ENTRY InLoadOrderModuleList;
    LIST_ENTRY InMemoryOrderModuleList;
    LIST_ENTRY InInitializationOrderModuleList;
    PVOID EntryInProgress;
    BOOLEAN ShutdownInProgress;
    HANDLE ShutdownThreadId;
} PEB_LDR_DATA, *PPEB_LDR_DATA;

#if !defined(ISTHMUS_NO_LDR_ENTRY)
/* LDR_DATA_TABLE_ENTRY.Flags */
#define LDRP_IMAGE_DLL 0x00000004u
#define LDRP_LOAD_IN_PROGRESS 0x00001000u
#define LDRP_ENTRY_PROCESSED 0x00004000u
#define LDRP_DONT_CALL_FOR_THREADS 0x00040000u
#define LDRP_PROCESS_ATTACH_CALLED 0x00080000u
#define LDRP_IMAGE_NOT_AT_BASE 0x00200000u

typedef struct _LDR_DATA_TABLE_ENTRY
{
    LIST_ENTRY InLoadOrderLinks;
    LIST_ENTRY InMemoryOrderLinks;
    LIST_ENTRY InInitializationOrderLinks;
    PVOID DllBase;
    PVOID EntryPoint;
    ULONG SizeOfImage;
    UNICODE_STRING FullDllName;
    UNICODE_STRING BaseDllName;
    ULONG Flags;
    USHORT LoadCount;
    USHORT TlsIndex;
    LIST_ENTRY HashLinks;
    ULONG TimeDateStamp;
    PVOID EntryPointActivationContext;
    PVOID Lock;
} LDR_DATA_TABLE_ENTRY, *PLDR_DATA_TABLE_ENTRY;
#endif

typedef struct _PEB
{
    BOOLEAN InheritedAddressSpace;
    BOOLEAN ReadImageFileExecOptions;
    BOOLEAN BeingDebugged;
    UCHAR BitField;
    HANDLE Mutant;
    PVOID ImageBaseAddress;
    PPEB_LDR_DATA Ldr;
    PRTL_USER_PROCESS_PARAMETERS ProcessParameters;
    PVOID SubSystemData;
    PVOID ProcessHeap;
    struct _RTL_CRITICAL_SECTION *FastPebLock;
    PVOID AtlThunkSListPtr;
    PVOID IFEOKey;
    ULONG CrossProcessFlags;
    PVOID KernelCallbackTable;
    ULONG SystemReserved;
    ULONG AtlThunkSListPtr32;
    PVOID ApiSetMap;
    ULONG TlsExpansionCounter;
    struct _RTL_BITMAP *TlsBitmap;
    ULONG TlsBitmapBits[2];
    PVOID ReadOnlySharedMemoryBase;
    PVOID SharedData;
    PVOID *ReadOnlyStaticServerData;
    PVOID AnsiCodePageData;
    PVOID OemCodePageData;
    PVOID UnicodeCaseTableData;
    ULONG NumberOfProcessors;
    ULONG NtGlobalFlag;
    LARGE_INTEGER CriticalSectionTimeout;
    SIZE_T HeapSegmentReserve;
    SIZE_T HeapSegmentCommit;
    SIZE_T HeapDeCommitTotalFreeThreshold;
    SIZE_T HeapDeCommitFreeBlockThreshold;
    ULONG NumberOfHeaps;
    ULONG MaximumNumberOfHeaps;
    PVOID *ProcessHeaps;
    PVOID GdiSharedHandleTable;
    PVOID ProcessStarterHelper;
    ULONG GdiDCAttributeList;
    struct _RTL_CRITICAL_SECTION *LoaderLock;
    ULONG OSMajorVersion;
    ULONG OSMinorVersion;
    USHORT OSBuildNumber;
    USHORT OSCSDVersion;
    ULONG OSPlatformId;
    ULONG ImageSubsystem;
    ULONG ImageSubsystemMajorVersion;
    ULONG ImageSubsystemMinorVersion;
    ULONG_PTR ActiveProcessAffinityMask;
    ULONG GdiHandleBuffer[60];
    PVOID PostProcessInitRoutine;
    struct _RTL_BITMAP *TlsExpansionBitmap;
    ULONG TlsExpansionBitmapBits[32];
    ULONG SessionId;
    ULARGE_INTEGER AppCompatFlags;
    ULARGE_INTEGER AppCompatFlagsUser;
    PVOID ShimData;
    PVOID AppCompatInfo;
    UNICODE_STRING CSDVersion;
    PVOID ActivationContextData;
    PVOID ProcessAssemblyStorageMap;
    PVOID SystemDefaultActivationContextData;
    PVOID SystemAssemblyStorageMap;
    SIZE_T MinimumStackCommit;
    PVOID FlsCallback;
    LIST_ENTRY FlsListHead;
    struct _RTL_BITMAP *FlsBitmap;
    ULONG FlsBitmapBits[4];
    ULONG FlsHighIndex;
    PVOID WerRegistrationData;
    PVOID WerShipAssertPtr;
    PVOID Unused;
    PVOID ImageHeaderHash;
    ULONG TracingFlags;
} PEB, *PPEB;

#define TLS_MINIMUM_AVAILABLE_SLOTS 64
#define TLS_EXPANSION_SLOT_COUNT 1024

typedef struct _TEB
{
    NT_TIB NtTib;
    PVOID EnvironmentPointer;
    CLIENT_ID ClientId;
    PVOID ActiveRpcHandle;
    PVOID *ThreadLocalStoragePointer;
    struct _PEB *ProcessEnvironmentBlock;
    ULONG LastErrorValue;
    ULONG CountOfOwnedCriticalSections;
    PVOID CsrClientThread;
    PVOID Win32ThreadInfo;
    ULONG User32Reserved[26];
    ULONG UserReserved[5];
    PVOID WOW32Reserved;
    ULONG CurrentLocale;
    ULONG FpSoftwareStatusRegister;
    PVOID SystemReserved1[54];
    LONG ExceptionCode;
    struct _ACTIVATION_CONTEXT_STACK *ActivationContextStackPointer;
    UCHAR SpareBytes[24];
    ULONG TxFsContext;
    ULONG_PTR GdiTebBatch[0x4E8 / sizeof(ULONG_PTR)];
    CLIENT_ID RealClientId;
    HANDLE GdiCachedProcessHandle;
    ULONG GdiClientPID;
    ULONG GdiClientTID;
    PVOID GdiThreadLocalInfo;
    ULONG_PTR Win32ClientInfo[62];
    PVOID GlDispatchTable[233];
    ULONG_PTR GlReserved1[29];
    PVOID GlReserved2;
    PVOID GlSectionInfo;
    PVOID GlSection;
    PVOID GlTable;
    PVOID GlCurrentRC;
    PVOID GlContext;
    ULONG LastStatusValue;
    UNICODE_STRING StaticUnicodeString;
    WCHAR StaticUnicodeBuffer[261];
    PVOID DeallocationStack;
    PVOID TlsSlots[TLS_MINIMUM_AVAILABLE_SLOTS];
    LIST_ENTRY TlsLinks;
    PVOID Vdm;
    PVOID ReservedForNtRpc;
    PVOID DbgSsReserved[2];
    ULONG HardErrorMode;
    PVOID Instrumentation[11];
    GUID ActivityId;
    PVOID SubProcessTag;
    PVOID PerflibData;
    PVOID EtwTraceData;
    PVOID WinSockData;
    ULONG GdiBatchCount;
    ULONG CurrentIdealProcessor;
    ULONG GuaranteedStackBytes;
    PVOID ReservedForPerf;
    PVOID ReservedForOle;
    ULONG WaitingOnLoaderLock;
    PVOID SavedPriorityState;
    ULONG_PTR ReservedForCodeCoverage;
    PVOID ThreadPoolData;
    PVOID *TlsExpansionSlots;
    PVOID DeallocationBStore;
    PVOID BStoreLimit;
    ULONG MuiGeneration;
    ULONG IsImpersonating;
    PVOID NlsCache;
    PVOID ShimData;
    ULONG HeapVirtualAffinity;
    HANDLE CurrentTransactionHandle;
    PVOID ActiveFrame;
    PVOID FlsData;
    PVOID PreferredLanguages;
    PVOID UserPrefLanguages;
    PVOID MergedPrefLanguages;
    ULONG MuiImpersonation;
    USHORT CrossTebFlags;
    USHORT SameTebFlags;
    PVOID TxnScopeEnterCallback;
    PVOID TxnScopeExitCallback;
    PVOID TxnScopeContext;
    ULONG LockCount;
    LONG WowTebOffset;
    PVOID ResourceRetValue;
    PVOID ReservedForWdf;
    ULONGLONG ReservedForCrt;
    GUID EffectiveContainerId;
    /* From here on private to ntdll; Windows has nothing it promises here. */
    HANDLE NtdllWaitEvent;   /* auto-reset event the thread sleeps on in SRW locks and kin */
    ULONG NtdllThreadFlags;
} TEB, *PTEB;

/* Stack of a new thread, as NtCreateThread takes it and the kernel makes it. */
typedef struct _INITIAL_TEB
{
    struct
    {
        PVOID OldStackBase;
        PVOID OldStackLimit;
    } OldInitialTeb;
    PVOID StackBase;
    PVOID StackLimit;
    PVOID StackAllocationBase;
} INITIAL_TEB, *PINITIAL_TEB;

/* What NtQuerySection(SectionImageInformation) returns. */
typedef struct _SECTION_IMAGE_INFORMATION
{
    PVOID TransferAddress;
    ULONG ZeroBits;
    SIZE_T MaximumStackSize;
    SIZE_T CommittedStackSize;
    ULONG SubSystemType;
    USHORT SubSystemMinorVersion;
    USHORT SubSystemMajorVersion;
    USHORT MajorOperatingSystemVersion;
    USHORT MinorOperatingSystemVersion;
    USHORT ImageCharacteristics;
    USHORT DllCharacteristics;
    USHORT Machine;
    BOOLEAN ImageContainsCode;
    UCHAR ImageFlags;
    ULONG LoaderFlags;
    ULONG ImageFileSize;
    ULONG CheckSum;
} SECTION_IMAGE_INFORMATION, *PSECTION_IMAGE_INFORMATION;

typedef enum _SECTION_INFORMATION_CLASS
{
    SectionBasicInformation,
    SectionImageInformation
} SECTION_INFORMATION_CLASS;

typedef struct _SECTION_BASIC_INFORMATION
{
    PVOID BaseAddress;
    ULONG AllocationAttributes;
    LARGE_INTEGER MaximumSize;
} SECTION_BASIC_INFORMATION, *PSECTION_BASIC_INFORMATION;

typedef struct _THREAD_BASIC_INFORMATION
{
    NTSTATUS ExitStatus;
    PVOID TebBaseAddress;
    CLIENT_ID ClientId;
    ULONG_PTR AffinityMask;
    LONG Priority;
    LONG BasePriority;
} THREAD_BASIC_INFORMATION, *PTHREAD_BASIC_INFORMATION;

/* NtCreateUserProcess and NtCreateThreadEx */
#define PROCESS_CREATE_FLAGS_INHERIT_HANDLES 0x00000004u
#define THREAD_CREATE_FLAGS_CREATE_SUSPENDED 0x00000001u

#define PS_ATTRIBUTE_NUMBER_MASK 0x0000FFFFu
#define PS_ATTRIBUTE_THREAD 0x00010000u
#define PS_ATTRIBUTE_INPUT 0x00020000u
#define PS_ATTRIBUTE_ADDITIVE 0x00040000u
#define PS_ATTRIBUTE_PARENT_PROCESS 0x00060000u
#define PS_ATTRIBUTE_TOKEN 0x00060002u
#define PS_ATTRIBUTE_CLIENT_ID 0x00010003u
#define PS_ATTRIBUTE_TEB_ADDRESS 0x00010004u
#define PS_ATTRIBUTE_IMAGE_NAME 0x00020005u
#define PS_ATTRIBUTE_IMAGE_INFO 0x00000006u
#define PS_ATTRIBUTE_HANDLE_LIST 0x0002000Au

typedef struct _PS_ATTRIBUTE
{
    ULONG_PTR Attribute;
    SIZE_T Size;
    union
    {
        ULONG_PTR Value;
        PVOID ValuePtr;
    } u;
    PSIZE_T ReturnLength;
} PS_ATTRIBUTE, *PPS_ATTRIBUTE;

typedef struct _PS_ATTRIBUTE_LIST
{
    SIZE_T TotalLength;
    PS_ATTRIBUTE Attributes[1];
} PS_ATTRIBUTE_LIST, *PPS_ATTRIBUTE_LIST;

/* Only State is used; the kernel may store more, so the block has the size of Windows'. */
typedef struct _PS_CREATE_INFO
{
    SIZE_T Size;
    ULONG State;
    UCHAR Reserved[0x4C];
} PS_CREATE_INFO, *PPS_CREATE_INFO;

/* Stack frames that the kernel builds before it enters ntdll. */
#define KI_USER_EXCEPTION_RECORD_OFFSET 0x4F0

#define NTPEB_OFFSET(Type, Field, Offset) \
    _Static_assert(offsetof(Type, Field) == (Offset), #Type "." #Field)

NTPEB_OFFSET(TEB, ClientId, 0x40);
NTPEB_OFFSET(TEB, ThreadLocalStoragePointer, 0x58);
NTPEB_OFFSET(TEB, ProcessEnvironmentBlock, 0x60);
NTPEB_OFFSET(TEB, LastErrorValue, 0x68);
NTPEB_OFFSET(TEB, CurrentLocale, 0x108);
NTPEB_OFFSET(TEB, ExceptionCode, 0x2C0);
NTPEB_OFFSET(TEB, ActivationContextStackPointer, 0x2C8);
NTPEB_OFFSET(TEB, GdiTebBatch, 0x2F0);
NTPEB_OFFSET(TEB, RealClientId, 0x7D8);
NTPEB_OFFSET(TEB, LastStatusValue, 0x1250);
NTPEB_OFFSET(TEB, StaticUnicodeString, 0x1258);
NTPEB_OFFSET(TEB, StaticUnicodeBuffer, 0x1268);
NTPEB_OFFSET(TEB, DeallocationStack, 0x1478);
NTPEB_OFFSET(TEB, TlsSlots, 0x1480);
NTPEB_OFFSET(TEB, TlsLinks, 0x1680);
NTPEB_OFFSET(TEB, HardErrorMode, 0x16B0);
NTPEB_OFFSET(TEB, ActivityId, 0x1710);
NTPEB_OFFSET(TEB, GuaranteedStackBytes, 0x1748);
NTPEB_OFFSET(TEB, TlsExpansionSlots, 0x1780);
NTPEB_OFFSET(TEB, FlsData, 0x17C8);
NTPEB_OFFSET(TEB, SameTebFlags, 0x17EE);
NTPEB_OFFSET(TEB, NtdllWaitEvent, 0x1838);
_Static_assert(sizeof(TEB) <= 0x2000, "a TEB takes two pages");

NTPEB_OFFSET(PEB, ImageBaseAddress, 0x10);
NTPEB_OFFSET(PEB, Ldr, 0x18);
NTPEB_OFFSET(PEB, ProcessParameters, 0x20);
NTPEB_OFFSET(PEB, ProcessHeap, 0x30);
NTPEB_OFFSET(PEB, FastPebLock, 0x38);
NTPEB_OFFSET(PEB, TlsBitmap, 0x78);
NTPEB_OFFSET(PEB, NumberOfProcessors, 0xB8);
NTPEB_OFFSET(PEB, NtGlobalFlag, 0xBC);
NTPEB_OFFSET(PEB, ProcessHeaps, 0xF0);
NTPEB_OFFSET(PEB, LoaderLock, 0x110);
NTPEB_OFFSET(PEB, OSMajorVersion, 0x118);
NTPEB_OFFSET(PEB, OSBuildNumber, 0x120);
NTPEB_OFFSET(PEB, ImageSubsystem, 0x128);
NTPEB_OFFSET(PEB, ActiveProcessAffinityMask, 0x138);
NTPEB_OFFSET(PEB, TlsExpansionBitmap, 0x238);
NTPEB_OFFSET(PEB, SessionId, 0x2C0);
NTPEB_OFFSET(PEB, CSDVersion, 0x2E8);
NTPEB_OFFSET(PEB, FlsBitmap, 0x338);

NTPEB_OFFSET(PEB_LDR_DATA, InLoadOrderModuleList, 0x10);
NTPEB_OFFSET(PEB_LDR_DATA, InInitializationOrderModuleList, 0x30);
NTPEB_OFFSET(PEB_LDR_DATA, ShutdownInProgress, 0x48);

#if !defined(ISTHMUS_NO_LDR_ENTRY)
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, DllBase, 0x30);
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, FullDllName, 0x48);
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, BaseDllName, 0x58);
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, Flags, 0x68);
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, TlsIndex, 0x6E);
NTPEB_OFFSET(LDR_DATA_TABLE_ENTRY, TimeDateStamp, 0x80);
#endif

NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, StandardInput, 0x20);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, CurrentDirectory, 0x38);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, ImagePathName, 0x60);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, CommandLine, 0x70);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, Environment, 0x80);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, WindowFlags, 0xA4);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, CurrentDirectories, 0xF0);
NTPEB_OFFSET(RTL_USER_PROCESS_PARAMETERS, EnvironmentSize, 0x3F0);

_Static_assert(sizeof(SECTION_IMAGE_INFORMATION) == 0x40, "SECTION_IMAGE_INFORMATION");
_Static_assert(sizeof(PS_CREATE_INFO) == 0x58, "PS_CREATE_INFO");

#endif /* ISTHMUS_NTPEB_H */
