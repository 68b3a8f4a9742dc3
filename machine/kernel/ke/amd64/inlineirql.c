/* SPDX-License-Identifier: MIT */
/*
 * Seeing the IRQL change where drivers change it inline. KeRaiseIrql and KeLowerIrql of many driver kits (the mingw-w64
 * headers', Microsoft's before Windows 8) write CR8 themselves, so that no hook of an import sees them. For force-IRQL
 * the loader replaces the instruction, before the image is protected, by one that traps and says the same:
 *
 *      44 0F 22 C0+r   mov cr8, r          becomes          0F 0B 44 C0+r      ud2; prefix; register
 *
 * and what it would have done is done here. Both are four bytes. Data between functions, or the middle of another
 * instruction, would have to hold just these bytes to be mistaken: in a megabyte of random bytes, a chance of 1 in 130.
 */
#include "../kip.h"
#include "ldr.h"
#include "mm.h"

#define KI_REX_MASK 0xF6 /* 44, 45 (r8 to r15), 4C and 4D (the same with a prefix that changes nothing) */
#define KI_REX_CR8 0x44

static BOOLEAN KiNamesCr8(UCHAR Rex, UCHAR Operands)
{
    return (Rex & KI_REX_MASK) == KI_REX_CR8 && (Operands & 0xF8) == 0xC0;
}

VOID KePatchIrqlWrites(PUCHAR Code, SIZE_T Size)
{
    for (SIZE_T i = 0; i + 4 <= Size; i++)
    {
        if (Code[i + 1] == 0x0F && Code[i + 2] == 0x22 && KiNamesCr8(Code[i], Code[i + 3]))
        {
            Code[i + 2] = Code[i];
            Code[i] = 0x0F;
            Code[i + 1] = 0x0B;
            i += 3;
        }
    }
}

/* An invalid instruction: if it is one of those above, changes the IRQL and goes on behind it. */
BOOLEAN KiEmulateIrqlWrite(PKTRAP_FRAME Frame)
{
    const volatile UCHAR *code = (const volatile UCHAR *)Frame->Rip;
    KIRQL old = KeGetCurrentIrql(), irql;

    if (!MmForceIrql || (Frame->Cs & 3) != 0 || LdrIsKernelAddress((PVOID)Frame->Rip) ||
        LdrFindModule((PVOID)Frame->Rip, NULL) == NULL || code[0] != 0x0F || code[1] != 0x0B ||
        !KiNamesCr8(code[2], code[3]))
    {
        return FALSE;
    }
    irql = (KIRQL)(KiRegister(Frame, (code[3] & 7) | ((code[2] & 1) << 3)) & 0xF);
    Frame->Rip += 4;
    if (old < DISPATCH_LEVEL && irql >= DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL); /* where other processors can still be asked to flush */
        MmHidePageable();
    }
    __writecr8(irql);
    return TRUE;
}
