// SPDX-License-Identifier: MIT
// A C++ program with nothing special about it, linked statically by mingw-w64's g++ (posix threads): streams, containers,
// exceptions through frames with destructors, threads, condition variables, thread-local storage, clocks.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int failures;

static void check(bool holds, const char *what)
{
    if (!holds)
    {
        failures++;
        std::cout << "FAILED " << what << std::endl;
    }
}
#define CHECK(condition) check((condition), #condition)

static int unwound;

struct Counted
{
    ~Counted()
    {
        unwound++;
    }
};

static void fall(int depth)
{
    Counted counted;
    if (depth == 0)
    {
        throw std::runtime_error("the bottom");
    }
    fall(depth - 1);
}

static void exceptions()
{
    std::string text;
    try
    {
        fall(20);
    }
    catch (const std::exception &error)
    {
        text = error.what();
    }
    CHECK(text == "the bottom" && unwound == 21);
    try
    {
        try
        {
            throw 5;
        }
        catch (...)
        {
            throw;
        }
    }
    catch (int number)
    {
        CHECK(number == 5);
    }
    bool caught = false;
    try
    {
        std::vector<int>().at(3) = 1;
    }
    catch (const std::out_of_range &)
    {
        caught = true;
    }
    CHECK(caught);
}

static void threads()
{
    static thread_local int own = 7;
    std::mutex mutex;
    std::condition_variable ready;
    int sum = 0, waiting = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; i++)
    {
        workers.emplace_back([&, i] {
            std::unique_lock<std::mutex> lock(mutex);
            waiting++;
            ready.notify_all();
            ready.wait(lock, [&] { return waiting == 4; });
            own += i;
            sum += own;
        });
    }
    for (auto &worker : workers)
    {
        worker.join();
    }
    CHECK(sum == 4 * 7 + 0 + 1 + 2 + 3 && own == 7);
    auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(19));
}

static void streams()
{
    {
        std::ofstream out("cpp.txt");
        out << "pi " << std::setprecision(10) << 3.14159265358979 << '\n' << std::hex << 255 << std::endl;
    }
    std::ifstream in("cpp.txt");
    std::string word, line;
    double number = 0;
    in >> word >> number >> line;
    CHECK(word == "pi" && number == 3.141592654 && line == "ff");
    std::wostringstream wide;
    wide << L"wide " << 42;
    CHECK(wide.str() == L"wide 42");
}

int main(int count, char **arguments)
{
    std::map<std::string, int> sorted;
    for (int i = 1; i < count; i++)
    {
        sorted[arguments[i]] = i;
    }
    std::string joined;
    for (const auto &entry : sorted)
    {
        joined += entry.first;
    }
    CHECK(joined == "abc");
    exceptions();
    threads();
    streams();
    std::cout << "u_cpp: " << failures << " failed" << std::endl;
    return failures;
}
