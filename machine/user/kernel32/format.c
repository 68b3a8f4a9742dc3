/* SPDX-License-Identifier: MIT */
/*
 * FormatMessage: texts with numbered inserts.
 *
 *   %1 .. %99      an argument, by default a string; %1!spec! formats it as printf would, '*' in the
 *                  spec takes the arguments before it
 *   %0             ends the text without the final newline
 *   %n %r %t %% %. %! %<space>
 *
 * System messages come from messages.h. Message tables of modules are not read: nothing on the
 * machine has one. Of the line widths, 0 (lines as they are) and 255 (no breaks but %n) are known.
 */
#include "base.h"

int __cdecl _snwprintf(wchar_t *Buffer, size_t Count, const wchar_t *Format, ...);

#define FORMAT_LIMIT 0x10000u /* characters; the documented limit of 64 KB */

typedef struct _BASE_TEXT
{
    PWSTR Buffer;
    SIZE_T Length;
    SIZE_T Capacity;
    DWORD Error;
} BASE_TEXT, *PBASE_TEXT;

typedef struct _BASE_FORMAT
{
    BASE_TEXT Text;
    DWORD Flags;
    const DWORD_PTR *Arguments; /* an array: an x64 va_list is one too */
    BOOLEAN Narrow;             /* string arguments are ANSI */
} BASE_FORMAT, *PBASE_FORMAT;

static VOID BaseAppend(PBASE_TEXT Text, PCWSTR Characters, SIZE_T Length)
{
    if (Text->Error != ERROR_SUCCESS)
    {
        return;
    }
    if (Text->Length + Length + 1 > Text->Capacity)
    {
        SIZE_T capacity = (Text->Length + Length + 1) * 2 + 64;
        PWSTR grown = NULL;
        if (capacity <= 4 * FORMAT_LIMIT)
        {
            grown = RtlAllocateHeap(RtlProcessHeap(), 0, capacity * sizeof(WCHAR));
        }
        if (grown == NULL)
        {
            Text->Error = ERROR_NOT_ENOUGH_MEMORY;
            return;
        }
        memcpy(grown, Text->Buffer, Text->Length * sizeof(WCHAR));
        RtlFreeHeap(RtlProcessHeap(), 0, Text->Buffer);
        Text->Buffer = grown;
        Text->Capacity = capacity;
    }
    memcpy(Text->Buffer + Text->Length, Characters, Length * sizeof(WCHAR));
    Text->Length += Length;
    Text->Buffer[Text->Length] = 0;
}

/* ---- System messages ---- */

static PCSTR BaseSystemMessage(DWORD Error)
{
    static const struct
    {
        DWORD Error;
        PCSTR Text;
    } messages[] = {
#define MESSAGE(Error, Text) {Error, Text "\r\n"},
#include "messages.h"
#undef MESSAGE
    };
    if ((Error & 0xFFFF0000) == 0x80070000)
    {
        Error &= 0xFFFF; /* an HRESULT around a Win32 error */
    }
    for (ULONG i = 0; i < ARRAYSIZE(messages); i++)
    {
        if (messages[i].Error == Error)
        {
            return messages[i].Text;
        }
    }
    return NULL;
}

/* ---- Inserts ---- */

/* Copies the spec between two '!' as a printf format; returns its end, or NULL if it is none of ours. */
static PCWSTR BaseReadSpec(PCWSTR Source, BOOLEAN Narrow, PWSTR Spec, SIZE_T Room, PULONG Stars)
{
    SIZE_T out = 0;
    WCHAR type = 0;
    *Stars = 0;
    Spec[out++] = L'%';
    for (; *Source != 0 && *Source != L'!'; Source++)
    {
        if (out + 4 > Room || type != 0)
        {
            return NULL;
        }
        WCHAR c = *Source;
        BOOLEAN digit = c >= L'0' && c <= L'9';
        if (c == L'*')
        {
            ++*Stars;
        }
        else if (c == L'd' || c == L'i' || c == L'u' || c == L'o' || c == L'x' || c == L'X' || c == L'c' ||
                 c == L'C' || c == L's' || c == L'S' || c == L'p')
        {
            type = c;
            BOOLEAN sized = Spec[out - 1] == L'h' || Spec[out - 1] == L'l' || Spec[out - 1] == L'w';
            if (!sized && Narrow && (c == L's' || c == L'c'))
            {
                Spec[out++] = L'h';
            }
            if (!sized && Narrow && (c == L'S' || c == L'C'))
            {
                Spec[out++] = L'l';
                c = c == L'S' ? L's' : L'c';
            }
        }
        else if (!digit && c != L'-' && c != L'+' && c != L' ' && c != L'#' && c != L'.' && c != L'h' && c != L'l' &&
                 c != L'w' && c != L'I')
        {
            return NULL;
        }
        Spec[out++] = c;
    }
    Spec[out] = 0;
    return *Source == L'!' && type != 0 && *Stars <= 2 ? Source + 1 : NULL;
}

