/* SPDX-License-Identifier: MIT */
/*
 * The kernel library of Isthmus, for drivers: memory shared with programs through MDLs.
 *
 * A driver calls IsthmusLibraryStart in DriverEntry and IsthmusLibraryStop in DriverUnload, makes a session when a
 * handle is opened (IRP_MJ_CREATE), cleans it up in IRP_MJ_CLEANUP and closes it in IRP_MJ_CLOSE. Between these it
 * shares, allocates, maps and releases by id. The library does the rest: what a session owns is released with the
 * handle, what lies in a process is taken back before the process ends, whoever holds the handle by then.
 *
 * Include <ntifs.h> (or <ntddk.h>, <wdm.h>) first. Everything here wants PASSIVE_LEVEL unless it says otherwise, and
 * the region functions that take user addresses or map into a process want the thread of that process. Call them
 * between KeEnterCriticalRegion and KeLeaveCriticalRegion when the thread is a program's: a thread that is suspended
 * half-way would hold up whoever waits for the region to drain.
 */
#ifndef ISTHMUS_KERNEL_H
#define ISTHMUS_KERNEL_H

#include "isthmus_abi.h"
#ifdef _WIN64
#include "isthmus_ring.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _ISTHMUS_SESSION *PISTHMUS_SESSION;
typedef struct _ISTHMUS_REGION *PISTHMUS_REGION;
typedef struct _ISTHMUS_CHANNEL *PISTHMUS_CHANNEL;

/* ---- The library --------------------------------------------------------------------------------------------- */

/**
 * Readies the library: reads the quotas from the Parameters key and registers the process-notify routine.
 * @param RegistryPath  the driver's service key, as DriverEntry receives it; NULL for the defaults
 * @return STATUS_SUCCESS, or the error of IsthmusReadParameter or PsSetCreateProcessNotifyRoutine. PASSIVE_LEVEL,
 *   DriverEntry.
 */
NTSTATUS IsthmusLibraryStart(_In_opt_ PUNICODE_STRING RegistryPath);

/**
 * Ends the library: cleans up the sessions that are left, waits for all uses of regions to end, releases them, and
 * removes the notify routine. When it returns nothing is locked, mapped or allocated. PASSIVE_LEVEL, DriverUnload;
 * no other call of the library may be running or come after it.
 */
VOID IsthmusLibraryStop(VOID);

/**
 * Reads a number (REG_DWORD or REG_QWORD) from the Parameters key below a service key.
 * @param Value  receives the number, or Default if the value isn't there or is of another type
 * @return STATUS_SUCCESS; the registry's error if it could not be asked (STATUS_INSUFFICIENT_RESOURCES), and then Value
 *   is Default. A driver does not start then: the default may allow what the administrator forbade. PASSIVE_LEVEL.
 */
NTSTATUS IsthmusReadParameter(_In_opt_ PUNICODE_STRING RegistryPath, _In_z_ PCWSTR Name, _In_ ULONGLONG Default,
                              _Out_ PULONGLONG Value);

/** What mappings this system can make: ISTHMUS_CAN_MAP_READ_ONLY, ISTHMUS_CAN_NO_EXECUTE. Any IRQL. */
UINT32 IsthmusSystemCapabilities(VOID);

/** Most bytes that the library describes with one MDL; longer regions have several segments. Any IRQL. */
SIZE_T IsthmusSegmentBytes(VOID);

/** NonPagedPoolNx where the system knows it, else NonPagedPool. Any IRQL. */
POOL_TYPE IsthmusNonPagedPoolType(VOID);

/** Fills in the statistics, header included. IRQL <= APC_LEVEL. */
VOID IsthmusQueryStatistics(_Out_ ISTHMUS_STATISTICS *Statistics);

/* ---- Sessions ------------------------------------------------------------------------------------------------ */

/**
 * Makes a session charged to the current process.
 * @return STATUS_SUCCESS, STATUS_QUOTA_EXCEEDED, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 * The caller owns the session: IsthmusSessionCleanup, then IsthmusSessionClose.
 */
NTSTATUS IsthmusSessionCreate(_Out_ PISTHMUS_SESSION *Session);

