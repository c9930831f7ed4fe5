// SPDX-License-Identifier: GPL-3.0-or-later
// Writes a trace as PyTorch lays it out and reads it again: seconds, MB/s and the memory that reading took.
// usage: trace_bench MEGABYTES [FILE]   (FILE is read if it exists, else written and kept; .gz is packed)
#include "core/profiles/open_profile.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <zlib.h>

namespace {

/// Of this process, in bytes: what /proc says of `field`.
double memory(const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field + ":"))
            return 1024 * std::strtod(line.c_str() + field.size() + 1, nullptr);
    return 0;
}

/// One kernel to nine operators of the CPU, as in a training step.
std::string eventAt(int64_t i) {
    const double at = 4778453014362.195 + static_cast<double>(i) * 12.5;
    if (i % 10 == 0)
        return fmt::format(
            "  {{\n    \"ph\": \"X\", \"cat\": \"kernel\", \"name\": \"void "
            "at::native::vectorized_elementwise_kernel<4, "
            "at::native::CUDAFunctor_add<float>, std::array<char*, 3ul> >(int, at::native::CUDAFunctor_add<float>, "
            "std::array<char*, 3ul>)\", \"pid\": 0, \"tid\": 7,\n    \"ts\": {:.3f}, \"dur\": {:.3f},\n    \"args\": "
            "{{\n"
            "      \"External id\": {},\n      \"queued\": 0, \"device\": 0, \"context\": 1,\n      \"stream\": 7, "
            "\"correlation\": {},\n      \"registers per thread\": 26,\n      \"shared memory\": 0,\n      \"blocks "
            "per "
            "SM\": 37.925926,\n      \"warps per SM\": 151.703705,\n      \"grid\": [4096, 1, 1],\n      \"block\": "
            "[128, "
            "1, 1],\n      \"est. achieved occupancy %\": 100\n    }}\n  }},\n",
            at, 3.2 + static_cast<double>(i % 7), i, i);
    return fmt::format(
        "  {{\n    \"ph\": \"X\",\n    \"cat\": \"cpu_op\",\n    \"name\": \"aten::add_\",\n    \"pid\": "
        "15021,\n    \"tid\": 15021,\n    \"ts\": {:.3f},\n    \"dur\": {:.3f}\n    ,\n    \"args\": {{\n      "
        "\"External id\": {},\"Record function id\": 0, \"Sequence number\": 0, \"Fwd thread id\": 0, \"Ev "
        "Idx\": {}\n    }}\n  }},\n",
        at, 1.5 + static_cast<double>(i % 3), i, i);
}

int64_t writeTrace(const std::string& file, int64_t bytes) {
    const gzFile out = gzopen(file.c_str(), file.ends_with(".gz") ? "wb1" : "wbT");
    if (!out)
        return -1;
    std::string piece =
        "{\n  \"schemaVersion\": 1,\n  \"deviceProperties\": [{\"id\": 0, \"name\": \"Made up\"}],\n  "
        "\"displayTimeUnit\": \"ms\",\n  \"baseTimeNanoseconds\": 1790857026000000000,\n  \"traceEvents\": [\n";
    int64_t written = 0;
    for (int64_t i = 0; written < bytes; ++i) {
        piece += eventAt(i);
        if (piece.size() > 1 << 20) {
            gzwrite(out, piece.data(), static_cast<unsigned>(piece.size()));
            written += static_cast<int64_t>(piece.size());
            piece.clear();
        }
    }
    piece += "  {\"ph\": \"i\", \"s\": \"g\", \"name\": \"Record Window End\", \"pid\": \"\", \"tid\": \"\", \"ts\": "
             "0}\n]}\n";
    gzwrite(out, piece.data(), static_cast<unsigned>(piece.size()));
    return gzclose(out) == Z_OK ? written : -1;
}

} // namespace

int main(int count, char** arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: trace_bench MEGABYTES [FILE]\n");
        return 2;
    }
    const auto bytes = static_cast<int64_t>(std::strtod(arguments[1], nullptr) * 1e6);
    const bool own = count < 3;
    const std::string file = own ? (std::filesystem::temp_directory_path() / "warplight_trace_bench.json").string()
                                 : std::string(arguments[2]);
    if (!std::filesystem::exists(file) && writeTrace(file, bytes) < 0) {
        std::fprintf(stderr, "%s cannot be written\n", file.c_str());
        return 1;
    }
    const double before = memory("VmRSS");
    const std::clock_t clock = std::clock();
    const auto start = std::chrono::steady_clock::now();
    const auto profile = warplight::profiles::openProfile(file);
    const double cpu = static_cast<double>(std::clock() - clock) / CLOCKS_PER_SEC;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print("{:.0f} MB read in {:.2f} s: {:.0f} MB/s ({:.0f} of its own CPU time); {} records; memory grew by "
               "{:.1f} MB to {:.1f} MB, {:.0f} bytes a "
               "record\n",
               static_cast<double>(bytes) / 1e6, seconds, static_cast<double>(bytes) / 1e6 / seconds,
               static_cast<double>(bytes) / 1e6 / cpu, profile.records.size(), (memory("VmHWM") - before) / 1e6,
               memory("VmHWM") / 1e6,
               (memory("VmHWM") - before) / static_cast<double>(std::max<size_t>(profile.records.size(), 1)));
    if (own)
        std::filesystem::remove(file);
}
