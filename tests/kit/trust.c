/* SPDX-License-Identifier: MIT */
/*
 * What a plain user may do: this program again, with a token whose Administrators group only denies and that has no
 * privileges, against regions and devices of an administrator.
 */
#include "check.h"
#include <sddl.h>

#define PAGE 4096

/* ---- The plain user ------------------------------------------------------------------------------------------ */

static void PlainKinds(HISTHMUS Isthmus)
{
    UINT64 region, view;
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        if (!CheckDone(IsthmusAllocate(Isthmus, kind, PAGE, &region), "a plain user allocates kind %lu",
                       (unsigned long)kind))
        {
            continue;
        }
        BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        if (kind == ISTHMUS_KIND_PAGED_POOL)
        {
            CheckDone(memory != NULL, "and maps it");
        }
        else
        {
            CheckError(memory != NULL, ERROR_PRIVILEGE_NOT_HELD, "and can't map it");
        }
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
}

static void PlainFrames(HISTHMUS Isthmus)
{
    static BYTE buffer[2 * PAGE];
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[8];
    } d;
    UINT64 region;
    ISTHMUS_LAST_REQUEST last;
    DWORD got;
    memset(&d, 0xEE, sizeof(d));
    if (CheckDone(IsthmusShare(Isthmus, buffer, sizeof(buffer), ISTHMUS_ACCESS_ALL, &region), "share a buffer") &&
        CheckDone(IsthmusDescribe(Isthmus, region, 0, 0, 0, &d.Description, sizeof(d)), "describe it"))
    {
        const BYTE *rest = (const BYTE *)d.Pages;
        size_t touched = 0;
        for (size_t i = 0; i < sizeof(d.Pages); i++)
        {
            touched += rest[i] != 0xEE;
        }
        Check((d.Description.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD) && d.Description.PagesReturned == 0 &&
                  touched == 0 && d.Description.Mdl.Pages >= 2,
              "%u pages, frames withheld, %llu bytes written behind the description", d.Description.Mdl.Pages,
              (unsigned long long)touched);
    }
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_DIRECT_W);
    CheckDone(WriteFile(device, buffer, sizeof(buffer), &got, NULL) &&
                  Raw(device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, &last, sizeof(last), NULL),
              "a direct write, and how it came");
    BOOL frames = FALSE;
    for (unsigned i = 0; i < ISTHMUS_REQUEST_PAGES; i++)
    {
        frames = frames || last.Pages[i] != 0;
    }
    Check(last.MdlCount == 1 && last.PagesTotal >= 2 && last.PagesReturned == 0 && !frames &&
              (last.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD),
          "one MDL of %u pages, frames withheld", last.PagesTotal);
    ISTHMUS_PEEK query = {
        {ISTHMUS_REVISION, sizeof(query)}, (UINT64)(ULONG_PTR)buffer, 0, 0, 0, ISTHMUS_PEEK_CALLER, 16};
    ISTHMUS_PEEK_RESULT result;
    BOOL peeked = Raw(device, IOCTL_ISTHMUS_PEEK, &query, sizeof(query), &result, sizeof(result), NULL);
    Check(!peeked && (GetLastError() == ERROR_NOT_SUPPORTED || GetLastError() == ERROR_PRIVILEGE_NOT_HELD),
          "peek is refused: error %lu", (unsigned long)GetLastError());
    CloseHandle(device);
}

/* How many entries a list shows, and how many of them are of other processes. */
static DWORD CountList(HISTHMUS Isthmus, DWORD What, DWORD *Foreign)
{
    static struct
    {
        ISTHMUS_LIST_PAGE Page;
        ISTHMUS_LIST_ENTRY Entries[64];
    } list;
    *Foreign = 0;
    if (!CheckDone(IsthmusList(Isthmus, What, 0, &list.Page, sizeof(list)), "list %lu", (unsigned long)What))
    {
        return 0;
    }
    for (UINT32 i = 0; i < list.Page.Count; i++)
    {
        *Foreign += list.Entries[i].ProcessId != GetCurrentProcessId();
    }
    return list.Page.Count;
}

