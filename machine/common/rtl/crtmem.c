/* SPDX-License-Identifier: MIT */
/*
 * Copying, filling and comparing memory.
 *
 * Written as loops over 8-byte words: under QEMU's TCG they run at 1.8 to 2.9 GB/s, where SSE loops reach 1.5 and
 * `rep movsb` 0.26. (The build keeps the compiler from turning them into SSE.) Plain C with unwind information, so
 * that a fault on a user's pointer is caught by the caller's __try.
 */
#include "rtlenv.h"
#include "crtnames.h"

typedef ULONG64 __attribute__((may_alias, aligned(1))) RTLP_WORD;
typedef ULONG __attribute__((may_alias, aligned(1))) RTLP_HALF;

#define RTLP_W(Address) (*(RTLP_WORD *)(Address))
#define RTLP_H(Address) (*(RTLP_HALF *)(Address))

/* Moves less than 8 bytes: everything is read before anything is written. */
static inline void RtlpMoveFew(PUCHAR To, const UCHAR *From, size_t Length)
{
    if (Length >= 4)
    {
        ULONG First = RTLP_H(From);
        ULONG Last = RTLP_H(From + Length - 4);

        RTLP_H(To) = First;
        RTLP_H(To + Length - 4) = Last;
    }
    else if (Length != 0)
    {
        UCHAR First = From[0];
        UCHAR Middle = From[Length / 2];
        UCHAR Last = From[Length - 1];

        To[0] = First;
        To[Length / 2] = Middle;
        To[Length - 1] = Last;
    }
}

/**
 * Copies Length bytes. Both names allow overlapping buffers, as the kernel's always have.
 *
 * @return Destination
 *
 * IRQL: any at which both buffers are resident. Raises what the access to a user's buffer raises.
 */
void *memmove(void *Destination, const void *Source, size_t Length)
{
    PUCHAR To = Destination;
    const UCHAR *From = Source;
    ULONG64 End;

    if (Length < 8)
    {
        RtlpMoveFew(To, From, Length);
        return Destination;
    }

    if ((ULONG_PTR)To - (ULONG_PTR)From >= Length)
    {
        PUCHAR LastTo = To + Length - 8;

        /* Upwards. The last word may overlap the one before it: it is read first and written last. */
        End = RTLP_W(From + Length - 8);
        for (; Length >= 32; Length -= 32, To += 32, From += 32)
        {
            ULONG64 A = RTLP_W(From);
            ULONG64 B = RTLP_W(From + 8);
            ULONG64 C = RTLP_W(From + 16);
            ULONG64 D = RTLP_W(From + 24);

            RTLP_W(To) = A;
            RTLP_W(To + 8) = B;
            RTLP_W(To + 16) = C;
            RTLP_W(To + 24) = D;
        }

        for (; Length > 8; Length -= 8, To += 8, From += 8)
        {
            RTLP_W(To) = RTLP_W(From);
        }

        RTLP_W(LastTo) = End;
    }
    else
    {
        /* Downwards; the first word is the one that may overlap. */
        End = RTLP_W(From);
        for (; Length >= 32; Length -= 32)
        {
            ULONG64 A = RTLP_W(From + Length - 8);
            ULONG64 B = RTLP_W(From + Length - 16);
            ULONG64 C = RTLP_W(From + Length - 24);
            ULONG64 D = RTLP_W(From + Length - 32);

            RTLP_W(To + Length - 8) = A;
            RTLP_W(To + Length - 16) = B;
            RTLP_W(To + Length - 24) = C;
            RTLP_W(To + Length - 32) = D;
        }

        for (; Length > 8; Length -= 8)
        {
            RTLP_W(To + Length - 8) = RTLP_W(From + Length - 8);
        }

        RTLP_W(To) = End;
    }

    return Destination;
}

/**
 * See memmove.
 */
void *memcpy(void *Destination, const void *Source, size_t Length)
{
    return memmove(Destination, Source, Length);
}

/**
 * Fills Length bytes with the low byte of Value.
 *
 * @return Destination
 */
void *memset(void *Destination, int Value, size_t Length)
{
    PUCHAR To = Destination;
    ULONG64 Word = (UCHAR)Value * 0x0101010101010101ULL;

    if (Length >= 8)
    {
        PUCHAR Last = To + Length - 8;

        for (; Length > 32; Length -= 32, To += 32)
        {
            RTLP_W(To) = Word;
            RTLP_W(To + 8) = Word;
            RTLP_W(To + 16) = Word;
            RTLP_W(To + 24) = Word;
        }

        for (; Length > 8; Length -= 8, To += 8)
        {
            RTLP_W(To) = Word;
        }

        RTLP_W(Last) = Word;
    }
    else if (Length >= 4)
    {
        RTLP_H(To) = (ULONG)Word;
        RTLP_H(To + Length - 4) = (ULONG)Word;
    }
    else if (Length != 0)
    {
        To[0] = (UCHAR)Value;
        To[Length / 2] = (UCHAR)Value;
        To[Length - 1] = (UCHAR)Value;
    }

    return Destination;
}

