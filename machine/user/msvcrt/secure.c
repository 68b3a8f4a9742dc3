/* SPDX-License-Identifier: MIT */
/*
 * The _s functions on strings and memory. A wrong argument makes the target empty, sets errno and returns it; the system's
 * msvcrt has no invalid-parameter handler that ends the program, unlike later run-times.
 */
#include "crt.h"

#define CRT_TRUNCATE ((size_t)-1)
#define STRUNCATE    80

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
int _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments);
int vfprintf(FILE *Stream, const char *Format, va_list Arguments);
int vfwprintf(FILE *Stream, const WCHAR *Format, va_list Arguments);
char *strerror(int Error);

static int CrtRefuse(int Error)
{
    errno = Error;
    return Error;
}

/* What the narrow and the wide functions have in common, made twice below: Room and Count in units. */
#define CRT_SECURE(Unit, Copy, Append, CopyPart, AppendPart, Token)                                                    \
    static int Copy##_into(Unit *Target, size_t Room, size_t Used, const Unit *Source, size_t Count)                   \
    {                                                                                                                  \
        size_t i = 0;                                                                                                  \
        while (Used + i < Room && i < Count && Source[i] != 0)                                                         \
        {                                                                                                              \
            Target[Used + i] = Source[i];                                                                              \
            i++;                                                                                                       \
        }                                                                                                              \
        if (Used + i < Room)                                                                                           \
        {                                                                                                              \
            Target[Used + i] = 0;                                                                                      \
            return 0;                                                                                                  \
        }                                                                                                              \
        if (Count == CRT_TRUNCATE)                                                                                     \
        {                                                                                                              \
            Target[Room - 1] = 0;                                                                                      \
            return STRUNCATE;                                                                                          \
        }                                                                                                              \
        Target[0] = 0;                                                                                                 \
        return CrtRefuse(ERANGE);                                                                                      \
    }                                                                                                                  \
    int CopyPart(Unit *Target, size_t Room, const Unit *Source, size_t Count)                                          \
    {                                                                                                                  \
        if (Target == NULL || Room == 0)                                                                               \
        {                                                                                                              \
            return Target == NULL && Room == 0 && Count == 0 ? 0 : CrtRefuse(EINVAL);                                  \
        }                                                                                                              \
        if (Source == NULL)                                                                                            \
        {                                                                                                              \
            Target[0] = 0;                                                                                             \
            return Count == 0 ? 0 : CrtRefuse(EINVAL);                                                                 \
        }                                                                                                              \
        return Copy##_into(Target, Room, 0, Source, Count);                                                            \
    }                                                                                                                  \
    int AppendPart(Unit *Target, size_t Room, const Unit *Source, size_t Count)                                        \
    {                                                                                                                  \
        size_t used = 0;                                                                                               \
        if (Target == NULL || Room == 0)                                                                               \
        {                                                                                                              \
            return Target == NULL && Room == 0 && Count == 0 ? 0 : CrtRefuse(EINVAL);                                  \
        }                                                                                                              \
        while (used < Room && Target[used] != 0)                                                                       \
        {                                                                                                              \
            used++;                                                                                                    \
        }                                                                                                              \
        if (used == Room || (Source == NULL && Count != 0))                                                            \
        {                                                                                                              \
            Target[0] = 0;                                                                                             \
            return CrtRefuse(EINVAL);                                                                                  \
        }                                                                                                              \
        return Source == NULL ? 0 : Copy##_into(Target, Room, used, Source, Count);                                    \
    }                                                                                                                  \
    int Copy(Unit *Target, size_t Room, const Unit *Source)                                                            \
    {                                                                                                                  \
        return Target == NULL ? CrtRefuse(EINVAL) : CopyPart(Target, Room, Source, CRT_TRUNCATE - 1);                  \
    }                                                                                                                  \
    int Append(Unit *Target, size_t Room, const Unit *Source)                                                          \
    {                                                                                                                  \
        return Target == NULL ? CrtRefuse(EINVAL) : AppendPart(Target, Room, Source, CRT_TRUNCATE - 1);                \
    }                                                                                                                  \
    static BOOL Token##_ends(Unit Character, const Unit *Delimiters)                                                   \
    {                                                                                                                  \
        while (*Delimiters != 0 && *Delimiters != Character)                                                           \
        {                                                                                                              \
            Delimiters++;                                                                                              \
        }                                                                                                              \
        return *Delimiters != 0;                                                                                       \
    }                                                                                                                  \
    Unit *Token(Unit *Text, const Unit *Delimiters, Unit **Next)                                                       \
    {                                                                                                                  \
        Unit *start;                                                                                                   \
        if (Delimiters == NULL || Next == NULL || (Text == NULL && *Next == NULL))                                     \
        {                                                                                                              \
            CrtRefuse(EINVAL);                                                                                         \
            return NULL;                                                                                               \
        }                                                                                                              \
        start = Text != NULL ? Text : *Next;                                                                           \
        while (*start != 0 && Token##_ends(*start, Delimiters))                                                        \
        {                                                                                                              \
            start++;                                                                                                   \
        }                                                                                                              \
        Unit *end = start;                                                                                             \
        while (*end != 0 && !Token##_ends(*end, Delimiters))                                                           \
        {                                                                                                              \
            end++;                                                                                                     \
        }                                                                                                              \
        *Next = *end != 0 ? end + 1 : end;                                                                             \
        *end = 0;                                                                                                      \
        return end == start ? NULL : start;                                                                            \
    }

CRT_SECURE(char, strcpy_s, strcat_s, strncpy_s, strncat_s, strtok_s)
CRT_SECURE(WCHAR, wcscpy_s, wcscat_s, wcsncpy_s, wcsncat_s, wcstok_s)

WCHAR *wcstok(WCHAR *Text, const WCHAR *Delimiters)
{
    CRT_THREAD *thread = CrtThread();
    return Text == NULL && thread->WcstokNext == NULL ? NULL : wcstok_s(Text, Delimiters, &thread->WcstokNext);
}

/* Sizes in bytes. */
int memcpy_s(void *Target, size_t Room, const void *Source, size_t Count)
{
    if (Count == 0)
    {
        return 0;
    }
    if (Target == NULL)
    {
        return CrtRefuse(EINVAL);
    }
    if (Source == NULL || Room < Count)
    {
        ZeroMemory(Target, Room);
        return CrtRefuse(Source == NULL ? EINVAL : ERANGE);
    }
    CopyMemory(Target, Source, Count);
    return 0;
}

/* Sizes in bytes. */
int memmove_s(void *Target, size_t Room, const void *Source, size_t Count)
{
    if (Count == 0)
    {
        return 0;
    }
    if (Target == NULL || Source == NULL || Room < Count)
    {
        return CrtRefuse(Target == NULL || Source == NULL ? EINVAL : ERANGE);
    }
    MoveMemory(Target, Source, Count);
    return 0;
}

/* ---- formatted output into a buffer of known size ---- */

/* Made for both widths: sprintf_s and kin (all must fit) and _snprintf_s (at most Count units, or _TRUNCATE). */
#define CRT_SECURE_PRINT(Unit, Engine, Vprint, Print, VprintPart, PrintPart)                                           \
    int Vprint(Unit *Buffer, size_t Room, const Unit *Format, va_list Arguments)                                       \
    {                                                                                                                  \
        if (Buffer == NULL || Room == 0 || Format == NULL)                                                             \
        {                                                                                                              \
            CrtRefuse(EINVAL);                                                                                         \
            return -1;                                                                                                 \
        }                                                                                                              \
        int result = Engine(Buffer, Room, Format, Arguments);                                                          \
        if (result < 0 || (size_t)result == Room)                                                                      \
        {                                                                                                              \
            Buffer[0] = 0;                                                                                             \
            CrtRefuse(ERANGE);                                                                                         \
            return -1;                                                                                                 \
        }                                                                                                              \
        return result;                                                                                                 \
    }                                                                                                                  \
    int Print(Unit *Buffer, size_t Room, const Unit *Format, ...)                                                      \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, Format);                                                                                   \
        int result = Vprint(Buffer, Room, Format, arguments);                                                          \
        va_end(arguments);                                                                                             \
        return result;                                                                                                 \
    }                                                                                                                  \
    int VprintPart(Unit *Buffer, size_t Room, size_t Count, const Unit *Format, va_list Arguments)                     \
    {                                                                                                                  \
        if (Buffer == NULL || Room == 0 || Format == NULL)                                                             \
        {                                                                                                              \
            CrtRefuse(EINVAL);                                                                                         \
            return -1;                                                                                                 \
        }                                                                                                              \
        BOOL cut = Count == CRT_TRUNCATE || Count < Room;                                                              \
        size_t most = cut && Count < Room ? Count : Room - 1;                                                          \
        int result = Engine(Buffer, most + 1, Format, Arguments);                                                      \
        if (result >= 0 && (size_t)result <= most)                                                                     \
        {                                                                                                              \
            return result;                                                                                             \
        }                                                                                                              \
        Buffer[cut ? most : 0] = 0;                                                                                    \
        if (!cut)                                                                                                      \
        {                                                                                                              \
            CrtRefuse(ERANGE);                                                                                         \
        }                                                                                                              \
        return -1;                                                                                                     \
    }                                                                                                                  \
    int PrintPart(Unit *Buffer, size_t Room, size_t Count, const Unit *Format, ...)                                    \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, Format);                                                                                   \
        int result = VprintPart(Buffer, Room, Count, Format, arguments);                                               \
        va_end(arguments);                                                                                             \
        return result;                                                                                                 \
    }

