/* SPDX-License-Identifier: MIT */
/*
 * What ntdll offers to the other user-mode DLLs: the Ldr* and Rtl* routines with their NT
 * signatures. The strings, SEH, security descriptors and memory routines come from
 * machine/common/rtl, which is compiled into ntdll; the few of them used here are repeated.
 */
#ifndef ISTHMUS_NTDLL_H
#define ISTHMUS_NTDLL_H

#include "ntapi.h"

#define RTL_CONSTANT_STRING16(s) { sizeof(s) - sizeof((s)[0]), sizeof(s), (PWSTR)(s) }

/* ---- Loader ---- */

NTSTATUS NTAPI LdrLoadDll(_In_opt_ PCWSTR SearchPath, _In_opt_ PULONG Characteristics, _In_ PUNICODE_STRING Name,
                          _Out_ PVOID *Base);
NTSTATUS NTAPI LdrUnloadDll(_In_ PVOID Base);
NTSTATUS NTAPI LdrGetDllHandle(_In_opt_ PCWSTR SearchPath, _In_opt_ PULONG Characteristics,
                               _In_ PUNICODE_STRING Name, _Out_ PVOID *Base);
NTSTATUS NTAPI LdrGetDllHandleEx(_In_ ULONG Flags, _In_opt_ PCWSTR SearchPath, _In_opt_ PULONG Characteristics,
                                 _In_ PUNICODE_STRING Name, _Out_opt_ PVOID *Base);
NTSTATUS NTAPI LdrGetProcedureAddress(_In_ PVOID Base, _In_opt_ PANSI_STRING Name, _In_opt_ ULONG Ordinal,
                                      _Out_ PVOID *Address);
NTSTATUS NTAPI LdrFindEntryForAddress(_In_ PVOID Address, _Out_ PLDR_DATA_TABLE_ENTRY *Entry);
NTSTATUS NTAPI LdrDisableThreadCalloutsForDll(_In_ PVOID Base);
NTSTATUS NTAPI LdrAddRefDll(_In_ ULONG Flags, _In_ PVOID Base);
NTSTATUS NTAPI LdrLockLoaderLock(_In_ ULONG Flags, _Out_opt_ PULONG Disposition, _Out_ PULONG_PTR Cookie);
NTSTATUS NTAPI LdrUnlockLoaderLock(_In_ ULONG Flags, _In_ ULONG_PTR Cookie);
NTSTATUS NTAPI LdrGetDllFullName(_In_opt_ PVOID Base, _Inout_ PUNICODE_STRING Name);
VOID NTAPI LdrShutdownProcess(VOID);
VOID NTAPI LdrShutdownThread(VOID);

#define LDR_GET_DLL_HANDLE_EX_UNCHANGED_REFCOUNT 0x1u
#define LDR_GET_DLL_HANDLE_EX_PIN 0x2u
#define LDR_ADDREF_DLL_PIN 0x1u

/* ---- Processes and threads ---- */

#define RTL_MAX_PATH 32767u

typedef NTSTATUS(NTAPI *PUSER_THREAD_START_ROUTINE)(PVOID Parameter);

DECLSPEC_NORETURN VOID NTAPI RtlExitUserProcess(_In_ NTSTATUS Status);
DECLSPEC_NORETURN VOID NTAPI RtlExitUserThread(_In_ NTSTATUS Status);
NTSTATUS NTAPI RtlCreateUserThread(_In_ HANDLE Process, _In_opt_ PSECURITY_DESCRIPTOR Security,
                                   _In_ BOOLEAN Suspended, _In_ ULONG ZeroBits, _In_opt_ SIZE_T StackReserve,
                                   _In_opt_ SIZE_T StackCommit, _In_ PUSER_THREAD_START_ROUTINE Start,
                                   _In_opt_ PVOID Parameter, _Out_opt_ PHANDLE Thread, _Out_opt_ PCLIENT_ID Id);
VOID NTAPI RtlUserThreadStart(_In_ PUSER_THREAD_START_ROUTINE Start, _In_opt_ PVOID Parameter);

NTSTATUS NTAPI RtlCreateProcessParametersEx(_Out_ PRTL_USER_PROCESS_PARAMETERS *Parameters,
                                            _In_ PUNICODE_STRING ImagePathName, _In_opt_ PUNICODE_STRING DllPath,
                                            _In_opt_ PUNICODE_STRING CurrentDirectory,
                                            _In_opt_ PUNICODE_STRING CommandLine, _In_opt_ PVOID Environment,
                                            _In_opt_ PUNICODE_STRING WindowTitle,
                                            _In_opt_ PUNICODE_STRING DesktopInfo, _In_opt_ PUNICODE_STRING ShellInfo,
                                            _In_opt_ PUNICODE_STRING RuntimeData, _In_ ULONG Flags);
