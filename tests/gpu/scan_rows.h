// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/ops/launcher.h"
#include "gpu/ops/scan.h"

#include <QTest>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

/// What the tests of scans on GPUs share: their rungs as rows, and what those of complex numbers and of gradients are
/// fed with.
namespace warplight::test {

/// For initTestCase_data(): the whole test runs once for each rung.
template <class Infos>
void addScanRungs(const Infos& rungs) {
    QTest::addColumn<int>("rung");
    for (const auto& rung : rungs)
        QTest::newRow(std::string(rung.name).c_str()) << static_cast<int>(rung.id);
}
inline gpu::ScanRung fetchedRung() {
    QFETCH_GLOBAL(int, rung);
    return static_cast<gpu::ScanRung>(rung);
}

inline constexpr int64_t scanLengths[] = {1,   2,   3,    4,    5,    31,   32,   33,   127,  128,  129,
                                          511, 512, 1000, 1023, 1024, 1025, 2047, 2048, 2500, 4097, 40000};

inline bool isTooLong(int64_t channels, int64_t length) {
    return (channels > 3 && length > 1025) || (channels > 1 && length > 4097);
}

using Complex = std::complex<float>;

/// Rows of complex numbers, or of real ones, for gradients.
template <class T>
struct ScanRows {
    int64_t channels, length;
    std::vector<T> a, b, h0; ///< b: what comes in, or the gradients of the states

    ScanRows(int64_t channelCount, int64_t steps) : channels(channelCount), length(steps) {
        std::mt19937 random(7);
        std::uniform_real_distribution<float> size(0, 1), angle(-3, 3);
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < channels * length; ++i) {
            const float decay = i % 17 == 3 ? 0 : i % 17 < 8 ? 1 : size(random);
            if constexpr (std::is_same_v<T, float>) {
                a.push_back(i % 5 == 0 ? -decay : decay);
                b.push_back(normal(random));
            } else {
                a.push_back(std::polar(decay, angle(random)));
                const float re = normal(random);
                b.push_back({re, normal(random)});
            }
        }
        for (int64_t i = 0; i < channels; ++i)
            h0.push_back(T(normal(random)));
        if constexpr (!std::is_same_v<T, float>)
            for (T& x : h0)
                x = {x.real(), normal(random)};
    }
    size_t at(int64_t row, int64_t t) const { return static_cast<size_t>(row * length + t); }
};

inline constexpr int32_t chunksToLookBack = 46;

template <class T>
gpu::Buffer sent(gpu::Device& device, const std::vector<T>& values, const char* name) {
    gpu::Buffer buffer(device, static_cast<int64_t>(values.size() * sizeof(T)), name);
    buffer.upload(values.data());
    return buffer;
}
/// Runs the last of chunksToLookBack chunks of a row alone, and returns the state before it, which chunk 4 and the
/// pairs of the others tell.
template <class T, class Problem>
T behindTheOthers(gpu::KernelLibrary& library, const std::string& family, const Problem& problem) {
    constexpr int32_t before = chunksToLookBack - 1, stateAt = 4;
    std::vector<T> pairs, states(chunksToLookBack, T(7));
    std::vector<int32_t> status(chunksToLookBack), ticket{before};
    for (int32_t chunk = 0; chunk < chunksToLookBack; ++chunk) {
        const float decay = 0.5f + static_cast<float>(chunk) / 128;
        if constexpr (std::is_same_v<T, float>)
            pairs.push_back(decay);
        else
            pairs.push_back(std::polar(decay, static_cast<float>(chunk)));
        pairs.push_back(T(static_cast<float>(chunk % 7) - 3.3f));
        status[static_cast<size_t>(chunk)] = chunk == before ? 0 : chunk <= stateAt ? 2 : 1;
    }
    T state = states[stateAt] = T(-1.25f);
    for (size_t chunk = stateAt + 1; chunk < before; ++chunk)
        state = pairs[2 * chunk] * state + pairs[2 * chunk + 1];
    const gpu::Buffer tickets = sent(library.device(), ticket, "tickets"),
                      statuses = sent(library.device(), status, "status"),
                      told = sent(library.device(), pairs, "pairs"), known = sent(library.device(), states, "states");
    struct {
        uint64_t tickets, status, pairs, states;
    } lookBack{tickets.address(), statuses.address(), told.address(), known.address()};
    const gpu::LaunchOptions options;
    gpu::Launcher launcher(library, options);
    launcher.start(family, family + "_look_back", {1}, {256}, 0, {problem, lookBack, chunksToLookBack});
    return state;
}

} // namespace warplight::test
