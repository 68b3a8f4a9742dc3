/* SPDX-License-Identifier: MIT */
/* Touching memory that is not there, or not so. */
#include "misuse.h"

static VOID Touch(volatile UCHAR *Address, BOOLEAN Write)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    if (Write)
    {
        *Address = 1;
    }
    else
    {
        (void)*Address;
    }
    KeLowerIrql(irql);
}

/* A page of the program that was never touched is not there, and cannot come at DISPATCH_LEVEL. */
MISUSE(touch_paged_raised)
{
    Touch(Context->User, FALSE);
}

CORRECT(touch_paged_raised)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    Touch(mdl->MappedSystemVa, FALSE);
    MisuseUnlock(mdl);
}

MISUSE(touch_null_raised)
{
    Touch((PUCHAR)0x18, FALSE);
}

CORRECT(touch_null_raised)
{
    UCHAR here = 0;

    Touch(&here, FALSE);
}

MISUSE(write_null_raised)
{
    Touch((PUCHAR)0x18, TRUE);
}

CORRECT(write_null_raised)
{
    UCHAR here = 0;

    Touch(&here, TRUE);
}

#define BAD_KERNEL_ADDRESS 0xFFFFF00000001234

/* Not to be inlined: the compiler must not see that the address is none. */
static DECLSPEC_NOINLINE VOID Read(volatile UCHAR *Address)
{
    (void)*Address;
}

MISUSE(touch_bad_kernel)
{
    Read((PUCHAR)BAD_KERNEL_ADDRESS);
}

CORRECT(touch_bad_kernel)
{
    PVOID block = MisusePool(1);

    Read(block);
    MisuseFree(block);
}

static VOID ReadInTry(PUCHAR Address)
{
    __try
    {
        Read(Address);
        DbgPrint("misuse: the address can be read\n");
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("misuse: the fault was caught: 0x%08lx\n", GetExceptionCode());
    }
}

/* No __try catches that. */
MISUSE(touch_bad_kernel_in_try)
{
    ReadInTry((PUCHAR)BAD_KERNEL_ADDRESS);
}

/* A bad user address is another matter. */
CORRECT(touch_bad_kernel_in_try)
{
    ReadInTry((PUCHAR)0x18);
}

static DECLSPEC_NOINLINE VOID Write(volatile UCHAR *Address)
{
    *Address = 1;
}

MISUSE(write_bad_kernel)
{
    Write((PUCHAR)BAD_KERNEL_ADDRESS);
}

CORRECT(write_bad_kernel)
{
    PVOID block = MisusePool(1);

    Write(block);
    MisuseFree(block);
}

typedef VOID CODE(VOID);

static CODE DoNothing;
static VOID DoNothing(VOID)
{
}

static DECLSPEC_NOINLINE VOID Call(CODE *volatile Routine)
{
    Routine();
}

MISUSE(execute_bad_kernel)
{
    Call((CODE *)BAD_KERNEL_ADDRESS);
}

CORRECT(execute_bad_kernel)
{
    Call(DoNothing);
}

MISUSE(execute_null_raised)
{
    KIRQL old = MisuseRaise(DISPATCH_LEVEL);

    Call((CODE *)0x18);
    KeLowerIrql(old);
}

CORRECT(execute_null_raised)
{
    KIRQL old = MisuseRaise(DISPATCH_LEVEL);

    Call(DoNothing);
    KeLowerIrql(old);
}

MISUSE(execute_user)
{
    Call((CODE *)Context->User);
}

CORRECT(execute_user)
{
    Call(DoNothing);
}

/* A view that is no more; its address is what the driver kept. */
MISUSE(stale_view)
{
    PMDL mdl = MisuseLocked(Context, TRUE);
    PVOID va = mdl->MappedSystemVa;

    MmUnlockPages(mdl); /* takes the view with it */
    Read(va);
}

CORRECT(stale_view)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    Read(mdl->MappedSystemVa);
    MisuseUnlock(mdl);
}

static VOID CompareAt(KIRQL Irql, PVOID Memory)
{
    UCHAR mine = 0;
    KIRQL old = MisuseRaise(Irql);

    RtlCompareMemory(Memory, &mine, 1);
    KeLowerIrql(old);
}

/* It is the kernel that touches the memory, on behalf of the driver. */
MISUSE(pass_paged_raised)
{
    CompareAt(DISPATCH_LEVEL, Context->User);
}

CORRECT(pass_paged_raised)
{
    CompareAt(APC_LEVEL, Context->User);
}

MISUSE(write_code)
{
    *(volatile UCHAR *)(ULONG_PTR)Misuse_write_code = 0x90;
}

static volatile UCHAR Data;

CORRECT(write_code)
{
    Data = 0x90;
}
