/* SPDX-License-Identifier: MIT */
/*
 * Private to isthmus.exe.
 */
#pragma once

#include <isthmus/isthmus.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#ifdef __GNUC__
#define PRINTF_LIKE(Format, First) __attribute__((format(printf, Format, First)))
#else
#define PRINTF_LIKE(Format, First)
#endif

#define EXIT_OK      0
#define EXIT_FAILED  1
#define EXIT_USAGE   2
#define EXIT_REFUSED 3 /* demo: nothing failed, but this system can't do all of it */

/* arguments.c: the command line as Windows programs take it apart. */
wchar_t **TakeArguments(int *Count);

/* options.c: what a command's table of options took out of its arguments. */
typedef struct OPTIONS
{
    const wchar_t *File;    /* --file, or the file of share */
    const wchar_t *Driver;  /* --sys */
    const wchar_t *Kind;    /* --kind */
    const wchar_t *Request; /* --request */
    const wchar_t *Name;    /* --name */
    const wchar_t *To;      /* --to */
    UINT64 Size;            /* --size, bytes; 0: not given */
    UINT64 SizeMost;        /* the second number of a range, or the first again */
    UINT64 Offset;          /* --offset, bytes into the first page */
    UINT64 Parts;           /* --parts */
    UINT64 Pages;           /* --pages, per MDL */
    UINT64 Records;         /* --records, per producer */
    UINT64 Capacity;        /* --capacity, bytes */
    UINT64 Producers;       /* --producers */
    UINT64 Seconds;         /* --for */
    BOOL Demo;
    BOOL ReadOnly;
    BOOL Check;
    BOOL Json;
    BOOL Svg;
    BOOL All;
    BOOL Overwrite;
    BOOL Drop;
    BOOL HasSeconds;
    wchar_t **Words;        /* what isn't an option */
    int WordCount;
} OPTIONS;

/* OptionRange: bytes, MIN or MIN-MAX; its second number goes behind the first. */
typedef enum { OptionFlag, OptionText, OptionBytes, OptionRange, OptionCount } OPTION_KIND;

typedef struct OPTION
{
    const wchar_t *Name;
    const char *Value; /* what the help calls its value; NULL for a flag */
    OPTION_KIND Kind;
    size_t Field;      /* offset within OPTIONS */
    const char *Help;
} OPTION;

typedef struct COMMAND
{
    const wchar_t *Name;
    const char *Words; /* what the help calls its words; "" if there are none */
    int WordsMost;     /* how many of them there may be */
    const char *Summary;
    const char *Help;
    const OPTION *Options;
    int OptionCount;
    int (*Run)(const OPTIONS *Options);
} COMMAND;

BOOL TakeOptions(const COMMAND *Command, wchar_t **Arguments, int Count, OPTIONS *Options);

/* output.c */
#define ROW "   %-16s"
void PrepareOutput(void);
BOOL IsTerminal(DWORD StandardHandle);
const char *Bold(void); /* escape sequences, or "" where colours have no place */
const char *Good(void);
const char *Bad(void);
const char *Plain(void);
const char *Utf8(const wchar_t *Text);    /* good until the eighth call after this one */
const char *Visible(const char *Text);    /* good until the fourth call after this one */
const char *Grouped(UINT64 Value);        /* 12,288; the same */
void ReportError(const char *What, DWORD Error);
void Progress(const char *What, UINT64 Done, UINT64 Total);
void ProgressEnd(void);
const char *KindName(UINT32 Kind);
const char *AccessName(UINT32 Access);
const char *StateName(UINT32 State);
const char *MethodName(UINT32 Method);
const char *FlagName(int Bit);            /* of MdlFlags, without its MDL_ */
void PrintMdl(const ISTHMUS_MDL *Mdl);
void PrintPfn(UINT64 Pfn);

/* json.c: a writer that keeps commas and indentation right. Keys are NULL within arrays. */
void JsonOpen(const char *Key, char Bracket);
void JsonClose(char Bracket);
void JsonNumber(const char *Key, UINT64 Value);
void JsonHex(const char *Key, UINT64 Value);
void JsonText(const char *Key, const char *Value); /* NULL: null */
void JsonBool(const char *Key, BOOL Value);

/* crc.c: bit by bit, on purpose another implementation than the driver's. */
UINT32 ProgramCrc32(UINT32 Crc, const void *Block, UINT64 Length);

/* file.c */
BYTE *ReadWholeFile(const wchar_t *Path, BYTE *Room, UINT64 *Length);
BOOL FileLength(const wchar_t *Path, UINT64 *Length);

/* service.c: the driver as a service. Each prints its own errors. */
typedef enum { DriverAbsent, DriverStopped, DriverRunning, DriverUnknown } DRIVER_STATE;
DRIVER_STATE QueryDriver(void);
BOOL InstallDriver(const wchar_t *Path, BOOL Demo);
BOOL StartDriver(void);
BOOL StopDriver(void);
BOOL RemoveDriver(void);
HISTHMUS OpenSession(void);

/* hold.c: a session and a way to end (NULL after a message), and the wait for --for, Enter or Ctrl+C. */
HISTHMUS BeginHold(void);
BOOL Hold(const OPTIONS *Options);

/* list.c, stat.c, hold.c, describe.c, channel.c */
int CommandList(const OPTIONS *Options);
int CommandStat(const OPTIONS *Options);
int CommandShare(const OPTIONS *Options);
int CommandAlloc(const OPTIONS *Options);
int CommandDescribe(const OPTIONS *Options);
int CommandChannel(const OPTIONS *Options);

/* Calls Visit for each entry that the driver lists; FALSE with the error in GetLastError. */
BOOL ForEachEntry(HISTHMUS Isthmus, DWORD What, void (*Visit)(const ISTHMUS_LIST_ENTRY *Entry, void *Context),
                  void *Context);
const char *EntryName(const ISTHMUS_LIST_ENTRY *Entry);
const char *ImageName(UINT64 ProcessId); /* "isthmus.exe", or NULL if it can't be told */
UINT32 ParseKind(const wchar_t *Name);   /* 0: not a kind */

/* demo*.c */
typedef struct DEMO
{
    HISTHMUS Isthmus;
    ISTHMUS_VERSION Version;
    const BYTE *Bytes; /* of the file */
    UINT64 Length;
    UINT32 Crc;
    const char *Name;
    int Proofs;
    int Failures;
    int Refusals;
} DEMO;

int CommandDemo(const OPTIONS *Options);
int PeerMain(const OPTIONS *Options);
void Proof(DEMO *Demo, BOOL Holds, const char *Format, ...) PRINTF_LIKE(3, 4);
void ProofFailed(DEMO *Demo, const char *What);
void ProofRefused(DEMO *Demo, const char *Format, ...) PRINTF_LIKE(2, 3);
BOOL DemoDescribe(DEMO *Demo, UINT64 Region, UINT64 View);
void DemoUserBuffer(DEMO *Demo);
void DemoKernelMemory(DEMO *Demo);
void DemoBuffered(DEMO *Demo);
void DemoDirect(DEMO *Demo);
void DemoNeither(DEMO *Demo);
void DemoWhy(DEMO *Demo);
void DemoChannel(DEMO *Demo);
