// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/gpu_profile.h"

#include "gpu/error.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace warplight::vgpu {
namespace {

constexpr int64_t kib = 1024, mib = 1024 * kib;

// L2 bandwidths are not in data sheets: measured by others (Chips and Cheese; Jia et al., arXiv 1903.07486 for Turing),
// rounded, in bytes a clock.
constexpr GpuProfile profiles[] = {
    {"T4", "Tesla T4", 40, 1.590e9, 96 * kib, 64 * kib, 4 * mib, 1280, 320e9, 64, 2, 64, 16, 64, 1024, 1024, 16, 75,
     "NVIDIA T4 data sheet (2019); Turing white paper WP-09183: 65 TFLOP/s f16 tensor, 16 load/store units"},
    {"A100", "A100 SXM4 40 GB", 108, 1.410e9, 192 * kib, 164 * kib, 40 * mib, 5120, 1555e9, 64, 32, 64, 32, 128, 2048,
     2048, 32, 80,
     "NVIDIA A100 white paper (2020): 19.5 TFLOP/s f32, 312 TFLOP/s f16 tensor, L2 5,120 bytes a clock, 32 load/store "
     "units"},
    {"H100", "H100 SXM5", 132, 1.830e9, 256 * kib, 228 * kib, 50 * mib, 5632, 3352e9, 128, 64, 64, 32, 128, 4096, 2048,
     32, 90, "NVIDIA H100 white paper and data sheet (2023): 989 TFLOP/s f16 tensor at 1.83 GHz, 32 load/store units"},
    {"H200", "H200 SXM", 132, 1.830e9, 256 * kib, 228 * kib, 50 * mib, 5632, 4800e9, 128, 64, 64, 32, 128, 4096, 2048,
     32, 90, "NVIDIA H200 data sheet (2024): 989 TFLOP/s f16 tensor, 4.8 TB/s; the rest is an H100's"},
    {"L4", "L4", 58, 2.040e9, 128 * kib, 100 * kib, 48 * mib, 2048, 300e9, 128, 2, 64, 16, 128, 1024, 1536, 24, 89,
     "NVIDIA L4 data sheet (2023): 30.3 TFLOP/s f32, 121 TFLOP/s f16 tensor; Ada white paper"},
    {"A6000", "RTX A6000", 84, 1.800e9, 128 * kib, 100 * kib, 6 * mib, 2560, 768e9, 128, 2, 64, 16, 128, 1024, 1536, 16,
     86, "NVIDIA RTX A6000 data sheet (2020): 38.7 TFLOP/s f32, 768 GB/s; GA102 white paper"},
    {"RTX3090", "GeForce RTX 3090", 82, 1.695e9, 128 * kib, 100 * kib, 6 * mib, 2560, 936e9, 128, 2, 64, 16, 128, 512,
     1536, 16, 86,
     "NVIDIA Ampere GA102 white paper (2021): 35.6 TFLOP/s f32, 71 TFLOP/s f16 tensor with f32 sums, 16 load/store "
     "units, shared memory 128 bytes a clock"},
    {"RTX4090", "GeForce RTX 4090", 128, 2.520e9, 128 * kib, 100 * kib, 72 * mib, 4096, 1008e9, 128, 2, 64, 16, 128,
     512, 1536, 24, 89,
     "NVIDIA Ada white paper (2022): 82.6 TFLOP/s f32, 165.2 TFLOP/s f16 tensor with f32 sums, 16 load/store units"},
    {"B200", "B200", 148, 1.850e9, 256 * kib, 228 * kib, 126 * mib, 10240, 8000e9, 128, 64, 64, 32, 128, 8192, 2048, 32,
     100, "NVIDIA Blackwell data sheet (2024): 2,250 TFLOP/s f16 tensor dense, 8 TB/s; load/store units as an H100's"}};

std::string simple(std::string_view text) { // letters and digits only, in lower case
    std::string result;
    for (const char c : text)
        if (std::isalnum(static_cast<unsigned char>(c)))
            result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

} // namespace

std::span<const GpuProfile> gpuProfiles() { return profiles; }

const GpuProfile& gpuProfile(std::string_view id) {
    std::string known;
    for (const GpuProfile& p : profiles) {
        if (p.id == id)
            return p;
        known += (known.empty() ? "" : ", ") + std::string(p.id);
    }
    throw InputError(fmt::format("GPU '{}': there are profiles of {}", id, known));
}

const GpuProfile* gpuProfileOfCard(std::string_view card) {
    // One name, several cards: "A100 SXM4 40 GB" is no sheet of an A100-SXM4-80GB, an H100's SXM5 none of a PCIe card.
    const auto otherCard = [](const std::string& own, const std::string& sheet) {
        const size_t size = own.find("gb"), sheetSize = sheet.find("gb");
        const auto digits = [](const std::string& text, size_t end) {
            size_t begin = end;
            while (begin > 0 && std::isdigit(static_cast<unsigned char>(text[begin - 1])))
                --begin;
            return text.substr(begin, end - begin).substr(end - begin > 2 ? end - begin - 2 : 0); // "sxm480gb"
        };
        if (size != std::string::npos && sheetSize != std::string::npos &&
            digits(own, size) != digits(sheet, sheetSize))
            return true;
        return own.find("pcie") != std::string::npos && sheet.find("sxm") != std::string::npos;
    };
    const auto goesOn = [](std::string_view text, size_t letters) { // behind so many letters and digits
        for (size_t i = 0; i < text.size(); ++i)
            if (std::isalnum(static_cast<unsigned char>(text[i])) && letters-- == 1)
                return i + 1 < text.size() && std::isalnum(static_cast<unsigned char>(text[i + 1])) != 0;
        return false;
    };
    const auto beginsAWord = [](std::string_view text, size_t letters) { // the letter or digit behind so many
        for (size_t i = 0; i < text.size(); ++i)
            if (std::isalnum(static_cast<unsigned char>(text[i])) && letters-- == 0)
                return i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1]));
        return false;
    };
    const std::string name = simple(card);
    const GpuProfile* best = nullptr;
    for (const GpuProfile& profile : gpuProfiles()) {
        const std::string id = simple(profile.id);
        const size_t at = name.find(id);
        // "L4" is no part of "L40S", "T4" none of "T400", "H200" none of "GH200"; "H100 80GB" is an H100.
        if (at == std::string::npos || goesOn(card, at + id.size()) || !beginsAWord(card, at))
            continue;
        if (otherCard(name, simple(profile.name)))
            continue;
        if (!best || profile.id.size() > best->id.size())
            best = &profile;
    }
    return best;
}

std::array<std::pair<std::string_view, int64_t>, 4> occupancyLimits(const GpuProfile& gpu, int64_t threads,
                                                                    int registers, int64_t sharedBytes) {
    constexpr int64_t registerFile = 65536, reserved = 1024; // bytes of shared memory that each block costs besides
    const int64_t warps = (threads + 31) / 32, perWarp = (static_cast<int64_t>(registers) * 32 + 255) / 256 * 256;
    return {{{"threads", gpu.maxThreads / (warps * 32)},
             {"blocks", gpu.maxBlocks},
             {"registers", registerFile / std::max<int64_t>(perWarp * warps, 1)},
             {"shared memory", gpu.sharedBytes / (sharedBytes + reserved)}}};
}

Occupancy occupancy(const GpuProfile& gpu, int64_t threads, int registers, int64_t sharedBytes) {
    const auto limits = occupancyLimits(gpu, threads, registers, sharedBytes);
    const int64_t warps = (threads + 31) / 32;
    const auto least = std::min_element(limits.begin(), limits.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto blocks = static_cast<int>(std::max<int64_t>(least->second, 0));
    return {blocks, static_cast<double>(blocks * warps * 32) / gpu.maxThreads, least->first};
}

} // namespace warplight::vgpu
