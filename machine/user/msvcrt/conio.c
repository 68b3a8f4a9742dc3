/* SPDX-License-Identifier: MIT */
/* <conio.h>: keys one by one from the console, and text to it. Keys come from ntrun's standard input; its end is EOF. */
#include "crt.h"

static volatile LONG CrtPushedKey = EOF;

int _getch(void)
{
    unsigned char key;
    DWORD got = 0;
    LONG pushed = InterlockedExchange(&CrtPushedKey, EOF);

    if (pushed != EOF)
    {
        return (int)pushed;
    }
    return ReadFile(GetStdHandle(STD_INPUT_HANDLE), &key, 1, &got, NULL) && got == 1 ? key : EOF;
}

int _ungetch(int Key)
{
    if (Key == EOF || InterlockedCompareExchange(&CrtPushedKey, Key, EOF) != EOF)
    {
        return EOF;
    }
    return Key;
}

int _putch(int Character)
{
    unsigned char c = (unsigned char)Character;
    DWORD written;

    return WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), &c, 1, &written, NULL) && written == 1 ? c : EOF;
}

int _getche(void)
{
    int key = _getch();

    return key == EOF ? EOF : _putch(key);
}

int _cputs(const char *Text)
{
    DWORD length = (DWORD)strlen(Text), written;

    return WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), Text, length, &written, NULL) && written == length ? 0 : -1;
}
