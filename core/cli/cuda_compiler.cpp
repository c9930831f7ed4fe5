#include "core/cli/cuda_compiler.h"

#include "core/error.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace warplight::cli {
namespace {

namespace fs = std::filesystem;

std::string findNvcc() {
    std::vector<fs::path> folders;
    if (const char* home = std::getenv("CUDA_HOME"))
        folders.push_back(fs::path(home) / "bin");
    folders.emplace_back("/usr/local/cuda/bin");
    std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
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
    throw InputError("a .cu file needs NVIDIA's compiler nvcc, which was not found ($CUDA_HOME, /usr/local/cuda/bin, "
                     "$PATH); give a .ptx instead");
}

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
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

} // namespace

std::string compileCuda(const std::string& source) {
    if (std::error_code ignored; !fs::exists(source, ignored))
        throw InputError(fmt::format("{}: no such file", source));
    const std::string nvcc = findNvcc();
    const Scratch scratch;
    const std::string out = scratch.path / "kernel.ptx", log = scratch.path / "log.txt";
    std::vector<std::string> words = {nvcc, "-std=c++17", "-arch=sm_80", "-lineinfo", "-ptx", source, "-o", out};
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    pid_t child = 0;
    const int failed = posix_spawn(&child, nvcc.c_str(), &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    if (failed || waitpid(child, &status, 0) < 0)
        throw InputError(fmt::format("{}: {} could not be started", source, nvcc));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw InputError(fmt::format("{}: nvcc says\n{}", source, contents(log)));
    return contents(out);
}

} // namespace warplight::cli
