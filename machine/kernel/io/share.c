/* SPDX-License-Identifier: MIT */
/*
 * Share modes, for file systems. The caller serialises access to a SHARE_ACCESS.
 */
#include "iop.h"

/* What an open asks for; opens that only touch attributes don't take part in sharing. */
static BOOLEAN IopTakesPart(PFILE_OBJECT File)
{
    return File->ReadAccess || File->WriteAccess || File->DeleteAccess;
}

static VOID IopNoteAccess(ACCESS_MASK DesiredAccess, ULONG Share, PFILE_OBJECT File)
{
    File->ReadAccess = (DesiredAccess & (FILE_EXECUTE | FILE_READ_DATA)) != 0;
    File->WriteAccess = (DesiredAccess & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    File->DeleteAccess = (DesiredAccess & DELETE) != 0;
    if (IopTakesPart(File))
    {
        File->SharedRead = (Share & FILE_SHARE_READ) != 0;
        File->SharedWrite = (Share & FILE_SHARE_WRITE) != 0;
        File->SharedDelete = (Share & FILE_SHARE_DELETE) != 0;
    }
}

static VOID IopAddShare(PFILE_OBJECT File, PSHARE_ACCESS Share, LONG Sign)
{
    Share->OpenCount += Sign;
    Share->Readers += File->ReadAccess ? Sign : 0;
    Share->Writers += File->WriteAccess ? Sign : 0;
    Share->Deleters += File->DeleteAccess ? Sign : 0;
    Share->SharedRead += File->SharedRead ? Sign : 0;
    Share->SharedWrite += File->SharedWrite ? Sign : 0;
    Share->SharedDelete += File->SharedDelete ? Sign : 0;
}

/**
 * Checks an open against those there are; notes the access in the file object.
 * @param Update  Counts the open if it is allowed.
 * @return STATUS_SHARING_VIOLATION. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoCheckShareAccess(_In_ ACCESS_MASK DesiredAccess, _In_ ULONG DesiredShareAccess,
                                  _Inout_ PFILE_OBJECT FileObject, _Inout_ PSHARE_ACCESS ShareAccess,
                                  _In_ BOOLEAN Update)
{
    ULONG Count = ShareAccess->OpenCount;

    IopNoteAccess(DesiredAccess, DesiredShareAccess, FileObject);
    if (!IopTakesPart(FileObject))
    {
        return STATUS_SUCCESS;
    }
    if ((FileObject->ReadAccess && ShareAccess->SharedRead < Count) ||
        (FileObject->WriteAccess && ShareAccess->SharedWrite < Count) ||
        (FileObject->DeleteAccess && ShareAccess->SharedDelete < Count) ||
        (ShareAccess->Readers != 0 && !FileObject->SharedRead) ||
        (ShareAccess->Writers != 0 && !FileObject->SharedWrite) ||
        (ShareAccess->Deleters != 0 && !FileObject->SharedDelete))
    {
        return STATUS_SHARING_VIOLATION;
    }
    if (Update)
    {
        IopAddShare(FileObject, ShareAccess, 1);
    }
    return STATUS_SUCCESS;
}

/** Sets the share modes of a file's first open. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoSetShareAccess(_In_ ACCESS_MASK DesiredAccess, _In_ ULONG DesiredShareAccess,
                            _Inout_ PFILE_OBJECT FileObject, _Out_ PSHARE_ACCESS ShareAccess)
{
    RtlZeroMemory(ShareAccess, sizeof(*ShareAccess));
    IopNoteAccess(DesiredAccess, DesiredShareAccess, FileObject);
    if (IopTakesPart(FileObject))
    {
        IopAddShare(FileObject, ShareAccess, 1);
    }
}

/** Counts an open that IoCheckShareAccess allowed without counting it. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoUpdateShareAccess(_In_ PFILE_OBJECT FileObject, _Inout_ PSHARE_ACCESS ShareAccess)
{
    if (IopTakesPart(FileObject))
    {
        IopAddShare(FileObject, ShareAccess, 1);
    }
}

/** Takes an open out of the count, at cleanup. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoRemoveShareAccess(_In_ PFILE_OBJECT FileObject, _Inout_ PSHARE_ACCESS ShareAccess)
{
    if (IopTakesPart(FileObject))
    {
        IopAddShare(FileObject, ShareAccess, -1);
    }
}