NTSTATUS NTAPI RtlDestroyProcessParameters(_In_ PRTL_USER_PROCESS_PARAMETERS Parameters);
PRTL_USER_PROCESS_PARAMETERS NTAPI RtlNormalizeProcessParams(_Inout_ PRTL_USER_PROCESS_PARAMETERS Parameters);

typedef LONG(NTAPI *PRTL_TOP_FILTER)(PEXCEPTION_POINTERS Pointers);

PRTL_TOP_FILTER NTAPI RtlSetUnhandledExceptionFilter(_In_opt_ PRTL_TOP_FILTER Filter);
LONG NTAPI RtlUnhandledExceptionFilter(_In_ PEXCEPTION_POINTERS Pointers);
PVOID NTAPI RtlAddVectoredExceptionHandler(_In_ ULONG First, _In_ PVECTORED_EXCEPTION_HANDLER Handler);
ULONG NTAPI RtlRemoveVectoredExceptionHandler(_In_ PVOID Handle);
PVOID NTAPI RtlAddVectoredContinueHandler(_In_ ULONG First, _In_ PVECTORED_EXCEPTION_HANDLER Handler);
ULONG NTAPI RtlRemoveVectoredContinueHandler(_In_ PVOID Handle);

/* ---- Heap ---- */

PVOID NTAPI RtlReAllocateHeap(_In_ PVOID Heap, _In_ ULONG Flags, _In_opt_ PVOID Block, _In_ SIZE_T Size);
SIZE_T NTAPI RtlSizeHeap(_In_ PVOID Heap, _In_ ULONG Flags, _In_ PVOID Block);
BOOLEAN NTAPI RtlValidateHeap(_In_ PVOID Heap, _In_ ULONG Flags, _In_opt_ PVOID Block);
BOOLEAN NTAPI RtlLockHeap(_In_ PVOID Heap);
BOOLEAN NTAPI RtlUnlockHeap(_In_ PVOID Heap);
SIZE_T NTAPI RtlCompactHeap(_In_ PVOID Heap, _In_ ULONG Flags);
ULONG NTAPI RtlGetProcessHeaps(_In_ ULONG Count, _Out_ PVOID *Heaps);
#define RtlProcessHeap() (NtCurrentPeb()->ProcessHeap)

/* ---- Locks ---- */

NTSTATUS NTAPI RtlInitializeCriticalSection(_Out_ PRTL_CRITICAL_SECTION Section);
NTSTATUS NTAPI RtlInitializeCriticalSectionAndSpinCount(_Out_ PRTL_CRITICAL_SECTION Section, _In_ ULONG SpinCount);
NTSTATUS NTAPI RtlInitializeCriticalSectionEx(_Out_ PRTL_CRITICAL_SECTION Section, _In_ ULONG SpinCount,
                                              _In_ ULONG Flags);
NTSTATUS NTAPI RtlDeleteCriticalSection(_Inout_ PRTL_CRITICAL_SECTION Section);
NTSTATUS NTAPI RtlEnterCriticalSection(_Inout_ PRTL_CRITICAL_SECTION Section);
BOOL NTAPI RtlTryEnterCriticalSection(_Inout_ PRTL_CRITICAL_SECTION Section);
NTSTATUS NTAPI RtlLeaveCriticalSection(_Inout_ PRTL_CRITICAL_SECTION Section);
ULONG NTAPI RtlSetCriticalSectionSpinCount(_Inout_ PRTL_CRITICAL_SECTION Section, _In_ ULONG SpinCount);
ULONG NTAPI RtlIsCriticalSectionLockedByThread(_In_ PRTL_CRITICAL_SECTION Section);

VOID NTAPI RtlInitializeSRWLock(_Out_ PRTL_SRWLOCK Lock);
VOID NTAPI RtlAcquireSRWLockExclusive(_Inout_ PRTL_SRWLOCK Lock);
VOID NTAPI RtlAcquireSRWLockShared(_Inout_ PRTL_SRWLOCK Lock);
VOID NTAPI RtlReleaseSRWLockExclusive(_Inout_ PRTL_SRWLOCK Lock);
VOID NTAPI RtlReleaseSRWLockShared(_Inout_ PRTL_SRWLOCK Lock);
BOOLEAN NTAPI RtlTryAcquireSRWLockExclusive(_Inout_ PRTL_SRWLOCK Lock);
BOOLEAN NTAPI RtlTryAcquireSRWLockShared(_Inout_ PRTL_SRWLOCK Lock);

