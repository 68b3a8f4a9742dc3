/* SPDX-License-Identifier: MIT */
/*
 * Shared by the parts of kit-test.exe: checks that print their evidence, and short ways to call the driver raw.
 */
#pragma once

#include <isthmus/isthmus.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

extern int Checks, Failures;

/* Counts and prints one check. */
BOOL Check(BOOL Holds, const char *Format, ...) __attribute__((format(printf, 2, 3)));

/* A call that must fail with this error; Done and the error are those just obtained. */
BOOL CheckError(BOOL Done, DWORD Wanted, const char *Format, ...) __attribute__((format(printf, 3, 4)));

/* A call that must succeed. */
BOOL CheckDone(BOOL Done, const char *Format, ...) __attribute__((format(printf, 2, 3)));

/* Synchronous handle to a device of the driver; INVALID_HANDLE_VALUE is counted as a failure. */
HANDLE OpenDevice(const wchar_t *Name);

/* DeviceIoControl on a synchronous handle. */
BOOL Raw(HANDLE Device, DWORD Code, const void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes, DWORD *Got);

/* Bit-by-bit CRC-32, independent of the driver's. */
UINT32 Crc(const void *Block, size_t Length);
UINT32 CrcContinue(UINT32 Crc, const void *Block, size_t Length);

/* Fills with bytes that differ from page to page. */
void Pattern(void *Block, size_t Length, UINT32 Seed);

/* What everybody holds. Compare with CheckSame after a group; waits up to some seconds for ends that are under way. */
void TakeCounters(ISTHMUS_STATISTICS *Counters);
void CheckSame(const ISTHMUS_STATISTICS *Before, const char *What);

/* Starts this program again with arguments; its process, or NULL as a failure. */
HANDLE StartSelf(const char *Arguments, DWORD *ProcessId);
DWORD WaitExit(HANDLE Process); /* closes the handle; exit code, or 0xFFFFFFFF after half a minute */

/* A number below the service's Parameters key, REG_DWORD or REG_QWORD; it counts from the next start on. */
BOOL SetParameter(const wchar_t *Name, DWORD Type, UINT64 Value);
BOOL ClearParameter(const wchar_t *Name);

/* Stops and starts the driver; no handle to it may be open. */
BOOL Restart(void);

/* Groups. */
void TestAbi(void);
void TestAddresses(void);
void TestRegions(void);
void TestViews(void);
void TestRequests(void);
void TestNames(void);
void TestLifetime(void);
void TestRaces(void);
void TestPeek(void);
void TestConfiguration(void);
void TestTrust(void);
void TestLimits(void);
void TestLarge(void);
void TestShared(void);
void TestStopped(void);
void TestRefusals(void);
void TestChannels(void);

/* Modes of the child processes; exit code. */
int ChildMain(int Count, char **Arguments);
int PlainUser(const char *What);
int LimitsChild(const char *What);
int SharedChild(void);
int ChannelsForever(void);
