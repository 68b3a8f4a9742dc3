/* SPDX-License-Identifier: MIT */
/*
 * Unwinding one frame from its unwind information.
 *
 *        the frame, highest address first                     how it is undone
 *      +--------------------------------+
 *      | return address                 |  popped last (or the machine frame, UWOP_PUSH_MACHFRAME)
 *      | pushed registers               |  UWOP_PUSH_NONVOL
 *      | fixed allocation: locals,      |  UWOP_ALLOC_*, and UWOP_SAVE_* relative to the establisher frame
 *      |   saved registers              |
 *      +--------------------------------+  <- establisher frame = rsp after the prologue, or
 *      | alloca'd memory, if a frame    |     frame register - offset
 *      |   register is in use           |
 *      +--------------------------------+  <- rsp
 *
 * The codes are stored last instruction first, so that reading them in order undoes the prologue. In the middle
 * of a prologue, codes whose instruction has not run yet are skipped.
 */
#include "unwindp.h"

#ifndef C_ASSERT
#define C_ASSERT(e) _Static_assert(e, #e)
#endif

/* context.S and sehasm.S count on these. */
C_ASSERT(FIELD_OFFSET(CONTEXT, ContextFlags) == 0x30);
C_ASSERT(FIELD_OFFSET(CONTEXT, SegCs) == 0x38);
C_ASSERT(FIELD_OFFSET(CONTEXT, EFlags) == 0x44);
C_ASSERT(FIELD_OFFSET(CONTEXT, Rax) == 0x78);
C_ASSERT(FIELD_OFFSET(CONTEXT, Rip) == 0xF8);
C_ASSERT(FIELD_OFFSET(CONTEXT, FltSave) == 0x100);
C_ASSERT(FIELD_OFFSET(CONTEXT, Xmm0) == 0x1A0);
C_ASSERT(FIELD_OFFSET(CONTEXT, VectorRegister) == 0x300);
C_ASSERT(sizeof(CONTEXT) == 0x4D0);
C_ASSERT(FIELD_OFFSET(DISPATCHER_CONTEXT, ContextRecord) == 0x28);
C_ASSERT(FIELD_OFFSET(DISPATCHER_CONTEXT, LanguageHandler) == 0x30);
C_ASSERT(FIELD_OFFSET(DISPATCHER_CONTEXT, ScopeIndex) == 0x48);
C_ASSERT(sizeof(DISPATCHER_CONTEXT) == 0x50);
C_ASSERT(FIELD_OFFSET(RTLP_JUMP_BUFFER, MxCsr) == 0x58);
C_ASSERT(FIELD_OFFSET(RTLP_JUMP_BUFFER, Xmm) == 0x60);
C_ASSERT(sizeof(RTLP_JUMP_BUFFER) == 0x100);
C_ASSERT(sizeof(RUNTIME_FUNCTION) == 12);

/* The slots that a code takes, itself included; zero for what no valid information has. */
static ULONG RtlpCodeSlots(PUNWIND_INFO Info, UNWIND_CODE Code)
{
    switch (Code.UnwindOp)
    {
    case UWOP_PUSH_NONVOL:
    case UWOP_ALLOC_SMALL:
        return 1;

    case UWOP_SET_FPREG:
        return Info->FrameRegister != 0 ? 1 : 0;

    case UWOP_PUSH_MACHFRAME:
        return Code.OpInfo <= 1 ? 1 : 0;

    case UWOP_EPILOG:
        return Info->Version >= 2 ? 1 : 0;

    case UWOP_SAVE_NONVOL:
    case UWOP_SAVE_XMM128:
        return 2;

    case UWOP_SAVE_NONVOL_FAR:
    case UWOP_SAVE_XMM128_FAR:
        return 3;

    case UWOP_ALLOC_LARGE:
        return Code.OpInfo <= 1 ? 2u + Code.OpInfo : 0;

    default:
        return 0;
    }
}

/* The operand in the one or two slots behind a code. */
static ULONG RtlpCodeOperand(const UNWIND_CODE *Code, ULONG Slots)
{
    return Slots == 3 ? Code[1].FrameOffset | ((ULONG)Code[2].FrameOffset << 16) : Code[1].FrameOffset;
}

