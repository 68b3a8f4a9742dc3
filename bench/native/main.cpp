/* SPDX-License-Identifier: MIT */
/* ring_bench: every contestant in turn, again and again, so that what disturbs the machine disturbs all alike. */
#include "bench.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <sched.h>

namespace
{

bool RealTime;

struct Options
{
    unsigned Rounds = 7;
    std::string Folder = "out/bench";
    std::string Only;
    size_t Size = 0;
};

[[noreturn]] void Usage(int Code)
{
    std::fprintf(Code == 0 ? stdout : stderr,
                 "usage: ring_bench [--rounds N] [--out FOLDER] [--only NAME] [--size BYTES] [--real-time]\n"
                 "Measures rings between two threads, pinned to processors 0 and 1.\n"
                 "  --rounds N      each measurement N times, in turn with the others (7)\n"
                 "  --out FOLDER    where table, JSON and plot data go (out/bench)\n"
                 "  --only NAME     contestants whose name contains NAME\n"
                 "  --size BYTES    this record size only\n"
                 "  --real-time     SCHED_FIFO while measuring: other work waits (needs the right to)\n");
    std::exit(Code);
}

Options Parse(int Count, char **Words)
{
    Options options;

    for (int i = 1; i < Count; i++)
    {
        std::string word = Words[i];
        auto value = [&]() -> std::string {
            if (i + 1 >= Count)
            {
                Usage(2);
            }
            return Words[++i];
        };
        if (word == "--rounds")
        {
            options.Rounds = static_cast<unsigned>(std::stoul(value()));
        }
        else if (word == "--out")
        {
            options.Folder = value();
        }
        else if (word == "--only")
        {
            options.Only = value();
        }
        else if (word == "--size")
        {
            options.Size = std::stoul(value());
        }
        else if (word == "--real-time")
        {
            RealTime = true;
        }
        else
        {
            Usage(word == "--help" ? 0 : 2);
        }
    }
    return options;
}

} /* namespace */

double Nanoseconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void Pin(int Cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(Cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
    {
        std::perror("ring_bench: needs processors 0 and 1");
        std::exit(1);
    }
    sched_param priority{};
    priority.sched_priority = 1;
    if (RealTime && sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
    {
        std::fprintf(stderr, "ring_bench: no right to real-time priority; measuring without\n");
        RealTime = false;
    }
}

int main(int Count, char **Words)
{
    Options options = Parse(Count, Words);
    std::vector<Measurement> table;
    std::error_code error;

    std::filesystem::create_directories(options.Folder, error); /* before minutes of measuring */
    if (error)
    {
        std::fprintf(stderr, "ring_bench: %s: %s\n", options.Folder.c_str(), error.message().c_str());
        return 1;
    }
    AddLimits(table);
    AddIsthmus(table);
    AddBoost(table);
    AddMoodycamel(table);
    AddCk(table);
    AddRte(table);
    table.erase(std::remove_if(table.begin(), table.end(),
                               [&](const Measurement &m) {
                                   return (!options.Only.empty() && m.Ring.find(options.Only) == std::string::npos) ||
                                          (options.Size != 0 && m.Size != options.Size);
                               }),
                table.end());
    for (unsigned round = 0; round < options.Rounds; round++)
    {
        for (size_t i = 0; i < table.size(); i++)
        {
            /* Each round starts elsewhere, and every second one goes backwards. */
            size_t at = (i + round * 7) % table.size();
            Measurement &m = table[round % 2 == 0 ? at : table.size() - 1 - at];
            std::vector<double> values = m.Run();

            if (m.What == Mode::Latency)
            {
                m.Samples.insert(m.Samples.end(), values.begin(), values.end());
                std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
                m.Rounds.push_back(values[values.size() / 2]);
            }
            else
            {
                m.Rounds.push_back(values[0]);
            }
        }
        std::fprintf(stderr, "round %u of %u\n", round + 1, options.Rounds);
    }
    Report(table, options.Folder, options.Rounds, RealTime);
    return 0;
}
