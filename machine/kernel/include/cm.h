/* SPDX-License-Identifier: MIT */
/*
 * CM: the registry, a tree of keys in paged pool that lives as long as the machine. Reached through
 * Nt/Zw*Key with full handle semantics (type "Key").
 */
#pragma once

#include "nt.h"

VOID CmInitialize(VOID);  /* \Registry\Machine\System\CurrentControlSet\Services, ...\Control, Software; after OB and SE */

/** Registry callbacks that drivers have registered and not ended. Any IRQL. */
ULONG CmQueryCallbackCount(VOID);
