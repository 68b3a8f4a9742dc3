/* SPDX-License-Identifier: MIT */
/*
 * Port and register access as exports, for drivers whose headers do not make them inline.
 */
#include "halp.h"

#define HALP_PORT(Suffix, Type, In, Out)                                                                               \
    Type NTAPI HalpReadPort##Suffix(Type *Port) __asm__("READ_PORT_" #Suffix);                                         \
    VOID NTAPI HalpWritePort##Suffix(Type *Port, Type Value) __asm__("WRITE_PORT_" #Suffix);                           \
    Type NTAPI HalpReadPort##Suffix(Type *Port)                                                                        \
    {                                                                                                                  \
        return (Type)In((USHORT)(ULONG_PTR)Port);                                                                      \
    }                                                                                                                  \
    VOID NTAPI HalpWritePort##Suffix(Type *Port, Type Value)                                                           \
    {                                                                                                                  \
        Out((USHORT)(ULONG_PTR)Port, Value);                                                                           \
    }

HALP_PORT(UCHAR, UCHAR, __inbyte, __outbyte)
HALP_PORT(USHORT, USHORT, __inword, __outword)
HALP_PORT(ULONG, ULONG, __indword, __outdword)