static void PlainLists(HISTHMUS Isthmus)
{
    for (DWORD what = ISTHMUS_LIST_SESSIONS; what <= ISTHMUS_LIST_VIEWS; what++)
    {
        DWORD foreign, count = CountList(Isthmus, what, &foreign);
        Check(foreign == 0 && (what != ISTHMUS_LIST_SESSIONS || count >= 1),
              "list %lu shows %lu of its own and %lu of others", (unsigned long)what, (unsigned long)count,
              (unsigned long)foreign);
    }
}

static void PlainNames(HISTHMUS Isthmus)
{
    UINT64 region, view;
    UINT32 crc;
    CheckError(IsthmusOpenNamed(Isthmus, L"trust admins", ISTHMUS_ACCESS_READ, &region), ERROR_ACCESS_DENIED,
               "open what is for administrators");
    CheckError(IsthmusOpenNamed(Isthmus, L"trust default", ISTHMUS_ACCESS_READ, &region), ERROR_ACCESS_DENIED,
               "open what an administrator named without a descriptor");
    CheckError(IsthmusOpenNamed(Isthmus, L"trust readers", ISTHMUS_ACCESS_ALL, &region), ERROR_ACCESS_DENIED,
               "open for writing what everyone may read");
    if (CheckDone(IsthmusOpenNamed(Isthmus, L"trust readers", ISTHMUS_ACCESS_READ, &region), "open it for reading"))
    {
        CheckError(IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_ACCESS_DENIED,
                   "map it for writing");
        BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_READ, &view);
        CheckDone(memory != NULL, "map it for reading");
        Check(memory != NULL && memory[0] == 0x61, "it has the administrator's bytes");
        DWORD old;
        Check(memory == NULL || !VirtualProtect(memory, PAGE, PAGE_READWRITE, &old), "and can't be made writable");
        CheckDone(IsthmusChecksum(Isthmus, region, 0, PAGE, &crc), "the driver sums it up");
        CheckError(IsthmusName(Isthmus, region, L"trust mine", NULL), ERROR_ACCESS_DENIED, "name it");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    CheckError(IsthmusOpenNamed(Isthmus, L"trust pages", ISTHMUS_ACCESS_ALL, &region) &&
                   IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view) != NULL,
               ERROR_PRIVILEGE_NOT_HELD, "map an administrator's pages");
}

int PlainUser(const char *What)
{
    ISTHMUS_VERSION version;
    HISTHMUS isthmus = IsthmusOpen(0);
    if (strcmp(What, "closed") == 0)
    {
        CheckError(isthmus != NULL, ERROR_ACCESS_DENIED, "a plain user opens the device with AllowUsers 0");
        HANDLE direct = CreateFileW(ISTHMUS_DEVICE_DIRECT_W, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
        CheckError(direct != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "and the direct one, for reading");
        return Failures;
    }
    HANDLE all = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, GENERIC_ALL, 0, NULL, OPEN_EXISTING, 0, NULL);
    CheckError(all != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "a plain user opens the device for everything");
    HANDLE control = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, WRITE_DAC, 0, NULL, OPEN_EXISTING, 0, NULL);
    CheckError(control != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "and to change its descriptor");
    HANDLE reader = CreateFileW(ISTHMUS_DEVICE_NEITHER_W, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (CheckDone(reader != INVALID_HANDLE_VALUE, "a plain user opens the device for reading"))
    {
        CheckError(Raw(reader, IOCTL_ISTHMUS_VERSION, NULL, 0, &version, sizeof(version), NULL), ERROR_ACCESS_DENIED,
                   "control codes want writing too");
        CloseHandle(reader);
    }
    if (CheckDone(isthmus != NULL && IsthmusQueryVersion(isthmus, &version), "a plain user opens a session"))
    {
        Check(!(version.Capabilities & ISTHMUS_CALLER_IS_ADMIN), "the driver doesn't take it for an administrator");
        PlainKinds(isthmus);
        PlainFrames(isthmus);
        PlainLists(isthmus);
        PlainNames(isthmus);
        IsthmusClose(isthmus);
    }
    return Failures;
}