/**
 * Takes back all views and regions of the session and refuses new ones (STATUS_FILE_CLOSED). Any process's context;
 * may be called while other threads are inside calls with this session, and more than once. PASSIVE_LEVEL.
 */
VOID IsthmusSessionCleanup(_Inout_ PISTHMUS_SESSION Session);

/** Frees a session after IsthmusSessionCleanup, when no call uses it any more (IRP_MJ_CLOSE). PASSIVE_LEVEL. */
VOID IsthmusSessionClose(_In_ PISTHMUS_SESSION Session);

/** The session's id. Any IRQL. */
UINT64 IsthmusSessionId(_In_ PISTHMUS_SESSION Session);

/** TRUE if the process has a session of its own making. IRQL <= APC_LEVEL. */
BOOLEAN IsthmusProcessHasSession(_In_ PEPROCESS Process);

/* ---- Regions ------------------------------------------------------------------------------------------------- */

/**
 * Makes a region of the current process's memory: locks it and maps it for the kernel.
 * @param Address  user address, any alignment     @param Length  bytes, not 0
 * @param Access   ISTHMUS_ACCESS_READ, or with ISTHMUS_ACCESS_WRITE if the kernel is to change it
 * @param Mode     the requestor's mode (Irp->RequestorMode): the pages are probed for it
 * @param Info     receives id, pages and segments; may be NULL if Region isn't
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_INTEGER_OVERFLOW if the range wraps; STATUS_ACCESS_VIOLATION
 *   or what else the probe raised; STATUS_CONFLICTING_ADDRESSES if the range touches a view that the library made in
 *   this process; STATUS_QUOTA_EXCEEDED; STATUS_INSUFFICIENT_RESOURCES; STATUS_NOT_SUPPORTED on a system that can't
 *   lock, or for a device's memory; STATUS_INVALID_DEVICE_STATE in a thread attached to another process;
 *   STATUS_FILE_CLOSED. PASSIVE_LEVEL, in a thread of the process.
 * The session owns the region. The memory is unlocked on release, at cleanup, or when the process ends. What the
 * process does to its addresses meanwhile (free, protect, map something else) doesn't change what the driver sees.
 * Pages that are copy-on-write when they are shared for reading become the process's own first.
 */
NTSTATUS IsthmusRegionShare(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Address, _In_ UINT64 Length,
                            _In_ UINT32 Access, _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_REGION_INFO *Info);

/**
 * Makes a region of new, zeroed, whole pages. No program sees it before IsthmusViewMap.
 * @param Kind  ISTHMUS_KIND_NONPAGED_POOL, _PAGED_POOL or _PAGES      @param Length  bytes, not 0
 * @return as IsthmusRegionShare. PASSIVE_LEVEL. Charged to the current process.
 * All three are locked and mapped for the kernel while the region lives, and may be used at DISPATCH_LEVEL.
 * Which kind to map into programs that aren't trusted: paged pool. A program can have a view's pages locked by any
 * driver (a pending read into the view); nonpaged pool and MDL pages that are freed under such a lock are bug check
 * 4E/9A, paged pool stays until it is unlocked. isthmus.sys maps the other two for administrators only.
 */
NTSTATUS IsthmusRegionAllocate(_Inout_ PISTHMUS_SESSION Session, _In_ UINT32 Kind, _In_ UINT64 Length,
                               _Out_ ISTHMUS_REGION_INFO *Info);

/**
 * Gives up the session's hold on a region, and its views of it. The memory is released as soon as no session holds
 * it and no call uses it; with a single holder that is before this returns.
 * @return STATUS_SUCCESS, or STATUS_NOT_FOUND if the session has no such region.
 */
NTSTATUS IsthmusRegionRelease(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region);

/**
 * Names a region that this session made, so that others can open it.
 * @param Name      1 to ISTHMUS_NAME_CHARS characters
 * @param Security  self-relative security descriptor in kernel memory, SecurityLength bytes; NULL for the default of
 *                  the caller's token
 * @return STATUS_SUCCESS; STATUS_OBJECT_NAME_COLLISION; STATUS_INVALID_DEVICE_STATE if the region has a name already;
 *   STATUS_INVALID_SECURITY_DESCR; STATUS_ACCESS_DENIED if the session only opened it; STATUS_NOT_SUPPORTED on a
 *   system without security descriptors.
 */
