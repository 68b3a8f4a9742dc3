/* SPDX-License-Identifier: MIT */
/*
 * String functions that are the same for char and WCHAR. No include guard: crtstr.c and crtwcs.c include it once
 * each, after defining
 *
 *      RTLP_CHAR      the character type
 *      RTLP_UNIT      the unsigned type that characters are compared as
 *      RTLP_NAME(x)   the function's name: RTLP_NAME(len) is strlen or wcslen
 *      RTLP_UNDER(x)  the same with an underscore in front
 *      RTLP_LOWER(c)  a character in lower case
 *      RTLP_UPPER(c)  a character in upper case
 */

size_t RTLP_NAME(len)(const RTLP_CHAR *String)
{
    size_t Length = 0;

    while (String[Length] != 0)
    {
        Length += 1;
    }

    return Length;
}

size_t RTLP_NAME(nlen)(const RTLP_CHAR *String, size_t Limit)
{
    size_t Length = 0;

    while (Length < Limit && String[Length] != 0)
    {
        Length += 1;
    }

    return Length;
}

int RTLP_NAME(ncmp)(const RTLP_CHAR *First, const RTLP_CHAR *Second, size_t Limit)
{
    size_t Index;

    for (Index = 0; Index < Limit; Index += 1)
    {
        RTLP_UNIT A = (RTLP_UNIT)First[Index];
        RTLP_UNIT B = (RTLP_UNIT)Second[Index];

        if (A != B)
        {
            return A < B ? -1 : 1;
        }

        if (A == 0)
        {
            break;
        }
    }

    return 0;
}

int RTLP_NAME(cmp)(const RTLP_CHAR *First, const RTLP_CHAR *Second)
{
    return RTLP_NAME(ncmp)(First, Second, (size_t)-1);
}

int RTLP_UNDER(nicmp)(const RTLP_CHAR *First, const RTLP_CHAR *Second, size_t Limit)
{
    size_t Index;

    for (Index = 0; Index < Limit; Index += 1)
    {
        RTLP_UNIT A = (RTLP_UNIT)RTLP_LOWER((RTLP_UNIT)First[Index]);
        RTLP_UNIT B = (RTLP_UNIT)RTLP_LOWER((RTLP_UNIT)Second[Index]);

        if (A != B)
        {
            return (int)A - (int)B;
        }

        if (A == 0)
        {
            break;
        }
    }

    return 0;
}

int RTLP_UNDER(icmp)(const RTLP_CHAR *First, const RTLP_CHAR *Second)
{
    return RTLP_UNDER(nicmp)(First, Second, (size_t)-1);
}

RTLP_CHAR *RTLP_NAME(cpy)(RTLP_CHAR *Destination, const RTLP_CHAR *Source)
{
    size_t Index = 0;

    do
    {
        Destination[Index] = Source[Index];
    } while (Source[Index++] != 0);

    return Destination;
}

/* Pads with zeros up to Limit; a source of Limit characters or more leaves no terminator. */
RTLP_CHAR *RTLP_NAME(ncpy)(RTLP_CHAR *Destination, const RTLP_CHAR *Source, size_t Limit)
{
    size_t Index = 0;

    for (; Index < Limit && Source[Index] != 0; Index += 1)
    {
        Destination[Index] = Source[Index];
    }

    for (; Index < Limit; Index += 1)
    {
        Destination[Index] = 0;
    }

    return Destination;
}

RTLP_CHAR *RTLP_NAME(cat)(RTLP_CHAR *Destination, const RTLP_CHAR *Source)
{
    RTLP_NAME(cpy)(Destination + RTLP_NAME(len)(Destination), Source);
    return Destination;
}

RTLP_CHAR *RTLP_NAME(ncat)(RTLP_CHAR *Destination, const RTLP_CHAR *Source, size_t Limit)
{
    RTLP_CHAR *End = Destination + RTLP_NAME(len)(Destination);

    for (; Limit != 0 && *Source != 0; Limit -= 1)
    {
        *End++ = *Source++;
    }

    *End = 0;
    return Destination;
}

RTLP_CHAR *RTLP_NAME(str)(const RTLP_CHAR *String, const RTLP_CHAR *Part)
{
    size_t Length = RTLP_NAME(len)(Part);

    for (;; String += 1)
    {
        if (RTLP_NAME(ncmp)(String, Part, Length) == 0)
        {
            return (RTLP_CHAR *)(ULONG_PTR)String;
        }

        if (*String == 0)
        {
            return NULL;
        }
    }
}

