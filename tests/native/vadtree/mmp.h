/* SPDX-License-Identifier: MIT */
/* In place of MM's private header: what vadtree.c needs of it, for the native test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t ULONG_PTR;
typedef uint32_t ULONG;
typedef int32_t LONG;
typedef unsigned char BOOLEAN;
#define VOID void
#define PAGE_SHIFT 12
#define MI_GRANULARITY_PAGES 16
#define MI_KEEPS_REGISTERS
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

typedef struct _MMVAD
{
    struct _MMVAD *Child[2], *Parent;
    LONG Balance;
    ULONG_PTR Start, End;
} MMVAD, *PMMVAD;

typedef struct
{
    PMMVAD Vads;
    ULONG_PTR LowestFree, VirtualSize, PeakVirtualSize;
} MM_ADDRESS_SPACE;

PMMVAD MiFindVad(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);
PMMVAD MiFindVadFrom(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);
PMMVAD MiFindVadBelow(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);
VOID MiInsertVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad);
VOID MiRemoveVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad);
