#include "gpu/cuda/cuda_compiler.h"

#include "gpu/cuda/nvrtc.h"
#include "gpu/error.h"

#include <algorithm>
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
                            const std::string& headers = ".") {
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
    const int failed = posix_spawn(&child, nvcc.c_str(), &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    if (failed || waitpid(child, &status, 0) < 0)
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

std::string compileCuda(const std::string& source, const CudaCompilers& compilers, const std::string& architecture) {
    std::error_code ignored;
    if (!fs::exists(source, ignored))
        throw InputError(fmt::format("{}: no such file", source));
    if (!fs::is_regular_file(source, ignored))
        throw InputError(fmt::format("{}: expected a file of CUDA C++", source));
    if (!compilers.nvcc.empty())
        return compileWithNvcc(compilers.nvcc, source, architecture);
    if (!compilers.nvrtc.empty())
        return compileWithNvrtc(contents(source), source, architecture, compilers.nvrtc);
    refuseWithoutCompiler(source);
}

std::string compileCudaText(const std::string& text, const std::string& file, const CudaCompilers& compilers,
                            const std::string& architecture) {
    if (compilers.nvcc.empty()) {
        if (compilers.nvrtc.empty())
            refuseWithoutCompiler(file);
        return compileWithNvrtc(text, file, architecture, compilers.nvrtc);
    }
    const Scratch scratch; // nvcc reads files only
    const fs::path copy = scratch.path / fs::path(file).filename(), folder = fs::path(file).parent_path();
    std::ofstream(copy, std::ios::binary) << text;
    try {
        return replaced(compileWithNvcc(compilers.nvcc, copy, architecture, folder.empty() ? "." : folder.string()),
                        copy.string(), file);
    } catch (const InputError& error) {
        throw InputError(replaced(error.what(), copy.string(), file));
    }
}

} // namespace warplight::cuda
