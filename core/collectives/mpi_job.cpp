// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/mpi_job.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace warplight::collectives {
namespace {

constexpr size_t longestText = 4000;
/// What MPI keeps for each rank to pass short messages through (btl_vader_segment_size), and as much again.
constexpr uint64_t memoryPerRank = 8 << 20;
constexpr std::chrono::milliseconds moment{60}; ///< that mpirun gets to end by itself

constexpr std::string_view folderName = "warplight-mpi-"; ///< followed by a process's id
constexpr const char* sharedMemoryFolder = "/dev/shm";

bool isProgram(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// Where ranks put memory that they share: not every container has room for it in /dev/shm.
std::filesystem::path folderForMemory(int ranks) {
    const char* shm = sharedMemoryFolder;
    struct statvfs room {};
    if (access(shm, W_OK) == 0 && statvfs(shm, &room) == 0 &&
        room.f_bavail * room.f_frsize >= memoryPerRank * static_cast<uint64_t>(ranks))
        return shm;
    return std::filesystem::temp_directory_path();
}

/// Settings as environment variables: versions that do not know one pass over it, and who sets one keeps it.
std::vector<std::string> environmentFor(int ranks, const std::filesystem::path& folder,
                                        const std::filesystem::path& memoryFolder) {
    std::map<std::string, std::string> settings{
        {"OMPI_ALLOW_RUN_AS_ROOT", "1"}, // containers
        {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
        {"OMPI_MCA_pml", "ob1"}, // shared memory only, no search for networks
        {"OMPI_MCA_btl", "self,vader"},
        {"OMPI_MCA_oob_tcp_if_include", "lo"},
        {"OMPI_MCA_plm", "isolated"}, // no ssh, no batch system
        {"OMPI_MCA_ras", "^slurm,gridengine,tm,lsf"},
        {"OMPI_MCA_rmaps_base_oversubscribe", "1"},                  // Open MPI 4
        {"PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"}, // Open MPI 5
        {"OMPI_MCA_hwloc_base_binding_policy", "none"},
        {"OMPI_MCA_orte_tmpdir_base", folder}, // Open MPI 4
        {"PRTE_MCA_prte_tmpdir_base", folder}, // Open MPI 5
        {"OMPI_MCA_btl_vader_backing_directory", memoryFolder},
    };
    if (ranks > static_cast<int>(std::thread::hardware_concurrency()))
        settings.emplace("OMPI_MCA_mpi_yield_when_idle", "1");
    // MPI keeps what it allocated until the process ends; a rank built with the leak checker need not tell.
    const char* sanitizer = std::getenv("ASAN_OPTIONS");
    settings["ASAN_OPTIONS"] = fmt::format("{}:detect_leaks=0", sanitizer ? sanitizer : "");

    std::vector<std::string> variables;
    for (char** each = environ; *each; ++each) {
        const std::string variable = *each;
        const std::string name = variable.substr(0, variable.find('='));
        const bool isOfAnotherJob =
            name.starts_with("PMIX_") || (name.starts_with("OMPI_") && !name.starts_with("OMPI_MCA_"));
        if (isOfAnotherJob || name == "ASAN_OPTIONS")
            continue;
        settings.erase(name);
        variables.push_back(variable);
    }
    for (const auto& [name, value] : settings)
        variables.push_back(fmt::format("{}={}", name, value));
    return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> all;
    for (std::string& each : strings)
        all.push_back(each.data());
    all.push_back(nullptr);
    return all;
}

std::filesystem::path madeFolder(const std::filesystem::path& in) {
    std::string name = in / fmt::format("{}{}-XXXXXX", folderName, getpid());
    if (!mkdtemp(name.data()))
        throw std::runtime_error(fmt::format("no folder can be made in {}: {}", in.string(), std::strerror(errno)));
    return name;
}

/// The process in the name of a folder; 0: none is.
pid_t ownerOf(const std::string& name) {
    pid_t owner = 0;
    if (!name.starts_with(folderName))
        return 0;
    const char *begin = name.data() + folderName.size(), *end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(begin, end, owner);
    return error == std::errc() && stop != end && *stop == '-' && owner > 0 ? owner : 0;
}

/// Folders that hold nothing but such folders go.
void removeEmpty(const std::filesystem::path& folder) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
        if (entry.is_directory(error) && !entry.is_symlink(error))
            removeEmpty(entry.path());
    rmdir(folder.c_str()); // keeps what is not empty
}

} // namespace

void removeLeftFolders(const std::filesystem::path& in) {
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(in, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const pid_t owner = ownerOf(entry->path().filename());
        std::error_code ignored;
        if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH && entry->is_directory(ignored) &&
            !entry->is_symlink(ignored))
            removeEmpty(entry->path());
    }
}

