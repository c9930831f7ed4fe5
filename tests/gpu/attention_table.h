// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/number/half.h"
#include "gpu/number/small_float.h"
#include "gpu/ops/attention.h"
#include "tests/core/cpu/problem.h"
#include "tests/gpu/precision_helpers.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace warplight::test {

/// One table for all devices: every GPU kernel of attention × shape × mask × number format against double precision.
struct AttentionCase {
    const char* name;
    int64_t batch, queryHeads, keyHeads, queryLen, keyLen, headDim;
};
constexpr AttentionCase attentionCases[] = {
    {"one row, one key", 1, 1, 1, 1, 1, 16},
    {"square 64", 1, 1, 1, 64, 64, 64},
    {"square 128, two heads", 1, 2, 2, 128, 128, 64},
    {"ragged", 1, 2, 2, 67, 131, 33},
    {"headDim 16", 1, 1, 1, 70, 90, 16},
    {"headDim 32", 1, 1, 1, 40, 100, 32},
    {"headDim 80", 1, 1, 1, 70, 90, 80},
    {"headDim 128", 1, 1, 1, 65, 130, 128},
    {"headDim 256", 1, 1, 1, 66, 70, 256},
    {"grouped queries", 2, 4, 2, 50, 65, 16},
    {"decode: one query", 1, 2, 1, 1, 1000, 64},
    {"tall: rows without keys", 1, 1, 1, 90, 17, 24},
    {"no keys", 1, 1, 1, 5, 0, 8},
};

struct StoredAs {
    number::Format id;
    const char* name;
    double unit; ///< relative rounding error of one operation
};
constexpr StoredAs storedAs[] = {{number::Format::F32, "f32", 0x1p-24},
                                 {number::Format::F16, "f16", 0x1p-11},
                                 {number::Format::BF16, "bf16", 0x1p-8}};

inline void roundTo(number::Format format, std::vector<float>& values) {
    for (float& x : values)
        x = format == number::Format::F16    ? number::f16ToFloat(number::floatToF16(x))
            : format == number::Format::BF16 ? number::bf16ToFloat(number::floatToBf16(x))
                                             : x;
}

/// As the rungs in 8 bits store a tensor: its largest finite size is 448 there, and an infinity NaN.
inline void roundToEightBits(std::vector<float>& values) {
    float most = 0;
    for (const float x : values)
        most = std::isfinite(x) ? std::max(most, std::fabs(x)) : most;
    const double scale = most > 0 ? 448 / static_cast<double>(most) : 1;
    for (float& x : values)
        x = !std::isfinite(x)
                ? std::numeric_limits<float>::quiet_NaN()
                : static_cast<float>(static_cast<double>(number::fromFloat8<number::E4M3>(
                                         number::toFloat8<number::E4M3>(static_cast<double>(x) * scale))) /
                                     scale);
}

/// As a rung rounds the factors of its products.
inline void roundFactors(const gpu::AttentionRungInfo& rung, std::vector<float>& values) {
    if (rung.factors == "e4m3")
        roundToEightBits(values);
    else if (rung.factors == "tf32")
        std::transform(values.begin(), values.end(), values.begin(), toTf32);
}

/// What rounding its weights and its result puts a rung off, as a share of Σ p·|v|: a plain implementation in the
/// format rounds both, and twice that is allowed. Of tf32 and of 8 bits weights alone are rounded, by half a unit of 11
/// or of 4 bits.
inline double shareOf(const gpu::AttentionRungInfo& rung, const StoredAs& stored) {
    return rung.factors == "e4m3" ? 0x1p-4 : rung.factors == "tf32" ? 0x1p-11 : 4 * stored.unit;
}
/// And how far weights may be off that 8 bits hold as subnormal numbers: half of 2^-9, of weights times 256.
inline double lostWeights(const gpu::AttentionRungInfo& rung, int64_t keys, const std::vector<float>& v) {
    float most = 0;
    for (const float x : v)
        most = std::isfinite(x) ? std::max(most, std::fabs(x)) : most;
    return rung.factors == "e4m3" ? 0x1p-18 * static_cast<double>(keys) * static_cast<double>(most) : 0;
}