/* ---- The administrator --------------------------------------------------------------------------------------- */

/* A token like ours without the Administrators group and without privileges. */
static HANDLE PlainToken(void)
{
    HANDLE own, plain = NULL;
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof(sid);
    SID_AND_ATTRIBUTES administrators = {sid, 0};
    if (OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own))
    {
        if (CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &size))
        {
            CreateRestrictedToken(own, DISABLE_MAX_PRIVILEGE, 1, &administrators, 0, NULL, 0, NULL, &plain);
        }
        CloseHandle(own);
    }
    CheckDone(plain != NULL, "make a plain user's token");
    return plain;
}

static void RunPlain(HANDLE Token, const wchar_t *What)
{
    wchar_t program[512], line[640];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD length = GetModuleFileNameW(NULL, program, 512);
    swprintf(line, 640, L"\"%ls\" child plain %ls", program, What);
    fflush(stdout);
    if (CheckDone(length != 0 && length < 512 &&
                      CreateProcessAsUserW(Token, program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process),
                  "start a plain user's process"))
    {
        CloseHandle(process.hThread);
        DWORD code = WaitExit(process.hProcess);
        Check(code == 0, "%lu checks of the plain user failed", (unsigned long)code);
    }
}

static void NameRegion(HISTHMUS Isthmus, DWORD Kind, const wchar_t *Name, const wchar_t *Descriptor)
{
    UINT64 region, view;
    PSECURITY_DESCRIPTOR security = NULL;
    if (Descriptor != NULL)
    {
        CheckDone(ConvertStringSecurityDescriptorToSecurityDescriptorW(Descriptor, SDDL_REVISION_1, &security, NULL),
                  "make a descriptor");
    }
    if (CheckDone(IsthmusAllocate(Isthmus, Kind, PAGE, &region), "allocate"))
    {
        BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        if (CheckDone(memory != NULL, "an administrator maps it"))
        {
            memset(memory, 0x61, PAGE);
        }
        CheckDone(IsthmusName(Isthmus, region, Name, security), "name it %ls", Name);
    }
    LocalFree(security);
}

void TestTrust(void)
{
    ISTHMUS_VERSION version;
    DWORD foreign;
    HANDLE token = PlainToken();
    HISTHMUS isthmus = IsthmusOpen(0);
    if (token == NULL || !CheckDone(isthmus != NULL && IsthmusQueryVersion(isthmus, &version), "open a session") ||
        !Check((version.Capabilities & ISTHMUS_CALLER_IS_ADMIN) != 0, "this process is an administrator's"))
    {
        return;
    }
    NameRegion(isthmus, ISTHMUS_KIND_PAGED_POOL, L"trust admins", L"D:P(A;;FA;;;SY)(A;;FA;;;BA)");
    NameRegion(isthmus, ISTHMUS_KIND_PAGED_POOL, L"trust readers", L"D:P(A;;FA;;;BA)(A;;FR;;;WD)");
    NameRegion(isthmus, ISTHMUS_KIND_PAGED_POOL, L"trust default", NULL);
    NameRegion(isthmus, ISTHMUS_KIND_PAGES, L"trust pages", L"D:P(A;;FA;;;BA)(A;;FRFW;;;WD)");
    RunPlain(token, L"open");

    /* The other way round: the administrator sees everyone. */
    DWORD holder;
    HANDLE process = StartSelf("hold-sleep", &holder);
    for (int wait = 0; wait < 200 && (CountList(isthmus, ISTHMUS_LIST_VIEWS, &foreign), foreign < 6); wait++)
    {
        Sleep(20);
    }
    Check(foreign == 6, "an administrator's list shows %lu views of another process", (unsigned long)foreign);
    TerminateProcess(process, 1);
    WaitExit(process);
    IsthmusClose(isthmus);

    if (CheckDone(SetParameter(L"AllowUsers", REG_DWORD, 0) && Restart(), "restart the driver with AllowUsers 0"))
    {
        RunPlain(token, L"closed");
    }
    CheckDone(ClearParameter(L"AllowUsers") && Restart(), "restart it as it was");
    CloseHandle(token);
}