static VOID BaseInsert(PBASE_FORMAT Format, ULONG Number, PCWSTR Spec, ULONG Stars)
{
    const DWORD_PTR *argument = Format->Arguments + Number - 1;
    PWSTR buffer = RtlAllocateHeap(RtlProcessHeap(), 0, FORMAT_LIMIT * sizeof(WCHAR));
    if (buffer == NULL)
    {
        Format->Text.Error = ERROR_NOT_ENOUGH_MEMORY;
        return;
    }
    int length = Stars == 0   ? _snwprintf(buffer, FORMAT_LIMIT, Spec, argument[0])
                 : Stars == 1 ? _snwprintf(buffer, FORMAT_LIMIT, Spec, (int)argument[0], argument[1])
                              : _snwprintf(buffer, FORMAT_LIMIT, Spec, (int)argument[0], (int)argument[1], argument[2]);
    BaseAppend(&Format->Text, buffer, length < 0 ? FORMAT_LIMIT : (SIZE_T)length);
    RtlFreeHeap(RtlProcessHeap(), 0, buffer);
}

/* "%<number>" with its optional spec; returns what is behind it. */
static PCWSTR BaseNumbered(PBASE_FORMAT Format, PCWSTR Source)
{
    PCWSTR start = Source - 1;
    ULONG number = *Source++ - L'0';
    WCHAR spec[32];
    ULONG stars = 0;
    if (*Source >= L'0' && *Source <= L'9')
    {
        number = number * 10 + (*Source++ - L'0');
    }
    memcpy(spec, Format->Narrow ? L"%hs" : L"%ls", sizeof(L"%hs"));
    if (*Source == L'!')
    {
        PCWSTR end = BaseReadSpec(Source + 1, Format->Narrow, spec, ARRAYSIZE(spec), &stars);
        if (end == NULL)
        {
            Format->Text.Error = ERROR_INVALID_PARAMETER;
            return Source;
        }
        Source = end;
    }
    if (Format->Flags & FORMAT_MESSAGE_IGNORE_INSERTS)
    {
        BaseAppend(&Format->Text, start, (SIZE_T)(Source - start));
    }
    else if (Format->Arguments == NULL)
    {
        Format->Text.Error = ERROR_INVALID_PARAMETER;
    }
    else
    {
        BaseInsert(Format, number, spec, stars);
    }
    return Source;
}

static VOID BaseExpand(PBASE_FORMAT Format, PCWSTR Source)
{
    BOOLEAN joined = (Format->Flags & FORMAT_MESSAGE_MAX_WIDTH_MASK) == FORMAT_MESSAGE_MAX_WIDTH_MASK;
    while (*Source != 0 && Format->Text.Error == ERROR_SUCCESS)
    {
        WCHAR c = *Source++;
        if (joined && (c == L'\r' || c == L'\n'))
        {
            Source += c == L'\r' && *Source == L'\n';
            BaseAppend(&Format->Text, L" ", 1);
            continue;
        }
        if (c != L'%' || *Source == 0)
        {
            BaseAppend(&Format->Text, &c, 1);
            continue;
        }
        if (*Source >= L'1' && *Source <= L'9')
        {
            Source = BaseNumbered(Format, Source);
            continue;
        }
        c = *Source++;
        if (Format->Flags & FORMAT_MESSAGE_IGNORE_INSERTS)
        {
            if (c != L'0')
            {
                BaseAppend(&Format->Text, Source - 2, 2);
                continue;
            }
            return;
        }
        switch (c)
        {
        case L'0':
            return;
        case L'n':
            BaseAppend(&Format->Text, L"\r\n", 2);
            break;
        case L'r':
            BaseAppend(&Format->Text, L"\r", 1);
            break;
        case L't':
            BaseAppend(&Format->Text, L"\t", 1);
            break;
        default:
            BaseAppend(&Format->Text, &c, 1);
            break;
        }
    }
}

/* ---- The two entry points ---- */

