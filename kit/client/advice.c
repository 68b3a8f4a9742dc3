/* SPDX-License-Identifier: MIT */
/*
 * What to do about an error: one sentence each.
 */
#include <isthmus/isthmus.h>

#ifndef ERROR_INVALID_IMAGE_HASH
#define ERROR_INVALID_IMAGE_HASH 577
#endif

static const struct
{
    DWORD Error;
    LPCWSTR Text;
} Advice[] = {
    {ERROR_SUCCESS, L"No error."},
    {ERROR_INVALID_FUNCTION,
     L"The driver doesn't know this request: install the isthmus.sys that belongs to this program."},
    {ERROR_FILE_NOT_FOUND, L"Not found: is the driver running (isthmus start), and is the name spelled right?"},
    {ERROR_PATH_NOT_FOUND, L"Not found: is the driver running (isthmus start)?"},
    {ERROR_ACCESS_DENIED, L"Access denied: run as an administrator, or ask the owner of the region for the right."},
    {ERROR_INVALID_HANDLE, L"The session is closed or was never opened: call IsthmusOpen and check its result."},
    {ERROR_NOT_ENOUGH_MEMORY, L"Out of memory: close other programs or ask for less."},
    {ERROR_BAD_COMMAND, L"Not possible in this state: the region has a name already."},
    {ERROR_BAD_LENGTH, L"A structure has the wrong size: build the program with the headers of this driver; or a record is larger than "
     L"its channel."},
    {ERROR_HANDLE_EOF, L"The end: read within the region; of a channel, the driver has closed its end."},
    {ERROR_NO_MORE_ITEMS, L"The channel is empty now: wait for data with IsthmusChannelWait."},
    {ERROR_PIPE_BUSY, L"The channel is full now: wait for space with IsthmusChannelWait, or drop the record."},
    {ERROR_BROKEN_PIPE, L"The other side of the channel has closed its end: nothing more can be sent."},
    {ERROR_INVALID_DATA, L"The channel's shared memory doesn't make sense any more: close the channel and open a new one."},
    {ERROR_RETRY, L"The records were overwritten while being read: drop them and go on with the next."},
    {ERROR_TIMEOUT, L"Nothing happened in time: try again, or wait longer."},
    {ERROR_NOT_SUPPORTED,
     L"This system can't do that: read-only views need Windows 8, sharing needs a kernel that maps MDLs, "
     L"and peeking needs the Demo option."},
    {ERROR_INVALID_PARAMETER, L"A parameter is out of range: check length, offset, access and alignment."},
    {ERROR_INSUFFICIENT_BUFFER, L"The buffer is too small: pass at least the size of the structure."},
    {ERROR_NOT_LOCKED, L"The region's memory was taken back because its process ended: release the region."},
    {ERROR_BUSY, L"Busy: the region is being watched; try again when that ends."},
    {ERROR_ALREADY_EXISTS, L"The name is taken: choose another or open the region that has it."},
    {ERROR_ARITHMETIC_OVERFLOW, L"Address and length together run past the end of the address space: check both."},
    {ERROR_NOACCESS,
     L"The memory isn't there or can't be used that way: allocate it first, writable if the driver is to write."},
    {ERROR_MAPPED_ALIGNMENT,
     L"Only whole pages can be shown to a program: align the buffer's address and length to the page size."},
    {ERROR_NOT_FOUND, L"This session has no region or view with that id."},
    {ERROR_REVISION_MISMATCH,
     L"Driver and program are of different revisions: install the isthmus.sys that belongs to this program."},
    {ERROR_INVALID_ADDRESS, L"No room for the view (map less), or the buffer to share is itself a view (share ordinary memory)."},
    {ERROR_COMMITMENT_LIMIT, L"The system has committed all the memory it has: close other programs or ask for less."},
    {ERROR_PRIVILEGE_NOT_HELD, L"Only an administrator may do that; map paged pool instead of nonpaged pool or pages."},
    {ERROR_INVALID_SECURITY_DESCR, L"The security descriptor isn't a valid self-relative one."},
    {ERROR_NO_SYSTEM_RESOURCES, L"The system has no memory or address space left for this: ask for less or try later."},
    {ERROR_WORKING_SET_QUOTA, L"The process may not lock more memory: raise its working set or ask for less."},
    {ERROR_NOT_ENOUGH_QUOTA,
     L"A quota of the driver is reached: release something, or raise it in the service's Parameters key."},
    {ERROR_SERVICE_ALREADY_RUNNING, L"The driver is running already."},
    {ERROR_SERVICE_DOES_NOT_EXIST, L"The driver isn't installed: run isthmus install."},
    {ERROR_SERVICE_EXISTS, L"The driver is installed already."},
    {ERROR_SERVICE_NOT_ACTIVE, L"The driver isn't running."},
    {ERROR_SERVICE_MARKED_FOR_DELETE, L"The service is being removed: close programs that use it, then try again."},
    {ERROR_INVALID_IMAGE_HASH,
     L"The driver's signature isn't accepted: sign it, or turn on test signing and restart."},
    {ERROR_DRIVER_BLOCKED, L"The system blocks this driver."},
};

LPCWSTR WINAPI IsthmusAdvice(DWORD Error)
{
    for (unsigned i = 0; i < sizeof(Advice) / sizeof(Advice[0]); i++)
    {
        if (Advice[i].Error == Error)
        {
            return Advice[i].Text;
        }
    }
    return L"Not an error that Isthmus explains: look the number up with net helpmsg.";
}