static NTSTATUS RtlpLoadInteger(PRTLP_FRAME Frame, ULONG Register, ULONG64 Address)
{
    ULONG64 Value;

    if (!RtlpReadStack(Frame, Address, &Value))
    {
        return STATUS_BAD_STACK;
    }

    *RtlpRegister(Frame->Context, Register) = Value;
    if (Frame->Pointers != NULL)
    {
        Frame->Pointers->IntegerContext[Register] = (PULONG64)(ULONG_PTR)Address;
    }

    return STATUS_SUCCESS;
}

static NTSTATUS RtlpLoadXmm(PRTLP_FRAME Frame, ULONG Register, ULONG64 Address)
{
    ULONG64 Value[2];

    if (!RtlpReadStack(Frame, Address, &Value[0]) || !RtlpReadStack(Frame, Address + 8, &Value[1]))
    {
        return STATUS_BAD_STACK;
    }

    RtlpCopy((PUCHAR)Frame->Context + FIELD_OFFSET(CONTEXT, Xmm0) + Register * sizeof(M128A), Value, sizeof(Value));
    if (Frame->Pointers != NULL)
    {
        Frame->Pointers->FloatingContext[Register] = (PM128A)(ULONG_PTR)Address;
    }

    return STATUS_SUCCESS;
}

