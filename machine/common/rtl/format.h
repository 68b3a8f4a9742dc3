/* SPDX-License-Identifier: MIT */
/*
 * The engine behind the printf family: one for both widths of format and output.
 */
#ifndef ISTHMUS_FORMAT_H
#define ISTHMUS_FORMAT_H

#include "rtlp.h"

/**
 * Where formatted text goes. Counts all units of the result; stores those that fit.
 */
typedef struct _RTLP_SINK
{
    BOOLEAN Wide;  /* units are WCHARs, else bytes */
    PVOID Buffer;
    SIZE_T Room;   /* in units, without a terminator */
    SIZE_T Length; /* of the whole result so far, in units */
} RTLP_SINK, *PRTLP_SINK;

/**
 * Formats into a sink. Format has the sink's width.
 *
 * @return FALSE if the result is longer than INT_MAX units
 */
BOOLEAN RtlpFormat(_Inout_ PRTLP_SINK Sink, _In_ const VOID *Format, _In_ va_list Arguments);

#endif /* ISTHMUS_FORMAT_H */
