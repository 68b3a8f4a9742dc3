/* SPDX-License-Identifier: MIT */
/* Private to costs.exe. */
#pragma once

#include <windows.h>
#include <winioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>
#include <isthmus/isthmus_abi.h>
#include "costs.h"

extern HANDLE Device;
extern unsigned Samples; /* of everything that is not large */

/* One row of output: what, how much of it (bytes, or pages), instructions. */
void Row(const char *Name, uint64_t Size, uint64_t Instructions);

/* The middle one; sorts. */
uint64_t Median(uint64_t *Values, unsigned Count);

/* Sends a request that must succeed; else the program ends with a message. */
void Ask(const char *What, DWORD Code, const void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes);

/* Ends the program with a message and the last error. */
void Fail(const char *What);

/* channels.c */
void MeasureChannels(void);
