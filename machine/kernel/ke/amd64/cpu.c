/* SPDX-License-Identifier: MIT */
/*
 * Bringing one processor into the shape the kernel expects: descriptor tables, stacks for the traps that need their
 * own, control registers, the system call entry.
 */
#include "../kip.h"

C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Xmm) == KTF_XMM);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Rax) == KTF_RAX);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, R8) == KTF_R8);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, R15) == KTF_R15);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, MxCsr) == KTF_MXCSR);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Flags) == KTF_FLAGS);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Dr6) == KTF_VECTOR - 0x18);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Vector) == KTF_VECTOR);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Rip) == KTF_RIP);
C_ASSERT(FIELD_OFFSET(KTRAP_FRAME, Rsp) == KTF_RSP);
C_ASSERT(sizeof(KTRAP_FRAME) == KTF_SIZE);
C_ASSERT(FIELD_OFFSET(KTHREAD, KernelStack) == KTHREAD_KERNEL_STACK);
C_ASSERT(FIELD_OFFSET(KTHREAD, PreviousMode) == KTHREAD_PREVIOUS_MODE);
C_ASSERT(FIELD_OFFSET(KTHREAD, CombinedApcDisable) == KTHREAD_COMBINED_APC_DISABLE);
C_ASSERT(FIELD_OFFSET(KTHREAD, ApcStateIndex) == KTHREAD_APC_STATE_INDEX);
C_ASSERT(FIELD_OFFSET(KTHREAD, ApcState.UserApcPending) == KTHREAD_USER_APC_PENDING);
C_ASSERT(FIELD_OFFSET(KTHREAD, FloatSave) == KTHREAD_FLOAT_SAVE);
C_ASSERT(FIELD_OFFSET(KTHREAD, UserFloatSave) == KTHREAD_USER_FLOAT_SAVE);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Prcb.RspBase) == PCR_RSP_BASE);
C_ASSERT(FIELD_OFFSET(KPCR, UserRsp) == PCR_USER_RSP);

#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_CSTAR 0xC0000083
#define MSR_FMASK 0xC0000084
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_TSC_AUX 0xC0000103
#define MSR_SYSENTER_CS 0x174

#define CR0_TS 0x8ULL
#define CR4_UMIP (1ULL << 11)
#define CR4_SMEP (1ULL << 20)

typedef struct _KI_GATE
{
    USHORT OffsetLow;
    USHORT Selector;
    UCHAR Ist;
    UCHAR Type;
    USHORT OffsetMiddle;
    ULONG OffsetHigh;
    ULONG Reserved;
} KI_GATE;

#pragma pack(push, 2)
typedef struct _KI_TABLE_REGISTER
{
    USHORT Limit;
    ULONG64 Base;
} KI_TABLE_REGISTER;
#pragma pack(pop)

static DECLSPEC_ALIGN(4096) KI_GATE KiInterruptTable[256]; /* one for all processors */
KI_PROCESSOR *KiProcessors[KI_MAXIMUM_PROCESSORS];
ULONG KiMxCsrMask = 0xFFBF;

extern const UCHAR KiTrapStubs[];
extern const UCHAR KiSystemCall64[];
VOID KiReloadSegments(VOID);

VOID KiInitializeInterruptTable(VOID)
{
    for (ULONG vector = 0; vector < 256; vector++)
    {
        ULONG64 stub = (ULONG64)(KiTrapStubs + 16 * vector);
        KI_GATE *gate = &KiInterruptTable[vector];

        gate->OffsetLow = (USHORT)stub;
        gate->OffsetMiddle = (USHORT)(stub >> 16);
        gate->OffsetHigh = (ULONG)(stub >> 32);
        gate->Selector = KI_KERNEL_CS;
        gate->Type = 0x8E; /* present, interrupt gate */
    }
    /* What programs may invoke: int3, into, fast fail, assertion, debug service. */
    KiInterruptTable[0x03].Type = 0xEE;
    KiInterruptTable[0x04].Type = 0xEE;
    KiInterruptTable[0x29].Type = 0xEE;
    KiInterruptTable[0x2C].Type = 0xEE;
    KiInterruptTable[0x2D].Type = 0xEE;
    KiInterruptTable[0x01].Ist = KiIstDebug;
    KiInterruptTable[0x02].Ist = KiIstNmi;
    KiInterruptTable[0x08].Ist = KiIstDoubleFault;
    KiInterruptTable[0x12].Ist = KiIstMachineCheck;
}

static VOID KiFillDescriptors(PKI_PROCESSOR Processor)
{
    ULONG64 tss = (ULONG64)&Processor->Tss;

    Processor->Gdt[KI_KERNEL_CS / 8] = 0x00209B0000000000ULL;
    Processor->Gdt[KI_KERNEL_SS / 8] = 0x00CF93000000FFFFULL;
    /* 0x20, 32-bit user code, stays empty: there are no 32-bit programs, and so no system call from such code. */
    Processor->Gdt[(KI_USER_SS & ~3) / 8] = 0x00CFF3000000FFFFULL;
    Processor->Gdt[(KI_USER_CS & ~3) / 8] = 0x0020FB0000000000ULL;
    Processor->Gdt[KI_TSS_SELECTOR / 8] = (sizeof(KI_TSS) - 1) | ((tss & 0xFFFFFF) << 16) | (0x89ULL << 40) |
                                          (((tss >> 24) & 0xFF) << 56);
    Processor->Gdt[KI_TSS_SELECTOR / 8 + 1] = tss >> 32;
    Processor->Gdt[(KI_USER_FS & ~3) / 8] = 0x0040F30000003C00ULL | (((ULONG64)Processor->Prcb.Number & 3) << 14) |
                                            (((ULONG64)Processor->Prcb.Number >> 2) << 48);
    Processor->Tss.IoMapBase = sizeof(KI_TSS); /* no ports for user mode */
    for (ULONG i = 0; i < KiIstCount - 1; i++)
    {
        Processor->Tss.Ist[i + 1] = (ULONG64)&Processor->IstStacks[i][KI_IST_STACK_SIZE];
    }
}