/* Finds the source text as wide characters and expands it. */
static BOOL BaseFormat(PBASE_FORMAT Format, LPCVOID Source, DWORD MessageId)
{
    BASE_WIDE wide = {0};
    PCWSTR text = NULL;

    if (Format->Flags & FORMAT_MESSAGE_FROM_STRING)
    {
        if (Source == NULL)
        {
            return BaseFailWith(ERROR_INVALID_PARAMETER);
        }
        text = Source;
        if (Format->Narrow)
        {
            if (!BaseWiden(&wide, Source))
            {
                return FALSE;
            }
            text = wide.Text;
        }
    }
    else if (Format->Flags & FORMAT_MESSAGE_FROM_SYSTEM)
    {
        PCSTR message = BaseSystemMessage(MessageId);
        if (message == NULL)
        {
            return BaseFailWith(ERROR_MR_MID_NOT_FOUND);
        }
        if (!BaseWiden(&wide, message))
        {
            return FALSE;
        }
        text = wide.Text;
    }
    else
    {
        return BaseFailWith((Format->Flags & FORMAT_MESSAGE_FROM_HMODULE) ? ERROR_RESOURCE_TYPE_NOT_FOUND
                                                                          : ERROR_INVALID_PARAMETER);
    }
    BaseExpand(Format, text);
    BaseRelease(&wide);
    if (Format->Text.Error != ERROR_SUCCESS)
    {
        RtlFreeHeap(RtlProcessHeap(), 0, Format->Text.Buffer);
        Format->Text.Buffer = NULL;
        return BaseFailWith(Format->Text.Error);
    }
    return TRUE;
}

static VOID BaseBeginFormat(PBASE_FORMAT Format, DWORD Flags, va_list *Arguments, BOOLEAN Narrow)
{
    memset(Format, 0, sizeof(*Format));
    Format->Flags = Flags;
    Format->Narrow = Narrow;
    if (Arguments != NULL)
    {
        Format->Arguments = (Flags & FORMAT_MESSAGE_ARGUMENT_ARRAY) ? (const DWORD_PTR *)Arguments
                                                                    : *(const DWORD_PTR **)Arguments;
    }
}

DWORD WINAPI FormatMessageW(DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId, DWORD dwLanguageId, LPWSTR lpBuffer,
                            DWORD nSize, va_list *Arguments)
{
    UNREFERENCED_PARAMETER(dwLanguageId);
    BASE_FORMAT format;
    DWORD result = 0;
    if (lpBuffer == NULL)
    {
        return (DWORD)BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    BaseBeginFormat(&format, dwFlags, Arguments, FALSE);
    if (!BaseFormat(&format, lpSource, dwMessageId))
    {
        return 0;
    }
    DWORD length = (DWORD)format.Text.Length;
    if (dwFlags & FORMAT_MESSAGE_ALLOCATE_BUFFER)
    {
        DWORD room = nSize > length + 1 ? nSize : length + 1;
        PWSTR copy = LocalAlloc(LMEM_ZEROINIT, room * sizeof(WCHAR));
        *(PWSTR *)lpBuffer = copy;
        if (copy != NULL)
        {
            memcpy(copy, format.Text.Buffer, length * sizeof(WCHAR));
            result = length;
        }
    }
    else if (length + 1 > nSize)
    {
        RtlSetLastWin32Error(ERROR_INSUFFICIENT_BUFFER);
    }
    else
    {
        memcpy(lpBuffer, format.Text.Buffer, length * sizeof(WCHAR));
        lpBuffer[length] = 0;
        result = length;
    }
    RtlFreeHeap(RtlProcessHeap(), 0, format.Text.Buffer);
    return result;
}

DWORD WINAPI FormatMessageA(DWORD dwFlags, LPCVOID lpSource, DWORD dwMessageId, DWORD dwLanguageId, LPSTR lpBuffer,
                            DWORD nSize, va_list *Arguments)
{
    UNREFERENCED_PARAMETER(dwLanguageId);
    BASE_FORMAT format;
    DWORD result = 0;
    if (lpBuffer == NULL)
    {
        return (DWORD)BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    BaseBeginFormat(&format, dwFlags, Arguments, TRUE);
    if (!BaseFormat(&format, lpSource, dwMessageId))
    {
        return 0;
    }
    DWORD needed = BaseNarrow(format.Text.Buffer, format.Text.Length, NULL, 0);
    if (dwFlags & FORMAT_MESSAGE_ALLOCATE_BUFFER)
    {
        DWORD room = nSize > needed ? nSize : needed;
        PSTR copy = LocalAlloc(LMEM_ZEROINIT, room);
        *(PSTR *)lpBuffer = copy;
        if (copy != NULL)
        {
            result = BaseNarrow(format.Text.Buffer, format.Text.Length, copy, room);
        }
    }
    else if (needed > nSize)
    {
        RtlSetLastWin32Error(ERROR_INSUFFICIENT_BUFFER);
    }
    else
    {
        result = BaseNarrow(format.Text.Buffer, format.Text.Length, lpBuffer, nSize);
    }
    RtlFreeHeap(RtlProcessHeap(), 0, format.Text.Buffer);
    return result;
}