NTSTATUS IsthmusRegionName(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ PCUNICODE_STRING Name,
                           _In_reads_bytes_opt_(SecurityLength) PSECURITY_DESCRIPTOR Security,
                           _In_ ULONG SecurityLength);

/**
 * Opens a named region for this session, if its descriptor grants the caller the access.
 * @param Mode  KernelMode skips the access check
 * @return STATUS_SUCCESS, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_ACCESS_DENIED, STATUS_QUOTA_EXCEEDED.
 */
NTSTATUS IsthmusRegionOpen(_Inout_ PISTHMUS_SESSION Session, _In_ PCUNICODE_STRING Name, _In_ UINT32 Access,
                           _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_REGION_INFO *Info);

/**
 * Begins a use of a region: until IsthmusRegionLeave its memory stays locked and mapped, whatever the program does.
 * Teardown waits for the use to end, so keep it short and wait for no program meanwhile.
 * @param Access  what the caller is going to do
 * @return STATUS_SUCCESS; STATUS_NOT_FOUND; STATUS_ACCESS_DENIED; STATUS_NOT_LOCKED if the memory was taken back
 *   because its process ended; STATUS_FILE_CLOSED. IRQL <= APC_LEVEL.
 */
NTSTATUS IsthmusRegionEnter(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _In_ UINT32 Access,
                            _Out_ PISTHMUS_REGION *Region);

/** Ends a use, also one that IsthmusRegionTryEnter began. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusRegionLeave(_In_ PISTHMUS_REGION Region);

/**
 * Keeps a region's structure for a driver that uses the memory now and then from where it can't look an id up: a DPC,
 * a callback. The reference isn't a use: the memory may be taken back meanwhile, and IsthmusRegionTryEnter then fails.
 * @param Access  what the uses are going to do; checked here, once
 * @return as IsthmusRegionEnter. IRQL <= APC_LEVEL. Give it back with IsthmusRegionDereference before
 *   IsthmusLibraryStop.
 */
NTSTATUS IsthmusRegionReference(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _In_ UINT32 Access,
                                _Out_ PISTHMUS_REGION *Region);

/** Gives a reference back. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusRegionDereference(_In_ PISTHMUS_REGION Region);

/**
 * Begins a use of a referenced region; end it with IsthmusRegionLeave. Takes no lock. IRQL <= DISPATCH_LEVEL.
 * @return FALSE if the memory was taken back, for good.
 */
BOOLEAN IsthmusRegionTryEnter(_In_ PISTHMUS_REGION Region);

/** The region's kind, ISTHMUS_KIND_*. Any IRQL, with a use or a reference. */
UINT32 IsthmusRegionKind(_In_ PISTHMUS_REGION Region);

/** The region's length in bytes. Any IRQL, within a use. */
UINT64 IsthmusRegionLength(_In_ PISTHMUS_REGION Region);

/**
 * The kernel address of a region's byte and how many bytes follow it without a gap. The memory is shared: read each
 * value once, and trust none of them. Any IRQL <= DISPATCH_LEVEL, within a use; the address is good until Leave.
 * @return NULL if Offset is outside.
 */
PUCHAR IsthmusRegionSpan(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _Out_ SIZE_T *Bytes);

/**
 * Copies out of a region.
 * @param Offset, Length  bytes
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER if the range isn't inside; STATUS_NOT_LOCKED, with a part copied,
 *   if the region is being taken back meanwhile. IRQL <= DISPATCH_LEVEL, within a use.
 */
NTSTATUS IsthmusRegionRead(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _Out_writes_bytes_(Length) PVOID Buffer,
                           _In_ SIZE_T Length);

/**
 * Copies into a region. The use must have been for writing.
 * @return as IsthmusRegionRead; STATUS_ACCESS_DENIED for a user buffer that was shared for reading only.
 */
NTSTATUS IsthmusRegionWrite(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset,
                            _In_reads_bytes_(Length) const VOID *Buffer, _In_ SIZE_T Length);

/**
 * CRC-32 of a range, read through the driver's own view. Breaks off with STATUS_NOT_LOCKED if the region is being
 * taken back meanwhile. IRQL <= APC_LEVEL, within a use.
 */
