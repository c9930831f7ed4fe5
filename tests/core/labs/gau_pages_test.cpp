// SPDX-License-Identifier: GPL-3.0-or-later
// The pages GAU ledger and GAU training, run as the engine runs them.
#include "core/error.h"
#include "core/labs/linear/gau_lab.h"
#include "core/labs/linear/gau_ledger.h"
#include "core/labs/linear/gau_strips.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/lab/run_page.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace warplight;
using namespace warplight::lab;
using namespace warplight::labs::linear;
using test::content;

namespace {

using Given = std::map<std::string, Value>;

const Curve& curve(const RunRecord& run, const char* figure, std::string_view id) {
    for (const Curve& c : content<Series>(run, figure).curves)
        if (c.id == id)
            return c;
    throw std::runtime_error("no curve " + std::string(id));
}

Given smallLedger() {
    return {{"dModel", int64_t{32}},
            {"shared", int64_t{16}},
            {"chunk", int64_t{64}},
            {"pointSeconds", 0.005},
            {"lengths", std::vector<int64_t>{64, 128, 256}}};
}

double largestDifference(const std::vector<double>& a, const std::vector<double>& b) {
    double found = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        found = std::max(found, std::fabs(a[i] - b[i]));
    return found;
}

} // namespace

class GauPagesTest : public QObject {
    Q_OBJECT

  private slots:
    void entriesHaveAsManyParametersAsABlock() {
        for (const int64_t features : {32, 128, 768})
            for (const LedgerEntry& entry : ledgerEntries({.features = features, .shared = 24, .chunk = 64})) {
                const int64_t off = std::abs(entry.parameters() - 12 * features * features);
                QVERIFY2(2 * off <= std::max<int64_t>(1, entry.units) * 3 * features, entry.id.c_str());
            }
    }

