/* SPDX-License-Identifier: MIT */
/* Reading and writing on streams: characters, strings, blocks, formatted text. */
#include "crt.h"

size_t fwrite(const void *Data, size_t Size, size_t Count, FILE *Stream)
{
    size_t bytes, written;

    if (Size == 0 || Count == 0 || __builtin_mul_overflow(Size, Count, &bytes))
    {
        return 0;
    }
    _lock_file(Stream);
    written = CrtWrite(Stream, Data, bytes);
    if (CrtFinish(Stream) != 0)
    {
        written = 0;
    }
    _unlock_file(Stream);
    return written / Size;
}

size_t fread(void *Data, size_t Size, size_t Count, FILE *Stream)
{
    char *data = Data;
    size_t bytes, done = 0;

    if (Size == 0 || Count == 0 || __builtin_mul_overflow(Size, Count, &bytes))
    {
        return 0;
    }
    _lock_file(Stream);
    while (done < bytes)
    {
        size_t part;
        int c;
        if (Stream->_cnt <= 0 || (Stream->_flag & _IOREAD) == 0)
        {
            c = CrtGet(Stream);
            if (c == EOF)
            {
                break;
            }
            data[done++] = (char)c;
            continue;
        }
        part = (size_t)Stream->_cnt < bytes - done ? (size_t)Stream->_cnt : bytes - done;
        CopyMemory(data + done, Stream->_ptr, part);
        Stream->_ptr += part;
        Stream->_cnt -= (int)part;
        done += part;
    }
    _unlock_file(Stream);
    return done / Size;
}

int fputc(int Character, FILE *Stream)
{
    char c = (char)Character;
    int result = (unsigned char)c;

    _lock_file(Stream);
    if (CrtWrite(Stream, &c, 1) != 1 || CrtFinish(Stream) != 0)
    {
        result = EOF;
    }
    _unlock_file(Stream);
    return result;
}

int putc(int Character, FILE *Stream)
{
    return fputc(Character, Stream);
}

int putchar(int Character)
{
    return fputc(Character, stdout);
}

int fputs(const char *Text, FILE *Stream)
{
    size_t length = strlen(Text);
    int result = 0;

    _lock_file(Stream);
    if (CrtWrite(Stream, Text, length) != length || CrtFinish(Stream) != 0)
    {
        result = EOF;
    }
    _unlock_file(Stream);
    return result;
}

int puts(const char *Text)
{
    size_t length = strlen(Text);
    int result = 0;

    _lock_file(stdout);
    if (CrtWrite(stdout, Text, length) != length || CrtWrite(stdout, "\n", 1) != 1 || CrtFinish(stdout) != 0)
    {
        result = EOF;
    }
    _unlock_file(stdout);
    return result;
}

int fgetc(FILE *Stream)
{
    int c;

    _lock_file(Stream);
    c = CrtGet(Stream);
    _unlock_file(Stream);
    return c;
}

int getc(FILE *Stream)
{
    return fgetc(Stream);
}

int getchar(void)
{
    return fgetc(stdin);
}

int ungetc(int Character, FILE *Stream)
{
    int result;

    _lock_file(Stream);
    result = CrtUnget(Character, Stream);
    _unlock_file(Stream);
    return result;
}

/* Old getc and putc macros of compiled programs end here when the buffer is empty or full. */
int _filbuf(FILE *Stream)
{
    return fgetc(Stream);
}

int _flsbuf(int Character, FILE *Stream)
{
    Stream->_cnt = 0;
    return fputc(Character, Stream);
}

char *fgets(char *Buffer, int Size, FILE *Stream)
{
    int used = 0;

    if (Size <= 0)
    {
        return NULL;
    }
    _lock_file(Stream);
    while (used < Size - 1)
    {
        int c = CrtGet(Stream);
        if (c == EOF)
        {
            break;
        }
        Buffer[used++] = (char)c;
        if (c == '\n')
        {
            break;
        }
    }
    _unlock_file(Stream);
    if (used == 0 && Size > 1)
    {
        return NULL;
    }
    Buffer[used] = 0;
    return Buffer;
}

/* ---- wide text, which goes out and comes in as UTF-8 ---- */

static BOOL CrtPutWide(FILE *Stream, const WCHAR *Text, size_t Count)
{
    while (Count != 0)
    {
        char narrow[256 * 3];
        int part = Count > 256 ? 256 : (int)Count;
        int bytes;

        if (part < (int)Count && Text[part - 1] >= 0xD800 && Text[part - 1] < 0xDC00)
        {
            part--; /* keeps a surrogate pair together */
        }
        bytes = WideCharToMultiByte(CP_ACP, 0, Text, part, narrow, sizeof(narrow), NULL, NULL);
        if (bytes == 0 || CrtWrite(Stream, narrow, (size_t)bytes) != (size_t)bytes)
        {
            return FALSE;
        }
        Text += part;
        Count -= (size_t)part;
    }
    return TRUE;
}