NTSTATUS IsthmusRegionChecksum(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _In_ UINT64 Length,
                               _Out_ UINT32 *Crc32);

/** CRC-32 (as zlib's) of a block, continuing from Crc (0 to begin). Any IRQL at which the block may be read. */
UINT32 IsthmusCrc32(_In_ UINT32 Crc, _In_reads_bytes_(Length) const VOID *Block, _In_ SIZE_T Length);

/**
 * Starts a watch on a region; see ISTHMUS_WATCH. One at a time per region.
 * @return STATUS_SUCCESS, STATUS_DEVICE_BUSY, STATUS_QUOTA_EXCEEDED, or the errors of IsthmusRegionEnter.
 */
NTSTATUS IsthmusRegionWatch(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_WATCH *Watch);

/* ---- Views --------------------------------------------------------------------------------------------------- */

/**
 * Maps a region into the current process.
 * @param Access  ISTHMUS_ACCESS_READ alone asks for a view that the program can't make writable
 * @param Info    receives the view's id, address and length (whole pages)
 * @return STATUS_SUCCESS; STATUS_ACCESS_DENIED beyond the session's access; STATUS_NOT_SUPPORTED for a read-only view
 *   before Windows 8, or where the system can't map; STATUS_MAPPED_ALIGNMENT for a user buffer that isn't whole pages
 *   (its neighbours would be shown too); STATUS_QUOTA_EXCEEDED; STATUS_INVALID_DEVICE_STATE in a thread attached to
 *   another process; what the mapping raised. PASSIVE_LEVEL, in a thread of the process.
 * The session owns the view. The program can't unmap, free or reprotect it (NT refuses that for such mappings); it
 * goes with IsthmusViewUnmap, the release of the region, the session's cleanup, or the end of the process.
 */
NTSTATUS IsthmusViewMap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ UINT32 Access,
                        _Out_ ISTHMUS_VIEW_INFO *Info);

/** Takes a view back, in whichever process it is. STATUS_NOT_FOUND if the session has no such view. */
NTSTATUS IsthmusViewUnmap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 View);

/* ---- Describe and list --------------------------------------------------------------------------------------- */

/**
 * Describes one segment of a region: MDL, flags, and frames if Administrator.
 * @param Pages  room for MaximumPages entries behind the description; how many were filled is in PagesReturned
 */
NTSTATUS IsthmusDescribe(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_DESCRIBE *Query,
                         _In_ BOOLEAN Administrator, _Out_ ISTHMUS_DESCRIPTION *Description,
                         _Out_writes_opt_(MaximumPages) ISTHMUS_PAGE *Pages, _In_ ULONG MaximumPages);

/** Copies the fixed part of an MDL without its kernel addresses. Any IRQL. */
VOID IsthmusDescribeMdl(_In_ const MDL *Mdl, _Out_ ISTHMUS_MDL *Description);

/**
 * Lists sessions, regions or views in the order of their ids: all of them if Administrator, else the current process's.
 * @param Count  receives how many entries were filled     @param More  TRUE if there are others behind them
 */
NTSTATUS IsthmusList(_In_ UINT32 What, _In_ UINT64 After, _In_ BOOLEAN Administrator,
                     _Out_writes_(Maximum) ISTHMUS_LIST_ENTRY *Entries, _In_ ULONG Maximum, _Out_ ULONG *Count,
                     _Out_ BOOLEAN *More);

/* ---- Request buffers ----------------------------------------------------------------------------------------- */

/*
 * The caller's buffer behind an IRP, whichever method brought it. Members are the library's.
 */
typedef struct _ISTHMUS_REQUEST
{
    UINT32 Method;     /* ISTHMUS_METHOD_* */
    UINT32 Operation;  /* LOCK_OPERATION */
    ULONGLONG Start;   /* bytes left out at the front */
    ULONGLONG Length;  /* bytes from there, whole chain */
    PUCHAR Linear;     /* buffered: the system buffer */
    PMDL Chain;        /* direct: the IRP's chain; neither: our own */
    BOOLEAN OwnsChain;
} ISTHMUS_REQUEST;

