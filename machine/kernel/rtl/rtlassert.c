/* SPDX-License-Identifier: MIT */
/*
 * Failed assertions of drivers built with checks on.
 */
#include "rtl/rtlenv.h"

/**
 * Reports a failed assertion on the debugger's console and stops there: STATUS_ASSERTION_FAILURE is raised, and
 * without anybody to take it the machine stops with a blue screen that shows the place.
 *
 * @param FailedAssertion  the text of the condition
 * @param FileName         where it stands
 * @param LineNumber       and in which line
 * @param Message          optional: more to say
 *
 * IRQL: any.
 */
VOID NTAPI RtlAssert(_In_ PVOID FailedAssertion, _In_ PVOID FileName, _In_ ULONG LineNumber, _In_opt_ PSTR Message)
{
    DbgPrint("\n*** Assertion failed: %s%s\n***   Source File: %s, line %u\n", Message != NULL ? Message : "",
             (PCSTR)FailedAssertion, (PCSTR)FileName, LineNumber);
    ExRaiseStatus(STATUS_ASSERTION_FAILURE);
}
