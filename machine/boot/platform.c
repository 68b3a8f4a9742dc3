/* SPDX-License-Identifier: MIT */
/* Questions to the processor and to QEMU. */
#include "boot.h"
#include "portio.h"
#include "random.h"

#include <cpuid.h>

#define FW_CFG_SELECTOR 0x510u
#define FW_CFG_DATA 0x511u
#define FW_CFG_SIGNATURE 0x00u
#define FW_CFG_PROCESSOR_COUNT 0x05u

#define CPUID_1_ECX_RDRAND (1u << 30)
#define RDRAND_TRIES 16

/* An item of fw_cfg as a little-endian number. */
static uint32_t PlatformFwCfg(uint16_t Item, unsigned Bytes)
{
    uint32_t value = 0;

    PortWrite16(FW_CFG_SELECTOR, Item);
    for (unsigned i = 0; i < Bytes; i++)
    {
        value |= (uint32_t)PortRead8(FW_CFG_DATA) << (8 * i);
    }
    return value;
}

uint32_t PlatformProcessorCount(void)
{
    if (PlatformFwCfg(FW_CFG_SIGNATURE, 4) != 0x554D4551) /* "QEMU" */
    {
        return 0;
    }
    return PlatformFwCfg(FW_CFG_PROCESSOR_COUNT, 2);
}

uint64_t PlatformTsc(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

uint64_t PlatformEntropy(void)
{
    uint64_t state = PlatformTsc();
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;

    __cpuid(1, eax, ebx, ecx, edx);
    for (int i = 0; (ecx & CPUID_1_ECX_RDRAND) != 0 && i < RDRAND_TRIES; i++)
    {
        uint64_t value;
        bool valid;

        __asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(valid));
        if (valid)
        {
            state ^= value;
            break;
        }
    }
    return BootRandomNext(&state);
}
