/* SPDX-License-Identifier: MIT */
/*
 * Isthmus for programs: memory shared with a driver. Link with isthmus.dll's import library.
 *
 *     HISTHMUS isthmus = IsthmusOpen(0);
 *     UINT64 region, view;
 *     if (isthmus != NULL && IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGED_POOL, 65536, &region))
 *     {
 *         char *memory = IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
 *         ...
 *         IsthmusRelease(isthmus, region);    // takes the view with it
 *     }
 *     IsthmusClose(isthmus);                  // would have released everything too
 *
 * Functions return FALSE or NULL on failure and leave the reason in GetLastError; IsthmusAdvice turns it into a
 * sentence. After success the last error has no meaning. All may be called from several threads at once, on one session
 * too; none starts a thread or keeps state outside the driver. A session must not be closed while another thread calls
 * with it, as with any handle. A call that fails changes nothing and writes no result.
 *
 * Each function names its errors. Any of them but IsthmusAdvice and IsthmusGetHandle may also give
 *   ERROR_INVALID_HANDLE       the session is closed, or was never open
 *   ERROR_INVALID_PARAMETER    NULL where a result was to go, or a value outside of what is documented
 *   ERROR_NOT_ENOUGH_MEMORY, ERROR_NO_SYSTEM_RESOURCES
 *   ERROR_REVISION_MISMATCH, ERROR_BAD_LENGTH, ERROR_INVALID_FUNCTION
 *                              the driver is of another revision than this header
 * and those that take a region's id
 *   ERROR_NOT_FOUND            this session has no such region
 *   ERROR_NOT_LOCKED           the region's memory was taken back because the process it lay in has ended
 */
#ifndef ISTHMUS_H
#define ISTHMUS_H

#ifdef ISTHMUS_KERNEL_H
#error isthmus.h is for programs, isthmus_kernel.h for drivers: include one of them
#endif

#include <windows.h>
#include "isthmus_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An open session. What it shares, allocates and maps ends with it, or with the process. */
typedef struct HISTHMUS__ *HISTHMUS;

/**
 * Opens a session with the driver.
 * @param Flags  0
 * @return the session, to be closed with IsthmusClose; NULL on failure: ERROR_FILE_NOT_FOUND if the driver isn't
 *   running, ERROR_ACCESS_DENIED if its access list leaves the caller out, ERROR_NOT_ENOUGH_QUOTA.
 */
HISTHMUS WINAPI IsthmusOpen(DWORD Flags);

/**
 * Closes a session and with it all its regions and views: their addresses are gone when this returns. A view or region
 * whose process has ended is gone already.
 */
BOOL WINAPI IsthmusClose(HISTHMUS Isthmus);

/**
 * The device handle behind a session, opened for overlapped I/O: for DeviceIoControl with an OVERLAPPED. The session
 * keeps owning it: don't close it. It can't fail; of a session that isn't open it gives what it was given.
 */
HANDLE WINAPI IsthmusGetHandle(HISTHMUS Isthmus);

/** Tells the driver's version, the system's, and what it can do (ISTHMUS_CAN_*). No errors of its own. */
BOOL WINAPI IsthmusQueryVersion(HISTHMUS Isthmus, ISTHMUS_VERSION *Version);

/**
 * Shares a buffer of this process with the driver: it is locked in memory and mapped for the kernel.
 * @param Buffer  any alignment     @param Length  bytes, not 0
 * @param Access  ISTHMUS_ACCESS_READ, or ISTHMUS_ACCESS_ALL if the driver is to change it too
 * @param Region  receives the region's id
 * Errors: ERROR_NOACCESS if the memory isn't there or not writable; ERROR_ARITHMETIC_OVERFLOW if the range wraps;
 *   ERROR_NOT_ENOUGH_QUOTA; ERROR_WORKING_SET_QUOTA or ERROR_COMMITMENT_LIMIT if the system won't have that much
 *   locked or in use; ERROR_NOT_SUPPORTED on a system that can't lock pages;
 *   ERROR_INVALID_ADDRESS if it touches a view that IsthmusMap made.
 */
BOOL WINAPI IsthmusShare(HISTHMUS Isthmus, void *Buffer, UINT64 Length, DWORD Access, UINT64 *Region);

/**
 * Has the driver allocate whole, zeroed pages; IsthmusMap shows them.
 * @param Kind  ISTHMUS_KIND_NONPAGED_POOL, ISTHMUS_KIND_PAGED_POOL or ISTHMUS_KIND_PAGES
 * Errors: ERROR_NOT_ENOUGH_QUOTA; ERROR_NOT_SUPPORTED on a system that can't map such memory for a program.
 */
