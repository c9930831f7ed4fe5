// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/overlap.h"
#include "core/error.h"

#include <QTest>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <cmath>
#include <limits>
#include <random>

using namespace warplight;
using namespace warplight::collectives;
using enum OverlapSpan::Stream;

namespace {

std::function<double(int64_t)> line(double latency, double perByte) {
    return [=](int64_t bytes) { return latency + perByte * static_cast<double>(bytes); };
}

std::vector<LayerCost> randomLayers(std::mt19937& random) {
    std::vector<LayerCost> layers(1 + random() % 12);
    for (LayerCost& layer : layers)
        layer = {static_cast<double>(random() % 100), static_cast<int64_t>(random() % 1000)};
    return layers;
}

bool isClose(double one, double other) { return std::abs(one - other) < 1e-9 * (1 + std::abs(other)); }

} // namespace

class OverlapTest : public QObject {
    Q_OBJECT
  private slots:
    // Layers 2, 1, 0 end at 1, 3 and 6 s; each bucket of 10 bytes takes 4 s: [1, 5], [5, 9], [9, 13].
    void aLayerABucketByHand() {
        const OverlapResult result = overlapStep({{3, 10}, {2, 10}, {1, 10}}, 10, line(3, 0.1));
        const std::vector<OverlapSpan> expected{{Compute, 2, 10, 0, 1},       {Compute, 1, 10, 1, 3},
                                                {Compute, 0, 10, 3, 6},       {Communication, 0, 10, 1, 5},
                                                {Communication, 1, 10, 5, 9}, {Communication, 2, 10, 9, 13}};
        QVERIFY(result.spans == expected);
        QCOMPARE(result.totalSeconds, 13.0);
        QCOMPARE(result.computeSeconds, 6.0);
        QCOMPARE(result.communicationSeconds, 12.0);
        QCOMPARE(result.exposedSeconds, 7.0);
        QCOMPARE(result.withoutOverlapSeconds, 18.0);
    }

    // Fast network: all but the last layer's bucket hides. Layers end at 2, 7; buckets [2, 3], [7, 8].
    void onlyTheLastBucketShows() {
        const OverlapResult result = overlapStep({{5, 8}, {2, 8}}, 8, line(1, 0));
        QCOMPARE(result.totalSeconds, 8.0);
        QCOMPARE(result.exposedSeconds, 1.0);
    }

    // 25 bytes, then 5, in buckets of 10: two are full after the first layer, the third after the second.
    void aLargeLayerFillsSeveralBuckets() {
        const OverlapResult result = overlapStep({{1, 8}, {4, 25}}, 10, line(1, 0));
        const std::vector<OverlapSpan> expected{{Compute, 1, 25, 0, 4},       {Compute, 0, 8, 4, 5},
                                                {Communication, 0, 10, 4, 5}, {Communication, 1, 10, 5, 6},
                                                {Communication, 2, 10, 6, 7}, {Communication, 3, 3, 7, 8}};
        QVERIFY(result.spans == expected);
    }

    void oneBucketOverlapsWithNothing() {
        std::mt19937 random(1);
        for (int round = 0; round < 50; ++round) {
            const auto layers = randomLayers(random);
            const OverlapResult result = overlapStep(layers, 1 << 20, line(5, 0.01));
            QVERIFY(isClose(result.totalSeconds, result.withoutOverlapSeconds));
            QVERIFY(isClose(result.exposedSeconds, result.communicationSeconds));
        }
    }

    void spansAreOneAfterAnotherAndCarryEveryGradient() {
        std::mt19937 random(2);
        for (int round = 0; round < 200; ++round) {
            const auto layers = randomLayers(random);
            const OverlapResult result = overlapStep(layers, 1 + static_cast<int64_t>(random() % 2000), line(7, 0.02));
            int64_t gradients = 0, reduced = 0;
            for (const LayerCost& layer : layers)
                gradients += layer.gradientBytes;
            double computeEnd = 0, communicationEnd = 0;
            for (const OverlapSpan& span : result.spans) {
                double& end = span.stream == Compute ? computeEnd : communicationEnd;
                QVERIFY(span.start >= end - 1e-9 && span.end >= span.start);
                end = span.end;
                if (span.stream == Communication) {
                    reduced += span.bytes;
                    // None starts before the gradients up to its own last one are there.
                    int64_t known = 0;
                    for (const OverlapSpan& other : result.spans)
                        if (other.stream == Compute && other.end <= span.start)
                            known += other.bytes;
                    QVERIFY(known >= reduced);
                }
            }
            QCOMPARE(reduced, gradients);
            QCOMPARE(result.totalSeconds, std::max(computeEnd, communicationEnd));
            QVERIFY(result.exposedSeconds <= result.communicationSeconds + 1e-9);
            QVERIFY(result.totalSeconds <= result.withoutOverlapSeconds + 1e-9);
            QVERIFY(result.totalSeconds >= std::max(result.computeSeconds, result.communicationSeconds) - 1e-9);
        }
    }

    void aFasterNetworkIsNeverSlower() {
        std::mt19937 random(3);
        for (int round = 0; round < 50; ++round) {
            const auto layers = randomLayers(random);
            const auto bucket = 1 + static_cast<int64_t>(random() % 1000);
            double last = std::numeric_limits<double>::infinity();
            for (const double perByte : {1.0, 0.3, 0.1, 0.03, 0.0}) {
                const OverlapResult result = overlapStep(layers, bucket, line(1, perByte));
                QVERIFY(result.totalSeconds <= last + 1e-9);
                last = result.totalSeconds;
            }
        }
    }

    void asksOnceForEachSize() {
        int asked = 0;
        overlapStep({{1, 95}, {1, 10}}, 10, [&](int64_t) { return ++asked, 1.0; });
        QCOMPARE(asked, 2); // 10 and the last 5
    }

    void nothingTakesNoTime() {
        QCOMPARE(overlapStep({}, 1, line(1, 1)).totalSeconds, 0.0);
        QCOMPARE(overlapStep({{2, 0}}, 1, line(1, 1)).totalSeconds, 2.0);
    }

    void refusesImpossibleFigures() {
        QVERIFY_EXCEPTION_THROWN(overlapStep({{1, 1}}, 0, line(1, 1)), InputError);
        QVERIFY_EXCEPTION_THROWN(overlapStep({{-1, 1}}, 1, line(1, 1)), InputError);
        QVERIFY_EXCEPTION_THROWN(overlapStep({{1, -1}}, 1, line(1, 1)), InputError);
        QVERIFY_EXCEPTION_THROWN(overlapStep({{1, int64_t{1} << 50}}, 1, line(1, 1)), InputError);
        QVERIFY_EXCEPTION_THROWN(overlapStep({{1, 1}}, 1, line(-5, 1)), InputError);
        QVERIFY_EXCEPTION_THROWN(overlapStep({{std::nan(""), 1}}, 1, line(1, 1)), InputError);
    }
};

QTEST_GUILESS_MAIN(OverlapTest)
#include "overlap_test.moc"
