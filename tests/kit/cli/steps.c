/* SPDX-License-Identifier: MIT */
/*
 * steps.exe FILE: runs programs as FILE says, and prints what each wrote and how it ended, for a script on the host to
 * judge. A line is one step:
 *
 *   run COMMAND LINE          starts it, waits for its end
 *   user COMMAND LINE         the same without being an administrator
 *   start TAG COMMAND LINE    starts it and waits until it has written a line that begins with two spaces, as share and
 *                             alloc do when their region is there
 *   join TAG                  waits for its end
 *   kill TAG                  ends it by force
 *   set NAME VALUE            a number in the driver's Parameters key
 *
 * Standard output and error go to files and from there, between marks, to our standard output. Standard input is ours.
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN 8
#define PATIENCE 60000 /* milliseconds: far beyond what any step takes */

typedef struct CHILD
{
    char Tag[16];
    HANDLE Process;
    char Output[32];
    char Error[32];
} CHILD;

static CHILD Children[CHILDREN];
static int Step;

static void Fail(const char *What)
{
    printf("@@failed step %d: %s, error %lu\n", Step, What, (unsigned long)GetLastError());
    fflush(stdout);
    ExitProcess(99);
}

static HANDLE CreateInherited(const char *Path)
{
    SECURITY_ATTRIBUTES inherit = {sizeof(inherit), NULL, TRUE};
    HANDLE file = CreateFileA(Path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                              CREATE_ALWAYS, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
    {
        Fail(Path);
    }
    return file;
}

/* This process's token, in which Administrators only denies, and without privileges. */
static HANDLE PlainToken(void)
{
    HANDLE own, plain;
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof(sid);
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own) ||
        !CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &size))
    {
        Fail("own token");
    }
    SID_AND_ATTRIBUTES administrators = {sid, 0};
    if (!CreateRestrictedToken(own, DISABLE_MAX_PRIVILEGE, 1, &administrators, 0, NULL, 0, NULL, &plain))
    {
        Fail("restricted token");
    }
    CloseHandle(own);
    return plain;
}

