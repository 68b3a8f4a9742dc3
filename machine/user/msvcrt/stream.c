/* SPDX-License-Identifier: MIT */
/*
 * Streams: buffers over the low-level files.
 *
 * A stream is idle, reading (_IOREAD: _ptr.._ptr+_cnt is unread) or writing (_IOWRT: _base.._ptr is not yet written).
 * An update stream (_IORW) changes sides when the other kind of call comes, after a seek or flush as C asks for.
 * The first 20 streams are the array programs know; the others carry their lock behind them, where mingw looks for it.
 */
#include "crt.h"

#define CRT_BUFFER 4096
#define CRT_MORE_STREAMS 236

typedef struct _CRT_STREAM
{
    FILE File;
    CRITICAL_SECTION Lock;
} CRT_STREAM;

FILE _iob[20] = {
    {._file = 0, ._flag = _IOREAD},
    {._file = 1, ._flag = _IOWRT},
    {._file = 2, ._flag = _IOWRT | _IONBF},
};
static CRT_STREAM *CrtStreams[CRT_MORE_STREAMS];

FILE *__iob_func(void)
{
    return _iob;
}

FILE *__acrt_iob_func(unsigned Index)
{
    return &_iob[Index];
}

static BOOL CrtIsStatic(const FILE *Stream)
{
    return Stream >= _iob && Stream < _iob + 20;
}

void _lock_file(FILE *Stream)
{
    if (CrtIsStatic(Stream))
    {
        _lock(CRT_STREAM_LOCKS + (int)(Stream - _iob));
    }
    else
    {
        EnterCriticalSection(&((CRT_STREAM *)Stream)->Lock);
    }
}

void _unlock_file(FILE *Stream)
{
    if (CrtIsStatic(Stream))
    {
        _unlock(CRT_STREAM_LOCKS + (int)(Stream - _iob));
    }
    else
    {
        LeaveCriticalSection(&((CRT_STREAM *)Stream)->Lock);
    }
}

#define CRT_UNGET 4 /* bytes kept free before what was read: one wide character as UTF-8 */

static BOOL CrtGiveBuffer(FILE *Stream)
{
    if (Stream->_base != NULL)
    {
        return TRUE;
    }
    if ((Stream->_flag & _IONBF) == 0)
    {
        Stream->_base = malloc(CRT_BUFFER);
        Stream->_bufsiz = CRT_BUFFER;
        if (Stream->_base != NULL)
        {
            Stream->_flag |= _IOMYBUF;
        }
    }
    if (Stream->_base == NULL)
    {
        Stream->_base = (char *)&Stream->_charbuf;
        Stream->_bufsiz = 1;
        Stream->_flag |= _IONBF;
    }
    Stream->_ptr = Stream->_base;
    Stream->_cnt = 0;
    return TRUE;
}

static int CrtFlush(FILE *Stream)
{
    int result = 0;

    if ((Stream->_flag & _IOWRT) != 0 && Stream->_base != NULL)
    {
        int pending = (int)(Stream->_ptr - Stream->_base);
        if (pending > 0 && _write(Stream->_file, Stream->_base, (unsigned)pending) != pending)
        {
            Stream->_flag |= _IOERR;
            result = EOF;
        }
    }
    else if ((Stream->_flag & _IOREAD) != 0 && Stream->_cnt > 0)
    {
        _lseeki64(Stream->_file, -(long long)Stream->_cnt, FILE_CURRENT); /* so that the file stands where the program is */
    }
    Stream->_ptr = Stream->_base;
    Stream->_cnt = 0;
    if ((Stream->_flag & _IORW) != 0)
    {
        Stream->_flag &= ~(_IOREAD | _IOWRT);
    }
    return result;
}

