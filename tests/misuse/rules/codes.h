/* SPDX-License-Identifier: MIT */
/* The control codes of misuse.sys: FILE_DEVICE_UNKNOWN, METHOD_BUFFERED, FILE_ANY_ACCESS; the input is a rule's name. */
#pragma once

#define MISUSE_CODE(function) ((0x22u << 16) | ((function) << 2))
#define MISUSE_BREAK MISUSE_CODE(0xB00u)   /* breaks the rule */
#define MISUSE_CORRECT MISUSE_CODE(0xB01u) /* does the same work as it should be done */
