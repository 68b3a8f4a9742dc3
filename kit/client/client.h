/* SPDX-License-Identifier: MIT */
/* Private to isthmus.dll. */
#pragma once

#include <isthmus/isthmus.h>

/* One control code, waited for; FALSE with the last error set. Output shorter than Least is a driver that isn't ours. */
BOOL ClientCall(HISTHMUS Isthmus, DWORD Code, void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes,
                DWORD Least);

/* One whose input is an ISTHMUS_ID and that has no output. */
BOOL ClientCallWithId(HISTHMUS Isthmus, DWORD Code, UINT64 Id);

void ClientSetHeader(ISTHMUS_HEADER *Header, UINT32 Size);

/* ERROR_INVALID_PARAMETER, and FALSE. */
BOOL ClientBadParameter(void);
