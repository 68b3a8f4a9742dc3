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

MISUSE(write_code)
{
    *(volatile UCHAR *)(ULONG_PTR)Misuse_write_code = 0x90;
}

static volatile UCHAR Data;

CORRECT(write_code)
{
    Data = 0x90;
}