int fputws(const WCHAR *Text, FILE *Stream)
{
    int result = 0;

    _lock_file(Stream);
    if (!CrtPutWide(Stream, Text, wcslen(Text)) || CrtFinish(Stream) != 0)
    {
        result = EOF;
    }
    _unlock_file(Stream);
    return result;
}

int _putws(const WCHAR *Text)
{
    return fputws(Text, stdout) == 0 && fputc('\n', stdout) != EOF ? 0 : EOF;
}

WCHAR fputwc(WCHAR Character, FILE *Stream)
{
    BOOL ok;

    _lock_file(Stream);
    ok = CrtPutWide(Stream, &Character, 1) && CrtFinish(Stream) == 0;
    _unlock_file(Stream);
    return ok ? Character : (WCHAR)0xFFFF;
}

WCHAR putwchar(WCHAR Character)
{
    return fputwc(Character, stdout);
}

/* Reads one UTF-8 sequence; what lies outside the first plane comes as one replacement character. */
static WCHAR CrtGetWide(FILE *Stream)
{
    char bytes[4];
    WCHAR wide[2];
    int length = 1;
    int c = CrtGet(Stream);

    if (c == EOF)
    {
        return 0xFFFF;
    }
    bytes[0] = (char)c;
    if (c >= 0xC0)
    {
        int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        while (more-- != 0 && (c = CrtGet(Stream)) != EOF)
        {
            bytes[length++] = (char)c;
        }
    }
    return MultiByteToWideChar(CP_ACP, 0, bytes, length, wide, 2) == 1 ? wide[0] : 0xFFFD;
}

WCHAR fgetwc(FILE *Stream)
{
    WCHAR c;

    _lock_file(Stream);
    c = CrtGetWide(Stream);
    _unlock_file(Stream);
    return c;
}

/* Puts one character back, as the bytes it came in. */
WCHAR ungetwc(WCHAR Character, FILE *Stream)
{
    char bytes[4];
    int length = Character == 0xFFFF ? 0 : WideCharToMultiByte(CP_ACP, 0, &Character, 1, bytes, sizeof(bytes), NULL, NULL);
    BOOL ok = length != 0;

    _lock_file(Stream);
    while (ok && length != 0)
    {
        ok = CrtUnget((unsigned char)bytes[--length], Stream) != EOF;
    }
    _unlock_file(Stream);
    return ok ? Character : (WCHAR)0xFFFF;
}

WCHAR getwchar(void)
{
    return fgetwc(stdin);
}

WCHAR *fgetws(WCHAR *Buffer, int Size, FILE *Stream)
{
    int used = 0;

    if (Size <= 0)
    {
        return NULL;
    }
    _lock_file(Stream);
    while (used < Size - 1)
    {
        WCHAR c = CrtGetWide(Stream);
        if (c == 0xFFFF)
        {
            break;
        }
        Buffer[used++] = c;
        if (c == L'\n')
        {
            break;
        }
    }
    _unlock_file(Stream);
    if (used == 0 && Size > 1)
    {
        return NULL;
    }
    Buffer[used] = 0;
    return Buffer;
}

/* ---- formatted output ---- */

static void CrtPutStream(CRT_SINK *Sink, const void *Units, size_t Count)
{
    if (Sink->Wide)
    {
        CrtPutWide(Sink->Stream, Units, Count);
    }
    else
    {
        CrtWrite(Sink->Stream, Units, Count);
    }
}

static int CrtPrintStream(FILE *Stream, BOOL Wide, const void *Format, va_list Arguments)
{
    CRT_SINK sink = {CrtPutStream, Wide, 0, NULL, 0, Stream};
    int result;

    _lock_file(Stream);
    result = CrtFormat(&sink, Format, Arguments);
    if (CrtFinish(Stream) != 0 || (Stream->_flag & _IOERR) != 0)
    {
        result = -1;
    }
    _unlock_file(Stream);
    return result;
}

int vfprintf(FILE *Stream, const char *Format, va_list Arguments)
{
    return CrtPrintStream(Stream, FALSE, Format, Arguments);
}

int vfwprintf(FILE *Stream, const WCHAR *Format, va_list Arguments)
{
    return CrtPrintStream(Stream, TRUE, Format, Arguments);
}

int vprintf(const char *Format, va_list Arguments)
{
    return CrtPrintStream(stdout, FALSE, Format, Arguments);
}

int vwprintf(const WCHAR *Format, va_list Arguments)
{
    return CrtPrintStream(stdout, TRUE, Format, Arguments);
}

#define CRT_FORWARD(call)          \
    va_list arguments;             \
    int result;                    \
    va_start(arguments, Format);   \
    result = call;                 \
    va_end(arguments);             \
    return result

int fprintf(FILE *Stream, const char *Format, ...)
{
    CRT_FORWARD(CrtPrintStream(Stream, FALSE, Format, arguments));
}

int printf(const char *Format, ...)
{
    CRT_FORWARD(CrtPrintStream(stdout, FALSE, Format, arguments));
}

int fwprintf(FILE *Stream, const WCHAR *Format, ...)
{
    CRT_FORWARD(CrtPrintStream(Stream, TRUE, Format, arguments));
}

