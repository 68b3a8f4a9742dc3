/* SPDX-License-Identifier: MIT */
/*
 * list: who holds what.
 */
#include "cli.h"

#define LIST_BYTES (64 * 1024)

BOOL ForEachEntry(HISTHMUS Isthmus, DWORD What, void (*Visit)(const ISTHMUS_LIST_ENTRY *Entry, void *Context),
                  void *Context)
{
    ISTHMUS_LIST_PAGE *page = malloc(LIST_BYTES);
    UINT64 after = 0;
    BOOL done = page != NULL, more = TRUE;
    if (!done)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    }
    while (done && more)
    {
        done = IsthmusList(Isthmus, What, after, page, LIST_BYTES);
        if (!done)
        {
            break;
        }
        for (UINT32 i = 0; i < page->Count; i++)
        {
            const ISTHMUS_LIST_ENTRY *entry = (const void *)((const BYTE *)(page + 1) + (size_t)i * page->Stride);
            Visit(entry, Context);
            after = entry->Id;
        }
        more = page->More && page->Count != 0;
    }
    DWORD error = GetLastError();
    free(page);
    SetLastError(error);
    return done;
}

/* A region's name in UTF-8, "" if it has none; good as long as Utf8's results. */
const char *EntryName(const ISTHMUS_LIST_ENTRY *Entry)
{
    wchar_t name[ISTHMUS_NAME_CHARS + 1];
    for (unsigned i = 0; i < ISTHMUS_NAME_CHARS; i++)
    {
        name[i] = Entry->Name[i];
    }
    name[ISTHMUS_NAME_CHARS] = 0;
    return Utf8(name);
}

/* The file name of a process's program. A process that has ended, or is out of reach, has none: NULL. */
const char *ImageName(UINT64 ProcessId)
{
    wchar_t path[1024];
    DWORD length = sizeof(path) / sizeof(path[0]);
    HANDLE process = ProcessId <= MAXDWORD ? OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)ProcessId)
                                           : NULL;
    if (process == NULL)
    {
        return NULL;
    }
    BOOL told = QueryFullProcessImageNameW(process, 0, path, &length);
    CloseHandle(process);
    if (!told)
    {
        return NULL;
    }
    const wchar_t *slash = wcsrchr(path, L'\\');
    return Utf8(slash != NULL ? slash + 1 : path);
}

static const char *ImageOrDash(UINT64 ProcessId)
{
    const char *name = ImageName(ProcessId);
    return name != NULL ? Visible(name) : "-";
}

/* A channel's view has parts that are protected in different ways. */
static const char *ViewAccessName(const ISTHMUS_LIST_ENTRY *Entry)
{
    return Entry->Kind == ISTHMUS_KIND_CHANNEL ? "by part" : AccessName(Entry->Access);
}

/* ---- As a table ---- */

static void PrintSession(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    printf("  %6llu  %7llu  %-20s  %7u  %s\n", (unsigned long long)e->Id, (unsigned long long)e->ProcessId,
           ImageOrDash(e->ProcessId), e->Count, StateName(e->State));
}

static void PrintRegion(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    printf("  %6llu  %7llu  %-20s  %-13s  %-10s  %15s  %7u  %-8s  %s\n", (unsigned long long)e->Id,
           (unsigned long long)e->ProcessId, ImageOrDash(e->ProcessId), KindName(e->Kind), AccessName(e->Access),
           Grouped(e->Length), e->Count, StateName(e->State), Visible(EntryName(e)));
}

static void PrintView(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    printf("  %6llu  %7llu  %-20s  %6llu  %7llu  %-10s  %15s  0x%016llx  %s\n", (unsigned long long)e->Id,
           (unsigned long long)e->ProcessId, ImageOrDash(e->ProcessId), (unsigned long long)e->Parent,
           (unsigned long long)e->Session, ViewAccessName(e), Grouped(e->Length), (unsigned long long)e->Address,
           StateName(e->State));
}

/* ---- As JSON ---- */

