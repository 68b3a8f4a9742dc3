/* SPDX-License-Identifier: MIT */
/* Tables for people, JSON for programs, columns for gnuplot. */
#include "bench.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <set>

namespace
{

double Quantile(std::vector<double> Values, double Part)
{
    size_t at = static_cast<size_t>(Part * static_cast<double>(Values.size() - 1) + 0.5);
    std::nth_element(Values.begin(), Values.begin() + static_cast<long>(at), Values.end());
    return Values[at];
}

double Median(const Measurement &M)
{
    return Quantile(M.Rounds, 0.5);
}

const char *NameOf(Mode What)
{
    return What == Mode::Single ? "single" : What == Mode::Batch ? "batch" : "latency";
}

/* The same ring used the same way, waiting otherwise, did better: leave this one out of the tables. */
bool Outdone(const std::vector<Measurement> &Table, const Measurement &M)
{
    for (const Measurement &m : Table)
    {
        if (&m != &M && m.Ring == M.Ring && m.Way == M.Way && m.Size == M.Size && m.What == M.What &&
            (Median(m) < Median(M) || (Median(m) == Median(M) && m.Pauses < M.Pauses)))
        {
            return true;
        }
    }
    return false;
}

/* The best of the others at this size: each ring by the better of its ways. */
const Measurement *BestOther(const std::vector<Measurement> &Table, Mode What, size_t Size)
{
    const Measurement *best = nullptr;
    for (const Measurement &m : Table)
    {
        if (m.What == What && m.Size == Size && !m.Limit && !m.Ours && (best == nullptr || Median(m) < Median(*best)))
        {
            best = &m;
        }
    }
    return best;
}

void PrintThroughput(std::FILE *Out, const std::vector<Measurement> &Table, Mode What, size_t Size)
{
    const Measurement *best = BestOther(Table, What, Size);

    std::fprintf(Out, "\n%zu bytes, %s\n", Size,
                 What == Mode::Single ? "each record published and released by itself"
                                      : ("in batches of " + std::to_string(BatchOf(Size))).c_str());
    std::fprintf(Out, "  %-18s %-26s %10s %17s %12s %8s\n", "", "", "ns/record", "(quartiles)", "M records/s", "ratio");
    for (const Measurement &m : Table)
    {
        if (m.What == What && m.Size == Size && !Outdone(Table, m))
        {
            double median = Median(m);
            std::string way = m.Limit ? m.Way : m.Way + (m.Pauses == 1 ? ", 1 pause" : ", 32 pauses");
            char ratio[16] = "";
            if (best != nullptr && !m.Limit)
            {
                std::snprintf(ratio, sizeof(ratio), "%.2f", Median(*best) / median);
            }
            std::fprintf(Out, "  %-18s %-26s %10.1f %8.1f %8.1f %12.2f %8s%s\n", m.Ring.c_str(), way.c_str(), median,
                         Quantile(m.Rounds, 0.25), Quantile(m.Rounds, 0.75), 1000 / median, ratio,
                         &m == best ? "  best of the others" : "");
        }
    }
}

void PrintLatency(std::FILE *Out, const std::vector<Measurement> &Table, size_t Size)
{
    const Measurement *best = BestOther(Table, Mode::Latency, Size);

    std::fprintf(Out, "\n%zu bytes, one way, half of a round trip, ns\n", Size);
    std::fprintf(Out, "  %-18s %-26s %9s %9s %9s %9s %8s\n", "", "", "median", "90 %", "99 %", "99.9 %", "ratio");
    for (const Measurement &m : Table)
    {
        if (m.What == Mode::Latency && m.Size == Size)
        {
            char ratio[16] = "";
            if (best != nullptr && !m.Limit)
            {
                std::snprintf(ratio, sizeof(ratio), "%.2f", Median(*best) / Median(m));
            }
            std::fprintf(Out, "  %-18s %-26s %9.0f %9.0f %9.0f %9.0f %8s%s\n", m.Ring.c_str(), m.Way.c_str(), Median(m),
                         Quantile(m.Samples, 0.9), Quantile(m.Samples, 0.99), Quantile(m.Samples, 0.999), ratio,
                         &m == best ? "  best of the others" : "");
        }
    }
}

void PrintTable(std::FILE *Out, const std::vector<Measurement> &Table, const std::set<size_t> &Sizes, unsigned Rounds,
                bool RealTime)
{
    std::fprintf(Out, "Rings between two threads on two processors; %zu KB of records; medians of %u rounds%s.\n",
                 RingBytes / 1024, Rounds, RealTime ? ", real-time priority" : "");
    std::fprintf(Out, "Ratio: how many times as fast as the best of the others; above 1 is ahead of it.\n");
    for (Mode what : {Mode::Single, Mode::Batch})
    {
        for (size_t size : Sizes)
        {
            PrintThroughput(Out, Table, what, size);
        }
    }
    for (size_t size : Sizes)
    {
        PrintLatency(Out, Table, size);
    }
}

void WriteJson(std::FILE *Out, const std::vector<Measurement> &Table, unsigned Rounds, bool RealTime)
{
    const char *separator = "";

    std::fprintf(Out, "{\n  \"ring_bytes\": %zu,\n  \"rounds\": %u,\n  \"real_time\": %s,\n  \"measurements\": [",
                 RingBytes, Rounds, RealTime ? "true" : "false");
    for (const Measurement &m : Table)
    {
        std::fprintf(Out,
                     "%s\n    {\"ring\": \"%s\", \"way\": \"%s\", \"pauses\": %u, \"bytes\": %zu, \"mode\": \"%s\", "
                     "\"median_ns\": %.2f",
                     separator, m.Ring.c_str(), m.Way.c_str(), m.Pauses, m.Size, NameOf(m.What), Median(m));
        if (m.What == Mode::Latency)
        {
            std::fprintf(Out, ", \"p90_ns\": %.1f, \"p99_ns\": %.1f, \"p99_9_ns\": %.1f", Quantile(m.Samples, 0.9),
                         Quantile(m.Samples, 0.99), Quantile(m.Samples, 0.999));
        }
        std::fprintf(Out, ", \"rounds_ns\": [");
        for (size_t i = 0; i < m.Rounds.size(); i++)
        {
            std::fprintf(Out, "%s%.2f", i == 0 ? "" : ", ", m.Rounds[i]);
        }
        std::fprintf(Out, "]}");
        separator = ",";
    }
    std::fprintf(Out, "\n  ]\n}\n");
}

/* One row per size, one column per ring (the better of its ways; ours: the first), for gnuplot. */
void WriteColumns(std::FILE *Out, const std::vector<Measurement> &Table, const std::set<size_t> &Sizes, Mode What)
{
    std::vector<std::string> rings;
    std::map<std::string, std::map<size_t, double>> cells;

    for (const Measurement &m : Table)
    {
        std::string name = m.Ours && m.Way != "peer polls" ? m.Ring + ", " + m.Way : m.Ring;
        if (m.What != What)
        {
            continue;
        }
        if (std::find(rings.begin(), rings.end(), name) == rings.end())
        {
            rings.push_back(name);
        }
        auto found = cells[name].find(m.Size);
        if (found == cells[name].end() || Median(m) < found->second)
        {
            cells[name][m.Size] = Median(m);
        }
    }
    std::fprintf(Out, "bytes");
    for (const std::string &ring : rings)
    {
        std::fprintf(Out, "\t\"%s\"", ring.c_str());
    }
    for (size_t size : Sizes)
    {
        std::fprintf(Out, "\n%zu", size);
        for (const std::string &ring : rings)
        {
            auto found = cells[ring].find(size);
            found == cells[ring].end() ? std::fprintf(Out, "\tNaN") : std::fprintf(Out, "\t%.2f", found->second);
        }
    }
    std::fprintf(Out, "\n");
}

std::FILE *Open(const std::string &Path)
{
    std::FILE *file = std::fopen(Path.c_str(), "w");
    if (file == nullptr)
    {
        std::fprintf(stderr, "ring_bench: cannot write %s: %s\n", Path.c_str(), std::strerror(errno));
        std::exit(1);
    }
    return file;
}

} /* namespace */

void Report(const std::vector<Measurement> &Table, const std::string &Folder, unsigned Rounds, bool RealTime)
{
    std::set<size_t> sizes;
    for (const Measurement &m : Table)
    {
        sizes.insert(m.Size);
    }
    std::FILE *text = Open(Folder + "/ring.txt");
    PrintTable(text, Table, sizes, Rounds, RealTime);
    std::fclose(text);
    PrintTable(stdout, Table, sizes, Rounds, RealTime);
    std::FILE *json = Open(Folder + "/ring.json");
    WriteJson(json, Table, Rounds, RealTime);
    std::fclose(json);
    for (Mode what : {Mode::Single, Mode::Batch, Mode::Latency})
    {
        std::FILE *columns = Open(Folder + "/ring-" + NameOf(what) + ".tsv");
        WriteColumns(columns, Table, sizes, what);
        std::fclose(columns);
    }
}
