/* SPDX-License-Identifier: MIT */
/* Time of day. The machine's time zone is UTC, so local time and universal time are the same. */
#include "crt.h"

#define CRT_EPOCH 116444736000000000LL /* 1970 as a FILETIME */

struct tm
{
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
};

long _timezone;
int _daylight;
char *_tzname[2] = {"UTC", "UTC"};

void _tzset(void)
{
}

static long long CrtNow(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return (long long)(((unsigned long long)now.dwHighDateTime << 32) | now.dwLowDateTime) - CRT_EPOCH;
}

long long _time64(long long *Time)
{
    long long seconds = CrtNow() / 10000000;

    if (Time != NULL)
    {
        *Time = seconds;
    }
    return seconds;
}

long _time32(long *Time)
{
    long seconds = (long)_time64(NULL);

    if (Time != NULL)
    {
        *Time = seconds;
    }
    return seconds;
}

/* Milliseconds since the process started. */
long clock(void)
{
    FILETIME creation, exit, kernel, user;
    ULARGE_INTEGER start;

    if (!GetProcessTimes(GetCurrentProcess(), &creation, &exit, &kernel, &user))
    {
        return -1;
    }
    start.LowPart = creation.dwLowDateTime;
    start.HighPart = creation.dwHighDateTime;
    return (long)((CrtNow() + CRT_EPOCH - (long long)start.QuadPart) / 10000);
}

static BOOL CrtIsLeap(int Year)
{
    return (Year % 4 == 0 && Year % 100 != 0) || Year % 400 == 0;
}

static int CrtMonthLength(int Year, int Month)
{
    static const char length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return length[Month] + (Month == 1 && CrtIsLeap(Year));
}

struct tm *_gmtime64(const long long *Time)
{
    CRT_THREAD *thread = CrtThread();
    long long days = *Time / 86400;
    int rest = (int)(*Time % 86400);
    int year = 1970, month = 0;
    struct tm *tm;

    if (*Time < 0 || *Time > 32535244799LL) /* the end of the year 3000, msvcrt's limit */
    {
        errno = EINVAL;
        return NULL;
    }
    if (thread->Time == NULL && (thread->Time = calloc(1, sizeof(struct tm))) == NULL)
    {
        return NULL;
    }
    tm = thread->Time;
    tm->tm_wday = (int)((days + 4) % 7);
    while (days >= 365 + CrtIsLeap(year))
    {
        days -= 365 + CrtIsLeap(year++);
    }
    tm->tm_yday = (int)days;
    while (days >= CrtMonthLength(year, month))
    {
        days -= CrtMonthLength(year, month++);
    }
    tm->tm_year = year - 1900;
    tm->tm_mon = month;
    tm->tm_mday = (int)days + 1;
    tm->tm_hour = rest / 3600;
    tm->tm_min = rest / 60 % 60;
    tm->tm_sec = rest % 60;
    tm->tm_isdst = 0;
    return tm;
}

struct tm *_localtime64(const long long *Time)
{
    return _gmtime64(Time);
}

long long _mktime64(struct tm *Tm)
{
    long long year = Tm->tm_year + 1900LL + Tm->tm_mon / 12;
    int month = Tm->tm_mon % 12;
    long long days, seconds;
    struct tm *normal;

    if (month < 0)
    {
        month += 12;
        year--;
    }
    if (year < 1970 || year > 3000)
    {
        errno = EINVAL;
        return -1;
    }
    days = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    for (int m = 0; m < month; m++)
    {
        days += CrtMonthLength((int)year, m);
    }
    seconds = ((days + Tm->tm_mday - 1) * 24 + Tm->tm_hour) * 3600 + Tm->tm_min * 60LL + Tm->tm_sec;
    normal = _gmtime64(&seconds);
    if (normal == NULL)
    {
        return -1;
    }
    *Tm = *normal;
    return seconds;
}

static const char *const CrtDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const CrtMonths[] = {"January", "February", "March", "April", "May", "June", "July",
                                        "August", "September", "October", "November", "December"};

int _snprintf(char *Buffer, size_t Count, const char *Format, ...);

static int CrtFormatField(char *Out, size_t Room, char Field, const struct tm *Tm)
{
    int hour12 = Tm->tm_hour % 12 == 0 ? 12 : Tm->tm_hour % 12;

    switch (Field)
    {
    case 'a': return _snprintf(Out, Room, "%.3s", CrtDays[Tm->tm_wday % 7]);
    case 'A': return _snprintf(Out, Room, "%s", CrtDays[Tm->tm_wday % 7]);
    case 'b': return _snprintf(Out, Room, "%.3s", CrtMonths[Tm->tm_mon % 12]);
    case 'B': return _snprintf(Out, Room, "%s", CrtMonths[Tm->tm_mon % 12]);
    case 'c': return _snprintf(Out, Room, "%02d/%02d/%02d %02d:%02d:%02d", Tm->tm_mon + 1, Tm->tm_mday, Tm->tm_year % 100, Tm->tm_hour, Tm->tm_min, Tm->tm_sec);
    case 'd': return _snprintf(Out, Room, "%02d", Tm->tm_mday);
    case 'H': return _snprintf(Out, Room, "%02d", Tm->tm_hour);
    case 'I': return _snprintf(Out, Room, "%02d", hour12);
    case 'j': return _snprintf(Out, Room, "%03d", Tm->tm_yday + 1);
    case 'm': return _snprintf(Out, Room, "%02d", Tm->tm_mon + 1);
    case 'M': return _snprintf(Out, Room, "%02d", Tm->tm_min);
    case 'p': return _snprintf(Out, Room, "%s", Tm->tm_hour < 12 ? "AM" : "PM");
    case 'S': return _snprintf(Out, Room, "%02d", Tm->tm_sec);
    case 'w': return _snprintf(Out, Room, "%d", Tm->tm_wday);
    case 'x': return _snprintf(Out, Room, "%02d/%02d/%02d", Tm->tm_mon + 1, Tm->tm_mday, Tm->tm_year % 100);
    case 'X': return _snprintf(Out, Room, "%02d:%02d:%02d", Tm->tm_hour, Tm->tm_min, Tm->tm_sec);
    case 'y': return _snprintf(Out, Room, "%02d", Tm->tm_year % 100);
    case 'Y': return _snprintf(Out, Room, "%d", Tm->tm_year + 1900);
    case 'z': return _snprintf(Out, Room, "+0000");
    case 'Z': return _snprintf(Out, Room, "UTC");
    case '%': return _snprintf(Out, Room, "%%");
    default: return -1;
    }
}

size_t strftime(char *Buffer, size_t Size, const char *Format, const struct tm *Tm)
{
    size_t used = 0;

    for (; *Format != 0; Format++)
    {
        int length = 1;
        if (used + 1 >= Size)
        {
            return 0;
        }
        if (*Format == '%')
        {
            Format += Format[1] == '#' ? 2 : 1;
            length = CrtFormatField(Buffer + used, Size - used, *Format, Tm);
            if (length < 0 || used + (size_t)length >= Size)
            {
                return 0;
            }
        }
        else
        {
            Buffer[used] = *Format;
        }
        used += (size_t)length;
    }
    if (Size != 0)
    {
        Buffer[used] = 0;
    }
    return used;
}
