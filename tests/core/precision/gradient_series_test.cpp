// SPDX-License-Identifier: GPL-3.0-or-later
// What a scale loses of recorded gradients, against rounding every one of them; and the files they come from.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/gradient_series.h"
#include "core/precision/rounding.h"
#include "core/precision/statistics.h"
#include "core/tensor/random.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::precision;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// Gradients of each step, and what a recording keeps of them.
struct Recorded {
    std::vector<std::vector<float>> gradients;
    GradientSeries series;
};

Recorded recorded(size_t steps) {
    Recorded r;
    r.series.lowest = -60;
    r.series.bins = 80;
    for (size_t step = 0; step < steps; ++step) {
        std::vector<float> sizes(4096);
        tensor::fillGaussian(sizes, 5, step, 1);
        std::vector<float> shares(r.series.bins);
        float largest = 0;
        for (float& x : sizes) {
            x = std::exp2(4 * x - 18 + static_cast<float>(step % 5));
            largest = std::max(largest, x);
            shares[static_cast<size_t>(std::ilogb(x) + 60)] += 1.0f / 4096;
        }
        r.series.largest.push_back(static_cast<double>(largest));
        r.series.shares.insert(r.series.shares.end(), shares.begin(), shares.end());
        r.gradients.push_back(std::move(sizes));
    }
    return r;
}

