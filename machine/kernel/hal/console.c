/* SPDX-License-Identifier: MIT */
/*
 * Consoles on debug ports, and the way out of the machine.
 *
 * A write of up to 512 bytes is whole: one lock, taken with interrupts off. While a bug check is reported the holder
 * may be a processor that was stopped for good, so the lock is waited for only a while then.
 */
#include "halp.h"

#define HALP_PATIENCE 1000000
#define HALP_PIECE 512 /* bytes written with interrupts off: under a millisecond */

static volatile LONG HalpConsoleLock;

static BOOLEAN HalpLockConsole(VOID)
{
    ULONG tries = 0;

    while (InterlockedExchange(&HalpConsoleLock, 1) != 0)
    {
        if (KiBugCheckActive && ++tries > HALP_PATIENCE)
        {
            return FALSE;
        }
        _mm_pause();
    }
    return TRUE;
}

static VOID HalpWritePiece(HAL_STREAM Stream, const VOID *Bytes, SIZE_T Length)
{
    BOOLEAN enabled = (__builtin_ia32_readeflags_u64() & 0x200) != 0;
    BOOLEAN locked;

    KiDisable();
    locked = HalpLockConsole();
    __asm__ volatile("cld; rep outsb" : "+S"(Bytes), "+c"(Length) : "d"((USHORT)Stream) : "memory");
    if (locked)
    {
        InterlockedExchange(&HalpConsoleLock, 0);
    }
    if (enabled)
    {
        KiEnable();
    }
}

/* Described in hal.h. */
VOID HalWriteConsole(HAL_STREAM Stream, const VOID *Bytes, SIZE_T Length)
{
    const UCHAR *next = Bytes;

    while (Length > HALP_PIECE)
    {
        SIZE_T piece = HALP_PIECE;

        while (piece > HALP_PIECE / 2 && next[piece - 1] != '\n')
        {
            piece--; /* between lines if there is a place */
        }
        piece = next[piece - 1] == '\n' ? piece : HALP_PIECE;
        HalpWritePiece(Stream, next, piece);
        next += piece;
        Length -= piece;
    }
    HalpWritePiece(Stream, next, Length);
}

/* Described in hal.h. */
VOID HalPrint(HAL_STREAM Stream, PCSTR Format, ...)
{
    char text[512];
    va_list arguments;
    int length;

    va_start(arguments, Format);
    length = _vsnprintf(text, sizeof(text), Format, arguments);
    va_end(arguments);
    HalWriteConsole(Stream, text, length < 0 || length > (int)sizeof(text) ? sizeof(text) : (SIZE_T)length);
}

/* Described in hal.h. QEMU exits with Status * 2 + 1. */
DECLSPEC_NORETURN VOID HalExitMachine(UCHAR Status)
{
    for (;;)
    {
        __outdword(BOOT_PORT_EXIT, Status);
        __asm__ volatile("cli; hlt");
    }
}

/** NT's: a string on the display, here the error console. IRQL: any. */
VOID NTAPI HalDisplayString(PUCHAR String)
{
    HalWriteConsole(HalStreamError, String, __builtin_strlen((PCSTR)String));
}
