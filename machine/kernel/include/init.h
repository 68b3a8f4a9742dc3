/* SPDX-License-Identifier: MIT */
/*
 * INIT: the order in which the rooms start, the first program, and how the machine ends.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

/** Runs each room's first phase in order, and makes the thread for phase 1. On processor 0, before the idle loop. */
VOID InitPhase0(const BOOT_BLOCK *Block);