CRT_SECURE_PRINT(char, _vsnprintf, vsprintf_s, sprintf_s, _vsnprintf_s, _snprintf_s)
CRT_SECURE_PRINT(WCHAR, _vsnwprintf, vswprintf_s, swprintf_s, _vsnwprintf_s, _snwprintf_s)

/* ---- small ones ---- */

int strerror_s(char *Buffer, size_t Room, int Error)
{
    return strncpy_s(Buffer, Room, strerror(Error), CRT_TRUNCATE) == EINVAL ? EINVAL : 0;
}

char *getenv(const char *Name);

int getenv_s(size_t *Needed, char *Buffer, size_t Room, const char *Name)
{
    if (Needed == NULL || Name == NULL || (Buffer == NULL && Room != 0))
    {
        return CrtRefuse(EINVAL);
    }
    const char *value = getenv(Name);
    *Needed = value != NULL ? strlen(value) + 1 : 0;
    if (Room == 0)
    {
        return 0;
    }
    Buffer[0] = 0;
    return value == NULL ? 0 : *Needed > Room ? CrtRefuse(ERANGE) : strcpy_s(Buffer, Room, value);
}

/* Converted counts its terminator; Count is in units of the result, or _TRUNCATE. */
int mbstowcs_s(size_t *Converted, WCHAR *Target, size_t Room, const char *Source, size_t Count)
{
    if (Source == NULL || (Target == NULL) != (Room == 0))
    {
        return CrtRefuse(EINVAL);
    }
    int needed = MultiByteToWideChar(CP_ACP, 0, Source, -1, NULL, 0);
    WCHAR *wide = malloc((size_t)needed * sizeof(WCHAR));
    if (wide == NULL)
    {
        return CrtRefuse(ENOMEM);
    }
    MultiByteToWideChar(CP_ACP, 0, Source, -1, wide, needed);
    int result = Target == NULL ? 0 : wcsncpy_s(Target, Room, wide, Count);
    if (Converted != NULL)
    {
        *Converted = Target == NULL ? (size_t)needed : wcslen(Target) + 1;
    }
    free(wide);
    return result;
}