static void JsonProcess(UINT64 ProcessId)
{
    JsonOpen("process", '{');
    JsonNumber("id", ProcessId);
    JsonText("image", ImageName(ProcessId));
    JsonClose('}');
}

static void JsonSession(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    JsonOpen(NULL, '{');
    JsonNumber("id", e->Id);
    JsonProcess(e->ProcessId);
    JsonNumber("regions", e->Count);
    JsonText("state", StateName(e->State));
    JsonClose('}');
}

static void JsonRegion(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    JsonOpen(NULL, '{');
    JsonNumber("id", e->Id);
    JsonText("name", e->Name[0] != 0 ? EntryName(e) : NULL);
    JsonProcess(e->ProcessId);
    JsonText("kind", KindName(e->Kind));
    JsonText("access", AccessName(e->Access));
    JsonNumber("bytes", e->Length);
    JsonNumber("holders", e->Count);
    JsonText("state", StateName(e->State));
    JsonClose('}');
}

static void JsonView(const ISTHMUS_LIST_ENTRY *e, void *Count)
{
    ++*(int *)Count;
    JsonOpen(NULL, '{');
    JsonNumber("id", e->Id);
    JsonProcess(e->ProcessId);
    JsonNumber("region", e->Parent);
    JsonNumber("session", e->Session);
    JsonText("access", ViewAccessName(e));
    JsonNumber("bytes", e->Length);
    JsonHex("address", e->Address);
    JsonText("state", StateName(e->State));
    JsonClose('}');
}

static const struct
{
    const wchar_t *Word;
    const char *Title;
    const char *Columns;
    DWORD What;
    void (*Print)(const ISTHMUS_LIST_ENTRY *Entry, void *Count);
    void (*Json)(const ISTHMUS_LIST_ENTRY *Entry, void *Count);
} Lists[] = {
    {L"sessions", "sessions", "      id  process  image                 regions  state", ISTHMUS_LIST_SESSIONS,
     PrintSession, JsonSession},
    {L"regions", "regions",
     "      id  process  image                 kind           access                bytes  holders  state     name",
     ISTHMUS_LIST_REGIONS, PrintRegion, JsonRegion},
    {L"views", "views",
     "      id  process  image                 region  session  access                bytes  address             state",
     ISTHMUS_LIST_VIEWS, PrintView, JsonView},
};

static BOOL PrintOne(HISTHMUS Isthmus, int Which, BOOL Json)
{
    int count = 0;
    if (Json)
    {
        JsonOpen(Lists[Which].Title, '[');
        BOOL done = ForEachEntry(Isthmus, Lists[Which].What, Lists[Which].Json, &count);
        JsonClose(']');
        return done;
    }
    printf("%s%s%s\n%s\n", Bold(), Lists[Which].Title, Plain(), Lists[Which].Columns);
    if (!ForEachEntry(Isthmus, Lists[Which].What, Lists[Which].Print, &count))
    {
        return FALSE;
    }
    if (count == 0)
    {
        printf("       -\n");
    }
    return TRUE;
}

int CommandList(const OPTIONS *Options)
{
    const wchar_t *word = Options->WordCount != 0 ? Options->Words[0] : NULL;
    BOOL known = word == NULL, done = TRUE;
    for (int i = 0; word != NULL && i < 3; i++)
    {
        known = known || wcscmp(word, Lists[i].Word) == 0;
    }
    if (!known)
    {
        fprintf(stderr, "isthmus: list shows sessions, regions or views, not \"%s\".\n", Utf8(word));
        return EXIT_USAGE;
    }
    HISTHMUS isthmus = OpenSession();
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    if (Options->Json)
    {
        JsonOpen(NULL, '{');
    }
    for (int i = 0; done && i < 3; i++)
    {
        if (word == NULL || wcscmp(word, Lists[i].Word) == 0)
        {
            done = PrintOne(isthmus, i, Options->Json);
        }
    }
    DWORD error = GetLastError();
    if (Options->Json)
    {
        JsonClose('}');
    }
    if (!done)
    {
        ReportError("cannot list", error);
    }
    IsthmusClose(isthmus);
    return done ? EXIT_OK : EXIT_FAILED;
}
