// SPDX-License-Identifier: GPL-3.0-or-later
// What tests of kernels that round have in common.
#pragma once

#include "gpu/device.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace warplight::test {

/// The same number, the same infinity, or both NaN.
inline bool same(float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

/// As the tensor core takes f32: 11 bits, of two as near the larger one; from half a unit below 2^128 on infinite.
inline float toTf32(float x) {
    if (!std::isfinite(x) || x == 0)
        return x;
    const int unit = std::max(std::ilogb(x), -126) - 10;
    const double size = std::ldexp(std::floor(std::ldexp(std::fabs(static_cast<double>(x)), -unit) + 0.5), unit);
    return static_cast<float>(std::copysign(size, static_cast<double>(x)));
}

/// A GPU of compute capability 8.6, which has no 8-bit products. It runs nothing.
struct OlderGpu : gpu::Device {
    std::string name() const override { return "Older"; }
    std::optional<int> architecture() const override { return 86; }
    uint64_t allocate(int64_t, const std::string&) override { return 0; }
    void release(uint64_t) override {}
    std::vector<std::string> held() const override { return {}; }
    void upload(uint64_t, const void*, int64_t) override {}
    void download(void*, uint64_t, int64_t) override {}
    std::unique_ptr<gpu::Module> load(const std::string&, const std::string&, const std::atomic<bool>*) override {
        return nullptr;
    }
};

} // namespace warplight::test