int wprintf(const WCHAR *Format, ...)
{
    CRT_FORWARD(CrtPrintStream(stdout, TRUE, Format, arguments));
}

static void CrtPutBuffer(CRT_SINK *Sink, const void *Units, size_t Count)
{
    size_t unit = Sink->Wide ? sizeof(WCHAR) : 1;
    size_t before = Sink->Total;
    size_t part = before >= Sink->Room ? 0 : Sink->Room - before < Count ? Sink->Room - before : Count;

    CopyMemory((char *)Sink->Target + before * unit, Units, part * unit);
}

/* The rules of _vsnprintf: no terminator when the text just fits, -1 when it does not. Room in units. */
static int CrtPrintBuffer(void *Buffer, size_t Room, BOOL Wide, const void *Format, va_list Arguments)
{
    CRT_SINK sink = {CrtPutBuffer, Wide, 0, Buffer, Buffer != NULL ? Room : 0, NULL};
    int result = CrtFormat(&sink, Format, Arguments);

    if (Buffer == NULL)
    {
        return result;
    }
    if (result >= 0 && (size_t)result < Room)
    {
        if (Wide)
        {
            ((WCHAR *)Buffer)[result] = 0;
        }
        else
        {
            ((char *)Buffer)[result] = 0;
        }
        return result;
    }
    return result >= 0 && (size_t)result == Room ? result : -1;
}

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments)
{
    return CrtPrintBuffer(Buffer, Count, FALSE, Format, Arguments);
}

int _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments)
{
    return CrtPrintBuffer(Buffer, Count, TRUE, Format, Arguments);
}

int vsprintf(char *Buffer, const char *Format, va_list Arguments)
{
    return CrtPrintBuffer(Buffer, 0x7FFFFFFF, FALSE, Format, Arguments);
}

int _snprintf(char *Buffer, size_t Count, const char *Format, ...)
{
    CRT_FORWARD(CrtPrintBuffer(Buffer, Count, FALSE, Format, arguments));
}

int _snwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, ...)
{
    CRT_FORWARD(CrtPrintBuffer(Buffer, Count, TRUE, Format, arguments));
}

int sprintf(char *Buffer, const char *Format, ...)
{
    CRT_FORWARD(CrtPrintBuffer(Buffer, 0x7FFFFFFF, FALSE, Format, arguments));
}

/* msvcrt's own swprintf has no size. */
int swprintf(WCHAR *Buffer, const WCHAR *Format, ...)
{
    CRT_FORWARD(CrtPrintBuffer(Buffer, 0x3FFFFFFF, TRUE, Format, arguments));
}

int vswprintf(WCHAR *Buffer, const WCHAR *Format, va_list Arguments)
{
    return CrtPrintBuffer(Buffer, 0x3FFFFFFF, TRUE, Format, Arguments);
}

int _vscprintf(const char *Format, va_list Arguments)
{
    return CrtPrintBuffer(NULL, 0, FALSE, Format, Arguments);
}

int _vscwprintf(const WCHAR *Format, va_list Arguments)
{
    return CrtPrintBuffer(NULL, 0, TRUE, Format, Arguments);
}

int _scprintf(const char *Format, ...)
{
    CRT_FORWARD(CrtPrintBuffer(NULL, 0, FALSE, Format, arguments));
}

/* ---- formatted input ---- */

static int CrtStringGet(CRT_SOURCE *Source)
{
    const unsigned char *text = Source->Text;

    if (*text == 0)
    {
        return EOF;
    }
    Source->Text = text + 1;
    return *text;
}

static void CrtStringUnget(CRT_SOURCE *Source, int Character)
{
    UNREFERENCED_PARAMETER(Character);
    Source->Text = (const char *)Source->Text - 1;
}

static int CrtStreamGet(CRT_SOURCE *Source)
{
    return CrtGet(Source->Stream);
}

static void CrtStreamUnget(CRT_SOURCE *Source, int Character)
{
    CrtUnget(Character, Source->Stream);
}

int vsscanf(const char *Text, const char *Format, va_list Arguments)
{
    CRT_SOURCE source = {CrtStringGet, CrtStringUnget, Text, NULL, 0};

    return CrtScan(&source, Format, Arguments);
}

int sscanf(const char *Text, const char *Format, ...)
{
    CRT_FORWARD(vsscanf(Text, Format, arguments));
}

static int CrtScanStream(FILE *Stream, const char *Format, va_list Arguments)
{
    CRT_SOURCE source = {CrtStreamGet, CrtStreamUnget, NULL, Stream, 0};
    int result;

    _lock_file(Stream);
    result = CrtScan(&source, Format, Arguments);
    _unlock_file(Stream);
    return result;
}

int fscanf(FILE *Stream, const char *Format, ...)
{
    CRT_FORWARD(CrtScanStream(Stream, Format, arguments));
}

int scanf(const char *Format, ...)
{
    CRT_FORWARD(CrtScanStream(stdin, Format, arguments));
}
