/* SPDX-License-Identifier: MIT */
/* Port instructions. */
#ifndef ISTHMUS_BOOT_PORTIO_H
#define ISTHMUS_BOOT_PORTIO_H

#include <stdint.h>

static inline void PortWrite8(uint16_t Port, uint8_t Value)
{
    __asm__ volatile("outb %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline void PortWrite16(uint16_t Port, uint16_t Value)
{
    __asm__ volatile("outw %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline void PortWrite32(uint16_t Port, uint32_t Value)
{
    __asm__ volatile("outl %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline uint8_t PortRead8(uint16_t Port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(Port));
    return value;
}

#endif
