/* SPDX-License-Identifier: MIT */
/*
 * Epilogues. The x64 convention describes prologues by data and epilogues by their instructions:
 *
 *      [ add rsp, imm  |  lea rsp, [fp + disp] ]    at most one, first
 *      pop reg                                      any number
 *      ret | ret imm | rep ret | jmp out of the function
 *
 * Version 2 information also says where epilogues lie; then only these places are decoded.
 */
#include "unwindp.h"

typedef enum _RTLP_STEP_KIND
{
    StepNone,
    StepAddRsp,
    StepLeaRsp,
    StepPop,
    StepReturn,
    StepJump, /* relative: Value is the target's RVA */
    StepJumpIndirect,
} RTLP_STEP_KIND;

typedef struct _RTLP_STEP
{
    RTLP_STEP_KIND Kind;
    ULONG Length;   /* of the instruction, in bytes */
    ULONG Register; /* popped, or the base of lea */
    LONG64 Value;   /* added to rsp, displacement of lea, bytes dropped by ret */
} RTLP_STEP, *PRTLP_STEP;

static LONG RtlpReadLong(const UCHAR *Code)
{
    LONG Value;

    RtlpCopy(&Value, Code, sizeof(Value));
    return Value;
}

static VOID RtlpDecodeLeaRsp(const UCHAR *Code, ULONG Left, PRTLP_STEP Step)
{
    UCHAR ModRm = Code[2];
    ULONG Base = ModRm & 7;
    ULONG At = 3;

    /* Only lea rsp, [base + disp8] and [base + disp32]; r12 as the base needs a SIB byte. */
    if (((ModRm >> 3) & 7) != 4 || (ModRm >> 6) == 0 || (ModRm >> 6) == 3)
    {
        return;
    }

    if (Base == 4)
    {
        if (Left <= At || Code[At] != 0x24)
        {
            return;
        }

        At += 1;
    }

    Step->Register = Base | ((Code[0] & 1) << 3);
    if ((ModRm >> 6) == 1 && Left > At)
    {
        Step->Kind = StepLeaRsp;
        Step->Value = (signed char)Code[At];
        Step->Length = At + 1;
    }
    else if ((ModRm >> 6) == 2 && Left >= At + 4)
    {
        Step->Kind = StepLeaRsp;
        Step->Value = RtlpReadLong(&Code[At]);
        Step->Length = At + 4;
    }
}

static VOID RtlpDecodeWithRexW(const UCHAR *Code, ULONG Left, PRTLP_STEP Step)
{
    if (Left >= 4 && Code[0] == 0x48 && Code[1] == 0x83 && Code[2] == 0xC4)
    {
        Step->Kind = StepAddRsp;
        Step->Value = (signed char)Code[3];
        Step->Length = 4;
    }
    else if (Left >= 7 && Code[0] == 0x48 && Code[1] == 0x81 && Code[2] == 0xC4)
    {
        Step->Kind = StepAddRsp;
        Step->Value = RtlpReadLong(&Code[3]);
        Step->Length = 7;
    }
    else if (Left >= 4 && (Code[0] & 0xFE) == 0x48 && Code[1] == 0x8D)
    {
        RtlpDecodeLeaRsp(Code, Left, Step);
    }
    else if (Left >= 3 && Code[1] == 0xFF && ((Code[2] >> 3) & 7) == 4)
    {
        /* A jump with REX.W is how compilers mark a tail call through a register or memory. */
        Step->Kind = StepJumpIndirect;
        Step->Length = 3;
    }
}