static BOOL CrtBeginWrite(FILE *Stream)
{
    if ((Stream->_flag & (_IOWRT | _IORW)) == 0)
    {
        Stream->_flag |= _IOERR;
        errno = EBADF;
        return FALSE;
    }
    if ((Stream->_flag & _IOREAD) != 0)
    {
        CrtFlush(Stream);
    }
    Stream->_flag = (Stream->_flag | _IOWRT) & ~_IOEOF;
    return CrtGiveBuffer(Stream);
}

size_t CrtWrite(FILE *Stream, const void *Data, size_t Size)
{
    const char *data = Data;
    size_t left = Size;

    if (!CrtBeginWrite(Stream))
    {
        return 0;
    }
    while (left != 0)
    {
        size_t room = (size_t)(Stream->_base + Stream->_bufsiz - Stream->_ptr);
        size_t part = left < room ? left : room;

        if (Stream->_ptr == Stream->_base && left >= (size_t)Stream->_bufsiz)
        {
            unsigned direct = left > 0x10000000 ? 0x10000000 : (unsigned)left;
            if (_write(Stream->_file, data, direct) != (int)direct)
            {
                Stream->_flag |= _IOERR;
                return Size - left;
            }
            data += direct;
            left -= direct;
            continue;
        }
        CopyMemory(Stream->_ptr, data, part);
        Stream->_ptr += part;
        data += part;
        left -= part;
        if (part == room && CrtFlush(Stream) != 0)
        {
            return Size - left;
        }
        Stream->_flag |= _IOWRT;
    }
    return Size;
}

/* A console shows what was written by the end of each call; files wait for the buffer to fill. */
int CrtFinish(FILE *Stream)
{
    if ((Stream->_flag & _IOWRT) != 0 && Stream->_ptr != Stream->_base && ((Stream->_flag & _IONBF) != 0 || _isatty(Stream->_file)))
    {
        return CrtFlush(Stream);
    }
    return 0;
}

static BOOL CrtFill(FILE *Stream)
{
    int got;

    if ((Stream->_flag & (_IOREAD | _IORW)) == 0)
    {
        Stream->_flag |= _IOERR;
        errno = EBADF;
        return FALSE;
    }
    if ((Stream->_flag & _IOWRT) != 0)
    {
        CrtFlush(Stream);
    }
    Stream->_flag |= _IOREAD;
    CrtGiveBuffer(Stream);
    Stream->_ptr = Stream->_base + (Stream->_bufsiz > CRT_UNGET ? CRT_UNGET : 0);
    got = _read(Stream->_file, Stream->_ptr, (unsigned)(Stream->_base + Stream->_bufsiz - Stream->_ptr));
    Stream->_cnt = got > 0 ? got : 0;
    if (got <= 0)
    {
        Stream->_flag |= got == 0 ? _IOEOF : _IOERR;
    }
    return got > 0;
}

int CrtGet(FILE *Stream)
{
    if (Stream->_cnt <= 0 || (Stream->_flag & _IOREAD) == 0)
    {
        if (!CrtFill(Stream))
        {
            return EOF;
        }
    }
    Stream->_cnt--;
    return (unsigned char)*Stream->_ptr++;
}

int CrtUnget(int Character, FILE *Stream)
{
    if (Character == EOF || (Stream->_flag & (_IOREAD | _IORW)) == 0 || (Stream->_flag & _IOWRT) != 0)
    {
        return EOF;
    }
    Stream->_flag |= _IOREAD;
    CrtGiveBuffer(Stream);
    if (Stream->_ptr == Stream->_base)
    {
        if (Stream->_cnt != 0)
        {
            return EOF; /* one character back is what C promises */
        }
        Stream->_ptr += Stream->_bufsiz > CRT_UNGET ? CRT_UNGET : 1;
    }
    *--Stream->_ptr = (char)Character;
    Stream->_cnt++;
    Stream->_flag &= ~_IOEOF;
    return (unsigned char)Character;
}

