// SPDX-License-Identifier: GPL-3.0-or-later
// warplight-rank PROGRAM DESCRIPTOR TOKEN: a rank of collectives, started by mpirun for a program that waits for it.
// Two processes: one works and speaks MPI, the other watches it and the program. So whatever way a rank ends, somebody
// is there to say which and how, and no rank outlives the program.
#include "core/collectives/rank/worker.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace warplight::collectives;

namespace {

constexpr int failed = 1;

int handleOf(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

/// Which rank mpirun means this process to be: the worker asks MPI, but that is too late here.
int rankFromMpirun() {
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"})
        if (const char* text = std::getenv(name))
            return std::atoi(text);
    return -1;
}

/// Waits for the worker's end and notes it down; the program then decides. Its end is this process's and the worker's.
int watch(RankMemory& memory, int rank, pid_t worker, int program) {
    RankRow& row = memory.row(rank);
    int child = handleOf(worker);
    for (;;) {
        std::array<pollfd, 2> looks{{{program, POLLIN, 0}, {child, POLLIN, 0}}};
        if (poll(looks.data(), looks.size(), -1) < 0 && errno != EINTR)
            return failed;
        if (looks[0].revents != 0) {
            if (child >= 0) {
                kill(worker, SIGKILL);
                waitpid(worker, nullptr, 0);
            }
            return failed;
        }
        int status = 0;
        if (looks[1].revents == 0 || waitpid(worker, &status, WNOHANG) != worker)
            continue;
        if (memory.head().hasEnded || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
            return 0;
        row.endStatus = status;
        row.endedAt = std::chrono::steady_clock::now().time_since_epoch().count();
        memory.head().programBell.ring();
        // mpirun would end the others, and the program would have several deaths to choose from.
        close(child);
        child = -1;
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "warplight-rank is started by Warplight.\n");
        return 2;
    }
    const pid_t program = std::atoi(argv[1]);
    const int programHandle = handleOf(program); // before looking at its memory: afterwards it may be another's number
    try {
        RankMemory memory(program, std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10));
        const int rank = rankFromMpirun();
        if (rank < 0 || rank >= memory.ranks()) {
            std::fprintf(stderr, "mpirun does not say which rank this is: Warplight needs the one of Open MPI.\n");
            return failed;
        }
        RankRow& row = memory.row(rank);
        row.supervisor = getpid();
        if (memory.head().hasEnded || programHandle < 0)
            return failed;
        const pid_t self = getpid();
        const pid_t worker = fork();
        if (worker < 0) {
            std::perror("fork");
            return failed;
        }
        if (worker == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != self)
                return failed;
            row.worker = getpid();
            return workAsRank(memory, rank);
        }
        row.worker = worker;
        return watch(memory, rank, worker, programHandle);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "warplight-rank: %s\n", error.what());
        return failed;
    }
}
