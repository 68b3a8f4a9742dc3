/* SPDX-License-Identifier: MIT */
/*
 * A look at the faulting instruction, where the processor's vector alone does not tell which status NT gives:
 *
 *   divide error          divisor 0: INTEGER_DIVIDE_BY_ZERO, else (quotient too large) INTEGER_OVERFLOW
 *   general protection    privileged instruction in user mode: PRIVILEGED_INSTRUCTION, else ACCESS_VIOLATION
 *   invalid opcode        after a lock prefix: INVALID_LOCK_SEQUENCE, else ILLEGAL_INSTRUCTION
 *
 * The bytes may go away under our hands; then the coarse status stays.
 */
#include "../kip.h"

typedef struct _KI_CODE
{
    UCHAR Bytes[15];
    ULONG Length;   /* bytes that could be read */
    ULONG Position; /* of the opcode, prefixes skipped */
    UCHAR Rex;
    BOOLEAN Lock;
} KI_CODE;

static VOID KiReadCode(KI_CODE *Code, const volatile UCHAR *Address, BOOLEAN User)
{
    Code->Length = 0;
    __try
    {
        while (Code->Length < sizeof(Code->Bytes))
        {
            ULONG64 next = (ULONG64)(Address + Code->Length);

            if (User ? next >= MM_USER_PROBE_ADDRESS : Code->Length != 0 && next % PAGE_SIZE == 0)
            {
                break; /* in the kernel the next page may not be there, and that fault could not be caught */
            }
            Code->Bytes[Code->Length] = Address[Code->Length];
            Code->Length++;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        /* what was read so far has to do */
    }
}

static BOOLEAN KiIsPrefix(UCHAR Byte)
{
    return Byte == 0x66 || Byte == 0x67 || Byte == 0x2E || Byte == 0x36 || Byte == 0x3E || Byte == 0x26 ||
           Byte == 0x64 || Byte == 0x65 || Byte == 0xF0 || Byte == 0xF2 || Byte == 0xF3;
}

static BOOLEAN KiFindOpcode(KI_CODE *Code)
{
    Code->Position = 0;
    Code->Rex = 0;
    Code->Lock = FALSE;
    while (Code->Position < Code->Length && KiIsPrefix(Code->Bytes[Code->Position]))
    {
        Code->Lock |= Code->Bytes[Code->Position] == 0xF0;
        Code->Position++;
    }
    if (Code->Position < Code->Length && (Code->Bytes[Code->Position] & 0xF0) == 0x40)
    {
        Code->Rex = Code->Bytes[Code->Position++];
    }
    return Code->Position < Code->Length;
}

static BOOLEAN KiIsPrivileged(const KI_CODE *Code)
{
    UCHAR op = Code->Bytes[Code->Position];
    UCHAR second = Code->Position + 1 < Code->Length ? Code->Bytes[Code->Position + 1] : 0;
    UCHAR modrm = Code->Position + 2 < Code->Length ? Code->Bytes[Code->Position + 2] : 0;

    if (op == 0xF4 || op == 0xFA || op == 0xFB || (op >= 0xE4 && op <= 0xE7) || (op >= 0xEC && op <= 0xEF) ||
        (op >= 0x6C && op <= 0x6F))
    {
        return TRUE; /* hlt cli sti in out ins outs */
    }
    if (op != 0x0F)
    {
        return FALSE;
    }
    switch (second)
    {
    case 0x06: case 0x07: case 0x08: case 0x09: /* clts sysret invd wbinvd */
    case 0x20: case 0x21: case 0x22: case 0x23: /* mov cr, mov dr */
    case 0x30: case 0x32: case 0x35:            /* wrmsr rdmsr sysexit */
        return TRUE;
    case 0x00: /* lldt ltr */
        return ((modrm >> 3) & 7) == 2 || ((modrm >> 3) & 7) == 3;
    case 0x01: /* lgdt lidt lmsw invlpg swapgs */
        return ((modrm >> 3) & 7) == 2 || ((modrm >> 3) & 7) == 3 || ((modrm >> 3) & 7) >= 6;
    default:
        return FALSE;
    }
}

ULONG64 KiRegister(const KTRAP_FRAME *Frame, ULONG Number)
{
    const ULONG64 values[16] = {Frame->Rax, Frame->Rcx, Frame->Rdx, Frame->Rbx, Frame->Rsp, Frame->Rbp,
                                Frame->Rsi, Frame->Rdi, Frame->R8,  Frame->R9,  Frame->R10, Frame->R11,
                                Frame->R12, Frame->R13, Frame->R14, Frame->R15};

    return values[Number & 15];
}

/* Divisor of div or idiv. FALSE if the instruction is not understood. Memory operands: the processor has just read
   them, so reading again is harmless, but they may change; the status is only ever one of the two. */
static BOOLEAN KiReadDivisor(const KI_CODE *Code, const KTRAP_FRAME *Frame, BOOLEAN User, ULONG64 *Divisor)
{
    ULONG position = Code->Position;
    UCHAR op = Code->Bytes[position];
    BOOLEAN byte = op == 0xF6, wide = (Code->Rex & 8) != 0;
    BOOLEAN narrow = FALSE;
    UCHAR modrm, mod, rm;
    ULONG64 address = 0;
    ULONG size;

    for (ULONG i = 0; i < position; i++)
    {
        narrow |= Code->Bytes[i] == 0x66;
        if (Code->Bytes[i] == 0x64 || Code->Bytes[i] == 0x65 || Code->Bytes[i] == 0x67)
        {
            return FALSE; /* segment or address size overrides: rare enough */
        }
    }
    if ((op != 0xF6 && op != 0xF7) || position + 7 > Code->Length)
    {
        return FALSE;
    }
    size = byte ? 1 : wide ? 8 : narrow ? 2 : 4;
    modrm = Code->Bytes[position + 1];
    mod = modrm >> 6;
    rm = modrm & 7;
    position += 2;
    if (mod == 3)
    {
        ULONG number = rm | ((Code->Rex & 1) << 3);
        BOOLEAN high = byte && Code->Rex == 0 && number >= 4;
        ULONG64 value = high ? KiRegister(Frame, number - 4) >> 8 : KiRegister(Frame, number);

        *Divisor = size == 8 ? value : value & ((1ULL << (8 * size)) - 1);
        return TRUE;
    }
    if (rm == 4)
    {
        UCHAR sib = Code->Bytes[position++];
        ULONG index = ((sib >> 3) & 7) | ((Code->Rex & 2) << 2);

        if ((sib & 7) == 5 && mod == 0)
        {
            address = (ULONG64)(LONG64)*(const LONG *)&Code->Bytes[position];
        }
        else
        {
            address = KiRegister(Frame, (sib & 7) | ((Code->Rex & 1) << 3));
        }
        address += index != 4 ? KiRegister(Frame, index) << (sib >> 6) : 0;
    }
    else if (rm == 5 && mod == 0)
    {
        address = Frame->Rip + position + 4 + (ULONG64)(LONG64)*(const LONG *)&Code->Bytes[position];
    }
    else
    {
        address = KiRegister(Frame, rm | ((Code->Rex & 1) << 3));
    }
    if (mod == 1)
    {
        address += (ULONG64)(LONG64)(CHAR)Code->Bytes[position];
    }
    else if (mod == 2)
    {
        address += (ULONG64)(LONG64)*(const LONG *)&Code->Bytes[position];
    }
    if (User && address >= MM_USER_PROBE_ADDRESS)
    {
        return FALSE;
    }
    __try
    {
        *Divisor = size == 1   ? *(volatile UCHAR *)address
                   : size == 2 ? *(volatile USHORT *)address
                   : size == 4 ? *(volatile ULONG *)address
                               : *(volatile ULONG64 *)address;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return FALSE;
    }
    return TRUE;
}

/* IRQL: that of the fault; code is only read below DISPATCH_LEVEL or in the kernel's resident images. */
VOID KiRefineFault(PEXCEPTION_RECORD Record, const KTRAP_FRAME *Frame, BOOLEAN User)
{
    KI_CODE code;
    ULONG64 divisor;

    if (Record->ExceptionCode == STATUS_ACCESS_VIOLATION && !User)
    {
        return; /* nothing is privileged in the kernel */
    }
    if (!User && MmIsSystemAddress((PVOID)Frame->Rip) == FALSE)
    {
        return;
    }
    KiReadCode(&code, (const volatile UCHAR *)Frame->Rip, User);
    if (!KiFindOpcode(&code))
    {
        return;
    }
    switch (Record->ExceptionCode)
    {
    case STATUS_INTEGER_DIVIDE_BY_ZERO:
        if (KiReadDivisor(&code, Frame, User, &divisor) && divisor != 0)
        {
            Record->ExceptionCode = STATUS_INTEGER_OVERFLOW;
        }
        break;
    case STATUS_ACCESS_VIOLATION:
        if (KiIsPrivileged(&code))
        {
            Record->ExceptionCode = STATUS_PRIVILEGED_INSTRUCTION;
            Record->NumberParameters = 0;
        }
        break;
    case STATUS_ILLEGAL_INSTRUCTION:
        if (code.Lock)
        {
            Record->ExceptionCode = STATUS_INVALID_LOCK_SEQUENCE;
        }
        break;
    default:
        break;
    }
}