static FILE *CrtNewStream(void)
{
    for (int i = 0; i < CRT_MORE_STREAMS; i++)
    {
        CRT_STREAM *stream;
        if (CrtStreams[i] != NULL)
        {
            continue;
        }
        stream = calloc(1, sizeof(*stream));
        if (stream == NULL)
        {
            return NULL;
        }
        InitializeCriticalSection(&stream->Lock);
        if (InterlockedCompareExchangePointer((void *volatile *)&CrtStreams[i], stream, NULL) == NULL)
        {
            return &stream->File;
        }
        DeleteCriticalSection(&stream->Lock);
        free(stream);
    }
    errno = EMFILE;
    return NULL;
}

static void CrtFreeStream(FILE *Stream)
{
    for (int i = 0; i < CRT_MORE_STREAMS; i++)
    {
        if ((FILE *)CrtStreams[i] == Stream)
        {
            CRT_STREAM *stream = CrtStreams[i];
            CrtStreams[i] = NULL;
            DeleteCriticalSection(&stream->Lock);
            free(stream);
            return;
        }
    }
    ZeroMemory(Stream, sizeof(*Stream));
}

/* "r+b" and kin: the flags for open, and the stream's side. */
static BOOL CrtParseMode(const WCHAR *Mode, int *Open, int *Side)
{
    int text = 0;
    BOOL update = FALSE;

    switch (*Mode++)
    {
    case 'r':
        *Open = _O_RDONLY;
        *Side = _IOREAD;
        break;
    case 'w':
        *Open = _O_WRONLY | _O_CREAT | _O_TRUNC;
        *Side = _IOWRT;
        break;
    case 'a':
        *Open = _O_WRONLY | _O_CREAT | _O_APPEND;
        *Side = _IOWRT;
        break;
    default:
        return FALSE;
    }
    for (; *Mode != 0 && *Mode != ','; Mode++)
    {
        if (*Mode == '+')
        {
            update = TRUE;
        }
        else if (*Mode == 'b')
        {
            text = _O_BINARY;
        }
        else if (*Mode == 't')
        {
            text = _O_TEXT;
        }
        else if (*Mode == 'x')
        {
            *Open |= _O_EXCL;
        }
    }
    if (update)
    {
        *Open = (*Open & ~3) | _O_RDWR;
        *Side = _IORW;
    }
    *Open |= text;
    return TRUE;
}

static FILE *CrtOpenStream(int File, int Side)
{
    FILE *stream = CrtNewStream();

    if (stream == NULL)
    {
        _close(File);
        return NULL;
    }
    stream->_file = File;
    stream->_flag = Side;
    return stream;
}

FILE *_wfopen(const WCHAR *Path, const WCHAR *Mode)
{
    int flags, side, file;

    if (!CrtParseMode(Mode, &flags, &side))
    {
        errno = EINVAL;
        return NULL;
    }
    file = _wopen(Path, flags, 0600);
    return file >= 0 ? CrtOpenStream(file, side) : NULL;
}

static BOOL CrtWidenMode(const char *Mode, WCHAR *Wide, size_t Room)
{
    size_t i;

    for (i = 0; i + 1 < Room && Mode[i] != 0; i++)
    {
        Wide[i] = (unsigned char)Mode[i];
    }
    Wide[i] = 0;
    return i != 0;
}

FILE *fopen(const char *Path, const char *Mode)
{
    WCHAR mode[16];
    int flags, side, file;

    if (!CrtWidenMode(Mode, mode, 16) || !CrtParseMode(mode, &flags, &side))
    {
        errno = EINVAL;
        return NULL;
    }
    file = _open(Path, flags, 0600);
    return file >= 0 ? CrtOpenStream(file, side) : NULL;
}

FILE *_fdopen(int File, const char *Mode)
{
    WCHAR mode[16];
    int flags, side;
    FILE *stream;

    if (!CrtWidenMode(Mode, mode, 16) || !CrtParseMode(mode, &flags, &side) || (stream = CrtNewStream()) == NULL)
    {
        return NULL;
    }
    stream->_file = File;
    stream->_flag = side;
    return stream;
}

