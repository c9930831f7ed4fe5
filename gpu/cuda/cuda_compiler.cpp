// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cuda_compiler.h"

#include "gpu/cuda/nvrtc.h"
#include "gpu/error.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <future>
#include <ios>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;

namespace warplight::cuda {
namespace {

namespace fs = std::filesystem;

std::string findNvcc() {
    std::vector<fs::path> folders;
    if (const char* home = std::getenv("CUDA_HOME"))
        folders.push_back(fs::path(home) / "bin");
    folders.emplace_back("/usr/local/cuda/bin");
    const std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
    for (size_t at = 0; at < path.size();) {
        const size_t end = std::min(path.find(':', at), path.size());
        folders.emplace_back(path.substr(at, end - at));
        at = end + 1;
    }
    for (const fs::path& folder : folders) {
        std::error_code ignored;
        if (fs::exists(folder / "nvcc", ignored))
            return folder / "nvcc";
    }
    return {};
}

constexpr int64_t mostSourceBytes = 64 << 20; ///< of a file to compile, and of what the compiler says
constexpr std::chrono::milliseconds poll{10}; ///< between two looks at whether it is done or cancelled

std::string contents(const fs::path& file) { return contentsOfFile(file, mostSourceBytes, "a file of CUDA C++"); }

bool isSet(const std::atomic<bool>* cancel) { return cancel && cancel->load(std::memory_order_relaxed); }

/// Waits for a child process that leads a group of its own; ends them all when somebody cancels. Returns its status.
int waitFor(pid_t child, const std::atomic<bool>* cancel) {
    int status = 0;
    for (pid_t ended = 0; ended == 0;) {
        ended = ::waitpid(child, &status, cancel ? WNOHANG : 0);
        if (ended < 0 && errno != EINTR)
            return -1;
        if (ended < 0)
            ended = 0;
        if (ended == 0 && isSet(cancel)) {
            ::kill(-child, SIGKILL);
            ::waitpid(child, &status, 0);
            throw Cancelled();
        }
        if (ended == 0)
            std::this_thread::sleep_for(poll);
    }
    return status;
}

/// NVRTC cannot be interrupted: a compilation that nobody waits for any more goes on by itself to its end.
std::string compileWithNvrtcUnless(const std::atomic<bool>* cancel, const std::string& text, const std::string& file,
                                   const std::string& architecture, const std::string& library) {
    if (!cancel)
        return compileWithNvrtc(text, file, architecture, library);
    std::packaged_task<std::string()> task(
        [text, file, architecture, library] { return compileWithNvrtc(text, file, architecture, library); });
    std::future<std::string> ptx = task.get_future();
    std::thread(std::move(task)).detach();
    while (ptx.wait_for(poll) != std::future_status::ready)
        if (isSet(cancel))
            throw Cancelled();
    return ptx.get();
}

/// A folder that goes with its owner.
struct Scratch {
    Scratch() {
        std::string pattern = (fs::temp_directory_path() / "warplight-XXXXXX").string();
        if (!mkdtemp(pattern.data()))
            throw std::runtime_error("no folder for temporary files could be made in " +
                                     fs::temp_directory_path().string());
        path = pattern;
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path path;
};

[[noreturn]] void refuseWithoutCompiler(const std::string& source) {
    throw InputError(fmt::format("{}: a .cu file needs one of NVIDIA's compilers, and neither nvcc ($CUDA_HOME, "
                                 "/usr/local/cuda, $PATH) nor NVRTC "
                                 "(libnvrtc.so.13 or .12) was found; install the CUDA toolkit, or give a .ptx instead",
                                 source));
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    return text;
}

/// `headers`: a folder where they are looked for besides.
std::string compileWithNvcc(const std::string& nvcc, const std::string& source, const std::string& architecture,
                            const std::atomic<bool>* cancel, const std::string& headers = ".") {
    const Scratch scratch;
    const std::string out = scratch.path / "kernel.ptx", log = scratch.path / "log.txt";
    std::vector<std::string> words = {
        nvcc, "-std=c++17", "-arch=" + architecture, "-lineinfo", "-ptx", "-I", headers, source, "-o", out};
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    pid_t child = 0;
    posix_spawnattr_t attributes; // a group of its own, with the programs that it starts
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    const int failed = posix_spawn(&child, nvcc.c_str(), &files, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    const int status = failed ? -1 : waitFor(child, cancel);
    if (status < 0)
        throw InputError(fmt::format("{}: {} could not be started", source, nvcc));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw InputError(fmt::format("{}: nvcc says\n{}", source, withColons(contents(log))));
    return contents(out);
}

} // namespace

std::string withColons(const std::string& log) {
    std::string all;
    for (size_t begin = 0; begin < log.size();) {
        const size_t end = std::min(log.find('\n', begin), log.size());
        std::string line = log.substr(begin, end - begin);
        const size_t open = line.find('('), close = line.find("): ");
        const bool number = open != std::string::npos && close != std::string::npos && open + 1 < close &&
                            line.find_first_not_of("0123456789", open + 1) == close;
        if (number && open > 0 && line[0] != ' ')
            line = line.substr(0, open) + ":" + line.substr(open + 1, close - open - 1) + ": " + line.substr(close + 3);
        all += line;
        if (end < log.size())
            all += '\n';
        begin = end + 1;
    }
    return all;
}

CudaCompilers CudaCompilers::find() {
    const char* only = std::getenv("WARPLIGHT_CUDA_COMPILER");
    const std::string wanted = only ? only : "";
    if (!wanted.empty() && wanted != "nvcc" && wanted != "nvrtc")
        throw InputError(fmt::format("$WARPLIGHT_CUDA_COMPILER is '{}', expected nvcc or nvrtc", wanted));
    return {wanted == "nvrtc" ? "" : findNvcc(), wanted == "nvcc" ? "" : findNvrtc()};
}

std::string compileCuda(const std::string& source, const CudaCompilers& compilers, const std::string& architecture,
                        const std::atomic<bool>* cancel) {
    std::error_code ignored;
    if (!fs::exists(source, ignored))
        throw InputError(fmt::format("{}: no such file", source));
    if (!fs::is_regular_file(source, ignored))
        throw InputError(fmt::format("{}: expected a file of CUDA C++", source));
    if (!compilers.nvcc.empty())
        return compileWithNvcc(compilers.nvcc, source, architecture, cancel);
    if (!compilers.nvrtc.empty())
        return compileWithNvrtcUnless(cancel, contents(source), source, architecture, compilers.nvrtc);
    refuseWithoutCompiler(source);
}

std::string compileCudaText(const std::string& text, const std::string& file, const CudaCompilers& compilers,
                            const std::string& architecture, const std::atomic<bool>* cancel) {
    if (compilers.nvcc.empty()) {
        if (compilers.nvrtc.empty())
            refuseWithoutCompiler(file);
        return compileWithNvrtcUnless(cancel, text, file, architecture, compilers.nvrtc);
    }
    const Scratch scratch; // nvcc reads files only
    const fs::path copy = scratch.path / fs::path(file).filename(), folder = fs::path(file).parent_path();
    std::ofstream out(copy, std::ios::binary);
    out << text;
    out.close();
    if (!out)
        throw std::runtime_error(fmt::format("{}: writing failed, is the disk full?", copy.string()));
    try {
        return replaced(
            compileWithNvcc(compilers.nvcc, copy, architecture, cancel, folder.empty() ? "." : folder.string()),
            copy.string(), file);
    } catch (const InputError& error) {
        throw InputError(replaced(error.what(), copy.string(), file));
    }
}

} // namespace warplight::cuda
