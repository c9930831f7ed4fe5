// SPDX-License-Identifier: GPL-3.0-or-later
// NaN and infinity through every GPU kernel of attention: they reach O and the log-sum-exp exactly where IEEE
// arithmetic on what a row sees says so, and nothing behind the mask does.
#include "gpu/virtual/virtual_device.h"
#include "tests/core/cpu/nonfinite.h"
#include "tests/gpu/attention_table.h"
#include "tests/thinned.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr AttentionCase poisonedCases[] = {
    {"small", 1, 1, 1, 16, 40, 64},
    {"tiles", 1, 1, 1, 70, 200, 33},
    {"square", 1, 1, 1, 97, 97, 128},
    {"decode", 1, 1, 1, 1, 600, 64},
    {"rows without keys", 1, 1, 1, 60, 31, 20},
    {"grouped", 1, 4, 2, 23, 65, 8},
    {"wide", 1, 1, 1, 40, 40, 256},
};

} // namespace

class NonfiniteKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    /// Rung × number format, × shape × situation × mask: every third of them, and every nineteenth under sanitizers.
    static void addRows(bool everySituation) {
        const int step = everySituation ? thinned(19, 3) : 1;
        int row = 0;
        QTest::addColumn<int>("rung");
        QTest::addColumn<int>("format");
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("situation");
        QTest::addColumn<bool>("causal");
        for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs())
            for (int f = 0; f < static_cast<int>(std::size(storedAs)); ++f)
                for (int s = 0; s < static_cast<int>(everySituation ? std::size(poisonedCases) : 1); ++s)
                    for (int i = 0; i < static_cast<int>(everySituation ? std::size(situations) : 1); ++i)
                        for (const bool causal : {false, true})
                            if (takes(rung, storedAs[f].id) && row++ % step == 0)
                                QTest::addRow("%s, %s, %s, %s%s", std::string(rung.name).c_str(), storedAs[f].name,
                                              poisonedCases[s].name, everySituation ? situations[i].name : "",
                                              causal ? ", causal" : "")
                                    << static_cast<int>(rung.id) << f << s << i << causal;
    }

    gpu::AttentionRun run(const OwnedProblem& p) {
        QFETCH(int, rung);
        QFETCH(int, format);
        gpu::AttentionOptions options;
        options.format = storedAs[format].id;
        options.checks = true;
        const auto& s = p.shape;
        return gpu::attentionForward(
            library, static_cast<gpu::AttentionRung>(rung),
            {s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, s.scale, s.causal}, p.q.data(),
            p.k.data(), p.v.data(), options);
    }

  private slots:
    void nothingIsHidden_data() { addRows(true); }
    void nothingIsHidden() {
        QFETCH(int, rung);
        QFETCH(int, format);
        QFETCH(int, shape);
        QFETCH(int, situation);
        QFETCH(bool, causal);
        const AttentionCase& s = poisonedCases[shape];
        OwnedProblem p({s.batch, s.queryHeads, s.keyHeads, s.queryLen, s.keyLen, s.headDim, 0, causal});
        situations[situation].poison(p);
        const gpu::AttentionRungInfo& way = gpu::info(static_cast<gpu::AttentionRung>(rung));
        for (std::vector<float>* x : {&p.q, &p.k, &p.v}) {
            roundTo(storedAs[format].id, *x);
            roundFactors(way, *x);
        }
        const Truth truth(p);
        const gpu::AttentionRun got = run(p);
        for (const gpu::LaunchRecord& launch : got.launches)
            for (const gpu::Finding& finding : launch.stats.findings)
                QFAIL(finding.message.c_str());
        const double share = shareOf(way, storedAs[format]), lost = lostWeights(way, s.keyLen, p.v);
        const auto logits = [&](size_t row) {
            return std::isfinite(truth.logitMagnitude[row]) ? truth.logitMagnitude[row] : 20;
        };
        const std::string lse = differences("lse", got.lse.data(), truth.lse, [&](size_t row) {
            return 0x1p-24 * (16 + 4 * logits(row) + 2 * std::fabs(truth.lse[row]));
        });
        QVERIFY2(lse.empty(), lse.c_str());
        const std::string o = differences("O", got.o.data(), truth.o, [&](size_t i) {
            const double row = logits(i / static_cast<size_t>(s.headDim));
            return truth.magnitude[i] * (share + 0x1p-23 * (8 + 4 * row)) + lost + 1e-30;
        });
        QVERIFY2(o.empty(), o.c_str());
    }

    void scoresAboveTheRangeOfF32AreTold_data() { addRows(false); }
    void scoresAboveTheRangeOfF32AreTold() {
        QFETCH(int, format);
        if (storedAs[format].id == number::Format::F16)
            QSKIP("f16 has no numbers for it");
        OwnedProblem p({1, 1, 1, 4, 40, 64});
        for (std::vector<float>* x : {&p.q, &p.k})
            for (float& value : *x)
                value = std::copysign(5e20f, value);
        const gpu::AttentionRun got = run(p);
        for (const std::vector<float>* x : {&got.o, &got.lse})
            for (const float value : *x)
                QVERIFY(std::isnan(value));
    }

    /// The last key's values become infinite when they are rounded; only the last query sees them.
    void whatTf32RoundsToInfinityStaysBehindTheMask() {
        constexpr float largest = std::numeric_limits<float>::max(), fits = 0x1.ffcp127f;
        for (const float value : {largest, -largest, 0x1.ffep127f, fits, std::nextafter(0x1.ffep127f, 0.0f)}) {
            OwnedProblem p({1, 1, 1, 40, 40, 20, 0, true});
            std::fill(p.v.end() - 20, p.v.end(), value);
            const gpu::AttentionRun got =
                gpu::attentionForward(library, gpu::AttentionRung::MmaTf32, {1, 1, 1, 40, 40, 20, p.shape.scale, true},
                                      p.q.data(), p.k.data(), p.v.data());
            const bool infinite = std::fabs(value) >= 0x1.ffep127f;
            for (size_t i = 0; i < got.o.size(); ++i) {
                if (i < 39 * 20)
                    QVERIFY(std::fabs(got.o[i]) < 10);
                else
                    QCOMPARE(std::isinf(got.o[i]), infinite);
            }
        }
    }

    void nothingIsAskedFor_data() { addRows(false); }
    void nothingIsAskedFor() {
        QFETCH(bool, causal);
        for (const auto& [batch, queries] : {std::pair<int64_t, int64_t>{0, 5}, {2, 0}, {0, 0}}) {
            const gpu::AttentionRun got = run(OwnedProblem({batch, 2, 1, queries, 7, 8, 1.0f, causal}));
            QVERIFY(got.o.empty() && got.lse.empty() && got.launches.empty());
        }
    }
};

QTEST_GUILESS_MAIN(NonfiniteKernelsTest)
#include "nonfinite_kernels_test.moc"
