// SPDX-License-Identifier: GPL-3.0-or-later
// Gated attention units against what NumPy makes of them.
#include "core/cpu/gau/gau.h"
#include "core/formats/tensor_file.h"
#include "tests/core/cpu/gau_case.h"

#include <QTest>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::worstError;

namespace {

tensor::Tensor oracle(const char* file, const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/linear/") + file + ":" + key);
}

/// A case with the numbers of a file; x is [length, features] or has a batch before them.
test::GauCase caseOf(const char* file, bool underscored) {
    const auto named = [&](const char* w) { return oracle(file, std::string(underscored ? "w_" : "w") + w); };
    const tensor::Tensor x = oracle(file, "x"), wu = named("u"), wz = named("z");
    GauShape p;
    p.batch = x.shape.size() == 3 ? x.shape[0] : 1;
    p.length = x.shape[x.shape.size() - 2];
    p.features = x.shape.back();
    p.expanded = wu.shape[1];
    p.shared = wz.shape[1];
    test::GauCase c(p);
    c.x = x.values, c.wu = wu.values, c.wv = named("v").values, c.wz = wz.values, c.wo = named("o").values;
    c.gamma = oracle(file, "gamma").values, c.beta = oracle(file, "beta").values;
    return c;
}

} // namespace

class GauOracleTest : public QObject {
    Q_OBJECT
  private slots:
    /// relu²(QKᵀ / n), most of whose scores are negative. Its numbers are f64: reading them as f32 is most of the
    /// error.
    void equalsTheOracle() {
        test::GauCase c = caseOf("gau.npz", true);
        for (const bool causal : {false, true}) {
            c.shape.causal = causal;
            const std::string end = causal ? "_causal" : "";
            const GauTrace trace = traceOf(c.problem());
            QVERIFY(worstError(trace.attention, oracle("gau.npz", "attention" + end).values) < 1e-5);
            QVERIFY(worstError(trace.y, oracle("gau.npz", "y" + end).values) < 1e-5);
            for (const auto& rung : gauRungs())
                QVERIFY2(worstError(c.run(rung.id), oracle("gau.npz", "y" + end).values) < 1e-5, rung.name.data());
        }
    }

    void everyVariantEqualsNumPy() {
        test::GauCase c = caseOf("gau_variants.npz", false);
        const auto gamma = c.gamma, beta = c.beta;
        const auto s = static_cast<size_t>(c.shape.shared);
        for (const auto& function : gauFunctions())
            for (const char* kind : {"full", "causal", "seen"})
                for (const bool mixed : {false, true}) {
                    c.shape.function = function.id;
                    c.shape.causal = std::string(kind) != "full";
                    c.shape.seenKeys = std::string(kind) == "seen";
                    c.shape.chunk = mixed ? static_cast<int64_t>(oracle("gau_variants.npz", "chunk").values[0]) : 0;
                    c.gamma = gamma, c.beta = beta;
                    if (!mixed)
                        for (auto* views : {&c.gamma, &c.beta}) { // of four: queries and keys
                            std::copy_n(views->begin() + 2 * static_cast<std::ptrdiff_t>(s), s,
                                        views->begin() + static_cast<std::ptrdiff_t>(s));
                            views->resize(2 * s);
                        }
                    const auto expected =
                        oracle("gau_variants.npz", std::string(function.name) + "." + kind + (mixed ? ".mixed" : ""));
                    for (const auto& rung : gauRungs()) {
                        const double error = worstError(c.run(rung.id), expected.values);
                        QVERIFY2(error < (rung.id == GauRung::Reference ? 1e-7 : 1e-6),
                                 qPrintable(QString("%1, %2, %3, mixed %4: %5")
                                                .arg(rung.name.data(), function.name.data(), kind)
                                                .arg(mixed)
                                                .arg(error)));
                    }
                }
    }
};

QTEST_GUILESS_MAIN(GauOracleTest)
#include "gau_oracle_test.moc"
