/* SPDX-License-Identifier: MIT */
/*
 * What the shared exception handling asks of the kernel, answered by ke. (The third hook, RtlpFindImage, is ldr's.)
 */
#include "rtl/rtlenv.h"
#include "rtl/unwind.h"
#include "rtl/sehhooks.h"
#include "ke.h"

DECLSPEC_NORETURN VOID KiUnhandledKernelException(PEXCEPTION_RECORD Record, PCONTEXT Context);

VOID RtlpGetStackLimits(_Out_ PULONG_PTR Low, _Out_ PULONG_PTR High)
{
    KeGetStackLimits(Low, High);
}

DECLSPEC_NORETURN VOID RtlpUnhandledException(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context)
{
    KiUnhandledKernelException(ExceptionRecord, Context);
}
