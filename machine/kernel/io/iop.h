/* SPDX-License-Identifier: MIT */
/*
 * What the files of the I/O manager share with each other and with nobody else.
 *
 * Locks:  IopDatabaseLock (leaf spin lock) guards device reference counts, attachment, the device lists of drivers and
 *         the pending flags. IopCancelLock is NT's cancel spin lock. A thread's list of requests needs no lock: only
 *         its own thread touches it, at APC_LEVEL (cancellation by others comes in as a special kernel APC).
 */
#pragma once

#include "nt.h"
#include "hal.h"
#include "ke.h"
#include "mm.h"
#include "ob.h"
#include "se.h"
#include "ps.h"
#include "ex.h"
#include "cm.h"
#include "ldr.h"
#include "vf.h"
#include "io.h"

#define IOP_TAG_IRP 'prIi'
#define IOP_TAG_BUFFER 'fuBi'
#define IOP_TAG_NAME 'maNi'
#define IOP_TAG_DRIVER 'vrDi'
#define IOP_TAG_DEVICE 'veDi'
#define IOP_TAG_FILE 'liFi'
#define IOP_TAG_PACKET 'kcPi'
#define IOP_TAG_OB_PATH 'mNbO' /* OB's paths, which a parse method may replace */

/* Object types in the Type field of I/O structures; the headers leave these two out. */
#ifndef IO_TYPE_DEVICE_OBJECT_EXTENSION
#define IO_TYPE_DEVICE_OBJECT_EXTENSION 0x0000000D
#endif

#ifndef DRIVER_VERIFIER_IOMANAGER_VIOLATION
#define DRIVER_VERIFIER_IOMANAGER_VIOLATION ((ULONG)0xC9)
#endif

/* The driver kit's DEVICE_OBJECT is aligned to 16 bytes; the device extension begins behind that. */
#define IOP_DEVICE_OBJECT_SIZE 0x150

/* ---- drivers and devices ---- */

typedef struct _IOP_CLIENT_EXTENSION
{
    struct _IOP_CLIENT_EXTENSION *Next;
    PVOID Identification;
    __attribute__((aligned(16))) UCHAR Data[];
} IOP_CLIENT_EXTENSION;

/* The fields of KLDR_DATA_TABLE_ENTRY that drivers look at through DRIVER_OBJECT.DriverSection. */
typedef struct _IOP_DRIVER_SECTION
{
    LIST_ENTRY InLoadOrderLinks;
    PVOID ExceptionTable;
    ULONG ExceptionTableSize;
    PVOID GpValue;
    PVOID NonPagedDebugInfo;
    PVOID DllBase;
    PVOID EntryPoint;
    ULONG SizeOfImage;
    UNICODE_STRING FullDllName;
    UNICODE_STRING BaseDllName;
    ULONG Flags;
    USHORT LoadCount;
    USHORT Reserved;
    PVOID SectionPointer;
    ULONG CheckSum;
} IOP_DRIVER_SECTION;

C_ASSERT(offsetof(IOP_DRIVER_SECTION, DllBase) == 0x30);
C_ASSERT(offsetof(IOP_DRIVER_SECTION, Flags) == 0x68);

/* Body of a driver object. */
typedef struct _IOP_DRIVER
{
    DRIVER_OBJECT Object;
    DRIVER_EXTENSION Extension;
    IOP_CLIENT_EXTENSION *ClientExtensions; /* under IopDatabaseLock */
    LDR_MODULE *Module;                     /* NULL for a built-in driver */
    IOP_DRIVER_SECTION Section;
    UNICODE_STRING ImagePath;               /* of the file; IOP_TAG_DRIVER */
    BOOLEAN Builtin;
    BOOLEAN Finished;                       /* DriverUnload was run, or DriverEntry failed */
    BOOLEAN UnloadPending;                  /* asked to go; waits for the last close */
} IOP_DRIVER;

#define IOP_DRIVER_OF(o) CONTAINING_RECORD((o), IOP_DRIVER, Object)

