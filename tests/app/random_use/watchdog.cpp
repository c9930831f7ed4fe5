// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/watchdog.h"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace warplight::app {
namespace {

constexpr auto look = std::chrono::milliseconds(100);
constexpr double patience = 5; // seconds
constexpr int looksBetweenMemory = 3;
constexpr int64_t engineMemory = int64_t{3} << 30; // bytes, of the engine and its ranks together
constexpr int linesOfStatus = 4;                   // name, umask, state, thread group

std::string firstLines(const std::string& file, int lines) {
    std::ifstream in(file);
    std::string all, line;
    for (int i = 0; i < lines && std::getline(in, line); ++i)
        all += "  " + line + '\n';
    return all;
}

int64_t residentBytesOf(const std::string& process) {
    std::ifstream in("/proc/" + process + "/statm");
    int64_t size = 0, resident = 0;
    in >> size >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

double seconds(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// True while the main thread computes or would like to: R behind the program's name in parentheses.
bool mainThreadRuns() {
    std::ifstream in("/proc/self/task/" + std::to_string(::getpid()) + "/stat");
    std::string line;
    std::getline(in, line);
    const size_t end = line.rfind(')');
    return end != std::string::npos && line.substr(end, 3) == ") R";
}

/// What a process has started, on any of its threads.
std::vector<pid_t> childrenOf(pid_t process) {
    std::vector<pid_t> children;
    std::error_code gone; // a thread, or the process, may end meanwhile
    const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
    for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
        std::ifstream list(task->path() / "children");
        for (pid_t child = 0; list >> child;)
            children.push_back(child);
    }
    return children;
}

int64_t treeBytes(pid_t process) {
    int64_t bytes = residentBytesOf(std::to_string(process));
    for (const pid_t child : childrenOf(process))
        bytes += treeBytes(child);
    return bytes;
}

} // namespace

Watchdog::Watchdog(Journal& journal) : journal(journal), thread([this] { watch(); }) {}

Watchdog::~Watchdog() {
    ending = true;
    thread.join();
}

void Watchdog::watch() {
    uint64_t seen = beats;
    clockid_t mainClock{};
    pthread_getcpuclockid(mainThread, &mainClock);
    double silent = 0, worked = seconds(mainClock);
    for (int looks = 0; !ending; ++looks) {
        std::this_thread::sleep_for(look);
        // What others take from a thread that computes is not its own fault, on a machine that is busy or stands still.
        const double before = std::exchange(worked, seconds(mainClock));
        silent += mainThreadRuns() ? worked - before : std::chrono::duration<double>(look).count();
        const uint64_t now = beats;
        if (std::exchange(seen, now) != now)
            silent = 0;
        if (silent >= patience) {
            journal.tell("the window has not answered for 5 s");
            const std::string task = "/proc/self/task/" + std::to_string(::getpid());
            std::fprintf(stderr, "The main thread:\n%s  waits in %s",
                         firstLines(task + "/status", linesOfStatus).c_str(), firstLines(task + "/wchan", 1).c_str());
            std::fprintf(stderr, "\n  system call %s", firstLines(task + "/syscall", 1).c_str());
            std::fflush(stderr);
            pthread_kill(mainThread, SIGABRT); // there, so that the stack that is printed is the main thread's
            std::this_thread::sleep_for(std::chrono::seconds(10));
            ::_exit(1);
        }
        if (looks % looksBetweenMemory == 0)
            lookAtMemory();
    }
}

void Watchdog::lookAtMemory() {
    for (const pid_t engine : childrenOf(::getpid()))
        if (treeBytes(engine) > engineMemory) {
            ::kill(engine, SIGKILL);
            ++ended;
        }
}

} // namespace warplight::app
