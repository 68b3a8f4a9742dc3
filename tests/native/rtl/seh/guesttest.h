/* SPDX-License-Identifier: MIT */
/*
 * What the guest's tests share. Each test is an exported function Test_*: returns zero if all went as on Windows, else
 * the line that did not. The path through a test is kept as letters and compared at its end.
 */
#ifndef ISTHMUS_TEST_GUESTTEST_H
#define ISTHMUS_TEST_GUESTTEST_H

#include "rtlenv.h"
#include "unwind.h"
#include "sehhooks.h"
#include "guest.h"

#define EXPORT __declspec(dllexport)
#define NOINLINE __attribute__((noinline))

extern EXPORT GUEST_HOST Host;
extern volatile int Vectored; /* 1: the vectored handler only looks, 2: it continues behind the instruction */
extern unsigned TraceLength;
extern char Trace[256];

void Mark(char Letter);
int Check(const char *Expected, int Line);
void Raise(ULONG Code, ULONG Flags);
int Filter(char Letter, int Answer);
void DispatchFault(PEXCEPTION_RECORD Record, PCONTEXT Context);

#define CODE 0xE0001234

#define INFORMATION ((PEXCEPTION_POINTERS)_exception_info())
#define BEGIN()                                                                                                        \
    TraceLength = 0;                                                                                                   \
    Trace[0] = 0
#define REQUIRE(Condition)                                                                                             \
    if (!(Condition))                                                                                                  \
    return __LINE__
#define END(Expected) return Check(Expected, __LINE__)

#endif