VOID NTAPI RtlInitializeConditionVariable(_Out_ PRTL_CONDITION_VARIABLE Variable);
NTSTATUS NTAPI RtlSleepConditionVariableCS(_Inout_ PRTL_CONDITION_VARIABLE Variable,
                                           _Inout_ PRTL_CRITICAL_SECTION Section, _In_opt_ PLARGE_INTEGER Timeout);
NTSTATUS NTAPI RtlSleepConditionVariableSRW(_Inout_ PRTL_CONDITION_VARIABLE Variable, _Inout_ PRTL_SRWLOCK Lock,
                                            _In_opt_ PLARGE_INTEGER Timeout, _In_ ULONG Flags);
VOID NTAPI RtlWakeConditionVariable(_Inout_ PRTL_CONDITION_VARIABLE Variable);
VOID NTAPI RtlWakeAllConditionVariable(_Inout_ PRTL_CONDITION_VARIABLE Variable);

NTSTATUS NTAPI RtlWaitOnAddress(_In_ const volatile void *Address, _In_ PVOID Compare, _In_ SIZE_T Size,
                                _In_opt_ PLARGE_INTEGER Timeout);
VOID NTAPI RtlWakeAddressSingle(_In_ PVOID Address);
VOID NTAPI RtlWakeAddressAll(_In_ PVOID Address);

VOID NTAPI RtlRunOnceInitialize(_Out_ PRTL_RUN_ONCE Once);
NTSTATUS NTAPI RtlRunOnceExecuteOnce(_Inout_ PRTL_RUN_ONCE Once, _In_ PRTL_RUN_ONCE_INIT_FN Routine,
                                     _Inout_opt_ PVOID Parameter, _Out_opt_ PVOID *Context);
NTSTATUS NTAPI RtlRunOnceBeginInitialize(_Inout_ PRTL_RUN_ONCE Once, _In_ ULONG Flags, _Out_opt_ PVOID *Context);
NTSTATUS NTAPI RtlRunOnceComplete(_Inout_ PRTL_RUN_ONCE Once, _In_ ULONG Flags, _In_opt_ PVOID Context);

/* ---- Thread and fiber local storage ---- */

NTSTATUS NTAPI RtlTlsAlloc(_Out_ PULONG Index);
NTSTATUS NTAPI RtlTlsFree(_In_ ULONG Index);
NTSTATUS NTAPI RtlTlsSetValue(_In_ ULONG Index, _In_opt_ PVOID Value);
NTSTATUS NTAPI RtlTlsGetValue(_In_ ULONG Index, _Out_ PVOID *Value);
NTSTATUS NTAPI RtlFlsAlloc(_In_opt_ PFLS_CALLBACK_FUNCTION Callback, _Out_ PULONG Index);
NTSTATUS NTAPI RtlFlsFree(_In_ ULONG Index);
NTSTATUS NTAPI RtlFlsSetValue(_In_ ULONG Index, _In_opt_ PVOID Value);
VOID NTAPI RtlProcessFlsData(_In_opt_ PVOID FlsData);
NTSTATUS NTAPI RtlFlsGetValue(_In_ ULONG Index, _Out_ PVOID *Value);

/* ---- Environment, paths ---- */

NTSTATUS NTAPI RtlQueryEnvironmentVariable_U(_In_opt_ PWSTR Environment, _In_ PUNICODE_STRING Name,
                                             _Inout_ PUNICODE_STRING Value);
NTSTATUS NTAPI RtlSetEnvironmentVariable(_Inout_opt_ PWSTR *Environment, _In_ PUNICODE_STRING Name,
                                         _In_opt_ PUNICODE_STRING Value);
NTSTATUS NTAPI RtlExpandEnvironmentStrings_U(_In_opt_ PWSTR Environment, _In_ PUNICODE_STRING Source,
                                             _Inout_ PUNICODE_STRING Destination, _Out_opt_ PULONG ReturnedLength);
NTSTATUS NTAPI RtlCreateEnvironment(_In_ BOOLEAN CloneCurrent, _Out_ PWSTR *Environment);
VOID NTAPI RtlDestroyEnvironment(_In_ PWSTR Environment);
VOID NTAPI RtlAcquirePebLock(VOID);
VOID NTAPI RtlReleasePebLock(VOID);

