/* SPDX-License-Identifier: MIT */
/* Whose MDLs an IRP has: what the I/O manager makes for each way of passing a buffer, and who takes it apart. */
#include "irp_device.h"
#include "mdllib.h"

#define SIZE (PAGE_SIZE + 700)

/* A device that programs, and here the driver itself, can open. */
static PDEVICE_OBJECT Create(KTEST_RUN *Run, ULONG Flags, HANDLE *File)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\KTestMdl");
    OBJECT_ATTRIBUTES attributes;
    PDEVICE_OBJECT device = NULL;
    IO_STATUS_BLOCK iosb;

    *File = NULL;
    CHECK_STATUS(IoCreateDevice(KtDevice->DriverObject, sizeof(IRP_DEVICE), &name, FILE_DEVICE_UNKNOWN, 0, FALSE,
                                &device),
                 STATUS_SUCCESS);
    if (device == NULL)
    {
        return NULL;
    }
    device->Flags |= Flags;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_STATUS(ZwCreateFile(File, FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE, &attributes, &iosb, NULL, 0,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0),
                 STATUS_SUCCESS);
    return device;
}

static VOID Delete(PDEVICE_OBJECT Device, HANDLE File)
{
    if (File != NULL)
    {
        ZwClose(File);
    }
    IoDeleteDevice(Device);
}

static VOID CheckSeen(KTEST_RUN *Run, PCSTR What, IRP_DEVICE *Device, BOOLEAN System, BOOLEAN Mdl, BOOLEAN Write)
{
    KtSay(Run, "%s: system buffer %p, MDL %p flags 0x%04lX", What, Device->LastSystemBuffer, Device->LastMdl,
          Device->LastMdlFlags);
    CHECK_EQUAL(Device->LastSystemBuffer != NULL, System);
    CHECK_EQUAL(Device->LastMdl != NULL, Mdl);
    if (Mdl)
    {
        CHECK_EQUAL(Device->LastMdlFlags & ~MDL_ALLOCATED_FIXED_SIZE,
                    MDL_PAGES_LOCKED | (Write ? MDL_WRITE_OPERATION : 0));
    }
}