BOOL WINAPI IsthmusAllocate(HISTHMUS Isthmus, DWORD Kind, UINT64 Length, UINT64 *Region);

/**
 * Gives up a region and this session's views of it. Its memory is released when the last session that opened it has
 * given it up. No errors of its own; a region whose memory was taken back is given up all the same.
 */
BOOL WINAPI IsthmusRelease(HISTHMUS Isthmus, UINT64 Region);

/**
 * Names a region that this session made, so that other processes can open it.
 * @param Name      up to ISTHMUS_NAME_CHARS characters; case doesn't matter
 * @param Security  self-relative security descriptor, or NULL for the default of the caller's token
 * Errors: ERROR_ALREADY_EXISTS if the name is taken; ERROR_BAD_COMMAND if the region has a name; ERROR_ACCESS_DENIED;
 *   ERROR_INVALID_SECURITY_DESCR.
 */
BOOL WINAPI IsthmusName(HISTHMUS Isthmus, UINT64 Region, LPCWSTR Name, PSECURITY_DESCRIPTOR Security);

/**
 * Opens a named region, to be given up with IsthmusRelease.
 * @param Access  ISTHMUS_ACCESS_READ or ISTHMUS_ACCESS_ALL
 * Errors: ERROR_FILE_NOT_FOUND if nothing has the name; ERROR_ACCESS_DENIED if its descriptor grants less, or the
 *   region itself is read-only; ERROR_NOT_ENOUGH_QUOTA.
 */
BOOL WINAPI IsthmusOpenNamed(HISTHMUS Isthmus, LPCWSTR Name, DWORD Access, UINT64 *Region);

/**
 * Maps a region into this process.
 * @param Access  ISTHMUS_ACCESS_READ for a view that can't be made writable, or ISTHMUS_ACCESS_ALL
 * @param View    receives the view's id
 * @return the address of whole pages; NULL on failure: ERROR_ACCESS_DENIED; ERROR_MAPPED_ALIGNMENT for a shared buffer
 *   that isn't whole pages; ERROR_NOT_SUPPORTED for a read-only view before Windows 8; ERROR_NOT_ENOUGH_QUOTA;
 *   ERROR_INVALID_ADDRESS if there is no room for it in this process;
 *   ERROR_PRIVILEGE_NOT_HELD for nonpaged pool and pages, which are mapped for administrators only: such a region must
 *   not be released while I/O on its view is pending.
 */
void *WINAPI IsthmusMap(HISTHMUS Isthmus, UINT64 Region, DWORD Access, UINT64 *View);

/**
 * Unmaps a view: its address is gone when this returns. May be called from another process that has a duplicate of the
 * session's handle; the view goes from where it is. ERROR_NOT_FOUND if the session has no such view.
 */
BOOL WINAPI IsthmusUnmap(HISTHMUS Isthmus, UINT64 View);

/**
 * CRC-32 (as zlib's) of a region's range, read by the driver through its mapping. It takes its time: ask for large
 * ranges in pieces. ERROR_INVALID_PARAMETER if the range isn't within the region.
 */
BOOL WINAPI IsthmusChecksum(HISTHMUS Isthmus, UINT64 Region, UINT64 Offset, UINT64 Length, UINT32 *Crc32);

/**
 * Lets the driver answer changes of the byte at Question with its complement at Answer; see ISTHMUS_WATCH.
 * Errors: ERROR_BUSY if the region is being watched; ERROR_ACCESS_DENIED for a read-only region;
 *   ERROR_INVALID_PARAMETER for offsets outside of it; ERROR_NOT_ENOUGH_QUOTA.
 */
BOOL WINAPI IsthmusWatch(HISTHMUS Isthmus, UINT64 Region, UINT64 Question, UINT64 Answer, DWORD Rounds, DWORD Timeout);

/**
 * Describes one segment of a region.
 * @param View         whose user pages to show, or 0
 * @param FirstPage    of the segment
 * @param Description  receives the description and, behind it, as many ISTHMUS_PAGE entries as Bytes has room for
 * Errors: ERROR_INVALID_PARAMETER if there is no such segment; ERROR_INSUFFICIENT_BUFFER if Bytes is less than the
 *   description; ERROR_NOT_FOUND for a view that isn't this session's or not of this region.
 */
