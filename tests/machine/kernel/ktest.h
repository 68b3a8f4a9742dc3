/* SPDX-License-Identifier: MIT */
/*
 * The conformance tests that run in kernel mode. ktest.sys holds them in groups, ktest.exe runs a group and shows what
 * it says. A test prints its evidence (addresses, PFNs, codes) and counts what is not as it must be; no time is asserted.
 */
#pragma once

#include <ntifs.h>

typedef struct _KTEST_RUN
{
    PCHAR Text;         /* what the group has said so far */
    ULONG Used, Room;
    ULONG Checks, Failures;
    PIRP Irp;           /* the request that runs the group: its buffers belong to ktest.exe */
} KTEST_RUN;

typedef VOID (*KTEST_ROUTINE)(KTEST_RUN *Run);

typedef struct _KTEST_GROUP
{
    PCSTR Name;
    KTEST_ROUTINE Routine;
} KTEST_GROUP;

/** Adds a line to the group's report. Formats as DbgPrint. IRQL <= DISPATCH_LEVEL. */
VOID KtSay(KTEST_RUN *Run, PCSTR Format, ...);

/** Counts a check, and reports it if it failed. */
VOID KtCheck(KTEST_RUN *Run, BOOLEAN Holds, PCSTR Text, PCSTR File, ULONG Line);
VOID KtCheckValue(KTEST_RUN *Run, ULONG64 Found, ULONG64 Expected, PCSTR Text, PCSTR File, ULONG Line);

#define CHECK(condition) KtCheck(Run, (condition) ? TRUE : FALSE, #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(found, expected) \
    KtCheckValue(Run, (ULONG64)(found), (ULONG64)(expected), #found, __FILE__, __LINE__)
#define CHECK_STATUS(expression, status) \
    KtCheckValue(Run, (ULONG)(expression), (ULONG)(status), #expression, __FILE__, __LINE__)

/* Control codes of \Device\KTest; the program and the driver share them. */
#define KTEST_RUN_GROUP CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_DATA | FILE_WRITE_DATA)

/* Answer to KTEST_RUN_GROUP: the counts, then the text. Input is the group's name. */
typedef struct _KTEST_ANSWER
{
    ULONG Known;
    ULONG Checks;
    ULONG Failures;
    ULONG TextLength;
    CHAR Text[1];
} KTEST_ANSWER;

extern const KTEST_GROUP KtGroups[];
extern const ULONG KtGroupCount;
extern PDEVICE_OBJECT KtDevice;

/** Requests to devices of the groups themselves (irp_device.c). */
NTSTATUS NTAPI KtDeviceDispatch(PDEVICE_OBJECT Device, PIRP Irp);
