// SPDX-License-Identifier: GPL-3.0-or-later
// Linked to the tests under LeakSanitizer. Qt Test watches the clock on a thread that lets go of what it has, 152
// bytes, when it ends. Nobody joins that thread, and if it ends after Qt's own clean-up, the bytes are never given
// back. So wait, before any library cleans up, until this thread is the last.
#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

namespace {

constexpr auto pause = std::chrono::milliseconds(1);
constexpr int mostPauses = 1000;

struct LastThread {
    ~LastThread() {
        const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
        for (int i = 0; i < mostPauses && threads() > 1; ++i)
            std::this_thread::sleep_for(pause);
    }
} const lastThread;

} // namespace