BOOL WINAPI IsthmusDescribe(HISTHMUS Isthmus, UINT64 Region, UINT64 View, DWORD Segment, UINT64 FirstPage,
                            ISTHMUS_DESCRIPTION *Description, DWORD Bytes);

/**
 * Lists sessions, regions or views (ISTHMUS_LIST_*) with ids above After: a page, and entries behind it. All of them
 * for an administrator, for others those of their own process. ERROR_INSUFFICIENT_BUFFER if Bytes is less than the page.
 */
BOOL WINAPI IsthmusList(HISTHMUS Isthmus, DWORD What, UINT64 After, ISTHMUS_LIST_PAGE *Page, DWORD Bytes);

/** Tells what is held now, what happened since the driver started, and the quotas. No errors of its own. */
BOOL WINAPI IsthmusStatistics(HISTHMUS Isthmus, ISTHMUS_STATISTICS *Statistics);

/* ---- Channels ------------------------------------------------------------------------------------------------ */

/*
 * A stream of records between this process and the driver, through a ring in shared memory: reading and writing take no
 * system call; sleeping and waking do. The ring's own functions, and the names of what ISTHMUS_CHANNEL_STATE gives as
 * Error, are in isthmus_ring.h, which none of this needs (and which wants -msse2 in a 32-bit program).
 *
 *     consumer (ISTHMUS_CHANNEL_TO_PROGRAM)              producer (ISTHMUS_CHANNEL_TO_DRIVER)
 *     for (;;)                                           while (more)
 *     {                                                  {
 *         while (IsthmusChannelPeek(c, &data, &length))      void *place = IsthmusChannelReserve(c, length);
 *             use(data, length);                             if (place == NULL && GetLastError() == ERROR_PIPE_BUSY)
 *         DWORD why = GetLastError();                            IsthmusChannelWait(c, INFINITE);
 *         IsthmusChannelFlush(c);                            else ...
 *         if (why != ERROR_NO_MORE_ITEMS)                    fill(place, length);
 *             break;                                         IsthmusChannelCommit(c, length);
 *         IsthmusChannelWait(c, INFINITE);                   IsthmusChannelFlush(c);
 *     }                                                  }
 *
 * One thread at a time uses a channel's functions (IsthmusChannelQuery excepted). Errors
 * that more than one of them give:
 *   ERROR_NO_MORE_ITEMS  consumer: nothing there now                ERROR_PIPE_BUSY    producer: no room now
 *   ERROR_HANDLE_EOF     consumer: nothing there, and the driver    ERROR_BROKEN_PIPE  producer: the driver's end is
 *                        has closed its end                                            closed
 *   ERROR_INVALID_DATA   the driver's side of the ring doesn't      ERROR_RETRY        consumer, OVERWRITE: what was
 *                        make sense; for good                                          peeked was overwritten: drop it
 *   ERROR_INVALID_FUNCTION  the other direction's function
 */
typedef struct HISTHMUSCHANNEL__ *HISTHMUSCHANNEL;

/**
 * Makes a channel.
 * @param Direction  ISTHMUS_CHANNEL_TO_PROGRAM or ISTHMUS_CHANNEL_TO_DRIVER
 * @param Capacity   bytes, a power of two, 4096 to ISTHMUS_CHANNEL_CAPACITY_MAX; a record takes its length and 8 to 15 more
 * @param Flags      0, ISTHMUS_CHANNEL_OVERWRITE or ISTHMUS_CHANNEL_MANY (to the program only)
 * @return the channel, to be closed before its session; NULL: ERROR_INVALID_PARAMETER; ERROR_NOT_SUPPORTED before
 *   Windows 8; ERROR_NOT_ENOUGH_QUOTA, also when isthmus.sys has as many channels to read as it will.
 */
HISTHMUSCHANNEL WINAPI IsthmusChannelOpen(HISTHMUS Isthmus, DWORD Direction, UINT64 Capacity, DWORD Flags);

/**
 * Ends a channel: what is unread is lost (IsthmusChannelFinish first, if it matters), memory that Peek or Reserve gave
 * is gone, and so is the event. No other thread may be in a function of the channel.
 */
BOOL WINAPI IsthmusChannelClose(HISTHMUSCHANNEL Channel);

/** The channel's id in the driver, for IsthmusDescribe and lists. */
UINT64 WINAPI IsthmusChannelId(HISTHMUSCHANNEL Channel);

/**
 * Producer: finds room for a record of Length bytes and returns where to write them, aligned to 8. One record is open at
 * a time. NULL: ERROR_PIPE_BUSY; ERROR_BAD_LENGTH if it can never fit; ERROR_BROKEN_PIPE; ERROR_INVALID_DATA.
 */
