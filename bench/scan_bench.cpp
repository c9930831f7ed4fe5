// SPDX-License-Identifier: GPL-3.0-or-later
// The linear scan against copying: of each rung the bytes a second of reading a and b once and writing h once, as a
// share of what memcpy moves (reads and writes) on as many threads. All are measured in turn; the least of several
// times counts.
//
//   scan_bench [threads] [log2 of the length] [channels] [rounds]        WARPLIGHT_TARGET=AVX2 as on a machine without
//   more
#include "core/cpu/parallel.h"
#include "core/cpu/scan/scan.h"
#include "core/cpu/target.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;

namespace {

double secondsOf(const std::function<void()>& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Row {
    std::string name;
    double bytes;
    std::function<void()> run;
    double least = std::numeric_limits<double>::infinity();
};

} // namespace

int main(int argc, char** argv) {
    const auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
    const int threads = number(1, 2), rounds = number(4, 15);
    const int64_t length = int64_t{1} << number(2, 24), channels = number(3, 1);
    if (const char* target = std::getenv("WARPLIGHT_TARGET"))
        cpu::useTarget(target);
    const auto size = static_cast<size_t>(channels * length);
    std::vector<float> a(size), b(size), h(size);
    tensor::fillUniform(a, 1, 0, 0.5, 1);
    tensor::fillGaussian(b, 1, 1);
    const double array = 4 * static_cast<double>(size);
    std::vector<Row> rows;
    rows.push_back({"memcpy", 2 * array, [&] {
                        const size_t part = (size + static_cast<size_t>(threads) - 1) / static_cast<size_t>(threads);
                        cpu::parallelItems(threads, threads, nullptr, [&](int64_t item, int) {
                            const size_t begin = std::min(size, static_cast<size_t>(item) * part);
                            std::memcpy(h.data() + begin, b.data() + begin,
                                        sizeof(float) * std::min(part, size - begin));
                        });
                    }});
    for (const auto& rung : cpu::scanRungs())
        rows.push_back(
            {std::string(rung.name), 3 * array, [&, id = rung.id] {
                 cpu::scan(id, {{channels, length}, a.data(), b.data(), nullptr, h.data()}, {threads, nullptr});
             }});
    for (int round = 0; round < rounds; ++round)
        for (Row& row : rows)
            if (round < 3 || row.least < 6 * rows.front().least) // the others need no fine measure
                row.least = std::min(row.least, secondsOf(row.run));
    fmt::print("{} threads, {} channels of {} steps\n{:<16}{:>10}{:>10}{:>16}\n", threads, channels, length, "", "ms",
               "GB/s", "of memcpy's");
    const double copy = rows.front().bytes / rows.front().least;
    for (const Row& row : rows)
        fmt::print("{:<16}{:>10.2f}{:>10.1f}{:>16.2f}\n", row.name, 1e3 * row.least, 1e-9 * row.bytes / row.least,
                   row.bytes / row.least / copy);
}
