/* SPDX-License-Identifier: MIT */
/* Private to LDR. */
#pragma once

#include "ldr.h"
#include "pe.h"

#define LDR_MAX_MODULES 128

extern LDR_MODULE LdrpModules[LDR_MAX_MODULES];

LDR_MODULE *LdrpAllocateModule(PCUNICODE_STRING Name);
LDR_MODULE *LdrpFindModuleByName(PCUNICODE_STRING Name);
LDR_MODULE *LdrpKernelModule(VOID);

/** Resolves an export of a loaded module, by name or (Name NULL) ordinal; NULL if it has none or forwards it. */
PVOID LdrpFindExport(const LDR_MODULE *Module, PCSTR Name, ULONG Ordinal);

/** Binds the imports of an image being loaded; names every missing one. */
NTSTATUS LdrpBindImports(LDR_MODULE *Module, const PE_IMAGE *Image);
VOID LdrpReleaseImports(LDR_MODULE *Module, const PE_IMAGE *Image);