/* The processor pushed rip, cs, eflags, rsp, ss, and for some traps an error code below them. */
static NTSTATUS RtlpLoadMachineFrame(PRTLP_FRAME Frame, BOOLEAN ErrorCode)
{
    ULONG64 Address = Frame->Context->Rsp + (ErrorCode ? 8 : 0);
    ULONG64 Rip;
    ULONG64 Rsp;

    if (!RtlpReadStack(Frame, Address, &Rip) || !RtlpReadStack(Frame, Address + 24, &Rsp))
    {
        return STATUS_BAD_STACK;
    }

    Frame->Context->Rip = Rip;
    Frame->Context->Rsp = Rsp;
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpUndoCode(PRTLP_FRAME Frame, PUNWIND_INFO Info, const UNWIND_CODE *Code, ULONG Slots)
{
    PCONTEXT Context = Frame->Context;
    ULONG Operand = Slots > 1 ? RtlpCodeOperand(Code, Slots) : 0;
    NTSTATUS Status = STATUS_SUCCESS;

    switch (Code->UnwindOp)
    {
    case UWOP_PUSH_NONVOL:
        Status = RtlpLoadInteger(Frame, Code->OpInfo, Context->Rsp);
        if (NT_SUCCESS(Status))
        {
            Context->Rsp += sizeof(ULONG64);
        }
        break;

    case UWOP_ALLOC_LARGE:
        Context->Rsp += Slots == 3 ? (ULONG64)Operand : (ULONG64)Operand * 8;
        break;

    case UWOP_ALLOC_SMALL:
        Context->Rsp += (ULONG64)Code->OpInfo * 8 + 8;
        break;

    case UWOP_SET_FPREG:
        Context->Rsp = *RtlpRegister(Context, Info->FrameRegister) - (ULONG64)Info->FrameOffset * 16;
        break;

    case UWOP_SAVE_NONVOL:
        Status = RtlpLoadInteger(Frame, Code->OpInfo, Frame->Establisher + (ULONG64)Operand * 8);
        break;

    case UWOP_SAVE_NONVOL_FAR:
        Status = RtlpLoadInteger(Frame, Code->OpInfo, Frame->Establisher + Operand);
        break;

    case UWOP_SAVE_XMM128:
        Status = RtlpLoadXmm(Frame, Code->OpInfo, Frame->Establisher + (ULONG64)Operand * 16);
        break;

    case UWOP_SAVE_XMM128_FAR:
        Status = RtlpLoadXmm(Frame, Code->OpInfo, Frame->Establisher + Operand);
        break;

    case UWOP_PUSH_MACHFRAME:
        Frame->MachineFrame = TRUE;
        Status = RtlpLoadMachineFrame(Frame, Code->OpInfo != 0);
        break;

    default: /* UWOP_EPILOG describes, it does nothing */
        break;
    }

    return Status;
}

/*
 * Undoes what the prologue of Entry had done when control was at PrologOffset, and then the prologues it is
 * chained to. *Last receives the primary entry's information.
 */
static NTSTATUS RtlpUnwindPrologue(PRTLP_FRAME Frame, PUNWIND_INFO Info, ULONG PrologOffset, PUNWIND_INFO *Last,
                                   PULONG64 LastBegin)
{
    PRUNTIME_FUNCTION Entry = Frame->Entry;
    ULONG Depth;
    NTSTATUS Status;

    for (Depth = 0; Depth < RTLP_CHAIN_LIMIT; Depth += 1)
    {
        ULONG Index = 0;

        while (Index < Info->CountOfCodes)
        {
            const UNWIND_CODE *Code = &Info->UnwindCode[Index];
            ULONG Slots = RtlpCodeSlots(Info, *Code);

            if (Slots == 0 || Slots > Info->CountOfCodes - Index)
            {
                return STATUS_BAD_FUNCTION_TABLE;
            }

            if (Code->CodeOffset <= PrologOffset)
            {
                Status = RtlpUndoCode(Frame, Info, Code, Slots);
                if (!NT_SUCCESS(Status))
                {
                    return Status;
                }
            }

            Index += Slots;
        }

        if ((Info->Flags & UNW_FLAG_CHAININFO) == 0)
        {
            break;
        }

        Entry = RtlpGetChainedEntry(Frame, Info);
        Info = Entry != NULL ? RtlpGetUnwindInfo(Frame, Entry) : NULL;
        if (Info == NULL)
        {
            return STATUS_BAD_FUNCTION_TABLE;
        }

        PrologOffset = (ULONG)-1; /* the prologues of the other regions have run in full */
    }

    if (Depth == RTLP_CHAIN_LIMIT)
    {
        return STATUS_BAD_FUNCTION_TABLE;
    }

    *Last = Info;
    *LastBegin = Entry->BeginAddress;
    if (Frame->MachineFrame)
    {
        return STATUS_SUCCESS;
    }

    if (!RtlpReadStack(Frame, Frame->Context->Rsp, &Frame->Context->Rip))
    {
        return STATUS_BAD_STACK;
    }

    Frame->Context->Rsp += sizeof(ULONG64);
    return STATUS_SUCCESS;
}

/* The address that stands for the frame: constant through the body, whatever alloca does to rsp. */
static ULONG64 RtlpGetEstablisher(const RTLP_FRAME *Frame, PUNWIND_INFO Info, ULONG PrologOffset)
{
    ULONG64 ByRegister;
    ULONG Index;

    if (Info->FrameRegister == 0)
    {
        return Frame->Context->Rsp;
    }

    ByRegister = *RtlpRegister(Frame->Context, Info->FrameRegister) - (ULONG64)Info->FrameOffset * 16;
    if (PrologOffset >= Info->SizeOfProlog || (Info->Flags & UNW_FLAG_CHAININFO) != 0)
    {
        return ByRegister;
    }

    /* Inside the prologue: only once the instruction that sets the frame register has run. */
    for (Index = 0; Index < Info->CountOfCodes;)
    {
        UNWIND_CODE Code = Info->UnwindCode[Index];
        ULONG Slots = RtlpCodeSlots(Info, Code);

        if (Slots == 0)
        {
            break; /* RtlpUnwindPrologue will say so */
        }

        if (Code.UnwindOp == UWOP_SET_FPREG)
        {
            return Code.CodeOffset <= PrologOffset ? ByRegister : Frame->Context->Rsp;
        }

        Index += Slots;
    }

    return Frame->Context->Rsp;
}

/* Reports the language handler of the function, if it wants to see this kind of pass. */
static NTSTATUS RtlpFindHandler(PRTLP_FRAME Frame, PUNWIND_INFO Info, ULONG64 Begin, ULONG HandlerType)
{
    ULONG64 Offset = Frame->ControlPc - (Frame->ImageBase + Begin);
    PULONG Trailer;
    PVOID Handler;

    /* A function that has not finished its prologue has established nothing that a handler could see. */
    if ((Info->Flags & HandlerType) == 0 || Offset < Info->SizeOfProlog)
    {
        return STATUS_SUCCESS;
    }

    Trailer = (PULONG)RtlpGetChainedEntry(Frame, Info); /* the same place holds the handler's RVA */
    Handler = Trailer != NULL ? RtlpImageRange(Frame, *Trailer, 1) : NULL;
    if (Handler == NULL)
    {
        return STATUS_BAD_FUNCTION_TABLE;
    }

    Frame->Handler = (PEXCEPTION_ROUTINE)Handler;
    Frame->HandlerData = Trailer + 1;
    return STATUS_SUCCESS;
}

/* A function without an entry keeps everything but rip and rsp; its frame is rsp before the return. */
static NTSTATUS RtlpUnwindLeaf(PRTLP_FRAME Frame)
{
    PCONTEXT Context = Frame->Context;

    Frame->Establisher = Context->Rsp;
    if (!RtlpReadStack(Frame, Context->Rsp, &Context->Rip))
    {
        return STATUS_BAD_STACK;
    }

    Context->Rsp += sizeof(ULONG64);
    return STATUS_SUCCESS;
}

NTSTATUS RtlpUnwindFrame(_Inout_ PRTLP_FRAME Frame, _In_ ULONG HandlerType)
{
    PUNWIND_INFO Info;
    ULONG PrologOffset;
    ULONG64 Begin;
    BOOLEAN InEpilogue;
    NTSTATUS Status;

    Frame->Handler = NULL;
    Frame->HandlerData = NULL;
    Frame->MachineFrame = FALSE;
    if (Frame->Entry == NULL)
    {
        return RtlpUnwindLeaf(Frame);
    }

    Info = RtlpGetUnwindInfo(Frame, Frame->Entry);
    if (Info == NULL)
    {
        return STATUS_BAD_FUNCTION_TABLE;
    }

    PrologOffset = (ULONG)(Frame->ControlPc - (Frame->ImageBase + Frame->Entry->BeginAddress));
    Frame->Establisher = RtlpGetEstablisher(Frame, Info, PrologOffset);
    Status = RtlpUnwindEpilogue(Frame, Info, &InEpilogue);
    if (!NT_SUCCESS(Status) || InEpilogue)
    {
        return Status;
    }

    Status = RtlpUnwindPrologue(Frame, Info, PrologOffset, &Info, &Begin);
    if (NT_SUCCESS(Status) && HandlerType != UNW_FLAG_NHANDLER)
    {
        Status = RtlpFindHandler(Frame, Info, Begin, HandlerType);
    }

    return Status;
}

/**
 * Unwinds one frame.
 *
 * @param HandlerType       UNW_FLAG_NHANDLER, UNW_FLAG_EHANDLER or UNW_FLAG_UHANDLER
 * @param ImageBase         base of the image that the function lies in
 * @param ControlPc         where control left the function
 * @param FunctionEntry     its entry, from RtlLookupFunctionEntry
 * @param ContextRecord     in: the state at ControlPc; out: the caller's
 * @param HandlerData       receives the handler's data, if a handler is returned
 * @param EstablisherFrame  receives the address of the frame
 * @param ContextPointers   optional: receives where each restored register was saved
 * @return the language handler of the asked kind, or NULL (also in a prologue or an epilogue)
 *
 * IRQL: any at which the stack is resident. The stack is read without limits: a caller that can't trust it
 * uses RtlpUnwindFrame. Raises STATUS_BAD_FUNCTION_TABLE if the unwind information is damaged.
 */
PEXCEPTION_ROUTINE NTAPI RtlVirtualUnwind(_In_ ULONG HandlerType, _In_ ULONG64 ImageBase, _In_ ULONG64 ControlPc,
                                          _In_ PRUNTIME_FUNCTION FunctionEntry, _Inout_ PCONTEXT ContextRecord,
                                          _Out_ PVOID *HandlerData, _Out_ PULONG64 EstablisherFrame,
                                          _Inout_opt_ PKNONVOLATILE_CONTEXT_POINTERS ContextPointers)
{
    RTLP_FRAME Frame;
    PVOID Base;
    ULONG Size;
    NTSTATUS Status;

    Frame.Context = ContextRecord;
    Frame.Pointers = ContextPointers;
    Frame.StackLow = 0;
    Frame.StackHigh = ~(ULONG64)0;
    Frame.ControlPc = ControlPc;
    Frame.ImageBase = ImageBase;
    Frame.ImageSize = 0xFFFFFFFF; /* as far as RVAs reach, for tables that belong to no known image */
    Frame.Entry = FunctionEntry;
    if (RtlpFindImage((PVOID)(ULONG_PTR)ControlPc, &Base, &Size) && (ULONG64)(ULONG_PTR)Base == ImageBase)
    {
        Frame.ImageSize = Size;
    }

    Status = RtlpUnwindFrame(&Frame, HandlerType);
    if (!NT_SUCCESS(Status))
    {
        RtlRaiseStatus(Status);
    }

    *EstablisherFrame = Frame.Establisher;
    *HandlerData = Frame.HandlerData;
    return Frame.Handler;
}
