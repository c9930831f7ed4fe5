// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/formats/npy.h"
#include "gpu/device.h"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::kernels {

/// An argument of somebody's kernel: a number, or an array that is copied to the GPU, back from it, or both. Written as
///   in:FILE.npy  inout:FILE.npy:FILE2.npy  out:f32[1024,64]:FILE.npy
///   random:f32[1024]  zeros:f32[1024]  iota:i32[1024]     made up: Gaussian (integers 0 … 99), zeros, 0, 1, 2 …
///   i32:1024  u32: i64: u64: f16: f32:0.125 f64: ptr:0
class KernelArgument {
  public:
    /// `where` stands before the specification in messages ("--arg"); `name` is the buffer's. Throws InputError, also
    /// when there is not enough memory for it, and Cancelled.
    KernelArgument(gpu::Device& device, const std::string& where, const std::string& spec, const std::string& name,
                   const std::atomic<bool>* cancel = nullptr);

    const gpu::Argument& value() const { return *argument; }
    /// Puts the array on the GPU as it was at first.
    void restore();
    /// Writes the array to its file, where it has one.
    void save();
    const std::string& outputFile() const { return output; } ///< empty: none
    const std::optional<gpu::Buffer>& onDevice() const { return buffer; }

  private:
    void readOutput(const std::string& rest, bool toFile);
    void makeUp(const std::string& kind);
    void store(size_t index, float value);
    gpu::Argument scalar(const std::string& type, std::string_view text) const;
    [[noreturn]] void refuse(const std::string& expected) const;
    template <class T>
    T number(std::string_view text) const;

    gpu::Device* device;
    std::string where, spec;
    const std::atomic<bool>* cancel;
    std::optional<gpu::Buffer> buffer;
    formats::RawArray array;
    bool given = false; ///< holds values before the kernel runs
    std::string output; ///< file; empty: not copied back
    std::optional<gpu::Argument> argument;
};

/// Throws InputError when two of them are to be written to one file.
void checkOutputsDiffer(const std::vector<KernelArgument>& arguments);

/// "X", "X,Y" or "X,Y,Z", each at least 1; throws InputError that begins with `where`.
gpu::Extent readExtent(const std::string& where, const std::string& text);

} // namespace warplight::kernels
