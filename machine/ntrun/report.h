/* SPDX-License-Identifier: MIT */
/* What the machine reports, and what ntrun makes of it. */
#ifndef ISTHMUS_NTRUN_REPORT_H
#define ISTHMUS_NTRUN_REPORT_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Code in the machine's kernel: the kernel itself or a driver. */
typedef struct MODULE
{
    uint64_t Base;
    uint64_t Size;
    bool Unloaded;
    char *Name;
} MODULE;

typedef struct MODULES
{
    MODULE *Items;
    size_t Count;
    size_t Capacity;
} MODULES;

/* One address of a stack: where control is to return to, or (Exact) where it was interrupted. */
typedef struct FRAME
{
    uint64_t Address;
    bool Exact;
} FRAME;

typedef struct STACK
{
    FRAME *Frames;
    size_t Count;
    size_t Capacity;
} STACK;

/* A bug check. What the machine could not say before a fault ended the report is zero or empty. */
typedef struct STOP
{
    uint32_t Code;
    uint64_t Parameters[4];
    bool HasWhere; /* the fields up to Dpc are valid */
    unsigned Cpu;
    unsigned Irql;
    uint64_t Uptime; /* milliseconds */
    uint64_t Thread;
    uint64_t Process;
    bool Attached; /* Process is not the thread's own */
    uint64_t Dpc;  /* its routine, 0 if none ran */
    TEXT Driver;   /* whom the machine blames by name, or empty */
    bool HasWho;   /* the fields up to Image are valid */
    uint64_t ProcessId;
    uint64_t ThreadId;
    TEXT Image;     /* the process's name */
    TEXT Registers; /* "rax=1 rbx=..." of what was interrupted, empty if nothing was */
    STACK Stack;    /* innermost first */
    bool Cut;       /* a part of the report is missing */
} STOP;

/* Something that was left over at shutdown. */
typedef struct LEFTOVER
{
    char *Kind;
    uint64_t Count;
} LEFTOVER;

/* Something that a driver holds. */
typedef struct HOLDING
{
    char *Kind; /* "page-lock" and so on: docs/report.md */
    uint64_t Key;
    uint64_t Size;
    uint32_t Tag;
    uint64_t ProcessId; /* of the thread that took it */
    uint64_t ThreadId;
    char *Type; /* of the object, or empty */
    STACK Stack;
} HOLDING;

/* Who held what at some moment. */
typedef struct LEDGER
{
    char *Title;
    HOLDING *Items; /* in the order of taking */
    size_t Count;
    size_t Capacity;
    uint64_t Total; /* holdings there were; Items may have fewer */
    uint64_t Lost;  /* holdings that the kernel had no memory to write down */
} LEDGER;

/* The lines of the report port are described in docs/report.md; others are kept in Raw only. */
typedef struct REPORT
{
    TEXT Raw;     /* all that came, up to REPORT_MAX bytes */
    TEXT Pending; /* a line that has not ended yet */
    bool HasExit;
    uint32_t Exit;
    bool HasBugcheck;
    TEXT Bugcheck; /* of the first one: code and parameters as reported */
    STOP Stop;     /* of the first one */
    bool HasRefusal;
    TEXT Refusal; /* of the first one */
    TEXT_LIST Missing; /* "driver.sys DLL!Routine": imports that the machine does not have */
    LEFTOVER *Leftovers;
    size_t LeftoverCount;
    size_t LeftoverCapacity;
    MODULES Modules;
    LEDGER *Ledgers;
    size_t LedgerCount;
    size_t LedgerCapacity;
    bool InLedger; /* the last one has not ended yet */
} REPORT;

#define REPORT_MAX (16u << 20)

/* How QEMU ended. */
typedef struct MACHINE_END
{
    int WaitStatus; /* of waitpid */
    bool TimedOut;  /* stopped by ntrun */
    unsigned Timeout; /* seconds, for the message */
} MACHINE_END;

/** Takes in bytes from the report port. */
void ReportFeed(REPORT *Report, const char *Bytes, size_t Count);

/** Takes in a last line without a line feed. */
void ReportFinish(REPORT *Report);

/**
 * Decides ntrun's exit code. The gravest event counts: blue screen, refusal, time-out, crash, leftovers, the program.
 *
 * @param Message  Receives a line for the user; stays empty if the program's code is returned as it is.
 */
int ReportConclude(const REPORT *Report, const MACHINE_END *End, TEXT *Message);

/** A name for an exit status that its author will want named, or NULL. */
const char *ReportStatusName(uint32_t Status);

/** The module an address lies in, a loaded one first; NULL if it is none's. */
const MODULE *ModulesFind(const MODULES *Modules, uint64_t Address);

/** Frees everything. */
void ReportFree(REPORT *Report);

#endif