void removeLeftFolders() {
    std::error_code error;
    if (const auto temporary = std::filesystem::temp_directory_path(error); !error)
        removeLeftFolders(temporary);
    removeLeftFolders(sharedMemoryFolder);
}

PrivateFolder::PrivateFolder(const std::filesystem::path& in) : path(madeFolder(in)) {}

PrivateFolder::~PrivateFolder() { remove(); }

void PrivateFolder::remove() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
}

std::filesystem::path findMpirun() {
    const char* variable = std::getenv("PATH");
    std::istringstream folders(variable ? variable : "");
    for (std::string folder; std::getline(folders, folder, ':');)
        if (const auto path = std::filesystem::path(folder) / "mpirun"; isProgram(path))
            return path;
    return {};
}

std::filesystem::path findRankProgram() {
    if (const char* named = std::getenv("WARPLIGHT_RANK"))
        return isProgram(named) ? std::filesystem::absolute(named) : std::filesystem::path();
    std::error_code error;
    const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "warplight-rank";
    return isProgram(beside) ? beside : std::filesystem::path();
}

MpiJob::MpiJob(int ranks, const std::filesystem::path& program, const std::vector<std::string>& arguments)
    : folder(std::filesystem::temp_directory_path()), memoryFolder(folderForMemory(ranks)) {
    std::vector<std::string> words{findMpirun(), "-n", std::to_string(ranks), program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = environmentFor(ranks, folder.path, memoryFolder.path);

    std::array<int, 2> pipe{};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0)
        throw std::runtime_error(fmt::format("mpirun cannot be listened to: {}", std::strerror(errno)));
    output = pipe[0];
    fcntl(output, F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, pipe[1], STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A group of its own: Ctrl-C in a terminal is for the program, which ends mpirun in order.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int each : {SIGTERM, SIGINT, SIGPIPE, SIGCHLD})
        sigaddset(&signals, each);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    const int failed = posix_spawn(&child, words.front().c_str(), &files, &attributes, pointers(words).data(),
                                   pointers(variables).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(pipe[1]);
    if (failed != 0) {
        child = -1;
        close(output);
        throw std::runtime_error(fmt::format("{} cannot be started: {}", words.front(), std::strerror(failed)));
    }
}

MpiJob::~MpiJob() {
    end();
    close(output);
}

void MpiJob::reap(int options) {
    if (child > 0 && waitpid(child, &status, options) == child)
        child = -1;
}

bool MpiJob::hasEnded() {
    reap(WNOHANG);
    return child < 0;
}

void MpiJob::readOutput() {
    std::array<char, 4096> buffer;
    for (ssize_t count; (count = read(output, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(),
                    std::min(static_cast<size_t>(count), longestText - std::min(longestText, text.size())));
}

std::string MpiJob::howItEnded() {
    readOutput();
    std::string printed;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.find_first_not_of("- \t") == std::string::npos) // rules and empty lines
            continue;
        printed += printed.empty() ? ": " : " ";
        printed += line;
    }
    return WIFSIGNALED(status) ? fmt::format("mpirun was ended by signal {} ({}){}", WTERMSIG(status),
                                             strsignal(WTERMSIG(status)), printed)
                               : fmt::format("mpirun ended with exit code {}{}", WEXITSTATUS(status), printed);
}

void MpiJob::end() {
    if (hasEnded())
        return;
    kill(-child, SIGTERM);
    const auto latest = std::chrono::steady_clock::now() + moment;
    while (!hasEnded() && std::chrono::steady_clock::now() < latest) {
        readOutput();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (child < 0)
        return;
    kill(-child, SIGKILL);
    reap(0);
}

} // namespace warplight::collectives