/* Token: whose the process is to be; NULL for our own. */
static void Start(CHILD *Child, const char *Tag, const char *Line, HANDLE Token)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    wchar_t wide[1024];
    if (MultiByteToWideChar(CP_UTF8, 0, Line, -1, wide, sizeof(wide) / sizeof(wide[0])) == 0)
    {
        Fail(Line);
    }
    snprintf(Child->Tag, sizeof(Child->Tag), "%s", Tag);
    snprintf(Child->Output, sizeof(Child->Output), "out%d.txt", Step);
    snprintf(Child->Error, sizeof(Child->Error), "err%d.txt", Step);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = CreateInherited(Child->Output);
    startup.hStdError = CreateInherited(Child->Error);
    if (Token != NULL
            ? !CreateProcessAsUserW(Token, NULL, wide, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)
            : !CreateProcessW(NULL, wide, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
    {
        Fail(Line);
    }
    CloseHandle(startup.hStdOutput);
    CloseHandle(startup.hStdError);
    CloseHandle(process.hThread);
    Child->Process = process.hProcess;
}

/* A file's bytes with an end sign; freed by the caller. */
static char *ReadText(const char *Path)
{
    DWORD got = 0;
    HANDLE file = CreateFileA(Path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
    {
        Fail(Path);
    }
    DWORD size = GetFileSize(file, NULL);
    char *text = malloc(size + 1);
    if (text == NULL || (size != 0 && !ReadFile(file, text, size, &got, NULL)))
    {
        Fail(Path);
    }
    CloseHandle(file);
    text[got] = 0;
    return text;
}

static void Dump(const char *Mark, const char *Path)
{
    char *text = ReadText(Path);
    printf("@@%s\n%s", Mark, text);
    if (text[0] != 0 && text[strlen(text) - 1] != '\n')
    {
        printf("\n@@no newline at the end\n");
    }
    free(text);
}

static void Join(CHILD *Child, const char *What)
{
    DWORD code;
    if (WaitForSingleObject(Child->Process, PATIENCE) != WAIT_OBJECT_0 || !GetExitCodeProcess(Child->Process, &code))
    {
        Fail("the process doesn't end");
    }
    printf("@@step %d %s\n", Step, What);
    Dump("stdout", Child->Output);
    Dump("stderr", Child->Error);
    printf("@@exit %lu\n", (unsigned long)code);
    fflush(stdout);
    CloseHandle(Child->Process);
    Child->Process = NULL;
}

static void WaitUntilReady(CHILD *Child)
{
    for (DWORD waited = 0;; waited += 20)
    {
        char *text = ReadText(Child->Output);
        BOOL says = strstr(text, "\n  address") != NULL || strstr(text, "\n  The second time") != NULL;
        BOOL ready = says && text[strlen(text) - 1] == '\n';
        free(text);
        if (ready || WaitForSingleObject(Child->Process, 20) == WAIT_OBJECT_0)
        {
            return; /* one that has ended early says why when it is joined */
        }
        if (waited > PATIENCE)
        {
            Fail("the process doesn't say that it holds anything");
        }
    }
}

static CHILD *Find(const char *Tag)
{
    for (int i = 0; i < CHILDREN; i++)
    {
        if (Children[i].Process != NULL && strcmp(Children[i].Tag, Tag) == 0)
        {
            return &Children[i];
        }
    }
    Fail("no such tag");
    return NULL;
}

static void SetParameter(const char *Name, const char *Value)
{
    HKEY key;
    DWORD number = strtoul(Value, NULL, 0);
    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, "System\\CurrentControlSet\\Services\\isthmus\\Parameters", 0, NULL, 0,
                        KEY_SET_VALUE, NULL, &key, NULL) != ERROR_SUCCESS ||
        RegSetValueExA(key, Name, 0, REG_DWORD, (const BYTE *)&number, sizeof(number)) != ERROR_SUCCESS)
    {
        Fail("set");
    }
    RegCloseKey(key);
}

static void RunStep(char *Line)
{
    char *rest = strchr(Line, ' ');
    if (rest == NULL)
    {
        Fail("a step needs more than one word");
    }
    *rest++ = 0;
    if (strcmp(Line, "run") == 0 || strcmp(Line, "user") == 0)
    {
        CHILD child = {0};
        HANDLE token = strcmp(Line, "user") == 0 ? PlainToken() : NULL;
        Start(&child, "", rest, token);
        Join(&child, rest);
        if (token != NULL)
        {
            CloseHandle(token);
        }
        return;
    }
    if (strcmp(Line, "join") == 0)
    {
        Join(Find(rest), rest);
        return;
    }
    if (strcmp(Line, "kill") == 0)
    {
        CHILD *child = Find(rest);
        TerminateProcess(child->Process, 77);
        Join(child, rest);
        return;
    }
    char *second = strchr(rest, ' ');
    if (second == NULL)
    {
        Fail("a step needs more words");
    }
    *second++ = 0;
    if (strcmp(Line, "set") == 0)
    {
        SetParameter(rest, second);
        return;
    }
    for (int i = 0; strcmp(Line, "start") == 0 && i < CHILDREN; i++)
    {
        if (Children[i].Process == NULL)
        {
            Start(&Children[i], rest, second, NULL);
            WaitUntilReady(&Children[i]);
            return;
        }
    }
    Fail("unknown step");
}

int main(int Count, char **Arguments)
{
    if (Count != 2)
    {
        printf("steps FILE\n");
        return 2;
    }
    char *line = ReadText(Arguments[1]);
    while (*line != 0)
    {
        size_t length = strcspn(line, "\r\n");
        char *next = line + length + strspn(line + length, "\r\n");
        line[length] = 0;
        Step++;
        if (length != 0)
        {
            RunStep(line);
        }
        line = next;
    }
    printf("@@done\n");
    return 0;
}