static BOOLEAN RTLP_NAME(has)(const RTLP_CHAR *Set, RTLP_CHAR Character)
{
    for (; *Set != 0; Set += 1)
    {
        if (*Set == Character)
        {
            return TRUE;
        }
    }

    return FALSE;
}

size_t RTLP_NAME(spn)(const RTLP_CHAR *String, const RTLP_CHAR *Set)
{
    size_t Length = 0;

    while (String[Length] != 0 && RTLP_NAME(has)(Set, String[Length]))
    {
        Length += 1;
    }

    return Length;
}

size_t RTLP_NAME(cspn)(const RTLP_CHAR *String, const RTLP_CHAR *Set)
{
    size_t Length = 0;

    while (String[Length] != 0 && !RTLP_NAME(has)(Set, String[Length]))
    {
        Length += 1;
    }

    return Length;
}

RTLP_CHAR *RTLP_NAME(pbrk)(const RTLP_CHAR *String, const RTLP_CHAR *Set)
{
    String += RTLP_NAME(cspn)(String, Set);
    return *String != 0 ? (RTLP_CHAR *)(ULONG_PTR)String : NULL;
}

RTLP_CHAR *RTLP_UNDER(lwr)(RTLP_CHAR *String)
{
    RTLP_CHAR *At;

    for (At = String; *At != 0; At += 1)
    {
        *At = (RTLP_CHAR)RTLP_LOWER((RTLP_UNIT)*At);
    }

    return String;
}

RTLP_CHAR *RTLP_UNDER(upr)(RTLP_CHAR *String)
{
    RTLP_CHAR *At;

    for (At = String; *At != 0; At += 1)
    {
        *At = (RTLP_CHAR)RTLP_UPPER((RTLP_UNIT)*At);
    }

    return String;
}

RTLP_CHAR *RTLP_UNDER(rev)(RTLP_CHAR *String)
{
    size_t Low = 0;
    size_t High = RTLP_NAME(len)(String);

    while (Low + 1 < High)
    {
        RTLP_CHAR Swap = String[Low];

        High -= 1;
        String[Low] = String[High];
        String[High] = Swap;
        Low += 1;
    }

    return String;
}

/*
 * The _s functions. No invalid-parameter handler in here: a bad call gets its error code, and an empty string if
 * there is room for one.
 */
int RTLP_NAME(ncpy_s)(RTLP_CHAR *Destination, size_t Size, const RTLP_CHAR *Source, size_t Limit)
{
    size_t Index;

    if (Destination == NULL || Size == 0)
    {
        return Destination == NULL && Size == 0 && Limit == 0 ? 0 : RTLP_EINVAL;
    }

    if (Source == NULL && Limit != 0)
    {
        Destination[0] = 0;
        return RTLP_EINVAL;
    }

    for (Index = 0; Index < Size; Index += 1)
    {
        if ((Limit != RTLP_TRUNCATE && Index == Limit) || Source[Index] == 0)
        {
            Destination[Index] = 0;
            return 0;
        }

        Destination[Index] = Source[Index];
    }

    if (Limit == RTLP_TRUNCATE)
    {
        Destination[Size - 1] = 0;
        return RTLP_STRUNCATE;
    }

    Destination[0] = 0;
    return RTLP_ERANGE;
}

int RTLP_NAME(cpy_s)(RTLP_CHAR *Destination, size_t Size, const RTLP_CHAR *Source)
{
    if (Destination == NULL || Size == 0)
    {
        return RTLP_EINVAL;
    }

    return RTLP_NAME(ncpy_s)(Destination, Size, Source, RTLP_TRUNCATE - 1);
}

int RTLP_NAME(ncat_s)(RTLP_CHAR *Destination, size_t Size, const RTLP_CHAR *Source, size_t Limit)
{
    size_t Length;
    int Error;

    if (Destination == NULL || Size == 0)
    {
        return Destination == NULL && Size == 0 && Limit == 0 ? 0 : RTLP_EINVAL;
    }

    Length = RTLP_NAME(nlen)(Destination, Size);
    if (Length == Size)
    {
        Destination[0] = 0;
        return RTLP_EINVAL;
    }

    Error = RTLP_NAME(ncpy_s)(Destination + Length, Size - Length, Source, Limit);
    if (Error != 0 && Error != RTLP_STRUNCATE)
    {
        Destination[0] = 0;
    }

    return Error;
}

int RTLP_NAME(cat_s)(RTLP_CHAR *Destination, size_t Size, const RTLP_CHAR *Source)
{
    if (Destination == NULL || Size == 0)
    {
        return RTLP_EINVAL;
    }

    return RTLP_NAME(ncat_s)(Destination, Size, Source, RTLP_TRUNCATE - 1);
}