void *WINAPI IsthmusChannelReserve(HISTHMUSCHANNEL Channel, DWORD Length);

/** Producer: ends the open record, Length bytes of what was reserved. IsthmusChannelFlush shows it. */
BOOL WINAPI IsthmusChannelCommit(HISTHMUSCHANNEL Channel, DWORD Length);

/** Producer: gives the open record up. */
BOOL WINAPI IsthmusChannelDiscard(HISTHMUSCHANNEL Channel);

/**
 * Consumer: the next record, in place; good until IsthmusChannelFlush.
 * Errors: ERROR_NO_MORE_ITEMS; ERROR_HANDLE_EOF; ERROR_INVALID_DATA.
 */
BOOL WINAPI IsthmusChannelPeek(HISTHMUSCHANNEL Channel, const void **Data, DWORD *Length);

/**
 * Producer: shows the driver all committed records. Consumer: gives back all peeked records. Wakes the driver if it
 * sleeps and wants to hear of that. Once per burst rather than once per record.
 * Errors: consumer: ERROR_RETRY.
 */
BOOL WINAPI IsthmusChannelFlush(HISTHMUSCHANNEL Channel);

/** Producer: reserve, copy, commit and flush in one. Errors as IsthmusChannelReserve. */
BOOL WINAPI IsthmusChannelSend(HISTHMUSCHANNEL Channel, const void *Data, DWORD Length);

/**
 * Consumer: copies the next record out and gives it back; nothing else may be peeked.
 * @param Received  receives the record's length, also with ERROR_INSUFFICIENT_BUFFER, when the record stays
 */
BOOL WINAPI IsthmusChannelReceive(HISTHMUSCHANNEL Channel, void *Buffer, DWORD Size, DWORD *Received);

/**
 * Waits until there may be something to do: a record to peek; for a producer room for half the ring, or for as much as
 * the last Reserve that found none wanted, if that is more. Spins a while before it sleeps, as long as has been worth it lately.
 * @param Milliseconds  0 to look only; INFINITE
 * @return TRUE: try again. FALSE: ERROR_TIMEOUT; ERROR_HANDLE_EOF or ERROR_BROKEN_PIPE; ERROR_INVALID_DATA.
 */
BOOL WINAPI IsthmusChannelWait(HISTHMUSCHANNEL Channel, DWORD Milliseconds);

/**
 * For WaitForMultipleObjects: says that this side is about to sleep.
 * @return TRUE: wait on IsthmusChannelEvent, among others, and call IsthmusChannelDisarm after it, whatever ended the
 *   wait. FALSE with ERROR_SUCCESS: don't wait, there is something to do; FALSE with another error as IsthmusChannelWait.
 */
BOOL WINAPI IsthmusChannelArm(HISTHMUSCHANNEL Channel);
BOOL WINAPI IsthmusChannelDisarm(HISTHMUSCHANNEL Channel);

/** The event that the driver sets for this side, auto-reset. The channel keeps owning it. */
HANDLE WINAPI IsthmusChannelEvent(HISTHMUSCHANNEL Channel);

/**
 * Says that nothing more will come from this side. A producer also waits until the driver has taken everything:
 * ERROR_TIMEOUT if it hasn't in time, ERROR_BROKEN_PIPE if it has closed its end first.
 */
BOOL WINAPI IsthmusChannelFinish(HISTHMUSCHANNEL Channel, DWORD Milliseconds);

/** What the driver's end has counted. Any thread. ERROR_NOT_FOUND, ERROR_NOT_LOCKED if the channel has ended. */
BOOL WINAPI IsthmusChannelQuery(HISTHMUSCHANNEL Channel, ISTHMUS_CHANNEL_STATE *State);

/** Has isthmus.sys fill a channel to the program; see ISTHMUS_CHANNEL_SOURCE. ERROR_BUSY if that was done before;
    ERROR_NOT_ENOUGH_QUOTA beside too many others. */
BOOL WINAPI IsthmusChannelSource(HISTHMUSCHANNEL Channel, UINT64 Records, DWORD Producers, DWORD LengthMin,
                                 DWORD LengthMax, BOOL Drop);

/**
 * A sentence on an error of these functions that says what to do about it. Static text, never NULL.
 * @param Error  as GetLastError gave it
 */
LPCWSTR WINAPI IsthmusAdvice(DWORD Error);

#ifdef __cplusplus
}
#endif

#endif /* ISTHMUS_H */