/* Everything that does not have to run on the processor itself. */
VOID KiInitializeProcessor(PKI_PROCESSOR Processor, ULONG Number, PKTHREAD Idle, PVOID IdleStackTop)
{
    PKPRCB prcb = &Processor->Prcb;

    prcb->Number = Number;
    KiFillDescriptors(Processor);
    Processor->IdleStack = IdleStackTop;
    Processor->Idle = Idle;
    Processor->Pcr.Self = &Processor->Pcr;
    Processor->Pcr.CurrentPrcb = prcb;
    Processor->Pcr.GdtBase = (PVOID)Processor->Gdt;
    Processor->Pcr.TssBase = (PVOID)&Processor->Tss;
    Processor->Pcr.IdtBase = (PVOID)KiInterruptTable;
    Processor->Pcr.MajorVersion = 1;
    Processor->Pcr.MinorVersion = 1;
    prcb->MxCsr = KI_MXCSR_DEFAULT;
    prcb->CurrentThread = Idle;
    prcb->IdleThread = Idle;
    prcb->Processor = Processor;
    prcb->SetMember = (KAFFINITY)1 << Number;
    prcb->RunningPriority = MAXIMUM_PRIORITY; /* nobody is put here before the idle loop is reached */
    prcb->RspBase = (ULONG64)Idle->InitialStack;
    Processor->Tss.Rsp0 = prcb->RspBase;
    KiInitializeDpcQueue(prcb);
    KiProcessors[Number] = Processor;
}

/* What programs may read without asking: rdtscp's processor number; and which bits MXCSR has. */
static VOID KiDescribeToPrograms(ULONG Number)
{
    DECLSPEC_ALIGN(16) UCHAR area[512] = {0};
    ULONG eax, ebx, ecx, edx;

    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0x80000001), "c"(0));
    if (edx & (1u << 27))
    {
        __writemsr(MSR_TSC_AUX, Number);
    }
    __asm__ volatile("fxsave64 %0" : "=m"(area));
    if (((XSAVE_FORMAT *)area)->MxCsr_Mask != 0)
    {
        KiMxCsrMask = ((XSAVE_FORMAT *)area)->MxCsr_Mask;
    }
}

/* On the processor itself, interrupts off. */
VOID KiLoadProcessor(PKI_PROCESSOR Processor)
{
    KI_TABLE_REGISTER gdtr = {sizeof(Processor->Gdt) - 1, (ULONG64)Processor->Gdt};
    KI_TABLE_REGISTER idtr = {sizeof(KiInterruptTable) - 1, (ULONG64)KiInterruptTable};
    ULONG eax, ebx, ecx, edx;
    ULONG64 cr4;

    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    __asm__ volatile("lidt %0" : : "m"(idtr));
    KiReloadSegments();
    __writemsr(KI_MSR_GS_BASE, (ULONG64)&Processor->Pcr);
    __writemsr(MSR_KERNEL_GS_BASE, 0);
    Processor->Gdt[KI_TSS_SELECTOR / 8] &= ~(2ULL << 40); /* not busy */
    __asm__ volatile("ltr %w0" : : "r"(KI_TSS_SELECTOR));

    __writemsr(MSR_EFER, __readmsr(MSR_EFER) | 1); /* SCE */
    __writemsr(MSR_STAR, ((ULONG64)0x23 << 48) | ((ULONG64)KI_KERNEL_CS << 32));
    __writemsr(MSR_LSTAR, (ULONG64)KiSystemCall64);
    __writemsr(MSR_CSTAR, (ULONG64)KiSystemCall64);
    __writemsr(MSR_FMASK, 0x47700); /* TF IF DF IOPL NT AC */
    __writemsr(MSR_SYSENTER_CS, 0); /* sysenter faults */

    cr4 = __readcr4();
    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(0));
    if (ebx & (1u << 7))
    {
        cr4 |= CR4_SMEP;
    }
    if (ecx & (1u << 2))
    {
        cr4 |= CR4_UMIP;
    }
    __writecr4(cr4);
    __asm__ volatile("clts; fninit; ldmxcsr %0" : : "m"(Processor->Prcb.MxCsr));
    KiDescribeToPrograms(Processor->Prcb.Number);
}

/* The parts of a processor that follow its current thread. Dispatcher lock held. */
VOID KiSetThreadEnvironment(PKPRCB Prcb, PKTHREAD To)
{
    Prcb->CurrentThread = To;
    Prcb->RspBase = (ULONG64)To->InitialStack;
    Prcb->Processor->Tss.Rsp0 = (ULONG64)To->InitialStack;
    if (To->Teb != NULL)
    {
        __writemsr(MSR_KERNEL_GS_BASE, (ULONG64)To->Teb);
    }
}