/* Decodes one instruction of the few that an epilogue may have; RvaAfter is needed for jumps. */
static VOID RtlpDecodeStep(const UCHAR *Code, ULONG Left, ULONG64 Rva, PRTLP_STEP Step)
{
    Step->Kind = StepNone;
    Step->Length = 0;
    Step->Register = 0;
    Step->Value = 0;
    if (Left == 0)
    {
        return;
    }

    if ((Code[0] & 0xF8) == 0x58 && Code[0] != 0x5C)
    {
        Step->Kind = StepPop;
        Step->Register = Code[0] & 7;
        Step->Length = 1;
    }
    else if (Code[0] == 0x41 && Left >= 2 && (Code[1] & 0xF8) == 0x58)
    {
        Step->Kind = StepPop;
        Step->Register = 8 + (Code[1] & 7);
        Step->Length = 2;
    }
    else if (Code[0] == 0xC3)
    {
        Step->Kind = StepReturn;
        Step->Length = 1;
    }
    else if (Code[0] == 0xC2 && Left >= 3)
    {
        Step->Kind = StepReturn;
        Step->Value = Code[1] | (Code[2] << 8);
        Step->Length = 3;
    }
    else if (Code[0] == 0xF3 && Left >= 2 && Code[1] == 0xC3)
    {
        Step->Kind = StepReturn;
        Step->Length = 2;
    }
    else if (Code[0] == 0xEB && Left >= 2)
    {
        Step->Kind = StepJump;
        Step->Length = 2;
        Step->Value = (LONG64)Rva + 2 + (signed char)Code[1];
    }
    else if (Code[0] == 0xE9 && Left >= 5)
    {
        Step->Kind = StepJump;
        Step->Length = 5;
        Step->Value = (LONG64)Rva + 5 + RtlpReadLong(&Code[1]);
    }
    else if (Code[0] == 0xFF && Left >= 6 && Code[1] == 0x25)
    {
        Step->Kind = StepJumpIndirect;
        Step->Length = 6;
    }
    else if ((Code[0] & 0xF8) == 0x48)
    {
        RtlpDecodeWithRexW(Code, Left, Step);
    }
}

/*
 * A relative jump ends an epilogue if it leaves the function, or goes to its very start (a call of itself in
 * tail position). Another region of the same function is not outside.
 */
static BOOLEAN RtlpJumpLeaves(const RTLP_FRAME *Frame, PUNWIND_INFO Info, LONG64 Target)
{
    PRUNTIME_FUNCTION Entry = Frame->Entry;
    PRUNTIME_FUNCTION Primary;
    PRUNTIME_FUNCTION Other;

    if (Target >= Entry->BeginAddress && Target < Entry->EndAddress)
    {
        return Target == Entry->BeginAddress && (Info->Flags & UNW_FLAG_CHAININFO) == 0;
    }

    if (Target < 0 || Target >= (LONG64)Frame->ImageSize)
    {
        return TRUE;
    }

    Other = RtlpSearchFunctionTable(Frame, (ULONG)Target);
    if (Other == NULL)
    {
        return TRUE;
    }

    Primary = RtlpGetPrimaryEntry(Frame, Entry);
    Other = RtlpGetPrimaryEntry(Frame, Other);
    if (Primary == NULL || Other == NULL || Primary->BeginAddress != Other->BeginAddress)
    {
        return TRUE;
    }

    return Target == Other->BeginAddress;
}

/* Version 2: the first codes list the epilogues of the region, by their distance from its end. */
static BOOLEAN RtlpInListedEpilogue(const RTLP_FRAME *Frame, PUNWIND_INFO Info)
{
    ULONG Rva = (ULONG)(Frame->ControlPc - Frame->ImageBase);
    ULONG End = Frame->Entry->EndAddress;
    ULONG Size;
    ULONG Index;

    if (Info->CountOfCodes == 0 || Info->UnwindCode[0].UnwindOp != UWOP_EPILOG)
    {
        return FALSE;
    }

    Size = Info->UnwindCode[0].CodeOffset;
    if ((Info->UnwindCode[0].OpInfo & 1) != 0 && End - Rva <= Size)
    {
        return TRUE;
    }

    for (Index = 1; Index < Info->CountOfCodes && Info->UnwindCode[Index].UnwindOp == UWOP_EPILOG; Index += 1)
    {
        ULONG Offset = Info->UnwindCode[Index].CodeOffset | ((ULONG)Info->UnwindCode[Index].OpInfo << 8);

        if (Offset != 0 && Offset <= End && Rva - (End - Offset) < Size)
        {
            return TRUE;
        }
    }

    return FALSE;
}

