/* SPDX-License-Identifier: MIT */
/*
 * The runs of a sweep, each in a process of its own that does what ntrun does for a single run. Its output and the
 * machine's report come back in two files without a name.
 */
#include "sweepp.h"

#include "exitcodes.h"
#include "hostfile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALL_FACTOR 20

/* In a run's process: where the report goes. */
static int DeliverFd = -1;

typedef struct JOB
{
    pid_t Child; /* 0: free */
    size_t Index;
    int Output;
    int Report;
} JOB;

void SweepDeliver(const REPORT *Report, const MACHINE_END *End)
{
    if (DeliverFd >= 0)
    {
        HostWriteAll(DeliverFd, TextString(&Report->Raw), Report->Raw.Length);
        if (End->TimedOut || (WIFSIGNALED(End->WaitStatus) && WTERMSIG(End->WaitStatus) == SIGXCPU))
        {
            HostWriteAll(DeliverFd, SWEEP_HANGS, strlen(SWEEP_HANGS));
        }
    }
}

/* A run that hangs is told by the processor time it takes, so that a busy host makes no difference: under --icount a
   machine that waits for nothing takes time as well. The clock on the wall is only the last resort. */
static bool LimitTime(OPTIONS *Options)
{
    struct rlimit limit = {Options->Timeout, Options->Timeout + 5};

    if (Options->Timeout == 0)
    {
        return true;
    }
    Options->Timeout *= WALL_FACTOR;
    return setrlimit(RLIMIT_CPU, &limit) == 0;
}

static _Noreturn void RunPoint(const OPTIONS *Options, const SWEEP_POINT *Point, const JOB *Job, pid_t Parent,
                               SWEEP_RUNNER *Runner)
{
    OPTIONS own = *Options;
    int signalNumber = 0;
    int code;

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != Parent || dup2(Job->Output, STDOUT_FILENO) < 0 ||
        dup2(Job->Output, STDERR_FILENO) < 0 || !LimitTime(&own))
    {
        _exit(NTRUN_CANNOT_START);
    }
    DeliverFd = Job->Report;
    if (Point->Setting != NULL)
    {
        TextListAdd(&own.Settings, "%s", Point->Setting);
    }
    own.FixedSeed = true;
    own.Seed = Point->HasSeed ? Point->Number : own.Seed;
    code = Runner(&own, &signalNumber);
    fflush(NULL);
    _exit(signalNumber != 0 ? NTRUN_CANNOT_START : code);
}

/* All of a file, NUL-terminated; the caller frees it. */
static char *ReadBack(int Fd, size_t *Size)
{
    TEXT text = {0};
    char buffer[4096];
    ssize_t count;

    lseek(Fd, 0, SEEK_SET);
    while ((count = read(Fd, buffer, sizeof(buffer))) > 0 || (count < 0 && errno == EINTR))
    {
        TextAppendBytes(&text, buffer, count > 0 ? (size_t)count : 0);
    }
    close(Fd);
    TextAppend(&text, "%s", "");
    *Size = text.Length;
    return text.Data != NULL ? text.Data : TextFormat("%s", "");
}

static void StartJob(JOB *Job, const OPTIONS *Options, SWEEP_POINT *Point, size_t Index, SWEEP_RUNNER *Runner)
{
    pid_t parent = getpid();

    Job->Index = Index;
    Job->Output = memfd_create("output", MFD_CLOEXEC);
    Job->Report = memfd_create("report", MFD_CLOEXEC);
    fflush(NULL);
    Job->Child = Job->Output >= 0 && Job->Report >= 0 ? fork() : -1;
    if (Job->Child == 0)
    {
        RunPoint(Options, Point, Job, parent, Runner);
    }
    if (Job->Child < 0)
    {
        Say("cannot start a run: %s", strerror(errno));
        exit(NTRUN_CANNOT_START);
    }
}

static void EndJob(JOB *Job, SWEEP_POINT *Point, int Status)
{
    size_t size;
    char *report = ReadBack(Job->Report, &size);

    Point->Code = WIFEXITED(Status) ? WEXITSTATUS(Status) : NTRUN_CANNOT_START;
    ReportFeed(&Point->Report, report, size);
    ReportFinish(&Point->Report);
    free(report);
    Point->Output = ReadBack(Job->Output, &size);
    Job->Child = 0;
}

static JOB *FindJob(JOB *Jobs, unsigned Count, pid_t Child)
{
    for (unsigned i = 0; i < Count; i++)
    {
        if (Jobs[i].Child == Child)
        {
            return &Jobs[i];
        }
    }
    return NULL;
}

void SweepRunAll(const OPTIONS *Options, SWEEP_POINT *Points, size_t Count, bool Progress, SWEEP_RUNNER *Runner)
{
    unsigned jobs = Options->Sweep.Jobs;
    JOB *table = MemoryAllocate(jobs * sizeof(*table));
    size_t started = 0, ended = 0;

    Progress = Progress && isatty(STDERR_FILENO);
    while (ended < Count)
    {
        JOB *job = started < Count ? FindJob(table, jobs, 0) : NULL;
        int status;
        pid_t child;

        if (job != NULL)
        {
            StartJob(job, Options, &Points[started], started, Runner);
            started++;
            continue;
        }
        child = waitpid(-1, &status, 0);
        job = child > 0 ? FindJob(table, jobs, child) : NULL;
        if (job != NULL)
        {
            EndJob(job, &Points[job->Index], status);
            ended++;
        }
        if (Progress)
        {
            fprintf(stderr, "\r%zu of %zu runs", ended, Count);
        }
    }
    if (Progress)
    {
        fprintf(stderr, "\r%*s\r", 40, "");
    }
    free(table);
}
