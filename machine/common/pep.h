/* SPDX-License-Identifier: MIT */
/* What pe.c and petables.c share and nobody else needs. */
#ifndef ISTHMUS_MACHINE_PEP_H
#define ISTHMUS_MACHINE_PEP_H

#include "pe.h"

#define PEP_FILE_HEADER_SIZE 24u /* the signature included */
#define PEP_IMAGE_BASE 24u       /* of ImageBase in the optional header */

/*
 * Unaligned little-endian reads. Volatile: each is exactly one fetch, so a value that was checked is the value that
 * is used, whatever happens to the buffer meanwhile.
 */
typedef struct PEP_UNALIGNED16
{
    uint16_t Value;
} __attribute__((packed)) PEP_UNALIGNED16;

typedef struct PEP_UNALIGNED32
{
    uint32_t Value;
} __attribute__((packed)) PEP_UNALIGNED32;

typedef struct PEP_UNALIGNED64
{
    uint64_t Value;
} __attribute__((packed)) PEP_UNALIGNED64;

static inline uint16_t PepRead16(const uint8_t *At)
{
    return ((const volatile PEP_UNALIGNED16 *)At)->Value;
}

static inline uint32_t PepRead32(const uint8_t *At)
{
    return ((const volatile PEP_UNALIGNED32 *)At)->Value;
}

static inline uint64_t PepRead64(const uint8_t *At)
{
    return ((const volatile PEP_UNALIGNED64 *)At)->Value;
}

#endif