/* IOP_DEVICE_EXTENSION.Flags */
#define DOE_UNLOAD_PENDING 0x1
#define DOE_DELETE_PENDING 0x2
#define DOE_REMOVE_PENDING 0x4
#define DOE_REMOVE_PROCESSED 0x8

/* The I/O manager's part of a device, behind the driver's device extension. */
typedef struct _IOP_DEVICE_EXTENSION
{
    CSHORT Type;
    USHORT Size;
    PDEVICE_OBJECT DeviceObject;
    ULONG PowerFlags;
    PVOID Dope;
    ULONG Flags;                  /* DOE_, under IopDatabaseLock */
    PVOID DeviceNode;
    PDEVICE_OBJECT AttachedTo;    /* the device below, under IopDatabaseLock */
    LONG StartIoCount;
    LONG StartIoKey;
    ULONG StartIoFlags;           /* IOP_STARTIO_ */
    BOOLEAN Counted;              /* belongs to a loaded driver: counts as a leftover */
} IOP_DEVICE_EXTENSION;

#define IOP_STARTIO_DEFERRED 1
#define IOP_STARTIO_NONCANCELABLE 2

static inline IOP_DEVICE_EXTENSION *IopDeviceExtension(PDEVICE_OBJECT Device)
{
    return (IOP_DEVICE_EXTENSION *)Device->DeviceObjectExtension;
}

extern KSPIN_LOCK IopDatabaseLock;
extern KSPIN_LOCK IopCancelLock;
extern KMUTEX IopImageLock; /* serialises the loading and unloading of images; held at PASSIVE_LEVEL */
extern volatile LONG64 IopIrpCount, IopDeviceCount, IopDriverCount, IopWorkItemCount;
extern UNICODE_STRING IopHardwareKeyName;
extern GENERIC_MAPPING IopFileMapping;

NTSTATUS IopCreateDriverObject(PCUNICODE_STRING Name, BOOLEAN Builtin, PDRIVER_OBJECT *Driver);
NTSTATUS IopCreateBuiltinDriver(PCWSTR Name, PDRIVER_INITIALIZE Initialize, PDRIVER_OBJECT *Driver);
VOID IopDeleteDriverObject(PVOID Object);
VOID IopReadyDevices(PDRIVER_OBJECT Driver);
VOID IopReportLeftoverDevices(PDRIVER_OBJECT Driver);
VOID IopRunReinitialization(PDRIVER_OBJECT Driver);
VOID IopCancelReinitialization(PDRIVER_OBJECT Driver);
NTSTATUS IopQueryServiceKey(PCUNICODE_STRING ServiceKey, PUNICODE_STRING ImagePath, PUNICODE_STRING ObjectName);
NTSTATUS NTAPI IopInvalidDeviceRequest(PDEVICE_OBJECT Device, PIRP Irp);
/** Runs Routine(Context) on a worker of the System process and waits for it. PASSIVE_LEVEL. */
NTSTATUS IopRunOnWorker(NTSTATUS (*Routine)(PVOID), PVOID Context);
NTSTATUS IopLoadDriverWorker(PVOID ServiceKey);

NTSTATUS IopReferenceDevice(PDEVICE_OBJECT Device, BOOLEAN Exclusive);
VOID IopDereferenceDevice(PDEVICE_OBJECT Device);
VOID IopFinishDeviceDelete(PDEVICE_OBJECT Device);
VOID IopDeleteDeviceObject(PVOID Object);
VOID IopContinueUnload(PDRIVER_OBJECT Driver);
VOID IopRemoveDeviceTimer(PDEVICE_OBJECT Device);

/* ---- opening ---- */

#define IOP_OPEN_PACKET_TYPE 8