int fclose(FILE *Stream)
{
    int result;

    _lock_file(Stream);
    result = CrtFlush(Stream);
    if (_close(Stream->_file) != 0)
    {
        result = EOF;
    }
    if (Stream->_flag & _IOMYBUF)
    {
        free(Stream->_base);
    }
    Stream->_base = Stream->_ptr = NULL;
    Stream->_flag = 0;
    _unlock_file(Stream);
    CrtFreeStream(Stream);
    return result;
}

void CrtFlushAll(void)
{
    for (int i = 0; i < 20; i++)
    {
        if (_iob[i]._flag & (_IOWRT | _IORW))
        {
            fflush(&_iob[i]);
        }
    }
    for (int i = 0; i < CRT_MORE_STREAMS; i++)
    {
        if (CrtStreams[i] != NULL && (CrtStreams[i]->File._flag & _IOWRT))
        {
            fflush(&CrtStreams[i]->File);
        }
    }
}

int fflush(FILE *Stream)
{
    int result;

    if (Stream == NULL)
    {
        CrtFlushAll();
        return 0;
    }
    _lock_file(Stream);
    result = CrtFlush(Stream);
    _unlock_file(Stream);
    return result;
}

int _fileno(FILE *Stream)
{
    return Stream->_file;
}

int feof(FILE *Stream)
{
    return Stream->_flag & _IOEOF;
}

int ferror(FILE *Stream)
{
    return Stream->_flag & _IOERR;
}

void clearerr(FILE *Stream)
{
    Stream->_flag &= ~(_IOEOF | _IOERR);
}

#define _IOFBF 0x0000
int setvbuf(FILE *Stream, char *Buffer, int Mode, size_t Size)
{
    _lock_file(Stream);
    CrtFlush(Stream);
    if (Stream->_flag & _IOMYBUF)
    {
        free(Stream->_base);
    }
    Stream->_flag &= ~(_IOMYBUF | _IONBF);
    Stream->_base = Stream->_ptr = NULL;
    Stream->_cnt = 0;
    if (Mode & _IONBF)
    {
        Stream->_flag |= _IONBF;
    }
    else if (Buffer != NULL && Size >= 2 && Size <= 0x7FFFFFFF)
    {
        Stream->_base = Stream->_ptr = Buffer;
        Stream->_bufsiz = (int)Size;
    }
    _unlock_file(Stream);
    return 0;
}

void setbuf(FILE *Stream, char *Buffer)
{
    setvbuf(Stream, Buffer, Buffer != NULL ? _IOFBF : _IONBF, 512);
}

/* ---- positions ---- */

int _fseeki64(FILE *Stream, long long Offset, int Origin)
{
    int result;

    _lock_file(Stream);
    CrtFlush(Stream);
    Stream->_flag &= ~_IOEOF;
    result = _lseeki64(Stream->_file, Offset, Origin) < 0 ? -1 : 0;
    _unlock_file(Stream);
    return result;
}

int fseek(FILE *Stream, long Offset, int Origin)
{
    return _fseeki64(Stream, Offset, Origin);
}

long long _ftelli64(FILE *Stream)
{
    long long position;

    _lock_file(Stream);
    CrtFlush(Stream); /* also when reading: the buffer is given up, and read again from where the program is */
    position = _lseeki64(Stream->_file, 0, FILE_CURRENT);
    _unlock_file(Stream);
    return position;
}

long ftell(FILE *Stream)
{
    return (long)_ftelli64(Stream);
}

void rewind(FILE *Stream)
{
    _fseeki64(Stream, 0, FILE_BEGIN);
    clearerr(Stream);
}

int fgetpos(FILE *Stream, long long *Position)
{
    *Position = _ftelli64(Stream);
    return *Position < 0 ? -1 : 0;
}

int fsetpos(FILE *Stream, const long long *Position)
{
    return _fseeki64(Stream, *Position, FILE_BEGIN);
}