typedef enum _RTL_PATH_TYPE
{
    RtlPathTypeUnknown,
    RtlPathTypeUncAbsolute,
    RtlPathTypeDriveAbsolute,
    RtlPathTypeDriveRelative,
    RtlPathTypeRooted,
    RtlPathTypeRelative,
    RtlPathTypeLocalDevice,
    RtlPathTypeRootLocalDevice
} RTL_PATH_TYPE;

typedef struct _RTL_RELATIVE_NAME_U
{
    UNICODE_STRING RelativeName;
    HANDLE ContainingDirectory;
    PVOID CurDirRef;
} RTL_RELATIVE_NAME_U, *PRTL_RELATIVE_NAME_U;

RTL_PATH_TYPE NTAPI RtlDetermineDosPathNameType_U(_In_ PCWSTR Path);
ULONG NTAPI RtlIsDosDeviceName_U(_In_ PCWSTR Path);
ULONG NTAPI RtlGetFullPathName_U(_In_ PCWSTR Path, _In_ ULONG Size, _Out_ PWSTR Buffer, _Out_opt_ PWSTR *FilePart);
NTSTATUS NTAPI RtlDosPathNameToNtPathName_U_WithStatus(_In_ PCWSTR Path, _Out_ PUNICODE_STRING NtPath,
                                                       _Out_opt_ PCWSTR *FilePart,
                                                       _Out_opt_ PRTL_RELATIVE_NAME_U Relative);
ULONG NTAPI RtlGetCurrentDirectory_U(_In_ ULONG Size, _Out_ PWSTR Buffer);
NTSTATUS NTAPI RtlSetCurrentDirectory_U(_In_ PUNICODE_STRING Path);
ULONG NTAPI RtlDosSearchPath_U(_In_ PCWSTR Path, _In_ PCWSTR FileName, _In_opt_ PCWSTR Extension, _In_ ULONG Size,
                               _Out_ PWSTR Buffer, _Out_opt_ PWSTR *FilePart);
BOOLEAN NTAPI RtlDoesFileExists_U(_In_ PCWSTR Path);

/* ---- Time, versions, errors, images ---- */

typedef struct _TIME_FIELDS
{
    SHORT Year;
    SHORT Month;
    SHORT Day;
    SHORT Hour;
    SHORT Minute;
    SHORT Second;
    SHORT Milliseconds;
    SHORT Weekday;
} TIME_FIELDS, *PTIME_FIELDS;

VOID NTAPI RtlTimeToTimeFields(_In_ PLARGE_INTEGER Time, _Out_ PTIME_FIELDS Fields);
BOOLEAN NTAPI RtlTimeFieldsToTime(_In_ PTIME_FIELDS Fields, _Out_ PLARGE_INTEGER Time);

NTSTATUS NTAPI RtlGetVersion(_Inout_ PRTL_OSVERSIONINFOW Information);
VOID NTAPI RtlGetNtVersionNumbers(_Out_opt_ PULONG Major, _Out_opt_ PULONG Minor, _Out_opt_ PULONG Build);
VOID NTAPI RtlSetLastWin32Error(_In_ ULONG Error);
ULONG NTAPI RtlGetLastWin32Error(VOID);
VOID NTAPI RtlSetLastWin32ErrorAndNtStatusFromNtStatus(_In_ NTSTATUS Status);
NTSTATUS NTAPI RtlGetLastNtStatus(VOID);
ULONG __cdecl DbgPrint(_In_ PCSTR Format, ...);
PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(_In_ PVOID Base);
PVOID NTAPI RtlImageDirectoryEntryToData(_In_ PVOID Base, _In_ BOOLEAN MappedAsImage, _In_ USHORT Entry,
                                         _Out_ PULONG Size);
ULONG NTAPI RtlGetCurrentProcessorNumber(VOID);
VOID NTAPI RtlRaiseStatus(_In_ NTSTATUS Status);
VOID NTAPI RtlRaiseException(_In_ PEXCEPTION_RECORD Record);

/* ---- Strings (machine/common/rtl) ---- */

LONG NTAPI RtlCompareUnicodeString(_In_ PCUNICODE_STRING A, _In_ PCUNICODE_STRING B, _In_ BOOLEAN CaseInsensitive);
BOOLEAN NTAPI RtlEqualUnicodeString(_In_ PCUNICODE_STRING A, _In_ PCUNICODE_STRING B, _In_ BOOLEAN CaseInsensitive);
WCHAR NTAPI RtlUpcaseUnicodeChar(_In_ WCHAR Character);

#endif /* ISTHMUS_NTDLL_H */