/* Travels from the create service through OB's name lookup to the parse method. */
typedef struct _IOP_OPEN_PACKET
{
    CSHORT Type;
    CSHORT Size;
    BOOLEAN Parsed;                 /* the parse method was reached: FinalStatus and Information are true */
    BOOLEAN QueryOnly;              /* answer *NetworkInformation and close again */
    BOOLEAN DeleteOnly;
    BOOLEAN ForceAccessCheck;
    NTSTATUS FinalStatus;
    ULONG_PTR Information;
    PFILE_OBJECT FileObject;
    PFILE_OBJECT RelatedFileObject;
    LARGE_INTEGER AllocationSize;
    ULONG CreateOptions;
    ULONG Disposition;
    ULONG FileAttributes;
    ULONG ShareAccess;
    ULONG Options;                  /* IO_ flags of IoCreateFile */
    PVOID EaBuffer;
    ULONG EaLength;
    PFILE_NETWORK_OPEN_INFORMATION NetworkInformation;
} IOP_OPEN_PACKET;

NTSTATUS IopParseDevice(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                        ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                        PVOID ParseContext, PVOID *Object);
NTSTATUS IopParseFile(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                      ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                      PVOID ParseContext, PVOID *Object);
NTSTATUS IopOpenFileHandle(OB_OPEN_REASON Reason, PEPROCESS Process, PVOID Object, PACCESS_MASK Granted,
                           ULONG HandleCount);
VOID IopCloseFileHandle(PEPROCESS Process, PVOID Object, ACCESS_MASK Granted, ULONG ProcessHandleCount,
                        ULONG SystemHandleCount);
VOID IopDeleteFileObject(PVOID Object);
NTSTATUS IopQueryFileName(PVOID Object, PUNICODE_STRING Name, PULONG Needed);
NTSTATUS IopFileSecurity(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION Information,
                         PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Stored);

/* ---- what drivers leave behind ---- */

/* A block that a driver asked for, on a list of its kind as long as it lives. */
typedef struct _IOP_TRACKED
{
    LIST_ENTRY Links;             /* Flink NULL: not tracked */
    PVOID Allocator;              /* the caller's address */
} IOP_TRACKED;

extern LIST_ENTRY IopTrackedIrps, IopTrackedWorkItems;
/** Enters a block asked for by Caller, if that is a driver. <= DISPATCH_LEVEL. */
VOID IopTrack(PLIST_ENTRY List, IOP_TRACKED *Block, PVOID Caller);
VOID IopUntrack(IOP_TRACKED *Block);

/* ---- requests ---- */

/*
 * Lies before every IRP that IoAllocateIrp hands out. (An IRP that a driver initialises in its own memory has none; the
 * I/O manager never finishes such an IRP itself.)
 */
typedef struct _IOP_IRP_HEADER
{
    IOP_TRACKED Tracked;          /* linked only for IRPs that drivers asked for */
    ULONG OutputLength;           /* bytes of the caller's buffer that buffered output may fill */
    volatile CHAR Rendezvous;     /* IOP_RENDEZVOUS_ */
    UCHAR Bucket;                 /* lookaside the block came from, IOP_IRP_NO_BUCKET: none */
    UCHAR Reserved[2];
} IOP_IRP_HEADER;

C_ASSERT(sizeof(IOP_IRP_HEADER) == 32); /* keeps the IRP aligned */
#define IOP_IRP_NO_BUCKET 0xFF

/*
 * How the thread that issues a request and the completion of it agree on who finishes it (copy-back, event, freeing).
 * The one who comes second does:
 *
 *      issuer (after IofCallDriver)               IofCompleteRequest, any thread
 *      old = exchange(Rendezvous, ISSUER_LEFT)    old = exchange(Rendezvous, COMPLETED)
 *      old COMPLETED: finish here, no APC         old ISSUER_LEFT: queue the APC
 *      else: pending                              else: return, the issuer will finish
 *
 * So a request completed before its issuer is back costs no APC, whichever thread completed it, and the issuer may
 * look at the IRP after IofCallDriver without knowing its fate.
 */
#define IOP_RENDEZVOUS_OPEN 0
#define IOP_RENDEZVOUS_COMPLETED 1
#define IOP_RENDEZVOUS_ISSUER_LEFT 2
#define IOP_RENDEZVOUS_NONE 3        /* the issuer is a driver: it does not take part */

static inline IOP_IRP_HEADER *IopIrpHeader(PIRP Irp)
{
    return (IOP_IRP_HEADER *)Irp - 1;
}