/**
 * Captures the data buffer of IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_DEVICE_CONTROL or _INTERNAL_DEVICE_CONTROL.
 *   read, write         by the device's flags: DO_BUFFERED_IO, DO_DIRECT_IO or neither; Operation is implied
 *   METHOD_BUFFERED     Operation IoReadAccess: the input; IoWriteAccess: room for output
 *   METHOD_IN_DIRECT    the chain of Irp->MdlAddress; reading only
 *   METHOD_OUT_DIRECT   the same, reading and writing
 *   METHOD_NEITHER      the output buffer, locked here in the requestor's mode
 * @param Request  receives the buffer; release it with IsthmusRequestRelease before the IRP is completed
 * @return STATUS_SUCCESS (Length may be 0); STATUS_ACCESS_VIOLATION or what else the probe raised;
 *   STATUS_INVALID_PARAMETER for an operation that the method can't carry; STATUS_INSUFFICIENT_RESOURCES;
 *   STATUS_NOT_SUPPORTED for neither on a system that can't lock; STATUS_INVALID_DEVICE_STATE for neither in another
 *   process than the requestor's, or above APC_LEVEL; STATUS_INVALID_DEVICE_REQUEST for other major functions.
 * IRQL <= DISPATCH_LEVEL for buffered and direct; neither: PASSIVE_LEVEL or APC_LEVEL in the requestor's thread.
 * The lock of a neither buffer lasts as long as the request and isn't charged, like that of the I/O manager's.
 */
NTSTATUS IsthmusRequestCapture(_In_ PIRP Irp, _In_ LOCK_OPERATION Operation, _Out_ ISTHMUS_REQUEST *Request);

/** Releases what the capture took; the IRP's own chain is the I/O manager's to release. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusRequestRelease(_Inout_ ISTHMUS_REQUEST *Request);

/**
 * The kernel address of the buffer's byte at Offset and how many bytes follow without a gap. The memory may be shared
 * with the program: read each value once. IRQL <= DISPATCH_LEVEL.
 * @return NULL past the end.
 */
PUCHAR IsthmusRequestSpan(_In_ const ISTHMUS_REQUEST *Request, _In_ ULONGLONG Offset, _Out_ SIZE_T *Bytes);

/** Leaves out Bytes at the front (a header, say). STATUS_INVALID_PARAMETER past the end. Any IRQL. */
NTSTATUS IsthmusRequestAdvance(_Inout_ ISTHMUS_REQUEST *Request, _In_ ULONGLONG Bytes);

/** CRC-32 over the buffer's first Length bytes, or all if there are fewer. IRQL <= DISPATCH_LEVEL. */
UINT32 IsthmusRequestChecksum(_In_ const ISTHMUS_REQUEST *Request, _In_ ULONGLONG Length);

/**
 * Copies Length bytes between the buffer (from its start) and a region (from Offset), in the direction given by the
 * request's operation: IoReadAccess from the buffer into the region, else out of the region.
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER if either is too short; the errors of IsthmusRegionRead and
 *   IsthmusRegionWrite. IRQL <= DISPATCH_LEVEL, within a use of the region.
 */
NTSTATUS IsthmusRequestTransfer(_In_ const ISTHMUS_REQUEST *Request, _In_ PISTHMUS_REGION Region,
                                _In_ UINT64 Offset, _In_ ULONGLONG Length);

/**
 * Copies a control code's input parameters to kernel memory, also for METHOD_NEITHER (probed for the requestor's mode).
 * @param Offset, Length  bytes
 * @return STATUS_SUCCESS; STATUS_INFO_LENGTH_MISMATCH if the input is shorter than Offset + Length;
 *   STATUS_ACCESS_VIOLATION; STATUS_INVALID_DEVICE_STATE as IsthmusRequestCapture.
 * IRQL <= DISPATCH_LEVEL; for neither <= APC_LEVEL in the requestor's thread.
 */
NTSTATUS IsthmusRequestInput(_In_ PIRP Irp, _In_ ULONG Offset, _Out_writes_bytes_(Length) PVOID Buffer,
                             _In_ ULONG Length);

/**
 * Locks one more buffer of the requestor and appends its MDL to the IRP's chain. The I/O manager unlocks and frees it
 * when the IRP completes. Requestor's thread, IRQL <= APC_LEVEL.
 * @param Length  bytes, 1 to IsthmusSegmentBytes()
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_INTEGER_OVERFLOW; STATUS_INSUFFICIENT_RESOURCES; what the
 *   probe raised; STATUS_INVALID_DEVICE_STATE as IsthmusRequestCapture. On failure the chain is as it was.
 */
