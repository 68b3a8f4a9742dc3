/* SPDX-License-Identifier: MIT */
/*
 * Runs QEMU. See run.h.
 *
 *     port 0xE9 --pipe--> ntrun --> standard output        All pipes and signals meet in one poll loop. ntrun writes
 *     port 0xEA --pipe--> ntrun --> standard error         only where poll says there is room, so it never blocks and
 *     port 0xEB --pipe--> ntrun --> REPORT                 always hears the clock and a signal.
 *
 * Where standard output and standard error are the same file, both ports share one pipe: what the machine wrote in
 * turn comes out in turn. QEMU never sees ntrun's own descriptors: it would make them non-blocking for everyone.
 */
#include "run.h"

#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* poll promises room for this much in a pipe, and a write up to it does not block. */
#define CHUNK_SIZE PIPE_BUF

typedef struct STREAM
{
    int Source; /* read end of the pipe, -1 at its end */
    int Target; /* STDOUT_FILENO, STDERR_FILENO, or -1 for the report */
    size_t Start;
    size_t End; /* Buffer[Start..End) waits to be written */
    char Buffer[CHUNK_SIZE];
} STREAM;

#define STREAM_COUNT 3u

typedef struct RUNNER
{
    STREAM Streams[STREAM_COUNT];
    int Signals; /* signalfd */
    sigset_t OldMask;
    pid_t Child;
    int64_t Deadline; /* milliseconds of the monotonic clock, INT64_MAX = never */
    RUN *Run;
} RUNNER;

static int64_t RunClock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True if two descriptors lead to the same file, terminal or pipe. */
static bool RunSameTarget(int Left, int Right)
{
    struct stat left;
    struct stat right;

    return fstat(Left, &left) == 0 && fstat(Right, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static bool RunPipe(STREAM *Stream, int Target, int *WriteEnd)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
    {
        return false;
    }
    Stream->Source = ends[0];
    Stream->Target = Target;
    *WriteEnd = ends[1];
    return true;
}

/* Makes the pipes. On failure the caller closes what there is. */
static bool RunOpenStreams(RUNNER *Runner, int Output, QEMU_STREAMS *Ends)
{
    if (!RunPipe(&Runner->Streams[0], Output, &Ends->Output) ||
        !RunPipe(&Runner->Streams[2], -1, &Ends->Report))
    {
        return false;
    }
    if (RunSameTarget(Output, STDERR_FILENO))
    {
        Ends->Errors = fcntl(Ends->Output, F_DUPFD_CLOEXEC, 0);
        return Ends->Errors >= 0;
    }
    return RunPipe(&Runner->Streams[1], STDERR_FILENO, &Ends->Errors);
}

static void RunClose(int *Fd)
{
    if (*Fd >= 0)
    {
        close(*Fd);
    }
    *Fd = -1;
}

/* In the child: becomes QEMU, or writes errno to StatusFd. */
static _Noreturn void RunChild(const RUNNER *Runner, const TEXT_LIST *Arguments, const QEMU_STREAMS *Ends, int ImageFd,
                               pid_t Parent, int StatusFd)
{
    const int inherited[] = {Ends->Output, Ends->Errors, Ends->Report, ImageFd};
    int null = open("/dev/null", O_RDONLY);
    int error;

    /* Out of the terminal's group: an interrupt reaches ntrun, which ends QEMU in its own way. */
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    {
        goto Fail;
    }
    if (getppid() != Parent)
    {
        _exit(1); /* the parent died before the death signal was asked for */
    }
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
    {
        if (inherited[i] >= 0 && fcntl(inherited[i], F_SETFD, 0) != 0)
        {
            goto Fail;
        }
    }
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &Runner->OldMask, NULL);
    execvp(Arguments->Items[0], Arguments->Items);

Fail:
    error = errno;
    while (write(StatusFd, &error, sizeof(error)) < 0 && errno == EINTR)
    {
    }
    _exit(127);
}