PIRP IopAllocateIrp(CCHAR StackSize);
/** The same for a driver: the IRP is entered as the caller's. */
PIRP IopAllocateDriverIrp(CCHAR StackSize, PVOID Caller);
/** As IopAllocateIrp for cleanup and close, which must not fail: waits for memory. PASSIVE_LEVEL. */
PIRP IopAllocateIrpMustSucceed(CCHAR StackSize);

/** Puts the request on its thread's list. <= APC_LEVEL. */
static inline VOID IopQueueThreadIrp(PIRP Irp)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    KIRQL Irql;
    KeRaiseIrql(APC_LEVEL, &Irql);
    InsertHeadList(&Thread->IrpList, &Irp->ThreadListEntry);
    KeLowerIrql(Irql);
}

/* The request's thread is the caller's, IRQL is APC_LEVEL. */
static inline VOID IopDequeueThreadIrp(PIRP Irp)
{
    RemoveEntryList(&Irp->ThreadListEntry);
    InitializeListHead(&Irp->ThreadListEntry);
}

/** Finishes a completed request in the context of the thread that issued it. IRQL <= APC_LEVEL. */
VOID IopFinishRequest(PIRP Irp, PFILE_OBJECT File);
/** The same; returns the request's status, which a failed copy to the caller's buffer changes. */
NTSTATUS IopFinishRequestStatus(PIRP Irp, PFILE_OBJECT File);
/** Frees what a request holds that never reached its driver. */
VOID IopDiscardRequest(PIRP Irp);
/** Unlocks (if they are locked) and frees the MDLs of a request that never reached its driver. */
VOID IopDiscardMdls(PIRP Irp);

/* What a service knows about a request that it is about to send. */
typedef struct _IOP_REQUEST
{
    PFILE_OBJECT File;              /* a reference; goes to the IRP when it is sent */
    PDEVICE_OBJECT Device;
    PKEVENT Event;                  /* a reference, or NULL */
    PIRP Irp;
    KPROCESSOR_MODE Mode;
    BOOLEAN Synchronous;            /* the file is synchronous and its lock is held */
    ACCESS_MASK Granted;
} IOP_REQUEST;

/**
 * Common beginning of the services that take a file handle: references file and event, takes the lock of a synchronous
 * file. Access 0: any handle will do. On failure nothing is held.
 */
NTSTATUS IopBeginRequest(IOP_REQUEST *Request, HANDLE File, HANDLE Event, ACCESS_MASK Access,
                         PIO_APC_ROUTINE ApcRoutine);
/** Allocates the IRP and fills what all requests share. On failure the request is ended. */
NTSTATUS IopBuildRequest(IOP_REQUEST *Request, UCHAR Major, PIO_STATUS_BLOCK Iosb, PIO_APC_ROUTINE ApcRoutine,
                         PVOID ApcContext, PIO_STACK_LOCATION *Stack);
/** Gives back what IopBeginRequest and IopBuildRequest took. */
VOID IopEndRequest(IOP_REQUEST *Request);
/** Sends the request; waits if the file is synchronous. Consumes everything. */
NTSTATUS IopSendRequest(IOP_REQUEST *Request);
/**
 * Sends an IRP that the calling thread waits for, with the result in *Iosb (kernel memory). Irp->UserIosb and UserEvent
 * are set here; file and event references are the caller's. The IRP is freed. PASSIVE_LEVEL.
 */
NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb);
/** A buffered query or set on a file from kernel memory, whatever mode the caller has. PASSIVE_LEVEL. */
NTSTATUS IopQuerySetFile(PFILE_OBJECT File, UCHAR Major, ULONG Class, PVOID Buffer, ULONG Length,
                         PULONG_PTR Information);

/** A nonpaged system buffer of Length bytes that begins with the caller's input. Never raises. */
NTSTATUS IopAttachSystemBuffer(PIRP Irp, ULONG Length, const VOID *Input, ULONG InputLength);
/** An MDL over a caller's buffer, locked for Operation. Never raises. */
NTSTATUS IopAttachLockedBuffer(PIRP Irp, PVOID Buffer, ULONG Length, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation);

