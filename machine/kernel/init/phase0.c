/* SPDX-License-Identifier: MIT */
/*
 * The order of the start, on processor 0. Each room finds those above it ready:
 *
 *   phase 0, before there are threads    VF  MM  HAL  LDR  EX  OB  SE  PS
 *   phase 1, in the first system thread  MM  EX  CM  IO  PS, then the other processors, then boot.cfg's wishes
 */
#include "archive.h"
#include "cm.h"
#include "ex.h"
#include "hal.h"
#include "initp.h"
#include "io.h"
#include "ldr.h"
#include "ps.h"
#include "rtl.h"
#include "vf.h"

static ARCHIVE InitpArchive;

static VOID InitpReadConfiguration(const BOOT_BLOCK *Block)
{
    ARCHIVE_MEMBER member;

    InitpArchive.Data = (const UCHAR *)(Block->DirectMapBase + Block->ArchivePhysical);
    InitpArchive.Size = Block->ArchiveSize;
    if (ArchiveFind(&InitpArchive, "boot.cfg", &member) == ArchiveOk)
    {
        InitpSetConfiguration((PCSTR)member.Data, member.Size);
        VfInitialize((PCSTR)member.Data, member.Size);
    }
    else
    {
        VfInitialize("", 0);
    }
}

static VOID NTAPI InitpPhase1Thread(PVOID Context)
{
    InitPhase1(Context);
}

VOID InitPhase0(const BOOT_BLOCK *Block)
{
    HANDLE thread;
    NTSTATUS status;

    InitpReadConfiguration(Block);
    MmInitializePhase0(Block);
    HalInitialize(Block);
    LdrInitialize(Block);
    ExInitializePhase0();
    ObInitialize();
    SeInitialize();
    PsInitializePhase0();
    status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, InitpPhase1Thread, NULL);
    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(PHASE0_INITIALIZATION_FAILED, (ULONG_PTR)status, 0, 0, 0);
    }
}

VOID InitPhase1(PVOID Context)
{
    NTSTATUS status;
    NTSTATUS exitStatus = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Context);
    if (VfBadOption() != NULL)
    {
        InitpRefuse(VfBadOption(), STATUS_INVALID_PARAMETER);
    }
    MmInitializePhase1();
    ExInitializePhase1();
    CmInitialize();
    VfStartLedger();
    IoInitializePhase0();
    status = IoInitializePhase1(InitpArchive.Data, InitpArchive.Size);
    if (!NT_SUCCESS(status))
    {
        InitpRefuse("the archive", status);
    }
    PsInitializePhase1();
    HalStartProcessors();
    KeWatchServices();
    status = VfStartKillers();
    if (!NT_SUCCESS(status))
    {
        InitpRefuse("the option kill", status);
    }

    InitpTakeBaseline();
    status = InitpStartDrivers();
    if (NT_SUCCESS(status))
    {
        status = InitpRunProgram(&exitStatus);
    }
    InitpStopDrivers();
    InitpShutDown(status, exitStatus);
}