int wcstombs_s(size_t *Converted, char *Target, size_t Room, const WCHAR *Source, size_t Count)
{
    if (Source == NULL || (Target == NULL) != (Room == 0))
    {
        return CrtRefuse(EINVAL);
    }
    int needed = WideCharToMultiByte(CP_ACP, 0, Source, -1, NULL, 0, NULL, NULL);
    char *narrow = malloc((size_t)needed);
    if (narrow == NULL)
    {
        return CrtRefuse(ENOMEM);
    }
    WideCharToMultiByte(CP_ACP, 0, Source, -1, narrow, needed, NULL, NULL);
    int result = Target == NULL ? 0 : strncpy_s(Target, Room, narrow, Count);
    if (Converted != NULL)
    {
        *Converted = Target == NULL ? (size_t)needed : strlen(Target) + 1;
    }
    free(narrow);
    return result;
}

FILE *fopen(const char *Path, const char *Mode);
FILE *_wfopen(const WCHAR *Path, const WCHAR *Mode);

int fopen_s(FILE **Stream, const char *Path, const char *Mode)
{
    if (Stream == NULL || Path == NULL || Mode == NULL)
    {
        return CrtRefuse(EINVAL);
    }
    *Stream = fopen(Path, Mode);
    return *Stream != NULL ? 0 : errno;
}

int _wfopen_s(FILE **Stream, const WCHAR *Path, const WCHAR *Mode)
{
    if (Stream == NULL || Path == NULL || Mode == NULL)
    {
        return CrtRefuse(EINVAL);
    }
    *Stream = _wfopen(Path, Mode);
    return *Stream != NULL ? 0 : errno;
}