NTSTATUS IopAcquireFileLockSlow(PFILE_OBJECT File, KPROCESSOR_MODE Mode);
VOID IopReleaseFileLock(PFILE_OBJECT File);

static inline NTSTATUS IopAcquireFileLock(PFILE_OBJECT File, KPROCESSOR_MODE Mode)
{
    if (InterlockedExchange((volatile LONG *)&File->Busy, 1) == 0)
    {
        return STATUS_SUCCESS;
    }
    return IopAcquireFileLockSlow(File, Mode);
}

/**
 * Cuts a request from its thread, which is about to go although the driver still holds the IRP. APC_LEVEL, own
 * thread.
 */
VOID IopDisownRequest(PIRP Irp);

/** Bug check C9 with the rule and the dispatch routine it happened in, if checks are on. */
VOID IopReportViolation(ULONG_PTR Rule, PDEVICE_OBJECT Device, UCHAR Major, PIRP Irp, ULONG_PTR P4);

/**
 * The issuer's side of the rendezvous. TRUE: the IRP is completed and the caller must finish it (with PendingReturned
 * true if the dispatch routine said STATUS_PENDING). FALSE: an APC will.
 */
BOOLEAN IopLeaveRequest(PIRP Irp, PDEVICE_OBJECT Device, UCHAR Major, NTSTATUS Status);

VOID IopCancelAlertedRequest(PKEVENT Event, PIRP Irp);

/** The device that requests on the file go to (top of the stack). <= DISPATCH_LEVEL. */
static inline PDEVICE_OBJECT IopTopDevice(PFILE_OBJECT File)
{
    PDEVICE_OBJECT Device = File->DeviceObject;
    return Device->AttachedDevice == NULL ? Device : IoGetAttachedDevice(Device);
}

/* ---- user memory ---- */

/** Probes a user IO_STATUS_BLOCK for writing. Raises. */
static inline VOID IopProbeIosb(PIO_STATUS_BLOCK Iosb)
{
    ProbeForWrite(Iosb, sizeof(*Iosb), sizeof(ULONG));
}

/** Sets a caller's IO_STATUS_BLOCK; a fault is swallowed, as the service's status carries the result. */
VOID IopWriteIosb(PIO_STATUS_BLOCK Iosb, NTSTATUS Status, ULONG_PTR Information);

/* ---- completion ports ---- */

typedef struct _IOP_PACKET
{
    LIST_ENTRY Links;      /* at the place of IRP.Tail.Overlay.ListEntry relative to PacketType */
    ULONG PacketType;      /* IOP_PACKET_ */
    PVOID KeyContext;
    PVOID ApcContext;
    NTSTATUS Status;
    ULONG_PTR Information;
} IOP_PACKET;

#define IOP_PACKET_IRP 0
#define IOP_PACKET_MINI 1

extern POBJECT_TYPE IopCompletionObjectType;
NTSTATUS IopInitializeCompletionPorts(VOID);
/** Gives a finished IRP to the port; the IRP is freed when it is taken out. */
VOID IopPostIrp(PIO_COMPLETION_CONTEXT Context, PIRP Irp);
NTSTATUS IopPostPacket(PIO_COMPLETION_CONTEXT Context, PVOID ApcContext, NTSTATUS Status, ULONG_PTR Information);
NTSTATUS IopAssociatePort(PFILE_OBJECT File, HANDLE Port, PVOID Key, KPROCESSOR_MODE Mode);
VOID IopFreeCompletionContext(PFILE_OBJECT File);

/* ---- built-in devices ---- */

NTSTATUS IopInitializeRamDisk(const VOID *Archive, SIZE_T ArchiveSize);
NTSTATUS IopInitializeConsole(const VOID *Archive, SIZE_T ArchiveSize);
NTSTATUS IopInitializeNull(VOID);
VOID IopInitializeTimers(VOID);
VOID IopInitializeFileSystems(VOID);

/** Completes an IRP of a built-in device and returns Status. */
static inline NTSTATUS IopCompleteBuiltin(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}