std::string sentenceOf(const std::string& file) {
    try {
        readGradientSeries(file);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class GradientSeriesTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    std::string file(const char* name) const { return folder.filePath(name).toStdString(); }
    std::string written(const char* name, const QByteArray& text) const {
        QFile out(folder.filePath(name));
        out.open(QIODevice::WriteOnly);
        out.write(text);
        return file(name);
    }

  private slots:
    void whatIsLostIsWhatRoundingLoses() {
        const Recorded r = recorded(3);
        for (size_t step = 0; step < 3; ++step)
            for (const int power : {0, 5, 9}) {
                std::vector<float> rounded = r.gradients[step];
                const auto counts = roundTo(rounded, targetByName("f16"), {.scale = std::ldexp(1.0, power)});
                const Kept kept = keptAt(r.series, step, std::ldexp(1.0, power));
                QCOMPARE(counts.overflowed, int64_t(0));
                QVERIFY(std::fabs(kept.flushed - static_cast<double>(counts.flushed) / 4096) < 1e-6);
                double lost = 0; // an f16 has 11 bits from 2^-14 on, one less for each power of two below
                for (const float x : r.gradients[step]) {
                    const double size = std::ldexp(static_cast<double>(x), power);
                    lost += size >= 0x1p-14 ? 0 : size < 0x1p-24 ? 11 : -14 - std::floor(std::log2(size));
                }
                QVERIFY(std::fabs(kept.lostBits - lost / 4096) < 1e-4);
            }
    }

    void betweenPowersOfTwoLossesLieBetween() {
        const Recorded r = recorded(1);
        const Kept low = keptAt(r.series, 0, 16), middle = keptAt(r.series, 0, 24), high = keptAt(r.series, 0, 32);
        QVERIFY(low.lostBits > middle.lostBits && middle.lostBits > high.lostBits);
        QVERIFY(low.flushed > middle.flushed && middle.flushed > high.flushed);
        QCOMPARE(keptAt(r.series, 0, 0).flushed, 1.0);
    }

    void theBestScaleIsTheLargestThatFits() {
        for (const double largest : {1.0, 3.0, 0.9999, 65504.0, 65519.0, 65520.0, 1e-30, 1e30}) {
            const int best = *bestExponent(largest);
            QVERIFY(!overflowsF16(largest, std::ldexp(1.0, best)));
            QVERIFY(overflowsF16(largest, std::ldexp(1.0, best + 1)));
        }
        QCOMPARE(*bestExponent(5e-324), 127); // a scale is an f32
        Statistics statistics;                // the same question of a tensor
        statistics.add(std::vector<float>{0.3f, -7.0f, 1e-6f});
        QCOMPARE(*bestExponent(7), *statistics.bestScale(*judgedFormats()[0]));
        QVERIFY(!bestExponent(0) && !bestExponent(infinite) && !bestExponent(std::nan("")));
    }

    void aSkippedStepLosesAllBits() {
        GradientSeries series;
        series.largest = {3, 3, 3, 3};
        const Replay r = replay(series, {65536, 2, 0.5, 100});
        QCOMPARE(r.scales, (std::vector<double>{65536, 32768, 16384, 16384}));
        QCOMPARE(r.skipped, (std::vector<uint8_t>{1, 1, 0, 0}));
        QCOMPARE(r.skips, int64_t(2));
        QCOMPARE(r.lostBits, 5.5);
        QCOMPARE(r.lowest, 16384.0);
        QCOMPARE(replayBest(series).scales, std::vector<double>(4, 16384));
        QCOMPARE(bestStaticExponent(series), 14);
    }

    void nobodyLosesLessThanTheBest() {
        const Recorded r = recorded(50);
        const Replay best = replayBest(r.series), none = replay(r.series, {1, 1, 1});
        QCOMPARE(best.skips, int64_t(0));
        QCOMPARE(score(best, best, none), 100.0);
        QCOMPARE(score(none, best, none), 0.0);
        const int fixed = bestStaticExponent(r.series);
        double before = 0;
        for (int exponent = 0; exponent < 40; ++exponent) { // no other that stays is better than the best of them
            const Replay played = replay(r.series, {std::ldexp(1.0, exponent), 1, 1});
            QVERIFY(played.lostBits >= best.lostBits);
            QVERIFY(played.lostBits >= replay(r.series, {std::ldexp(1.0, fixed), 1, 1}).lostBits);
            before = played.lostBits;
        }
        QCOMPARE(before, 11.0); // all of them overflow
        for (const NamedRules& known : knownRules()) {
            const double points = score(replay(r.series, known.rules), best, none);
            QVERIFY(points >= 0 && points <= 100);
        }
    }

    void stepsThatAreNotFiniteAreSkippedByAll() {
        GradientSeries series;
        series.largest = {1, infinite, 0, 1};
        QCOMPARE(replayBest(series).skips, int64_t(1));
        QCOMPARE(replay(series, {4, 2, 0.5, 1}).scales, (std::vector<double>{4, 8, 4, 8}));
        GradientSeries nothing;
        nothing.largest = {infinite};
        QCOMPARE(bestStaticExponent(nothing), 0);
    }

    void assumedSizesLieBelowTheLargestAsThoseOfAnother() {
        const Recorded r = recorded(1);
        GradientSeries series;
        series.largest = {r.series.largest[0], 8 * r.series.largest[0], 0};
        assumeSizesOf(r.series, series);
        for (const double scale : {1.0, 64.0, 100.0}) {
            QVERIFY(std::fabs(keptAt(series, 0, scale).lostBits - keptAt(r.series, 0, scale).lostBits) < 1e-6);
            QVERIFY(std::fabs(keptAt(series, 1, scale).flushed - keptAt(r.series, 0, 8 * scale).flushed) < 1e-6);
        }
        QCOMPARE(keptAt(series, 2, 1).lostBits, 0.0);
    }

    void filesOfEveryKindAreRead() {
        const std::vector<double> norms = {0.5, 2, 0.25};
        formats::saveTensors({{file("n.npy"), {"", {{3}, {0.5f, -2, 0.25f}}, number::Format::F32}}});
        QCOMPARE(readGradientSeries(file("n.npy")).largest, norms);
        formats::saveTensors({{file("c.npy"), {"", {{3, 1}, {0.5f, -2, 0.25f}}, number::Format::F64}}});
        QCOMPARE(readGradientSeries(file("c.npy")).largest, norms);
        formats::saveTensors({{file("n.npz") + ":norms", {"norms", {{3}, {0.5f, 2, 0.25f}}, number::Format::F32}}});
        QCOMPARE(readGradientSeries(file("n.npz")).largest, norms);
        for (const char* text : {"0.5\n2\n0.25\n", "grad_norm\r\n0.5\r\n2\r\n0.25", "# of a run\n0.5\n\n-2\n2.5e-1\n",
                                 "step,grad_norm,lr\n1,0.5,9\n2,2,9\n3,0.25,9\n", "1 0.5\n2 2\n3 0.25\n",
                                 "step;max\n1;0.5\n2;2\n3;0.25\n", "\x1b[1m0.5\x1b[0m\n2\n0.25\n"})
            QCOMPARE(readGradientSeries(written("n.csv", text)).largest, norms);
        QCOMPARE(readGradientSeries(written("i.txt", "1\nnan\n-inf\n")).largest,
                 (std::vector<double>{1, infinite, infinite}));
    }

    void sizesAreCountsOrShares() {
        const auto save = [&](const std::vector<float>& exponents) {
            formats::saveTensors(
                {{file("s.npz") + ":largest", {"largest", {{2}, {1, 1}}, number::Format::F32}},
                 {file("s.npz") + ":exponents", {"exponents", {{2, 2}, exponents}, number::Format::F32}},
                 {file("s.npz") + ":lowest", {"lowest", {{1}, {-30}}, number::Format::F32}}});
        };
        save({30, 10, 0, 0});
        const GradientSeries series = readGradientSeries(file("s.npz"));
        QCOMPARE(series.lowest, -30);
        QCOMPARE(series.shares, (std::vector<float>{0.75f, 0.25f, 0, 0}));
        QCOMPARE(keptAt(series, 0, 1).flushed, 1.0);
        QCOMPARE(keptAt(series, 0, 16).flushed, 0.75); // 2^-26 becomes 0, 2^-25 and more 2^-24
        QCOMPARE(keptAt(series, 1, 1).flushed, 0.0);
        save({1, -1, 0, 0});
        QVERIFY(sentenceOf(file("s.npz")).find("'exponents' holds -1 in step 0") != std::string::npos);
    }

    void filesThatAreNoneAreOneSentence() {
        QVERIFY(sentenceOf(written("e.txt", ""))
                    .ends_with("holds no number, expected one a line, the size of a step's gradient"));
        QVERIFY(sentenceOf(written("e.csv", "grad\n1\ntwo\n")).find("line 3 is 'two', expected a number") !=
                std::string::npos);
        QVERIFY(sentenceOf(written("b.txt", QByteArray("\xff\xfe\x00\x01\n1\n\xff\n", 10))).find("line 3") !=
                std::string::npos);
        formats::saveTensors({{file("m.npy"), {"", {{2, 2}, {1, 2, 3, 4}}, number::Format::F32}}});
        QVERIFY(sentenceOf(file("m.npy")).ends_with("its shape is [2, 2], expected one number a step"));
        formats::saveTensors({{file("z.npy"), {"", {{0}, {}}, number::Format::F32}}});
        QVERIFY(sentenceOf(file("z.npy")).find("has 0 steps") != std::string::npos);
        formats::saveTensors({{file("o.npz") + ":a", {"a", {{1}, {1}}, number::Format::F32}},
                              {file("o.npz") + ":b", {"b", {{1}, {1}}, number::Format::F32}}});
        QVERIFY(sentenceOf(file("o.npz")).ends_with("holds a, b, expected an array 'largest' with one number a step"));
        formats::saveTensors({{file("w.npz") + ":largest", {"largest", {{2}, {1, 1}}, number::Format::F32}},
                              {file("w.npz") + ":exponents", {"exponents", {{1, 2}, {1, 1}}, number::Format::F32}}});
        QVERIFY(sentenceOf(file("w.npz")).find("expected [2, 1 to 512]") != std::string::npos);
        QVERIFY(!sentenceOf(file("none.csv")).empty());
    }

    void anArchiveInMemoryIsReadAsAFileIs() {
        const std::string name = std::string(WARPLIGHT_TEST_DATA) + "/../resources/examples/gradients.npz";
        QFile in(QString::fromStdString(name));
        QVERIFY(in.open(QIODevice::ReadOnly));
        const QByteArray whole = in.readAll();
        const GradientSeries series = gradientSeriesOf(std::as_bytes(std::span(whole.data(), whole.size())), "here");
        QCOMPARE(series.largest, readGradientSeries(name).largest);
        QCOMPARE(series.steps(), size_t(3000));
        QCOMPARE(series.loss.size(), size_t(3000));
        QVERIFY(series.loss.back() < series.loss.front() / 2);      // it has learned something
        for (size_t step = 0; step < series.steps(); step += 100) { // the largest is in the last bin that is not empty
            const auto sizes = series.sizes(step);
            const auto last = std::find_if(sizes.rbegin(), sizes.rend(), [](float share) { return share > 0; });
            QCOMPARE(series.lowest + static_cast<int>(sizes.rend() - last) - 1, std::ilogb(series.largest[step]));
        }
        for (const size_t bytes : {size_t(0), size_t(100), static_cast<size_t>(whole.size()) / 2}) {
            const auto cut = [&] { gradientSeriesOf(std::as_bytes(std::span(whole.data(), bytes)), "here"); };
            QVERIFY_EXCEPTION_THROWN(cut(), InputError);
        }
    }

    void readingAndPlayingStopWhenCancelled() {
        const std::atomic<bool> cancelled = true;
        const std::string norms = written("n.txt", "1\n2\n");
        QVERIFY_EXCEPTION_THROWN(readGradientSeries(norms, &cancelled), Cancelled);
        const GradientSeries series = readGradientSeries(norms);
        QVERIFY_EXCEPTION_THROWN(replay(series, {}, &cancelled), Cancelled);
        QVERIFY_EXCEPTION_THROWN(replayBest(series, &cancelled), Cancelled);
        QVERIFY_EXCEPTION_THROWN(bestStaticExponent(series, &cancelled), Cancelled);
    }
};

QTEST_GUILESS_MAIN(GradientSeriesTest)
#include "gradient_series_test.moc"
