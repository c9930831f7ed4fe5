// SPDX-License-Identifier: GPL-3.0-or-later
// The rungs of the linear scan against double precision, NumPy and numbers worked out by hand, on each instruction set.
#include "core/cpu/scan/recorder.h"
#include "core/cpu/scan/scan.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/tensor/random.h"
#include "tests/core/cpu/each_rung.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;

namespace {

constexpr float noNumber = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
constexpr size_t guards = 64;
constexpr float guard = -12345.5f;

enum class Decays { Mixed, LongMemory, Resets, Signed };

struct ScanCase {
    ScanShape shape;
    std::vector<float> a, b, h0;
    bool begins = true; ///< with h0

    ScanCase(int64_t channels, int64_t length, bool complex, Decays decays = Decays::Mixed, int64_t chunk = 1024)
        : shape{channels, length, complex, chunk} {
        const auto size = static_cast<size_t>(channels * length * shape.parts());
        a.resize(size), b.resize(size), h0.resize(static_cast<size_t>(channels * shape.parts()));
        tensor::fillUniform(a, 7, 0, decays == Decays::LongMemory ? 0.999f : 0, 1);
        tensor::fillGaussian(b, 7, 1);
        tensor::fillGaussian(h0, 7, 2);
        for (size_t i = 0; i < size; ++i)
            if (decays == Decays::Resets)
                a[i] = i % 7 == 3 ? 0 : 1;
            else if (decays == Decays::Signed)
                a[i] = 2 * a[i] - 1;
        if (complex) // at most 1 in size
            for (float& x : a)
                x *= static_cast<float>(M_SQRT1_2);
    }
    ScanProblem problem(float* h) const { return {shape, a.data(), b.data(), begins ? h0.data() : nullptr, h}; }
    std::vector<float> run(ScanRung rung, const RunOptions& options = {1, nullptr}) const {
        std::vector<float> h(a.size() + 2 * guards, guard);
        scan(rung, problem(h.data() + guards), options);
        for (size_t i = 0; i < guards; ++i)
            if (h[i] != guard || h[h.size() - 1 - i] != guard)
                QTest::qFail("written outside of h", __FILE__, __LINE__);
        return {h.begin() + guards, h.end() - guards};
    }
    /// What rounding acts on: the scan of the sizes of a and b.
    std::vector<float> sizes() const {
        ScanCase c(*this);
        for (auto* x : {&c.a, &c.b, &c.h0})
            for (size_t i = 0; i < x->size(); ++i) {
                float& value = (*x)[i];
                value = std::fabs(value);
                if (shape.complex && i % 2 == 1) { // in both parts, without an imaginary one
                    (*x)[i - 1] = std::hypot((*x)[i - 1], value);
                    value = 0;
                }
            }
        std::vector<float> size = c.run(ScanRung::Reference);
        for (size_t i = 1; shape.complex && i < size.size(); i += 2)
            size[i] = size[i - 1];
        return size;
    }
};

bool sameBits(const std::vector<float>& x, const std::vector<float>& y) {
    return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0);
}

/// The largest error relative to the size that rounding acts on.
double worstError(const std::vector<float>& made, const std::vector<float>& exact, const std::vector<float>& size) {
    double worst = 0;
    for (size_t i = 0; i < made.size(); ++i) {
        const double error = std::fabs(static_cast<double>(made[i]) - static_cast<double>(exact[i]));
        if (!(error == 0))
            worst = std::max(worst, error / static_cast<double>(size[i]));
    }
    return worst;
}

std::vector<float> oracle(const std::string& key) {
    return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/ssm/recurrences.npz:" + key).values;
}

} // namespace

class ScanTest : public QObject {
    Q_OBJECT
    ScanRung rung = ScanRung::Reference;

