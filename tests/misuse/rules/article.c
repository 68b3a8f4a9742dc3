/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong when memory is shared through MDLs by the book's first page: mistakes that look right, and some that
 * no bug check ever tells.
 */
#include "misuse.h"

/* ---- a user view without __try ---- */

/* The program has something at that address already. */
static PVOID MapWhereTaken(MISUSE_CONTEXT *Context, PMDL Mdl)
{
    return MmMapLockedPagesSpecifyCache(Mdl, UserMode, MmCached, Context->User, FALSE, NormalPagePriority);
}

MISUSE(map_user_without_try)
{
    MapWhereTaken(Context, MisuseLocked(Context, FALSE));
}

CORRECT(map_user_without_try)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    __try
    {
        MapWhereTaken(Context, mdl);
        Context->Status = STATUS_UNSUCCESSFUL;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("misuse: the mapping raised 0x%08lx\n", GetExceptionCode());
    }
    MisuseUnlock(mdl);
}

/* ---- a user view undone in another process ---- */

typedef struct _VIEW
{
    PMDL Mdl;
    PVOID Va;
    PEPROCESS Process; /* NULL: unmap it wherever this runs */
} VIEW;

static VOID NTAPI UnmapInThread(PVOID Context)
{
    VIEW *view = Context;
    KAPC_STATE state;

    if (view->Process != NULL)
    {
        KeStackAttachProcess((PVOID)view->Process, &state);
    }
    MmUnmapLockedPages(view->Va, view->Mdl);
    if (view->Process != NULL)
    {
        KeUnstackDetachProcess(&state);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID UnmapElsewhere(MISUSE_CONTEXT *Context, PEPROCESS Process)
{
    VIEW view = {.Mdl = MisuseLocked(Context, FALSE), .Process = Process};

    view.Va = MmMapLockedPagesSpecifyCache(view.Mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    MisuseNote("va", (ULONG_PTR)view.Va);
    MisuseRunThread(UnmapInThread, &view);
    MisuseUnlock(view.Mdl);
}

/* A system thread runs in the System process, where other things lie at that address, or, as here, none. */
MISUSE(unmap_user_elsewhere)
{
    UnmapElsewhere(Context, NULL);
}

CORRECT(unmap_user_elsewhere)
{
    UnmapElsewhere(Context, PsGetCurrentProcess());
}

/* ---- an MDL freed before its pages are unlocked ---- */

/* The mistake shows when the process ends. */
MISUSE(free_locked)
{
    IoFreeMdl(MisuseLocked(Context, FALSE));
}

CORRECT(free_locked)
{
    MisuseUnlock(MisuseLocked(Context, FALSE));
}

/* ---- pages that the kernel writes, locked for reading ---- */

/*
 *   section page   <---- view of another program, say
 *        ^
 *        |  copy on write: the program's own page only after the first write to it
 *   program's view
 *
 * A lock for reading takes the page as it is, the section's. Nobody stops a write through a kernel view of it, and
 * everyone who shares the section sees the byte. A lock for writing makes the copy first.
 */
typedef struct _SHARED
{
    HANDLE Section;
    volatile UCHAR *Mine, *Theirs; /* two views of one page */
} SHARED;

static volatile UCHAR *MapSection(HANDLE Section, ULONG Protection)
{
    PVOID view = NULL;
    SIZE_T size = 0;
    NTSTATUS status = ZwMapViewOfSection(Section, NtCurrentProcess(), &view, 0, 0, NULL, &size, ViewUnmap, 0, Protection);

    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    return view;
}

static VOID MakeShared(SHARED *Shared)
{
    LARGE_INTEGER size = {.QuadPart = PAGE_SIZE};
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateSection(&Shared->Section, SECTION_ALL_ACCESS, &attributes, &size, PAGE_READWRITE, SEC_COMMIT, NULL);
    Shared->Mine = MapSection(Shared->Section, PAGE_WRITECOPY);
    Shared->Theirs = MapSection(Shared->Section, PAGE_READWRITE);
    *Shared->Theirs = 'o';
}

static VOID DropShared(SHARED *Shared)
{
    ZwUnmapViewOfSection(NtCurrentProcess(), (PVOID)Shared->Mine);
    ZwUnmapViewOfSection(NtCurrentProcess(), (PVOID)Shared->Theirs);
    ZwClose(Shared->Section);
}

static NTSTATUS WriteLocked(LOCK_OPERATION Operation, UCHAR TheirsAfter)
{
    SHARED shared;
    UCHAR mine, theirs;
    PMDL mdl;

    MakeShared(&shared);
    mdl = MisuseMdl((PVOID)shared.Mine, PAGE_SIZE);
    MmProbeAndLockPages(mdl, UserMode, Operation);
    *(PUCHAR)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute) = 'X';
    MisuseUnlock(mdl);
    mine = *shared.Mine;
    theirs = *shared.Theirs;
    DbgPrint("misuse: the driver wrote X; the program reads %c, the other view reads %c\n", mine, theirs);
    DropShared(&shared);
    return mine == 'X' && theirs == TheirsAfter ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

MISUSE(write_locked_for_read)
{
    Context->Status = WriteLocked(IoReadAccess, 'X');
}

CORRECT(write_locked_for_read)
{
    Context->Status = WriteLocked(IoModifyAccess, 'o');
}

/* ---- a pool block that shares its page, mapped to a program ---- */

static const CHAR Secret[] = "another driver's secret";

/* What the program finds behind its Size bytes, up to the end of the page. */
static BOOLEAN ProgramSeesSecret(PVOID Pool, SIZE_T Size)
{
    PMDL mdl = MisuseMdl(Pool, (ULONG)Size);
    BOOLEAN found = FALSE;
    PUCHAR va, page;

    MmBuildMdlForNonPagedPool(mdl);
    va = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority | MdlMappingNoWrite);
    page = PAGE_ALIGN(va);
    for (ULONG i = 0; i <= PAGE_SIZE - sizeof(Secret) && !found; i++)
    {
        found = memcmp(page + i, Secret, sizeof(Secret)) == 0;
        if (found)
        {
            DbgPrint("misuse: given %Iu bytes at %p, the program reads at %p: %s\n", Size, va, page + i, page + i);
        }
    }
    MmUnmapLockedPages(va, mdl);
    IoFreeMdl(mdl);
    return found;
}

#define BLOCKS 4 /* of 1,024 bytes, two at least lie on one page */

static NTSTATUS ShareWithProgram(SIZE_T Size, BOOLEAN Leaks)
{
    PUCHAR blocks[BLOCKS];
    ULONG given = 0;
    BOOLEAN found;

    for (ULONG i = 0; i < BLOCKS; i++)
    {
        blocks[i] = MisusePool(Size);
        RtlCopyMemory(blocks[i], Secret, sizeof(Secret));
        given = i != 0 && PAGE_ALIGN(blocks[i]) == PAGE_ALIGN(blocks[i - 1]) ? i : given;
    }
    RtlZeroMemory(blocks[given], Size); /* this one is the program's, as carefully as can be */
    found = ProgramSeesSecret(blocks[given], Size);
    for (ULONG i = 0; i < BLOCKS; i++)
    {
        MisuseFree(blocks[i]);
    }
    return found == Leaks ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

MISUSE(pool_shares_page)
{
    Context->Status = ShareWithProgram(1024, TRUE);
}

/* Whole pages, zeroed. */
CORRECT(pool_shares_page)
{
    Context->Status = ShareWithProgram(PAGE_SIZE, FALSE);
}
