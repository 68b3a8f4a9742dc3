/* SPDX-License-Identifier: MIT */
/*
 * The conformance tests that run in kernel mode. ktest.sys holds them in groups, ktest.exe runs a group and shows what
 * it says. A test prints its evidence (addresses, PFNs, codes) and counts what is not as it must be; no time is
 * asserted.
 */
#pragma once

#include <ntifs.h>

typedef struct _KTEST_RUN
{
    PCHAR Text;         /* what the group has said so far */
    ULONG Used, Room;
    ULONG Checks, Failures;
    PIRP Irp;           /* the request that runs the group: its buffers belong to ktest.exe */
    struct _KTEST_COVERAGE *Covering; /* what the checks are about, from KT_COVERS */
    ULONG CoveringFrom;               /* checks made before it */
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

/*
 * What the checks that follow, up to the next of these or the group's end, are about. docs/fidelity.md is made from
 * them (docs/fidelity/generate), so they are literals; and the group fails if one of its file was not reached, or
 * checked nothing.
 *
 *   Routines  names of routines or macros, separated by ", "
 *   What      what is checked of them, in one sentence without a full stop
 *   Source    where that is from: "DDI" the routine's page, "ours" a decision of this kernel, or words
 */
#define KT_COVERS(Routines, What, Source)                                                                   \
    do                                                                                                      \
    {                                                                                                       \
        static KTEST_COVERAGE coverage_ __attribute__((section("ktcov$m"), used, aligned(8))) = {           \
            Routines, What, Source, __FILE__, __LINE__, FALSE};                                             \
        KtCovers(Run, &coverage_);                                                                          \
    } while (0)

typedef struct _KTEST_COVERAGE
{
    PCSTR Routines, What, Source, File;
    ULONG Line;
    ULONG Reached;
} KTEST_COVERAGE;

VOID KtCovers(KTEST_RUN *Run, KTEST_COVERAGE *Coverage);
/** At a group's end: fails for what KT_COVERS in the group's file promised and nothing checked. */
VOID KtFinishCoverage(KTEST_RUN *Run, PCSTR Group);

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
