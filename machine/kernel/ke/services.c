/* SPDX-License-Identifier: MIT */
/*
 * The table of system services, made from services.def: a number in eax is an index here.
 */
#include "kip.h"

/* Only addresses are needed, so the services are declared without their types. */
#define SERVICE(Name, Count) extern const UCHAR Ki_##Name[] __asm__(#Name);
#include "services.def"
#undef SERVICE

const PVOID KiServiceTable[] = {
#define SERVICE(Name, Count) (PVOID)Ki_##Name,
#include "services.def"
#undef SERVICE
};

const UCHAR KiServiceArguments[] = {
#define SERVICE(Name, Count) Count,
#include "services.def"
#undef SERVICE
};

const ULONG KiServiceLimit = sizeof(KiServiceArguments);

/* The entry code reserves room for sixteen arguments beyond the registers. */
#define SERVICE(Name, Count) C_ASSERT(Count <= 20);
#include "services.def"
#undef SERVICE
