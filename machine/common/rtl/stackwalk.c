/* SPDX-License-Identifier: MIT */
/*
 * Lists of return addresses.
 */
#include "unwindp.h"

#define RTLP_MAXIMUM_BACKTRACE 0xFFFF

ULONG RtlpWalkContext(_In_ const CONTEXT *Context, _In_ ULONG64 StackLow, _In_ ULONG64 StackHigh,
                      _Out_writes_to_(Count, return) PVOID *Frames, _In_ ULONG Count, _Out_opt_ PULONG64 Exact)
{
    RTLP_FRAME Frame;
    CONTEXT Work;
    ULONG64 ExactFrames = 0;
    ULONG Stored = 0;

    RtlpCopy(&Work, Context, RTLP_CONTEXT_CORE);
    Frame.Context = &Work;
    Frame.Pointers = NULL;
    Frame.StackLow = StackLow;
    Frame.StackHigh = StackHigh;
    while (Stored < Count)
    {
        ULONG64 Rsp = Work.Rsp;
        PVOID Base;
        ULONG Size;

        Frames[Stored] = (PVOID)(ULONG_PTR)Work.Rip;
        Stored += 1;
        RtlpFindFrameCode(&Frame, Work.Rip);

        /* Only the innermost code, and what a trap interrupted, may be a leaf; elsewhere an unknown address is the end
           of what is known. */
        if ((Stored > 1 && Frame.Entry == NULL && !(ExactFrames >> ((Stored - 1) & 63) & 1)) ||
            !RtlpInBounds(&Frame, Rsp) || !NT_SUCCESS(RtlpUnwindFrame(&Frame, UNW_FLAG_NHANDLER)) || Work.Rip == 0 ||
            Work.Rsp <= Rsp)
        {
            break;
        }
        if (Frame.MachineFrame && Stored < 64)
        {
            ExactFrames |= 1ULL << Stored;
        }

        /* What a supposed leaf returns to is believed only if it is code. */
        else if (Frame.Entry == NULL && !RtlpFindImage((PVOID)(ULONG_PTR)Work.Rip, &Base, &Size))
        {
            break;
        }
    }

    if (Exact != NULL)
    {
        *Exact = ExactFrames;
    }
    return Stored;
}

/* Walks from inside this file outwards: Skip counts this function's own frame too. */
static ULONG RtlpWalkHere(ULONG Skip, PVOID *Frames, ULONG Count, const CONTEXT *Context)
{
    RTLP_FRAME Frame;
    CONTEXT Work;
    ULONG_PTR Low;
    ULONG_PTR High;

    RtlpGetStackLimits(&Low, &High);
    RtlpCopy(&Work, Context, RTLP_CONTEXT_CORE);
    Frame.Context = &Work;
    Frame.Pointers = NULL;
    Frame.StackLow = Low;
    Frame.StackHigh = High;
    for (; Skip != 0; Skip -= 1)
    {
        ULONG64 Rsp = Work.Rsp;

        RtlpFindFrameCode(&Frame, Work.Rip);
        if (Frame.Entry == NULL || !NT_SUCCESS(RtlpUnwindFrame(&Frame, UNW_FLAG_NHANDLER)) || Work.Rip == 0 ||
            Work.Rsp <= Rsp)
        {
            return 0;
        }
    }

    return RtlpWalkContext(&Work, Low, High, Frames, Count, NULL);
}

/**
 * Captures return addresses of the running thread.
 *
 * @param Callers  receives up to Count addresses; the first is where this function returns to
 * @param Count    room in Callers
 * @param Flags    zero; walking the user-mode stack is not supported
 * @return the number stored; zero if Flags is not zero
 *
 * IRQL: any.
 */
ULONG NTAPI RtlWalkFrameChain(_Out_writes_(Count) PVOID *Callers, _In_ ULONG Count, _In_ ULONG Flags)
{
    CONTEXT Context;

    if (Flags != 0)
    {
        return 0;
    }

    RtlCaptureContext(&Context);
    return RtlpWalkHere(1, Callers, Count, &Context);
}

/**
 * Captures return addresses of the running thread.
 *
 * @param FramesToSkip     frames left out, counted from the caller of this function
 * @param FramesToCapture  room in BackTrace
 * @param BackTrace        receives the addresses
 * @param BackTraceHash    optional: receives their sum
 * @return the number stored
 *
 * IRQL: any.
 */
USHORT NTAPI RtlCaptureStackBackTrace(_In_ ULONG FramesToSkip, _In_ ULONG FramesToCapture, _Out_ PVOID *BackTrace,
                                      _Out_opt_ PULONG BackTraceHash)
{
    CONTEXT Context;
    ULONG Hash = 0;
    ULONG Stored;
    ULONG Index;

    if (FramesToSkip >= RTLP_MAXIMUM_BACKTRACE)
    {
        return 0;
    }

    RtlCaptureContext(&Context);
    Stored = RtlpWalkHere(FramesToSkip + 1, BackTrace, min(FramesToCapture, RTLP_MAXIMUM_BACKTRACE), &Context);
    if (BackTraceHash != NULL)
    {
        for (Index = 0; Index < Stored; Index += 1)
        {
            Hash += (ULONG)(ULONG_PTR)BackTrace[Index];
        }

        *BackTraceHash = Hash;
    }

    return (USHORT)Stored;
}