/**
 * Counts how many bytes are equal from the start.
 *
 * @return the number of equal bytes; Length if all are
 */
SIZE_T NTAPI RtlCompareMemory(_In_reads_bytes_(Length) const VOID *Source1,
                              _In_reads_bytes_(Length) const VOID *Source2, _In_ SIZE_T Length)
{
    const UCHAR *First = Source1;
    const UCHAR *Second = Source2;
    SIZE_T Index = 0;

    for (; Length - Index >= 8; Index += 8)
    {
        ULONG64 Difference = RTLP_W(First + Index) ^ RTLP_W(Second + Index);

        if (Difference != 0)
        {
            return Index + (SIZE_T)(__builtin_ctzll(Difference) / 8);
        }
    }

    while (Index < Length && First[Index] == Second[Index])
    {
        Index += 1;
    }

    return Index;
}

int memcmp(const void *First, const void *Second, size_t Length)
{
    SIZE_T Equal = RtlCompareMemory(First, Second, Length);

    return Equal == Length ? 0 : ((const UCHAR *)First)[Equal] - ((const UCHAR *)Second)[Equal];
}

void *memchr(const void *Buffer, int Value, size_t Length)
{
    const UCHAR *At = Buffer;

    for (; Length != 0; Length -= 1, At += 1)
    {
        if (*At == (UCHAR)Value)
        {
            return (void *)(ULONG_PTR)At;
        }
    }

    return NULL;
}

/**
 * Counts how many bytes of a buffer consist of copies of a ULONG.
 *
 * @param Source   ULONG-aligned buffer
 * @param Length   in bytes; a rest of less than 4 is ignored
 * @param Pattern  the value
 * @return the number of bytes, a multiple of 4; zero if Source is not aligned
 */
SIZE_T NTAPI RtlCompareMemoryUlong(_In_reads_bytes_(Length) PVOID Source, _In_ SIZE_T Length, _In_ ULONG Pattern)
{
    const ULONG *At = Source;
    SIZE_T Index;

    if (((ULONG_PTR)Source & 3) != 0)
    {
        return 0;
    }

    for (Index = 0; Index < Length / 4 && At[Index] == Pattern; Index += 1)
    {
    }

    return Index * 4;
}

VOID NTAPI RtlMoveMemory(_Out_writes_bytes_all_(Length) VOID *Destination, _In_reads_bytes_(Length) const VOID *Source,
                         _In_ SIZE_T Length)
{
    memmove(Destination, Source, Length);
}

VOID NTAPI RtlCopyMemory(_Out_writes_bytes_all_(Length) VOID *Destination, _In_reads_bytes_(Length) const VOID *Source,
                         _In_ SIZE_T Length)
{
    memmove(Destination, Source, Length);
}

VOID NTAPI RtlCopyMemoryNonTemporal(_Out_writes_bytes_all_(Length) VOID *Destination,
                                    _In_reads_bytes_(Length) const VOID *Source, _In_ SIZE_T Length)
{
    memmove(Destination, Source, Length);
}

VOID NTAPI RtlFillMemory(_Out_writes_bytes_all_(Length) VOID *Destination, _In_ SIZE_T Length, _In_ UCHAR Fill)
{
    memset(Destination, Fill, Length);
}

VOID NTAPI RtlZeroMemory(_Out_writes_bytes_all_(Length) VOID *Destination, _In_ SIZE_T Length)
{
    memset(Destination, 0, Length);
}

/**
 * Fills a buffer with copies of a ULONG; a rest of less than 4 bytes is left alone.
 */
VOID NTAPI RtlFillMemoryUlong(_Out_writes_bytes_all_(Length) PVOID Destination, _In_ SIZE_T Length, _In_ ULONG Pattern)
{
    SIZE_T Index;

    for (Index = 0; Index < Length / 4; Index += 1)
    {
        RTLP_H((PUCHAR)Destination + Index * 4) = Pattern;
    }
}

/**
 * Only a hint, and the machine has no cache that it would help.
 */
VOID NTAPI RtlPrefetchMemoryNonTemporal(_In_ PVOID Source, _In_ SIZE_T Length)
{
    UNREFERENCED_PARAMETER(Source);
    UNREFERENCED_PARAMETER(Length);
}

int memcpy_s(void *Destination, size_t Size, const void *Source, size_t Length)
{
    if (Length == 0)
    {
        return 0;
    }

    if (Destination == NULL)
    {
        return RTLP_EINVAL;
    }

    if (Source == NULL || Size < Length)
    {
        memset(Destination, 0, Size);
        return Source == NULL ? RTLP_EINVAL : RTLP_ERANGE;
    }

    memmove(Destination, Source, Length);
    return 0;
}

int memmove_s(void *Destination, size_t Size, const void *Source, size_t Length)
{
    if (Length == 0)
    {
        return 0;
    }

    if (Destination == NULL || Source == NULL)
    {
        return RTLP_EINVAL;
    }

    if (Size < Length)
    {
        return RTLP_ERANGE;
    }

    memmove(Destination, Source, Length);
    return 0;
}
