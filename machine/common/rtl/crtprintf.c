/* SPDX-License-Identifier: MIT */
/*
 * The printf family over the engine in format.c.
 *
 *      function          no room left for everything
 *      sprintf           there is no limit
 *      _snprintf         fills Count units without a terminator, returns -1
 *      sprintf_s         leaves an empty string, returns -1
 *      _snprintf_s       as sprintf_s; with Count = _TRUNCATE keeps what fits and returns -1
 */
#include "format.h"
#include "crtnames.h"

/* _snprintf's rules for both widths. */
static int RtlpPrintCounted(BOOLEAN Wide, PVOID Buffer, SIZE_T Count, const VOID *Format, va_list Arguments)
{
    RTLP_SINK Sink = {Wide, Buffer, Buffer != NULL ? Count : 0, 0};

    if (Format == NULL || (Buffer == NULL && Count != 0) || !RtlpFormat(&Sink, Format, Arguments))
    {
        return -1;
    }

    /* A call without a buffer asks for the length. */
    if (Buffer == NULL)
    {
        return (int)Sink.Length;
    }

    if (Sink.Length > Count)
    {
        return -1;
    }

    if (Sink.Length < Count && Wide)
    {
        ((PWCHAR)Buffer)[Sink.Length] = 0;
    }
    else if (Sink.Length < Count)
    {
        ((PCHAR)Buffer)[Sink.Length] = 0;
    }

    return (int)Sink.Length;
}

/* _snprintf_s's rules for both widths. */
static int RtlpPrintSafe(BOOLEAN Wide, PVOID Buffer, SIZE_T Size, SIZE_T Count, const VOID *Format, va_list Arguments)
{
    RTLP_SINK Sink = {Wide, Buffer, 0, 0};
    BOOLEAN Counted;
    SIZE_T End;
    int Result;

    if (Buffer == NULL || Size == 0 || Format == NULL)
    {
        return -1;
    }

    Sink.Room = min(Size - 1, Count);
    Counted = RtlpFormat(&Sink, Format, Arguments);
    if (Counted && Sink.Length <= Sink.Room)
    {
        End = Sink.Length;
        Result = (int)Sink.Length;
    }
    else
    {
        /* Cutting off was asked for by _TRUNCATE, or by a count that fits into the buffer. */
        End = Count == RTLP_TRUNCATE || Count < Size ? min(Sink.Room, Sink.Length) : 0;
        Result = -1;
    }

    if (Wide)
    {
        ((PWCHAR)Buffer)[End] = 0;
    }
    else
    {
        ((PCHAR)Buffer)[End] = 0;
    }

    return Result;
}

#define RTLP_UNLIMITED 0x7FFFFFFF
#define RTLP_NO_COUNT ((size_t)-2) /* larger than any buffer, yet not _TRUNCATE */

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments)
{
    return RtlpPrintCounted(FALSE, Buffer, Count, Format, Arguments);
}

int _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments)
{
    return RtlpPrintCounted(TRUE, Buffer, Count, Format, Arguments);
}

int vsprintf(char *Buffer, const char *Format, va_list Arguments)
{
    return RtlpPrintCounted(FALSE, Buffer, RTLP_UNLIMITED, Format, Arguments);
}

int _vswprintf(WCHAR *Buffer, const WCHAR *Format, va_list Arguments)
{
    return RtlpPrintCounted(TRUE, Buffer, RTLP_UNLIMITED, Format, Arguments);
}

int vsprintf_s(char *Buffer, size_t Size, const char *Format, va_list Arguments)
{
    return RtlpPrintSafe(FALSE, Buffer, Size, RTLP_NO_COUNT, Format, Arguments);
}

int vswprintf_s(WCHAR *Buffer, size_t Size, const WCHAR *Format, va_list Arguments)
{
    return RtlpPrintSafe(TRUE, Buffer, Size, RTLP_NO_COUNT, Format, Arguments);
}

int _vsnprintf_s(char *Buffer, size_t Size, size_t Count, const char *Format, va_list Arguments)
{
    return RtlpPrintSafe(FALSE, Buffer, Size, Count, Format, Arguments);
}

int _vsnwprintf_s(WCHAR *Buffer, size_t Size, size_t Count, const WCHAR *Format, va_list Arguments)
{
    return RtlpPrintSafe(TRUE, Buffer, Size, Count, Format, Arguments);
}

int sprintf(char *Buffer, const char *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintCounted(FALSE, Buffer, RTLP_UNLIMITED, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int _snprintf(char *Buffer, size_t Count, const char *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintCounted(FALSE, Buffer, Count, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int swprintf(WCHAR *Buffer, const WCHAR *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintCounted(TRUE, Buffer, RTLP_UNLIMITED, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int _swprintf(WCHAR *Buffer, const WCHAR *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintCounted(TRUE, Buffer, RTLP_UNLIMITED, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int _snwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintCounted(TRUE, Buffer, Count, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int sprintf_s(char *Buffer, size_t Size, const char *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintSafe(FALSE, Buffer, Size, RTLP_NO_COUNT, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int swprintf_s(WCHAR *Buffer, size_t Size, const WCHAR *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintSafe(TRUE, Buffer, Size, RTLP_NO_COUNT, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int _snprintf_s(char *Buffer, size_t Size, size_t Count, const char *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintSafe(FALSE, Buffer, Size, Count, Format, Arguments);
    va_end(Arguments);
    return Result;
}

int _snwprintf_s(WCHAR *Buffer, size_t Size, size_t Count, const WCHAR *Format, ...)
{
    va_list Arguments;
    int Result;

    va_start(Arguments, Format);
    Result = RtlpPrintSafe(TRUE, Buffer, Size, Count, Format, Arguments);
    va_end(Arguments);
    return Result;
}
