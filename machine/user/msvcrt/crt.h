/* SPDX-License-Identifier: MIT */
/*
 * Private to msvcrt.dll, the C run-time that programs built with mingw-w64 import. What NT's own ntdll.dll exports as well
 * (strings, characters, sorting, numbers) is forwarded there; msvcrt.def says which. Here is the rest: start and end of a
 * program, heap, files, formatted input and output, time, threads.
 *
 * The machine's ANSI and OEM code pages are UTF-8, so narrow and wide text convert without loss.
 */
#pragma once

#define WIN32_LEAN_AND_MEAN
#include <stdarg.h>
#include <stddef.h>
#include <windows.h>

/* errno values, as the headers of msvcrt's users have them. */
#define ENOENT 2
#define EINTR 4
#define EIO 5
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EEXIST 17
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define EMFILE 24
#define ENOSPC 28
#define EPIPE 32
#define EDOM 33
#define ERANGE 34
#define EILSEQ 42

int *_errno(void);
#define errno (*_errno())

/* Sets errno from a Win32 error and returns -1. */
int CrtFail(DWORD Error);

/* Per-thread state, made on first use. */
typedef struct _CRT_THREAD
{
    int Errno;
    unsigned long DosErrno;
    char *StrtokNext;
    WCHAR *WcstokNext;
    unsigned RandSeed;
    char ErrorText[128];
    struct tm *Time;
    char *TimeText;
    void (*Start)(void *);
    unsigned (__stdcall *StartEx)(void *);
    void *Argument;
} CRT_THREAD;

CRT_THREAD *CrtThread(void);
void CrtInitializeThreads(void);
void CrtFreeThread(void);

/* heap */
void *malloc(size_t Size);
void *calloc(size_t Count, size_t Size);
void *realloc(void *Block, size_t Size);
void free(void *Block);

/* locks by number, as msvcrt numbers them: 16 + i guards stream i of _iob */
#define CRT_EXIT_LOCK 13
#define CRT_STREAM_LOCKS 16
#define CRT_LOCKS 36
void _lock(int Number);
void _unlock(int Number);
void CrtInitializeLocks(void);

/* low-level files */
char *CrtNarrow(const WCHAR *Text); /* likewise */
WCHAR *CrtWiden(const char *Text); /* a copy to free; NULL if there is no memory */
#define _O_RDONLY 0x0000
#define _O_WRONLY 0x0001
#define _O_RDWR 0x0002
#define _O_APPEND 0x0008
#define _O_CREAT 0x0100
#define _O_TRUNC 0x0200
#define _O_EXCL 0x0400
#define _O_TEXT 0x4000
#define _O_BINARY 0x8000
int _open(const char *Path, int Flags, ...);
int _wopen(const WCHAR *Path, int Flags, ...);
int _close(int File);
int _read(int File, void *Buffer, unsigned Count);
int _write(int File, const void *Buffer, unsigned Count);
long long _lseeki64(int File, long long Offset, int Origin);
int _isatty(int File);
int _setmode(int File, int Mode);
void CrtInitializeFiles(void);

/* streams: the layout is msvcrt's, because old getc macros reach into it */
typedef struct _iobuf
{
    char *_ptr;     /* next byte of the buffer */
    int _cnt;       /* bytes left to read, or room left to write */
    char *_base;
    int _flag;
    int _file;
    int _charbuf;
    int _bufsiz;
    char *_tmpfname;
} FILE;
#define _IOREAD 0x0001
#define _IOWRT 0x0002
#define _IONBF 0x0004
#define _IOMYBUF 0x0008
#define _IOEOF 0x0010
#define _IOERR 0x0020
#define _IOSTRG 0x0040
#define _IORW 0x0080
#define EOF (-1)
extern FILE _iob[20];
#define stdin (&_iob[0])
#define stdout (&_iob[1])
#define stderr (&_iob[2])
int fflush(FILE *Stream);
size_t CrtWrite(FILE *Stream, const void *Data, size_t Size); /* stream locked */
int CrtGet(FILE *Stream);                                     /* stream locked */
int CrtUnget(int Character, FILE *Stream);                    /* stream locked */
void _lock_file(FILE *Stream);
void _unlock_file(FILE *Stream);
int CrtFinish(FILE *Stream); /* after output: flushes what does not stay buffered; stream locked */
void CrtFlushAll(void);

/* formatting: the sink takes runs of UTF-8 or UTF-16 units */
typedef struct _CRT_SINK
{
    void (*Put)(struct _CRT_SINK *Sink, const void *Units, size_t Count);
    BOOL Wide;
    size_t Total;
    void *Target;
    size_t Room;
    FILE *Stream;
} CRT_SINK;
int CrtFormat(CRT_SINK *Sink, const void *Format, va_list Arguments);
/* Digits of a double, exactly rounded (half to even): see float.c. */
int CrtFormatDouble(double Value, char Conversion, int Precision, BOOL Alternate, char *Buffer, size_t Size);

/* scanning */
typedef struct _CRT_SOURCE
{
    int (*Get)(struct _CRT_SOURCE *Source);
    void (*Unget)(struct _CRT_SOURCE *Source, int Character);
    const void *Text;
    FILE *Stream;
    int Read;
} CRT_SOURCE;
int CrtScan(CRT_SOURCE *Source, const char *Format, va_list Arguments);
double strtod(const char *Text, char **End);

/* from ntdll, through our own import library */
size_t strlen(const char *);
size_t wcslen(const WCHAR *);