inline bool takes(const gpu::AttentionRungInfo& rung, number::Format format) {
    return rung.anyInputs || rung.halfInputs == (format != number::Format::F32);
}

/// The rows of the table for these rungs.
inline void addAttentionRows(std::span<const gpu::AttentionRungInfo> rungs) {
    QTest::addColumn<int>("rung");
    QTest::addColumn<int>("shape");
    QTest::addColumn<int>("format");
    QTest::addColumn<bool>("causal");
    int row = 0;
    for (const gpu::AttentionRungInfo& rung : rungs)
        for (int s = 0; s < static_cast<int>(std::size(attentionCases)); ++s)
            for (int f = 0; f < static_cast<int>(std::size(storedAs)); ++f)
                for (const bool causal : {false, true})
                    if (takes(rung, storedAs[f].id) && row++ % thinned(3) == 0)
                        QTest::addRow("%s, %s, %s%s", std::string(rung.name).c_str(), attentionCases[s].name,
                                      storedAs[f].name, causal ? ", causal" : "")
                            << static_cast<int>(rung.id) << s << f << causal;
}

/// Checks the current row on a device.
inline void checkAttentionRow(gpu::Device& device, gpu::KernelLibrary& library) {
    QFETCH(int, rung);
    QFETCH(int, shape);
    QFETCH(int, format);
    QFETCH(bool, causal);
    const AttentionCase& s = attentionCases[shape];
    cpu::AttentionProblem problem;
    problem.batch = s.batch, problem.queryHeads = s.queryHeads, problem.keyHeads = s.keyHeads;
    problem.queryLen = s.queryLen, problem.keyLen = s.keyLen, problem.headDim = s.headDim, problem.causal = causal;
    OwnedProblem owned(problem);
    const gpu::AttentionRungInfo& way = gpu::info(static_cast<gpu::AttentionRung>(rung));
    for (std::vector<float>* x : {&owned.q, &owned.k, &owned.v}) {
        roundTo(storedAs[format].id, *x);
        roundFactors(way, *x);
    }
    const Truth truth(owned);
    gpu::AttentionOptions options;
    options.format = storedAs[format].id;
    options.checks = true;
    const gpu::AttentionShape asked{s.batch,  s.queryHeads, s.keyHeads,        s.queryLen,
                                    s.keyLen, s.headDim,    owned.shape.scale, causal};
    const gpu::AttentionRun run = gpu::attentionForward(library, static_cast<gpu::AttentionRung>(rung), asked,
                                                        owned.q.data(), owned.k.data(), owned.v.data(), options);
    QVERIFY2(device.held().empty(), "a buffer was not released");
    for (const gpu::LaunchRecord& launch : run.launches)
        for (const gpu::Finding& finding : launch.stats.findings)
            QFAIL(finding.message.c_str());
    // Beside what the format rounds there is f32's error in the scores, of which each is off by some units of f32 of
    // its largest term.
    const double share = shareOf(way, storedAs[format]), lost = lostWeights(way, s.keyLen, owned.v);
    double worst = 0, worstLse = 0;
    for (size_t i = 0; i < truth.o.size(); ++i) {
        const double logits = truth.logitMagnitude[i / static_cast<size_t>(s.headDim)];
        const double bound = truth.magnitude[i] * (share + 0x1p-23 * (8 + 4 * logits)) + lost + 1e-30;
        worst = std::max(worst, std::fabs(static_cast<double>(run.o[i]) - truth.o[i]) / bound);
    }
    for (size_t i = 0; i < truth.lse.size(); ++i) {
        if (std::isinf(truth.lse[i])) {
            QCOMPARE(static_cast<double>(run.lse[i]), truth.lse[i]);
            continue;
        }
        const double bound = 0x1p-24 * (16 + 4 * truth.logitMagnitude[i] + 2 * std::fabs(truth.lse[i]));
        worstLse = std::max(worstLse, std::fabs(static_cast<double>(run.lse[i]) - truth.lse[i]) / bound);
    }
    QVERIFY2(worst <= 1, qPrintable(QString("O is off by %1 of its bound").arg(worst)));
    QVERIFY2(worstLse <= 1, qPrintable(QString("lse is off by %1 of its bound").arg(worstLse)));
}

} // namespace warplight::test
