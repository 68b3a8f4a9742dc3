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

/* arguments.c: the command line as Windows programs take it apart. */
wchar_t **TakeArguments(int *Count);

/* output.c */
#define ROW "   %-16s"
const char *Utf8(const wchar_t *Text); /* good until the eighth call after this one */
void ReportError(const char *What, DWORD Error);
const char *KindName(UINT32 Kind);
const char *AccessName(UINT32 Access);
const char *StateName(UINT32 State);
const char *MethodName(UINT32 Method);
void PrintMdl(const ISTHMUS_MDL *Mdl);
void PrintPfn(UINT64 Pfn);

/* crc.c: bit by bit, on purpose another implementation than the driver's. */
UINT32 ProgramCrc32(UINT32 Crc, const void *Block, UINT64 Length);

/* service.c: the driver as a service. Each prints its own errors. */
typedef enum { DriverAbsent, DriverStopped, DriverRunning, DriverUnknown } DRIVER_STATE;
DRIVER_STATE QueryDriver(void);
BOOL InstallDriver(const wchar_t *Path, BOOL Demo);
BOOL StartDriver(void);
BOOL StopDriver(void);
BOOL RemoveDriver(void);
HISTHMUS OpenSession(void);

/* commands.c */
typedef struct OPTIONS
{
    const wchar_t *File;   /* --file */
    const wchar_t *Driver; /* --sys */
    const wchar_t *Kind;   /* --kind */
    UINT64 Size;           /* --size, bytes; 0: not given */
    BOOL Demo;             /* --demo */
    wchar_t **Words;       /* what isn't an option */
    int WordCount;
} OPTIONS;

int CommandDescribe(const OPTIONS *Options);
int CommandStat(void);
int CommandList(void);

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
} DEMO;

int CommandDemo(const OPTIONS *Options);
int PeerMain(const OPTIONS *Options);
void Proof(DEMO *Demo, BOOL Holds, const char *Format, ...) PRINTF_LIKE(3, 4);
void ProofFailed(DEMO *Demo, const char *What);
BOOL DemoDescribe(DEMO *Demo, UINT64 Region, UINT64 View);
void DemoUserBuffer(DEMO *Demo);
void DemoKernelMemory(DEMO *Demo);
void DemoBuffered(DEMO *Demo);
void DemoDirect(DEMO *Demo);
void DemoNeither(DEMO *Demo);
void DemoWhy(DEMO *Demo);