  private slots:
    void initTestCase_data() {
        test::addRungs(scanRungs(), [](ScanRung r) { return r != ScanRung::Reference && r != ScanRung::Serial; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<ScanRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    void equalsDoublePrecisionForEveryLength() {
        QFETCH_GLOBAL(QString, target);
        const bool every = target == QString::fromStdString(supportedTargets().front());
        for (const bool complex : {false, true})
            for (int64_t n = 0; n <= 4097;
                 n += n < 140 || n > 4090 ? 1 : test::thinned(97, every && !complex ? 1 : 31)) {
                ScanCase c(1, n, complex, static_cast<Decays>(n % 4));
                c.begins = n % 3 != 0;
                const double error = worstError(c.run(rung), c.run(ScanRung::Reference), c.sizes());
                QVERIFY2(error < 2e-6, qPrintable(QString("%1 steps, complex %2: %3").arg(n).arg(complex).arg(error)));
            }
    }

    void equalsDoublePrecisionForChannelsAndChunks() {
        for (const bool complex : {false, true})
            for (const int64_t channels : {1, 3, 20})
                for (const int64_t n : {1, 15, 64, 1000, 2500})
                    for (const int64_t chunk : {1, 7, 64, 1024, 2048}) {
                        const ScanCase c(channels, n, complex, Decays::LongMemory, chunk);
                        const double error = worstError(c.run(rung), c.run(ScanRung::Reference), c.sizes());
                        QVERIFY2(error < 2e-6, qPrintable(QString("%1 x %2 steps in chunks of %3, complex %4: %5")
                                                              .arg(channels)
                                                              .arg(n)
                                                              .arg(chunk)
                                                              .arg(complex)
                                                              .arg(error)));
                    }
    }

    /// Rows that all threads share, and with chunks those whose states are written past the caches, wherever they
    /// begin.
    void equalsDoublePrecisionForLongRows() {
        const bool chunks = rung == ScanRung::Chunked || rung == ScanRung::LookBack;
        for (const bool complex : {false, true}) {
            const ScanCase c(2, chunks ? complex ? 1060007 : 2100007 : 70007, complex, Decays::LongMemory, scanChunk);
            const std::vector<float> exact = c.run(ScanRung::Reference), size = c.sizes();
            for (const size_t offset : {0, 1, 5}) {
                std::vector<float> h(c.a.size() + offset + 1, guard);
                scan(rung, c.problem(h.data() + offset), {2, nullptr});
                QVERIFY(h.back() == guard && (offset == 0 || h[offset - 1] == guard));
                const std::vector<float> made(h.begin() + static_cast<std::ptrdiff_t>(offset), h.end() - 1);
                const double error = worstError(made, exact, size);
                QVERIFY2(error < 4e-6, qPrintable(QString("complex %1: %2").arg(complex).arg(error)));
                if (!chunks || test::thinned(2) == 2)
                    break;
            }
        }
    }

    void equalsNumpy() {
        ScanCase c(3, 300, false);
        c.a = oracle("scan_a"), c.b = oracle("scan_b");
        c.begins = false;
        QVERIFY(std::count(c.a.begin(), c.a.end(), 0.0f) > 0 && std::count(c.a.begin(), c.a.end(), 1.0f) > 0);
        const std::vector<float> expected = oracle("scan_h");
        const double error = worstError(c.run(rung), expected, c.sizes());
        QVERIFY2(error < 1e-6, qPrintable(QString::number(error)));
    }

    /// Worked out by hand, with a state before it and without.
    void isTheRecurrence() {
        ScanCase c(1, 4, false);
        c.a = {0.5f, 0.8f, 0.2f, 0.9f}, c.b = {1, 2, 3, 4}, c.h0 = {2};
        const std::vector<double> without{1, 2.8, 3.56, 7.204}, with{2, 3.6, 3.72, 7.348};
        for (const bool begins : {false, true}) {
            c.begins = begins;
            const std::vector<float> h = c.run(rung);
            for (size_t i = 0; i < 4; ++i)
                QVERIFY(std::fabs(static_cast<double>(h[i]) - (begins ? with : without)[i]) < 1e-6);
        }
    }

    void decaysOfZeroAndOneAreExact() {
        for (const int64_t n : {1, 30, 4097}) {
            ScanCase c(2, n, false);
            c.begins = false;
            for (size_t i = 0; i < c.a.size(); ++i) {
                c.a[i] = i % 11 == 5 ? 0 : 1;
                c.b[i] = static_cast<float>(i % 5) - 2;
            }
            QVERIFY(sameBits(c.run(rung), c.run(ScanRung::Reference)));
            c.a.assign(c.a.size(), 0.0f);
            QVERIFY(c.run(rung) == c.b);
        }
    }

    void whatIsNoNumberStaysInItsChannel() {
        for (const bool complex : {false, true})
            for (const int64_t n : {5, 300, 3000})
                for (const float odd : {noNumber, infinity, -infinity})
                    for (const bool inDecay : {false, true}) {
                        ScanCase c(3, n, complex);
                        const std::vector<float> before = c.run(rung);
                        const auto row = static_cast<size_t>(n * c.shape.parts()), at = row + row / 2;
                        (inDecay ? c.a : c.b)[at] = odd;
                        const std::vector<float> after = c.run(rung);
                        for (size_t i = 0; i < after.size(); ++i) {
                            const size_t first =
                                at / static_cast<size_t>(c.shape.parts()) * static_cast<size_t>(c.shape.parts());
                            if (i < first || i >= 2 * row)
                                QVERIFY(std::memcmp(&before[i], &after[i], sizeof(float)) == 0);
                        }
                        // As one step after the other it would be, decays up to 1 in size.
                        const std::vector<float> exact = c.run(ScanRung::Reference);
                        for (size_t i = 0; i < after.size(); ++i)
                            QVERIFY(std::isfinite(exact[i]) == std::isfinite(after[i]) ||
                                    (complex && !std::isfinite(after[i])));
                    }
    }

    void threadsDoNotChangeABit() {
        for (const bool complex : {false, true})
            for (const int64_t channels : {1, 5}) {
                const ScanCase c(channels, test::shortened(150001, 70001), complex, Decays::LongMemory, 700);
                const std::vector<float> alone = c.run(rung);
                for (const int threads : {2, 3, 7})
                    for (int again = 0; again < 3; ++again)
                        QVERIFY(sameBits(alone, c.run(rung, {threads, nullptr})));
            }
    }

    /// Σ dh ∘ h, whose differences in double precision gradients are; complex ones by part.
    void gradientsAreThoseOfFiniteDifferences() {
        for (const bool complex : {false, true})
            for (const int64_t n : {1, 2, 33, 300})
                for (const bool begins : {true, false}) {
                    ScanCase c(2, n, complex, Decays::Signed, 64);
                    c.begins = begins;
                    std::vector<float> dh(c.a.size()), da(dh.size()), db(dh.size()), dh0(c.h0.size());
                    tensor::fillGaussian(dh, 7, 3);
                    std::vector<float> h = c.run(ScanRung::Reference);
                    scanBackward(rung, c.problem(h.data()), {dh.data(), da.data(), db.data(), dh0.data()},
                                 {2, nullptr});
                    const auto loss = [&] {
                        const std::vector<float> now = c.run(ScanRung::Reference);
                        double sum = 0;
                        for (size_t i = 0; i < now.size(); ++i)
                            sum += static_cast<double>(now[i]) * static_cast<double>(dh[i]);
                        return sum;
                    };
                    const auto judge = [&](std::vector<float>& x, const std::vector<float>& gradient) {
                        for (size_t i = 0; i < x.size(); i += 1 + x.size() / 9) {
                            const float was = x[i];
                            constexpr float step = 1 / 64.0f;
                            x[i] = was + step;
                            const double above = loss();
                            x[i] = was - step;
                            const double found = (above - loss()) / (2 * static_cast<double>(step));
                            x[i] = was;
                            QVERIFY2(std::fabs(found - static_cast<double>(gradient[i])) < 2e-3,
                                     qPrintable(QString("%1 of %2: %3, by differences %4")
                                                    .arg(i)
                                                    .arg(x.size())
                                                    .arg(static_cast<double>(gradient[i]))
                                                    .arg(found)));
                        }
                    };
                    judge(c.a, da);
                    judge(c.b, db);
                    if (begins)
                        judge(c.h0, dh0);
                }
    }

    void memoryIsAtMostWhatIsSaid() {
        for (const bool complex : {false, true})
            for (const int64_t n : {int64_t{1}, int64_t{1000}, int64_t{test::shortened(200000, 70000)}})
                for (const int threads : {1, 2}) {
                    ScanCase c(3, n, complex, Decays::Mixed, 500);
                    std::vector<float> h(c.a.size()), d(h.size());
                    const int64_t held = scan(rung, c.problem(h.data()), {threads, nullptr}).extraBytes,
                                  said = extraBytesAtMost(rung, c.shape, threads);
                    QVERIFY2(held <= said && said <= held + 128, qPrintable(QString("%1 of %2").arg(held).arg(said)));
                    const int64_t back = scanBackward(rung, c.problem(h.data()), {h.data(), nullptr, d.data(), nullptr},
                                                      {threads, nullptr})
                                             .extraBytes;
                    const int64_t saidBack = scanBackwardBytesAtMost(rung, c.shape, threads);
                    QVERIFY(back <= saidBack && saidBack <= back + 320);
                }
    }

    void emptyIsEmpty() {
        for (const auto& [channels, n] : {std::pair(0, 5), std::pair(2, 0)}) {
            ScanCase c(channels, n, false);
            QVERIFY(c.run(rung).empty());
            std::vector<float> dh0(static_cast<size_t>(channels), 3.0f);
            scanBackward(rung, c.problem(nullptr), {nullptr, nullptr, nullptr, dh0.data()});
            for (const float x : dh0)
                QCOMPARE(x, 0.0f);
        }
    }

    void stopsWhenCancelled() {
        const ScanCase c(2, test::shortened(1 << 20, 1 << 19), false, Decays::Mixed, scanChunk);
        std::vector<float> h(c.a.size());
        const auto waited = test::untilCancelled(std::chrono::milliseconds(5), [&](auto* cancel) {
            for (;;)
                scan(rung, c.problem(h.data()), {2, cancel});
        });
        QVERIFY(waited && *waited < 50 * test::slowdown);
    }

    /// What is recorded is the run, and its counts are the formulas'.
    void recordsAreTheRun() {
        if (rung == ScanRung::Reference)
            return;
        for (int64_t n = 0; n <= 65; ++n)
            for (const int64_t chunk : {4, 8}) {
                ScanCase c(1, n, false, Decays::Mixed, chunk);
                c.begins = false;
                const ScanRecord record = recordScan(rung, c.problem(nullptr));
                QVERIFY(sameBits(record.h, c.run(rung)));
                QVERIFY2(record.counted == scanCounts(rung, n, chunk), qPrintable(QString::number(n)));
                if (record.steps.empty())
                    continue;
                QVERIFY(record.steps.back().b == record.h);
                for (const ScanStep& step : record.steps)
                    for (const ScanCombine& combine : step.combines) {
                        QVERIFY(combine.from <= combine.middle && combine.middle <= combine.into);
                        if (step.phase != "step" && step.phase != "up")
                            continue;
                        double a = 1, b = 0; // what [from, into] does to a state
                        for (int64_t i = combine.from; i <= combine.into; ++i) {
                            a *= static_cast<double>(c.a[static_cast<size_t>(i)]);
                            b = b * static_cast<double>(c.a[static_cast<size_t>(i)]) +
                                static_cast<double>(c.b[static_cast<size_t>(i)]);
                        }
                        const auto at = static_cast<size_t>(combine.into);
                        QVERIFY(combine.state || std::fabs(static_cast<double>(step.a[at]) - a) < 1e-6);
                        QVERIFY(std::fabs(static_cast<double>(step.b[at]) - b) < 1e-5);
                    }
            }
    }

    void countsAreTheKnownOnes() {
        const auto of = [](ScanRung r) { return scanCounts(r, 8, 4); };
        QVERIFY((of(ScanRung::Serial) == ScanCounts{7, 7, 0, 0}));
        QVERIFY((of(ScanRung::HillisSteele) == ScanCounts{17, 3, 3, 0}));
        QVERIFY((of(ScanRung::Sklansky) == ScanCounts{12, 3, 3, 0}));
        QVERIFY((of(ScanRung::Blelloch) == ScanCounts{14 + 8, 6 + 1, 6, 0})); // up and down, then its own step
        QVERIFY((of(ScanRung::Chunked) == ScanCounts{4 + 3 + 4, 4 + 1, 0, 1}));
        QCOMPARE(scanCounts(ScanRung::Sklansky, 1 << 20).combines, int64_t{20} << 19);
    }

    void sizesThatThereAreNoneOfAreRefused() {
        QVERIFY_THROWS_EXCEPTION(InputError, check({-1, 4, false, 1}));
        QVERIFY_THROWS_EXCEPTION(InputError, check({1, -4, false, 1}));
        QVERIFY_THROWS_EXCEPTION(InputError, check({1, 4, false, 0}));
    }
};

QTEST_GUILESS_MAIN(ScanTest)
#include "scan_test.moc"