/* Starts QEMU. Returns 0, or the errno of what failed. */
static int RunSpawn(RUNNER *Runner, const TEXT_LIST *Arguments, const QEMU_STREAMS *Ends, int ImageFd)
{
    pid_t parent = getpid();
    int status[2];
    int error = 0;
    ssize_t count;

    if (pipe2(status, O_CLOEXEC) != 0)
    {
        return errno;
    }
    Runner->Child = fork();
    if (Runner->Child == 0)
    {
        RunChild(Runner, Arguments, Ends, ImageFd, parent, status[1]);
    }
    error = Runner->Child < 0 ? errno : 0;
    close(status[1]);
    if (Runner->Child > 0)
    {
        /* The pipe closes without a word when QEMU has been started. */
        do
        {
            count = read(status[0], &error, sizeof(error));
        } while (count < 0 && errno == EINTR);
        if (count != (ssize_t)sizeof(error))
        {
            error = 0;
        }
        else
        {
            waitpid(Runner->Child, NULL, 0);
            Runner->Child = -1;
        }
    }
    close(status[0]);
    return error;
}

static void RunKill(RUNNER *Runner)
{
    if (Runner->Child > 0)
    {
        kill(Runner->Child, SIGKILL);
    }
    Runner->Deadline = INT64_MAX;
}

/* Takes what is in the pipe. */
static void RunRead(RUNNER *Runner, STREAM *Stream)
{
    ssize_t count = read(Stream->Source, Stream->Buffer, sizeof(Stream->Buffer));

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
    {
        return;
    }
    if (count <= 0)
    {
        RunClose(&Stream->Source);
        return;
    }
    if (Stream->Target < 0)
    {
        ReportFeed(&Runner->Run->Report, Stream->Buffer, (size_t)count);
        return;
    }
    Stream->Start = 0;
    Stream->End = (size_t)count;
}

/* Passes on what was read. */
static void RunWrite(RUNNER *Runner, STREAM *Stream)
{
    ssize_t count = write(Stream->Target, Stream->Buffer + Stream->Start, Stream->End - Stream->Start);

    if (count >= 0)
    {
        Stream->Start += (size_t)count;
        return;
    }
    if (errno == EINTR || errno == EAGAIN)
    {
        return;
    }
    /* Nobody reads any more: for the output that is the end, as for any Unix command. Messages are just lost. */
    if (Stream->Target == STDOUT_FILENO && Runner->Run->Signal == 0)
    {
        if (errno == EPIPE)
        {
            Runner->Run->Signal = SIGPIPE;
            RunKill(Runner);
        }
        else
        {
            Runner->Run->OutputError = errno;
        }
    }
    Stream->Start = Stream->End;
}

static void RunHearSignal(RUNNER *Runner)
{
    struct signalfd_siginfo info;

    if (read(Runner->Signals, &info, sizeof(info)) == (ssize_t)sizeof(info) && Runner->Run->Signal == 0)
    {
        Runner->Run->Signal = (int)info.ssi_signo;
        RunKill(Runner);
    }
}