    void entriesRunWithinTheMemoryThatTheySay() {
        const LedgerSizes sizes{.features = 64, .shared = 24, .chunk = 50};
        for (const LedgerEntry& entry : ledgerEntries(sizes)) {
            const auto ready = prepare(entry, sizes, 130);
            const int64_t held = ready->run({});
            QVERIFY2(held <= entry.heldBytes(130) && entry.heldBytes(130) < 8 * held, entry.id.c_str());
            const auto& y = ready->output();
            QCOMPARE(static_cast<int64_t>(y.size()), int64_t{130 * 64});
            QVERIFY(std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); }));
            const double size = std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0));
            QVERIFY2(size > 1e-6, qPrintable(QString("%1: %2").arg(entry.id.c_str()).arg(size)));
            const auto first = y;
            ready->run({1, nullptr});
            QVERIFY(ready->output() == first);
        }
    }

    /// n² and n c: from 512 to 1,024 tokens the first grow by more than products do, the last do not.
    void operationsFollowTheLength() {
        std::map<std::string, double> growth;
        for (const LedgerEntry& entry : ledgerEntries({.features = 64, .shared = 64, .chunk = 64}))
            growth[entry.id] = entry.flops(1 << 17) / entry.flops(1 << 16);
        QVERIFY(growth["mha"] > 3.9 && growth["gau"] > 3.9 && growth["flash-quad"] > 3.9);
        QVERIFY(growth["flash"] < 2.01);
    }

    void theDialsGoFromAttentionToAFeedForwardLayer() {
        const auto at = [](double toIdentity, double toOne, int64_t chunk = 0) {
            return gateStrips(cpu::GauFunction::Relu2, true, chunk, 42, toIdentity, toOne, {});
        };
        const GateStrips both = at(0, 0), attention = at(0, 1), feedForward = at(1, 0), nothing = at(1, 1);
        QVERIFY(std::fabs(attention.likeAttention - 1) < 1e-12 && attention.product == attention.mixed);
        QVERIFY(std::fabs(feedForward.likeFeedForward - 1) < 1e-12);
        QVERIFY(both.likeAttention < 0.9 && both.likeFeedForward < 0.9);
        for (int64_t i = 0; i < GateStrips::tokens * GateStrips::tokens; ++i)
            QCOMPARE(feedForward.attention[static_cast<size_t>(i)], i % (GateStrips::tokens + 1) == 0 ? 1.0 : 0.0);
        QCOMPARE(largestDifference(nothing.gate, std::vector<double>(nothing.gate.size(), 1)), 0.0);
        const GateStrips half = at(0.5, 0.5);
        for (size_t i = 0; i < half.product.size(); ++i) {
            QVERIFY(std::fabs(half.mixed[i] - (both.mixed[i] + feedForward.mixed[i]) / 2) < 1e-12);
            QVERIFY(std::fabs(half.product[i] - half.gate[i] * half.mixed[i]) < 1e-12);
        }
        QVERIFY(half.usualGate == both.usualGate && half.usualMixed == both.usualMixed); // palettes stay
        QVERIFY(feedForward.usualWeight == 1 && both.usualWeight < 1);
        // Chunks are blocks on the diagonal; across them is the linear part, which may be negative.
        const GateStrips chunks = at(0, 0, 24);
        double least = 0;
        for (int64_t i = 0; i < 24; ++i)
            for (int64_t j = 0; j < 24; ++j)
                least = std::min(least, chunks.attention[static_cast<size_t>(i * GateStrips::tokens + j)]);
        QCOMPARE(least, 0.0);
        QVERIFY(*std::min_element(chunks.attention.begin(), chunks.attention.end()) < 0);
    }

    /// Tokens of one topic see each other: that is what makes the strips worth looking at.
    void topicsAttendToThemselves() {
        for (const auto& f : cpu::gauFunctions()) {
            const GateStrips s = gateStrips(f.id, false, 0, 42, 0, 0, {});
            double same = 0, other = 0, sameCount = 0, otherCount = 0;
            for (size_t i = 0; i < s.topics.size(); ++i)
                for (size_t j = 0; j < s.topics.size(); ++j) {
                    const double weight = s.attention[i * s.topics.size() + j];
                    (s.topics[i] == s.topics[j] ? same : other) += weight;
                    (s.topics[i] == s.topics[j] ? sameCount : otherCount) += 1;
                }
            QVERIFY2(same / sameCount > 5 * other / otherCount, f.name.data());
        }
    }

    void rowsAddUpToWhatTheFormulasSay() {
        for (const int64_t keys : {256, 2048}) {
            const auto sum = [&](cpu::GauFunction f) { return meanRowSum(f, keys, 64, 64, 1, {}); };
            const double n = static_cast<double>(keys);
            QVERIFY(std::fabs(sum(cpu::GauFunction::Relu2) / (64 / (2 * n)) - 1) < 0.1); // 64 rows of χ² with 64
            QVERIFY(std::fabs(sum(cpu::GauFunction::Relu2Root) / 0.5 - 1) < 0.1);
            QCOMPARE(sum(cpu::GauFunction::Softmax), 1.0);
        }
        QVERIFY(meanRowSum(cpu::GauFunction::Laplace, 4096, 64, 16, 1, {}) >
                3.5 * meanRowSum(cpu::GauFunction::Laplace, 1024, 64, 16, 1, {}));
    }

    void theLedgerMeasuresOnceAndFollowsTheSliders() {
        const auto page = makeLedger();
        Given given = smallLedger();
        const RunRecord first = test::runPage(*page, given);
        for (const char* id : {"mha", "gau", "flash-quad", "flash-gau"}) {
            const Curve& time = curve(first, "time", id);
            QCOMPARE(time.x, (std::vector<double>{64, 128, 256}));
            QCOMPARE(time.provenance, Provenance::Measured);
            QVERIFY(std::all_of(time.y.begin(), time.y.end(), [](double y) { return y > 0; }));
            QCOMPARE(curve(first, "memory", id).y.size(), size_t{3});
        }
        QCOMPARE(content<Table>(first, "ledger").rows.size(), size_t{4});
        given["toIdentity"] = 1.0;
        const Settings settings(page->describe().parameters, given);
        QVERIFY(page->estimatedSeconds(settings) < 1); // reruns by itself
        const RunRecord moved = test::runPage(*page, given);
        QCOMPARE(curve(moved, "time", "flash-gau").y, curve(first, "time", "flash-gau").y);
        QVERIFY(content<Heatmap>(moved, "product").cells != content<Heatmap>(first, "product").cells);
        QVERIFY(content<Heatmap>(moved, "gate").cells == content<Heatmap>(first, "gate").cells);
        QVERIFY(std::fabs(*content<Metric>(moved, "likeFeedForward").value - 1) < 1e-12);
        given["chunk"] = int64_t{32}; // measured anew
        QVERIFY(page->estimatedSeconds(Settings(page->describe().parameters, given)) >
                page->estimatedSeconds(settings));
    }

    void pagesStopWhenCancelled() {
        QVERIFY_THROWS_EXCEPTION(Cancelled, test::runPage(*makeLedger(), smallLedger(), "cpu", true));
        QVERIFY_THROWS_EXCEPTION(Cancelled, test::runPage(*makeGauTraining(), {}, "cpu", true));
    }

    void bothTrainingsLearnTheText() {
        const RunRecord run = test::runPage(
            *makeGauTraining(),
            {{"steps", int64_t{60}}, {"features", int64_t{32}}, {"context", int64_t{32}}, {"layers", int64_t{1}}});
        for (const char* id : {"gpt2-block", "gau-block"}) {
            const Curve& loss = curve(run, "loss", id);
            QCOMPARE(loss.y.size(), size_t{60});
            QVERIFY2(loss.y.front() > 5.4 && loss.y.back() < 4.5, id);
        }
        const auto& rows = content<Table>(run, "models").rows;
        const auto a = std::get<int64_t>(rows[0][1]), b = std::get<int64_t>(rows[1][1]);
        QVERIFY(std::abs(a - b) < a / 100);
        QVERIFY(content<Metric>(run, "difference").value.has_value());
    }
};

QTEST_GUILESS_MAIN(GauPagesTest)
#include "gau_pages_test.moc"