NTSTATUS IsthmusRequestAppend(_Inout_ PIRP Irp, _In_ UINT64 Address, _In_ UINT64 Length, _In_ LOCK_OPERATION Operation);

/** Notes a request as the session's last one, for IsthmusRequestQueryLast. IRQL <= APC_LEVEL. */
VOID IsthmusRequestRecord(_Inout_ PISTHMUS_SESSION Session, _In_ PIRP Irp, _In_ const ISTHMUS_REQUEST *Request,
                          _In_ ULONGLONG Length, _In_ UINT32 Crc32);

/** Tells the session's last request; frames only if Administrator. IRQL <= APC_LEVEL. */
VOID IsthmusRequestQueryLast(_Inout_ PISTHMUS_SESSION Session, _In_ BOOLEAN Administrator,
                             _Out_ ISTHMUS_LAST_REQUEST *Last);

/* ---- Channels ------------------------------------------------------------------------------------------------ */

/*
 * A channel is a ring (isthmus_ring.h) between the driver and the process that made it. The driver works on its end
 * with the ring's own functions, in place and in batches, inside a use of the channel:
 *
 *     if (NT_SUCCESS(IsthmusChannelEnter(channel)))             any IRQL <= DISPATCH_LEVEL
 *     {
 *         ISTHMUS_RING_PRODUCER *ring = IsthmusChannelProducer(channel);
 *         if (IsthmusRingReserve(ring, length, &data) == IsthmusRingOk)
 *         {
 *             ...
 *             IsthmusRingCommit(ring, length);
 *             IsthmusRingPublish(ring);
 *             if (IsthmusRingWakeConsumer(ring))
 *             {
 *                 IsthmusChannelSignal(channel);
 *             }
 *         }
 *         IsthmusChannelLeave(channel);
 *     }
 *
 * or record by record with IsthmusChannelSend and IsthmusChannelReceive. An end has one user at a time, who sees to
 * that (a spin lock, a single DPC, a single thread); with ISTHMUS_CHANNEL_MANY any number produce at once, at
 * DISPATCH_LEVEL. A use is short: the end of the program's process waits for it.
 *
 * Not in 32-bit drivers: the ring reads its 64-bit positions in one piece, which takes an XMM register on 32-bit x86,
 * and a 32-bit kernel doesn't keep the program's for it.
 */
#ifdef _WIN64

/**
 * Makes a channel, maps the program's side into the current process, and gives the session a hold on it.
 * @param Query  as the program sent it: the shell checks header and lengths, this function everything else
 * @param Mode   the requestor's mode: the event handles are looked up for it
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH,
 *   STATUS_ACCESS_DENIED for the events; STATUS_NOT_SUPPORTED before Windows 8 (no read-only views) or where the system
 *   can't map; STATUS_QUOTA_EXCEEDED; STATUS_INSUFFICIENT_RESOURCES; the errors of IsthmusViewMap. PASSIVE_LEVEL, in a
 *   thread of the process. Ends as a region does: release, cleanup, end of the process.
 */
NTSTATUS IsthmusChannelCreate(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_CHANNEL_CREATE *Query,
                              _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_CHANNEL_INFO *Info);

/**
 * Looks a channel up and keeps its structure. IRQL <= APC_LEVEL; give it back with IsthmusChannelDereference before
 * IsthmusLibraryStop.
 * @return STATUS_SUCCESS; STATUS_NOT_FOUND if the session has none with that id; STATUS_NOT_LOCKED if it has ended.
 */
NTSTATUS IsthmusChannelReference(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _Out_ PISTHMUS_CHANNEL *Channel);

/** Gives a reference back. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusChannelDereference(_In_ PISTHMUS_CHANNEL Channel);

/**
 * Begins a use of a referenced channel; end it with IsthmusChannelLeave. IRQL <= DISPATCH_LEVEL; takes no lock.
 * @return STATUS_SUCCESS; STATUS_PIPE_BROKEN if the program's side is gone, for good.
 */
NTSTATUS IsthmusChannelEnter(_In_ PISTHMUS_CHANNEL Channel);

