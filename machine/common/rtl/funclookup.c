/* SPDX-License-Identifier: MIT */
/*
 * From an address to its .pdata entry.
 */
#include "unwindp.h"

/*
 * Finds the image's exception directory. Images are validated when they are loaded, but this also runs on
 * images of which only headers can be trusted to be there, so every step is bounded by the image's size.
 */
static PRUNTIME_FUNCTION RtlpGetFunctionTable(const RTLP_FRAME *Frame, PULONG Count)
{
    PIMAGE_DOS_HEADER Dos = RtlpImageRange(Frame, 0, sizeof(*Dos));
    PIMAGE_NT_HEADERS64 Nt;
    PIMAGE_DATA_DIRECTORY Directory;

    *Count = 0;
    if (Dos == NULL || Dos->e_magic != IMAGE_DOS_SIGNATURE || (Dos->e_lfanew & 3) != 0)
    {
        return NULL;
    }

    Nt = RtlpImageRange(Frame, (ULONG)Dos->e_lfanew, sizeof(*Nt));
    if (Nt == NULL || Nt->Signature != IMAGE_NT_SIGNATURE ||
        Nt->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC ||
        Nt->OptionalHeader.NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_EXCEPTION)
    {
        return NULL;
    }

    Directory = &Nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION];
    if (Directory->VirtualAddress == 0 || (Directory->VirtualAddress & 3) != 0)
    {
        return NULL;
    }

    *Count = Directory->Size / sizeof(RUNTIME_FUNCTION);
    return RtlpImageRange(Frame, Directory->VirtualAddress, Directory->Size);
}

PRUNTIME_FUNCTION RtlpSearchFunctionTable(_In_ const RTLP_FRAME *Frame, _In_ ULONG Rva)
{
    ULONG Low = 0;
    ULONG High;
    PRUNTIME_FUNCTION Table = RtlpGetFunctionTable(Frame, &High);

    if (Table == NULL)
    {
        return NULL;
    }

    while (Low < High)
    {
        ULONG Middle = Low + (High - Low) / 2;
        PRUNTIME_FUNCTION Entry = &Table[Middle];

        if (Rva < Entry->BeginAddress)
        {
            High = Middle;
        }
        else if (Rva >= Entry->EndAddress)
        {
            Low = Middle + 1;
        }
        else
        {
            /* An indirect entry names another one, which stands for itself. */
            if ((Entry->UnwindData & RUNTIME_FUNCTION_INDIRECT) != 0)
            {
                Entry = RtlpImageRange(Frame, Entry->UnwindData & ~(ULONG)3, sizeof(*Entry));
                if (Entry != NULL && (Entry->UnwindData & RUNTIME_FUNCTION_INDIRECT) != 0)
                {
                    Entry = NULL;
                }
            }

            return Entry;
        }
    }

    return NULL;
}

VOID RtlpFindFrameCode(_Inout_ PRTLP_FRAME Frame, _In_ ULONG64 ControlPc)
{
    PVOID Base;
    ULONG Size;

    Frame->ControlPc = ControlPc;
    Frame->ImageBase = 0;
    Frame->ImageSize = 0;
    Frame->Entry = NULL;
    if (RtlpFindImage((PVOID)(ULONG_PTR)ControlPc, &Base, &Size))
    {
        Frame->ImageBase = (ULONG64)(ULONG_PTR)Base;
        Frame->ImageSize = Size;
        Frame->Entry = RtlpSearchFunctionTable(Frame, (ULONG)(ControlPc - Frame->ImageBase));
    }
}

PUNWIND_INFO RtlpGetUnwindInfo(_In_ const RTLP_FRAME *Frame, _In_ const RUNTIME_FUNCTION *Entry)
{
    PUNWIND_INFO Info;

    if ((Entry->UnwindData & 3) != 0)
    {
        return NULL;
    }

    Info = RtlpImageRange(Frame, Entry->UnwindData, sizeof(*Info));
    if (Info == NULL || (Info->Version != 1 && Info->Version != 2) ||
        RtlpImageRange(Frame, Entry->UnwindData, sizeof(*Info) + Info->CountOfCodes * sizeof(UNWIND_CODE)) == NULL)
    {
        return NULL;
    }

    return Info;
}

/* The RVA of what follows the codes: the handler's RVA or the chained entry. */
static ULONG64 RtlpTrailerRva(const RTLP_FRAME *Frame, PUNWIND_INFO Info)
{
    ULONG64 Rva = (ULONG64)(ULONG_PTR)Info - Frame->ImageBase;

    return Rva + sizeof(*Info) + (((ULONG)Info->CountOfCodes + 1) & ~1u) * sizeof(UNWIND_CODE);
}

PRUNTIME_FUNCTION RtlpGetChainedEntry(_In_ const RTLP_FRAME *Frame, _In_ PUNWIND_INFO Info)
{
    return RtlpImageRange(Frame, RtlpTrailerRva(Frame, Info), sizeof(RUNTIME_FUNCTION));
}

PRUNTIME_FUNCTION RtlpGetPrimaryEntry(_In_ const RTLP_FRAME *Frame, _In_ PRUNTIME_FUNCTION Entry)
{
    ULONG Depth;

    for (Depth = 0; Depth < RTLP_CHAIN_LIMIT && Entry != NULL; Depth += 1)
    {
        PUNWIND_INFO Info = RtlpGetUnwindInfo(Frame, Entry);

        if (Info == NULL)
        {
            return NULL;
        }

        if ((Info->Flags & UNW_FLAG_CHAININFO) == 0)
        {
            return Entry;
        }

        Entry = RtlpGetChainedEntry(Frame, Info);
    }

    return NULL;
}

/**
 * Finds the function table entry for an address in a loaded image.
 *
 * @param ControlPc     the address
 * @param ImageBase     receives the base of the image it lies in, or zero if it lies in none
 * @param HistoryTable  accepted for compatibility; the search does not need it
 * @return the entry; NULL for a leaf function or an address outside all images
 *
 * IRQL: any. Tables added at run time (RtlAddFunctionTable) are not supported.
 */
PRUNTIME_FUNCTION NTAPI RtlLookupFunctionEntry(_In_ ULONG64 ControlPc, _Out_ PULONG64 ImageBase,
                                               _Inout_opt_ PUNWIND_HISTORY_TABLE HistoryTable)
{
    RTLP_FRAME Frame;

    UNREFERENCED_PARAMETER(HistoryTable);
    RtlpFindFrameCode(&Frame, ControlPc);
    *ImageBase = Frame.ImageBase;
    return Frame.Entry;
}

/**
 * Finds the image that covers an address.
 *
 * @param PcValue      the address
 * @param BaseOfImage  receives the image's base, or NULL
 * @return the image's base, or NULL
 *
 * IRQL: any.
 */
PVOID NTAPI RtlPcToFileHeader(_In_ PVOID PcValue, _Out_ PVOID *BaseOfImage)
{
    PVOID Base;
    ULONG Size;

    if (!RtlpFindImage(PcValue, &Base, &Size))
    {
        Base = NULL;
    }

    *BaseOfImage = Base;
    return Base;
}