static int RunPollTimeout(const RUNNER *Runner)
{
    int64_t left;

    if (Runner->Deadline == INT64_MAX)
    {
        return -1;
    }
    left = Runner->Deadline - RunClock();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* What a stream waits for; false if it has come to its end. */
static bool RunStreamWants(const STREAM *Stream, struct pollfd *Poll)
{
    bool writing = Stream->Start < Stream->End;

    Poll->fd = writing ? Stream->Target : Stream->Source;
    Poll->events = writing ? POLLOUT : POLLIN;
    Poll->revents = 0;
    return Poll->fd >= 0;
}

/* Carries data until all pipes have ended: QEMU holds them to its own end. */
static void RunCarry(RUNNER *Runner)
{
    for (;;)
    {
        struct pollfd polls[STREAM_COUNT + 1];
        bool any = false;
        int count;

        for (size_t i = 0; i < STREAM_COUNT; i++)
        {
            any |= RunStreamWants(&Runner->Streams[i], &polls[i]);
        }
        if (!any || (Runner->Run->Signal != 0 && Runner->Streams[2].Source < 0))
        {
            return; /* after a signal, output that nobody takes is not waited for */
        }
        polls[STREAM_COUNT] = (struct pollfd){.fd = Runner->Signals, .events = POLLIN};
        count = poll(polls, STREAM_COUNT + 1, RunPollTimeout(Runner));
        if (count == 0)
        {
            Runner->Run->End.TimedOut = true;
            RunKill(Runner);
            continue;
        }
        if (polls[STREAM_COUNT].revents != 0)
        {
            RunHearSignal(Runner);
        }
        for (size_t i = 0; count > 0 && i < STREAM_COUNT; i++)
        {
            STREAM *stream = &Runner->Streams[i];

            if (polls[i].revents != 0 && stream->Start < stream->End)
            {
                RunWrite(Runner, stream);
            }
            else if (polls[i].revents != 0)
            {
                RunRead(Runner, stream);
            }
        }
    }
}

bool RunMachine(RUN *Run, const OPTIONS *Options, const PLACES *Places, const char *Image, int ImageFd, TEXT *Error)
{
    RUNNER runner = {.Signals = -1, .Child = -1, .Deadline = INT64_MAX, .Run = Run};
    QEMU_STREAMS ends = {.Output = -1, .Errors = -1, .Report = -1};
    TEXT_LIST arguments = {0};
    sigset_t heard;
    int output = Options->Json != NULL && strcmp(Options->Json, "-") == 0 ? STDERR_FILENO : STDOUT_FILENO;
    int error = 0;

    for (size_t i = 0; i < STREAM_COUNT; i++)
    {
        runner.Streams[i].Source = -1;
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&heard);
    sigaddset(&heard, SIGINT);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGHUP);
    sigaddset(&heard, SIGQUIT);
    sigprocmask(SIG_BLOCK, &heard, &runner.OldMask);
    runner.Signals = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runner.Signals < 0 || !RunOpenStreams(&runner, output, &ends))
    {
        TextAppend(Error, "cannot make pipes: %s", strerror(errno));
        goto Exit;
    }
    QemuArguments(&arguments, Options, Places, Image, &ends);
    QemuCommandLine(&Run->Command, &arguments);
    if (Options->Verbose)
    {
        Say("%s", TextString(&Run->Command));
    }
    error = RunSpawn(&runner, &arguments, &ends, ImageFd);
    if (error != 0)
    {
        TextAppend(Error, "cannot run %s: %s%s", Places->Qemu, strerror(error),
                   error == ENOENT ? "; install Debian's package qemu-system-x86, or name QEMU in NTRUN_QEMU" : "");
        goto Exit;
    }
    RunClose(&ends.Output);
    RunClose(&ends.Errors);
    RunClose(&ends.Report);
    Run->End.Timeout = Options->Timeout;
    if (Options->Timeout != 0)
    {
        runner.Deadline = RunClock() + (int64_t)Options->Timeout * 1000;
    }
    RunCarry(&runner);
    while (waitpid(runner.Child, &Run->End.WaitStatus, 0) < 0 && errno == EINTR)
    {
    }
    ReportFinish(&Run->Report);

Exit:
    for (size_t i = 0; i < STREAM_COUNT; i++)
    {
        RunClose(&runner.Streams[i].Source);
    }
    RunClose(&ends.Output);
    RunClose(&ends.Errors);
    RunClose(&ends.Report);
    RunClose(&runner.Signals);
    sigprocmask(SIG_SETMASK, &runner.OldMask, NULL);
    TextListFree(&arguments);
    return Error->Length == 0;
}

void RunFree(RUN *Run)
{
    ReportFree(&Run->Report);
    TextFree(&Run->Command);
}