/* Walks the instructions without acting on them: is this the rest of an epilogue, to its very end? */
static BOOLEAN RtlpIsEpilogue(const RTLP_FRAME *Frame, PUNWIND_INFO Info, const UCHAR *Code, ULONG Left)
{
    ULONG64 Rva = Frame->ControlPc - Frame->ImageBase;
    BOOLEAN First = TRUE;

    for (;;)
    {
        RTLP_STEP Step;

        RtlpDecodeStep(Code, Left, Rva, &Step);
        switch (Step.Kind)
        {
        case StepAddRsp:
            if (!First || Step.Value < 0)
            {
                return FALSE;
            }
            break;

        case StepLeaRsp:
            if (!First || Info->FrameRegister == 0 || Step.Register != Info->FrameRegister)
            {
                return FALSE;
            }
            break;

        case StepPop:
            break;

        case StepReturn:
        case StepJumpIndirect:
            return TRUE;

        case StepJump:
            return RtlpJumpLeaves(Frame, Info, Step.Value);

        default:
            return FALSE;
        }

        First = FALSE;
        Code += Step.Length;
        Left -= Step.Length;
        Rva += Step.Length;
    }
}

/* Acts out an epilogue that RtlpIsEpilogue has accepted. */
static NTSTATUS RtlpFinishEpilogue(PRTLP_FRAME Frame, const UCHAR *Code, ULONG Left)
{
    PCONTEXT Context = Frame->Context;
    ULONG64 Rva = Frame->ControlPc - Frame->ImageBase;
    ULONG64 Value;

    for (;;)
    {
        RTLP_STEP Step;

        RtlpDecodeStep(Code, Left, Rva, &Step);
        switch (Step.Kind)
        {
        case StepAddRsp:
            Context->Rsp += (ULONG64)Step.Value;
            break;

        case StepLeaRsp:
            Context->Rsp = *RtlpRegister(Context, Step.Register) + (ULONG64)Step.Value;
            break;

        case StepPop:
            if (!RtlpReadStack(Frame, Context->Rsp, &Value))
            {
                return STATUS_BAD_STACK;
            }

            *RtlpRegister(Context, Step.Register) = Value;
            if (Frame->Pointers != NULL)
            {
                Frame->Pointers->IntegerContext[Step.Register] = (PULONG64)(ULONG_PTR)Context->Rsp;
            }

            Context->Rsp += sizeof(ULONG64);
            break;

        default:
            if (!RtlpReadStack(Frame, Context->Rsp, &Value))
            {
                return STATUS_BAD_STACK;
            }

            Context->Rip = Value;
            Context->Rsp += sizeof(ULONG64) + (Step.Kind == StepReturn ? (ULONG64)Step.Value : 0);
            return STATUS_SUCCESS;
        }

        Code += Step.Length;
        Left -= Step.Length;
        Rva += Step.Length;
    }
}

NTSTATUS RtlpUnwindEpilogue(_Inout_ PRTLP_FRAME Frame, _In_ PUNWIND_INFO Info, _Out_ PBOOLEAN InEpilogue)
{
    ULONG64 Rva = Frame->ControlPc - Frame->ImageBase;
    const UCHAR *Code;
    ULONG Left;

    *InEpilogue = FALSE;
    if (Rva >= Frame->Entry->EndAddress || (Info->Version >= 2 && !RtlpInListedEpilogue(Frame, Info)))
    {
        return STATUS_SUCCESS;
    }

    Left = (ULONG)(Frame->Entry->EndAddress - Rva);
    Code = RtlpImageRange(Frame, Rva, Left);
    if (Code == NULL)
    {
        return STATUS_BAD_FUNCTION_TABLE;
    }

    if (!RtlpIsEpilogue(Frame, Info, Code, Left))
    {
        return STATUS_SUCCESS;
    }

    *InEpilogue = TRUE;
    return RtlpFinishEpilogue(Frame, Code, Left);
}
