// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/random_use/journal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace warplight::app {
namespace {

/// Engines, and ranks of theirs, whose parent has gone: they are this process's children now.
void endOrphans() {
    for (int round = 0; round < 20; ++round) {
        std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
        bool any = false;
        for (pid_t child = 0; children >> child; any = true)
            ::kill(child, SIGKILL);
        if (!any)
            return;
        while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
        }
    }
}

} // namespace

void Journal::say(const QString& line) {
    std::array<char, longest>& slot = text[lines % linesKept];
    const QByteArray bytes = line.toUtf8();
    size_t length = 0;
    for (const char c : bytes) {
        if (length + 1 == longest)
            break;
        slot[length++] = c >= ' ' && c < 0x7f ? c : '?';
    }
    slot[length] = '\0';
    ++lines;
}

void Journal::tell(const char* why) const {
    std::fprintf(stderr, "\nRANDOM USE: %s\nseed %llu, event %llu of %llu. What was done last:\n", why,
                 static_cast<unsigned long long>(seed), static_cast<unsigned long long>(event.load()),
                 static_cast<unsigned long long>(events));
    const uint64_t end = lines;
    for (uint64_t line = end > linesKept ? end - linesKept : 0; line < end; ++line)
        std::fprintf(stderr, "  %s\n", text[line % linesKept].data());
    std::fprintf(stderr, "Replay it: test_random_use_test --seed %llu --events %llu\n\n",
                 static_cast<unsigned long long>(seed), static_cast<unsigned long long>(events));
    std::fflush(stderr);
}

Journal& sharedJournal() {
    void* memory = ::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::bad_alloc();
    return *new (memory) Journal;
}

int supervised(Journal& journal, int (*user)(Journal& journal, int argc, char** argv), int argc, char** argv) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    std::fflush(nullptr);
    const pid_t parent = ::getpid(), child = ::fork();
    if (child < 0) {
        std::perror("fork");
        return 1;
    }
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL); // a time limit that ends the parent ends the window too
        if (::getppid() != parent)
            ::_exit(1);
        std::exit(user(journal, argc, argv));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    endOrphans();
    if (WIFSIGNALED(status)) {
        std::array<char, 80> why{};
        std::snprintf(why.data(), why.size(), "the window was ended by signal %d (%s)", WTERMSIG(status),
                      ::strsignal(WTERMSIG(status)));
        journal.tell(why.data());
        return 1;
    }
    if (WEXITSTATUS(status) != 0)
        journal.tell("the process of the window failed: see above");
    return WEXITSTATUS(status);
}

} // namespace warplight::app
