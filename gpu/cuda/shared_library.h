// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

namespace warplight::cuda {

/// A shared library that is looked for while the program runs, so that one program runs with and without it. It is
/// never closed: NVIDIA's libraries keep threads and handlers at exit of their own, and unloading them under these is
/// no gain.
class SharedLibrary {
  public:
    /// The first of `names` that can be opened: a file name that the loader looks up, or a path. Nothing when none can.
    static std::optional<SharedLibrary> open(std::span<const std::string> names);

    /// Null when the library has no such symbol: it is older, or newer, than the one asked for.
    void* symbol(const char* name) const;

    /// `F` is a pointer to a function.
    template <class F>
    F function(const char* name) const {
        return reinterpret_cast<F>(symbol(name));
    }

    /// The file that was found, as the loader names it.
    const std::string& path() const { return file; }

  private:
    SharedLibrary(void* h, std::string f) : handle(h), file(std::move(f)) {}
    void* handle;
    std::string file;
};

} // namespace warplight::cuda
