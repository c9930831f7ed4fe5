// SPDX-License-Identifier: GPL-3.0-or-later
// SSD and other recurrences against what NumPy makes of them.
#include "core/cpu/ssm/ssd.h"
#include "core/formats/tensor_file.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/ssd_case.h"

#include <QTest>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace warplight;
using test::worstError;

namespace {

tensor::Tensor oracle(const std::string& key) {
    return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/ssm/recurrences.npz:" + key);
}

} // namespace

class RecurrencesOracleTest : public QObject {
    Q_OBJECT
  private slots:
    /// One head of 96 steps; the oracle's state is [N, P].
    void ssdEqualsTheOracle() {
        const tensor::Tensor x = oracle("ssd_x"), b = oracle("ssd_B"), state = oracle("ssd_state");
        const int64_t n = b.shape[1], p = x.shape[1];
        test::SsdCase c(test::ssdShape(1, x.shape[0], 1, 1, p, n, 20));
        c.x = x.values, c.a = oracle("ssd_log_a").values, c.b = b.values, c.c = oracle("ssd_C").values;
        std::vector<float> last(c.last.size());
        for (int64_t i = 0; i < p; ++i)
            for (int64_t j = 0; j < n; ++j)
                last[static_cast<size_t>(i * n + j)] = state.values[static_cast<size_t>(j * p + i)];
        for (const auto& rung : cpu::ssdRungs()) {
            c.run(rung.id);
            const double bound = rung.id == cpu::SsdRung::Reference ? 2e-7 : 1e-6;
            QVERIFY2(worstError(c.y, oracle("ssd_y").values) < bound, rung.name.data());
            QVERIFY2(worstError(c.last, last) < bound, rung.name.data());
        }
    }
};

QTEST_GUILESS_MAIN(RecurrencesOracleTest)
#include "recurrences_oracle_test.moc"
