// SPDX-License-Identifier: GPL-3.0-or-later
// What formats keep of a tensor with scales for more and fewer numbers: against NumPy and ml_dtypes
// (tests/oracles/precision/make_storage.py), and against what is known.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/granularity.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using precision::StorageCost;

namespace {

tensor::Tensor oracle(const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/precision/storage.npz:") + key);
}

const StorageCost& named(const std::vector<StorageCost>& all, const std::string& title) {
    return *std::find_if(all.begin(), all.end(), [&](const StorageCost& c) { return c.title == title; });
}

} // namespace

class GranularityTest : public QObject {
    Q_OBJECT

  private slots:
    void errorsAreNumPys() {
        const tensor::Tensor x = oracle("x");
        int judged = 0;
        for (const StorageCost& cost : precision::storageCosts(x.values, x.shape.back())) {
            if (cost.family == "microscaling")
                continue; // block by block in rounding_test
            std::string key = cost.title;
            key.erase(std::remove(key.begin(), key.end(), ','), key.end());
            std::replace(key.begin(), key.end(), ' ', '_');
            const double expected = static_cast<double>(oracle(key).values[0]);
            QVERIFY2(std::fabs(cost.error - expected) <= 1e-5 * expected + 1e-9,
                     qPrintable(QString("%1: %2 instead of %3").arg(cost.title.c_str()).arg(cost.error).arg(expected)));
            ++judged;
        }
        QCOMPARE(judged, 12);
    }

    void finerScalesCostBitsAndBuyDigits() {
        const tensor::Tensor x = oracle("x");
        const auto all = precision::storageCosts(x.values, x.shape.back());
        QCOMPARE(named(all, "e4m3, a scale for each row").bits, 8 + 32.0 / 160);
        QCOMPARE(named(all, "e2m1, a scale for each 32").bits, 5.0);
        QCOMPARE(named(all, "MXFP4").bits, 4.25);
        QCOMPARE(named(all, "NVFP4").bits, 4.5);
        QCOMPARE(named(all, "bf16").bits, 16.0);
        QVERIFY(named(all, "e2m1, a scale for each 32").error < named(all, "e2m1, a scale for the tensor").error / 2);
    }

    void powersOfTwoAreKept() {
        const std::vector<float> x{1, 2, 4, -8, 16, 0, 0.5f, 1};
        for (const StorageCost& cost : precision::storageCosts(x, 4))
            QVERIFY2(cost.error == 0 || cost.title.starts_with("e2m1") || cost.title.ends_with("FP4") ||
                         cost.title.starts_with("e4m3,") || cost.title.starts_with("MXFP6 E2M3"),
                     cost.title.c_str());
    }

    void whatIsNotFiniteIsLeftOut() {
        const float infinity = std::numeric_limits<float>::infinity();
        const std::vector<float> x{1, infinity, 3, std::nanf(""), -infinity, 0};
        for (const StorageCost& cost : precision::storageCosts(x, 3))
            QVERIFY2(std::isfinite(cost.error), cost.title.c_str());
        for (const StorageCost& cost : precision::storageCosts({}, 1))
            QCOMPARE(cost.error, 0.0);
        for (const StorageCost& cost : precision::storageCosts(std::vector<float>(5, 0.0f), 5))
            QCOMPARE(cost.error, 0.0);
    }

    void itStopsWhenItIsCancelled() {
        const std::atomic<bool> cancel = true;
        QVERIFY_EXCEPTION_THROWN(precision::storageCosts(std::vector<float>(100, 1.0f), 10, &cancel), Cancelled);
    }
};

QTEST_GUILESS_MAIN(GranularityTest)
#include "granularity_test.moc"