static VOID TestReadWrite(KTEST_RUN *Run, ULONG Flags)
{
    PUCHAR buffer = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE);
    BOOLEAN direct = Flags == DO_DIRECT_IO, buffered = Flags == DO_BUFFERED_IO;
    LARGE_INTEGER offset = {.QuadPart = 0};
    IO_STATUS_BLOCK iosb;
    IRP_DEVICE *seen;
    HANDLE file;
    PDEVICE_OBJECT device = Create(Run, Flags, &file);

    if (device == NULL || file == NULL || buffer == NULL)
    {
        return;
    }
    seen = KtIrpDevice(device);
    KT_COVERS("IRP_MJ_READ, IRP_MJ_WRITE", "DO_DIRECT_IO: an MDL locked for writing by a read, for reading by a "
              "write; DO_BUFFERED_IO: a system buffer, copied back or filled; neither flag: nothing; a length of 0: "
              "neither MDL nor buffer; nothing stays locked", "DDI: Methods for Accessing Data Buffers");
    RtlFillMemory(buffer, SIZE, 1);
    CHECK_STATUS(ZwReadFile(file, NULL, NULL, NULL, &iosb, buffer + 5, SIZE, &offset, NULL), STATUS_SUCCESS);
    CheckSeen(Run, "read", seen, buffered, direct, TRUE);
    CHECK_EQUAL(iosb.Information, SIZE);
    CHECK(KtAllBytes(buffer + 5, SIZE, 0x3C));
    CHECK_STATUS(ZwWriteFile(file, NULL, NULL, NULL, &iosb, buffer + 5, SIZE, &offset, NULL), STATUS_SUCCESS);
    CheckSeen(Run, "write", seen, buffered, direct, FALSE);
    CHECK_STATUS(ZwReadFile(file, NULL, NULL, NULL, &iosb, buffer, 0, &offset, NULL), STATUS_SUCCESS);
    CheckSeen(Run, "read of nothing", seen, FALSE, FALSE, FALSE);
    CHECK_EQUAL(KtLockedPages(buffer, 2), 0);
    if (direct)
    {
        KT_COVERS("IRP_MJ_READ, IRP_MJ_WRITE", "a buffer that does not allow the access fails the request with what "
                  "the lock raised, and the driver never sees it",
                  "DDI MmProbeAndLockPages; the order of events is ours");
        ULONG requests = (ULONG)seen->Requests;
        CHECK_STATUS(KtUserProtect(buffer, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
        CHECK_STATUS(ZwReadFile(file, NULL, NULL, NULL, &iosb, buffer, SIZE, &offset, NULL), STATUS_ACCESS_VIOLATION);
        CHECK_EQUAL(seen->Requests, requests);
        CHECK_STATUS(ZwWriteFile(file, NULL, NULL, NULL, &iosb, buffer, SIZE, &offset, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(seen->Requests, requests + 1);
        CHECK_EQUAL(KtLockedPages(buffer, 2), 0);
    }
    Delete(device, file);
    KtUserFree(buffer);
}

static NTSTATUS Control(HANDLE File, ULONG Code, PVOID Input, ULONG InputLength, PVOID Output, ULONG OutputLength,
                        ULONG_PTR *Information)
{
    IO_STATUS_BLOCK iosb = {0};
    NTSTATUS status =
        ZwDeviceIoControlFile(File, NULL, NULL, NULL, &iosb, Code, Input, InputLength, Output, OutputLength);

    *Information = iosb.Information;
    return status;
}

static VOID TestControl(KTEST_RUN *Run)
{
    PUCHAR buffer = KtUserAllocate(Run, 4 * PAGE_SIZE, PAGE_READWRITE);
    ULONG_PTR information;
    IRP_DEVICE *seen;
    HANDLE file;
    PDEVICE_OBJECT device = Create(Run, 0, &file);

    if (device == NULL || file == NULL || buffer == NULL)
    {
        return;
    }
    seen = KtIrpDevice(device);
    KT_COVERS("IRP_MJ_DEVICE_CONTROL", "METHOD_OUT_DIRECT locks the output buffer for writing, METHOD_IN_DIRECT for "
              "reading, each with the input in a system buffer; METHOD_BUFFERED has one buffer of the larger size, "
              "METHOD_NEITHER none; a direct buffer of no bytes has no MDL",
              "DDI: Buffer Descriptions for I/O Control Codes");
    CHECK_STATUS(Control(file, CODE_OUT_DIRECT, buffer, 9, buffer + PAGE_SIZE + 3, SIZE, &information), STATUS_SUCCESS);
    CheckSeen(Run, "OUT_DIRECT", seen, TRUE, TRUE, TRUE);
    CHECK(KtAllBytes(buffer + PAGE_SIZE + 3, SIZE, 0x5C));
    RtlFillMemory(buffer, 100, 2);
    CHECK_STATUS(Control(file, CODE_IN_DIRECT, NULL, 0, buffer, 100, &information), STATUS_SUCCESS);
    CheckSeen(Run, "IN_DIRECT", seen, FALSE, TRUE, FALSE);
    CHECK_EQUAL(information, 200);
    CHECK_STATUS(Control(file, CODE_IN_DIRECT, buffer, 5, buffer, 0, &information), STATUS_SUCCESS);
    CheckSeen(Run, "IN_DIRECT of nothing", seen, TRUE, FALSE, FALSE);
    CHECK_STATUS(Control(file, CODE_INVERT_BUFFERED, buffer, 100, buffer + 200, 60, &information), STATUS_SUCCESS);
    CheckSeen(Run, "BUFFERED", seen, TRUE, FALSE, FALSE);
    CHECK_EQUAL(information, 60);
    CHECK(KtAllBytes(buffer + 200, 60, (UCHAR)~2));
    CHECK_STATUS(Control(file, CODE_NEITHER, buffer, 10, (PVOID)0x10, 20, &information), STATUS_SUCCESS);
    CheckSeen(Run, "NEITHER", seen, FALSE, FALSE, FALSE);

    KT_COVERS("IRP_MJ_DEVICE_CONTROL", "IN_DIRECT takes a read-only output buffer, OUT_DIRECT refuses it with "
              "STATUS_ACCESS_VIOLATION", "DDI: Buffer Descriptions for I/O Control Codes");
    CHECK_STATUS(KtUserProtect(buffer, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK_STATUS(Control(file, CODE_IN_DIRECT, NULL, 0, buffer, 100, &information), STATUS_SUCCESS);
    CHECK_STATUS(Control(file, CODE_OUT_DIRECT, NULL, 0, buffer, 100, &information), STATUS_ACCESS_VIOLATION);
    CHECK_EQUAL(KtLockedPages(buffer, 4), 0);

    KT_COVERS("IofCompleteRequest", "unlocks every MDL of the IRP's chain, and their kernel views with them, then "
              "frees them all", "DDI: the I/O manager owns the MDLs of IRPs it made");
    seen->Chained = buffer + 2 * PAGE_SIZE;
    CHECK_STATUS(Control(file, CODE_CHAIN, NULL, 0, buffer + PAGE_SIZE, 100, &information), STATUS_SUCCESS);
    CHECK_EQUAL(KtLockedPages(buffer, 4), 0);
    Delete(device, file);
    KtUserFree(buffer);
}

/* The IRP that a driver has built for it. */
static VOID TestBuilt(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, SIZE, KT_TAG);
    LARGE_INTEGER offset = {.QuadPart = 0};
    IO_STATUS_BLOCK iosb;
    IRP_STACK stack;
    KEVENT event;
    PIRP irp;

    if (pool == NULL || !KtOpenIrpStack(Run, &stack, DO_DIRECT_IO))
    {
        return;
    }
    KT_COVERS("IoBuildAsynchronousFsdRequest", "on a DO_DIRECT_IO device the IRP has a locked MDL of the buffer, for "
              "writing in a read; a length of 0 gives none; its owner unlocks and frees the MDL, then the IRP", "DDI");
    for (ULONG write = 0; write < 2; write++)
    {
        irp = IoBuildAsynchronousFsdRequest(write ? IRP_MJ_WRITE : IRP_MJ_READ, stack.Upper, pool, SIZE, &offset, NULL);
        CHECK(irp != NULL && irp->MdlAddress != NULL);
        CHECK_EQUAL(KtState(irp->MdlAddress), MDL_PAGES_LOCKED | (write ? 0 : MDL_WRITE_OPERATION));
        CHECK(MmGetMdlVirtualAddress(irp->MdlAddress) == pool);
        CHECK_EQUAL(irp->MdlAddress->ByteCount, SIZE);
        CHECK(irp->MdlAddress->Next == NULL && irp->MdlAddress->Process == NULL);
        MmUnlockPages(irp->MdlAddress);
        IoFreeMdl(irp->MdlAddress);
        irp->MdlAddress = NULL;
        IoFreeIrp(irp);
        irp = IoBuildAsynchronousFsdRequest(write ? IRP_MJ_WRITE : IRP_MJ_READ, stack.Upper, NULL, 0, &offset, NULL);
        CHECK(irp != NULL && irp->MdlAddress == NULL);
        IoFreeIrp(irp);
    }

    KT_COVERS("IoBuildSynchronousFsdRequest", "the IRP of IoBuildAsynchronousFsdRequest, which the I/O manager takes "
              "apart on completion: the caller frees nothing", "DDI");
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, stack.Upper, pool, SIZE, &offset, &event, &iosb);
    CHECK(irp != NULL && irp->MdlAddress != NULL);
    CHECK_EQUAL(KtState(irp->MdlAddress), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    CHECK_STATUS(IoCallDriver(stack.Upper, irp), STATUS_SUCCESS);
    CHECK(KtAllBytes(pool, SIZE, 0x3C));

    KT_COVERS("IoBuildDeviceIoControlRequest", "IN_DIRECT and OUT_DIRECT: the input in a system buffer, an MDL for "
              "the output, for reading and for writing; an output of 0 bytes has none; taken apart on completion",
              "DDI");
    for (ULONG i = 0; i < 3; i++)
    {
        KeClearEvent(&event);
        irp = IoBuildDeviceIoControlRequest(i == 0 ? CODE_OUT_DIRECT : CODE_IN_DIRECT, stack.Upper, pool, 7, pool,
                                            i == 2 ? 0 : 60, FALSE, &event, &iosb);
        CHECK(irp != NULL);
        CHECK(irp->AssociatedIrp.SystemBuffer != NULL);
        CHECK_EQUAL(irp->MdlAddress != NULL, i != 2);
        CHECK_EQUAL(i == 2 ? 0 : KtState(irp->MdlAddress),
                    i == 2 ? 0 : MDL_PAGES_LOCKED | (i == 0 ? MDL_WRITE_OPERATION : 0));
        CHECK_STATUS(IoCallDriver(stack.Upper, irp), STATUS_SUCCESS);
        CHECK_STATUS(iosb.Status, STATUS_SUCCESS);
        CHECK_EQUAL(iosb.Information, i == 0 ? 60 : i == 1 ? 60 * 0x5C : 0);
    }
    KtCloseIrpStack(&stack);
    ExFreePoolWithTag(pool, KT_TAG);
}

VOID KtGroup_mdl_io(KTEST_RUN *Run)
{
    TestReadWrite(Run, DO_DIRECT_IO);
    TestReadWrite(Run, DO_BUFFERED_IO);
    TestReadWrite(Run, 0);
    TestControl(Run);
    TestBuilt(Run);
}