/** Ends a use. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusChannelLeave(_In_ PISTHMUS_CHANNEL Channel);

/** The driver's end, within a use: of a channel to the program; to the program, MANY; to the driver. Else NULL. */
ISTHMUS_RING_PRODUCER *IsthmusChannelProducer(_In_ PISTHMUS_CHANNEL Channel);
ISTHMUS_RING_MANY_PRODUCERS *IsthmusChannelManyProducers(_In_ PISTHMUS_CHANNEL Channel);
ISTHMUS_RING_CONSUMER *IsthmusChannelConsumer(_In_ PISTHMUS_CHANNEL Channel);

/** Sets the event on which the program waits. IRQL <= DISPATCH_LEVEL, within a use. */
VOID IsthmusChannelSignal(_In_ PISTHMUS_CHANNEL Channel);

/**
 * Sends one record: copies Length bytes into the ring, shows it, wakes the program if it sleeps. A record that finds
 * no room is counted as dropped. IRQL <= DISPATCH_LEVEL. Takes a use of its own.
 * @return STATUS_SUCCESS; STATUS_PIPE_BUSY if there is no room; STATUS_INVALID_BUFFER_SIZE if it never fits;
 *   STATUS_PIPE_BROKEN if the program's side is gone; STATUS_DATA_ERROR if it wrote nonsense into its control page;
 *   STATUS_INVALID_DEVICE_REQUEST for a channel to the driver.
 */
NTSTATUS IsthmusChannelSend(_In_ PISTHMUS_CHANNEL Channel, _In_reads_bytes_(Length) const VOID *Data,
                            _In_ UINT32 Length);

/**
 * Receives one record: copies it out, so that the program can't change it any more, and gives the room back.
 * IRQL <= DISPATCH_LEVEL. Takes a use of its own.
 * @param Length  receives the record's length, also with STATUS_BUFFER_TOO_SMALL, when the record stays
 * @return STATUS_SUCCESS; STATUS_PIPE_EMPTY; STATUS_BUFFER_TOO_SMALL; STATUS_PIPE_BROKEN, STATUS_DATA_ERROR and
 *   STATUS_INVALID_DEVICE_REQUEST as IsthmusChannelSend.
 */
NTSTATUS IsthmusChannelReceive(_In_ PISTHMUS_CHANNEL Channel, _Out_writes_bytes_(Size) PVOID Buffer, _In_ UINT32 Size,
                               _Out_ UINT32 *Length);

/**
 * Waits until the driver's end may have something to do: data to receive, or room for Room bytes of data to send.
 * PASSIVE_LEVEL, a system thread or a program's in a critical region; nobody else may use this end meanwhile (not for
 * MANY). Takes a use of its own, which the end of the channel interrupts.
 * @param Timeout  as KeWaitForSingleObject's; NULL: none
 * @return STATUS_SUCCESS: look again, it is a hint; STATUS_TIMEOUT; STATUS_PIPE_BROKEN; STATUS_DATA_ERROR;
 *   STATUS_INVALID_DEVICE_REQUEST for MANY.
 */
NTSTATUS IsthmusChannelWait(_In_ PISTHMUS_CHANNEL Channel, _In_ UINT32 Room, _In_opt_ PLARGE_INTEGER Timeout);

/** Closes the driver's end: the program reads what is there, then the end of the stream. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusChannelFinish(_In_ PISTHMUS_CHANNEL Channel);

/** Fills in the state of the driver's end; Crc32 and Busy are left 0. IRQL <= DISPATCH_LEVEL. */
VOID IsthmusChannelQuery(_In_ PISTHMUS_CHANNEL Channel, _Out_ ISTHMUS_CHANNEL_STATE *State);

#endif /* _WIN64 */

/* ---- Callers ------------------------------------------------------------------------------------------------- */

/** TRUE if this kernel has tokens and access checks; FALSE on some compatible ones. Any IRQL. */
BOOLEAN IsthmusSystemHasTokens(VOID);

/** TRUE if the current thread acts for an administrator (its effective token). PASSIVE_LEVEL. */
BOOLEAN IsthmusCallerIsAdministrator(VOID);

#ifdef __cplusplus
}
#endif

#endif /* ISTHMUS_KERNEL_H */
