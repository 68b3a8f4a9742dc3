/* SPDX-License-Identifier: MIT */
/* noimport.sys: imports a routine that no kernel has; it must be refused by that name, and never run. */
#include <ntifs.h>

NTKERNELAPI NTSTATUS NTAPI NoKernelHasThisRoutine(VOID);

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(Driver);
    UNREFERENCED_PARAMETER(RegistryPath);
    DbgPrint("noimport: DriverEntry ran, which it must not\n");
    return NoKernelHasThisRoutine();
}
