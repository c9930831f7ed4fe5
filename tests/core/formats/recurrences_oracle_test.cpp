// SPDX-License-Identifier: GPL-3.0-or-later
// SSD and other recurrences against what NumPy makes of them.
#include "core/cpu/ssm/ssd.h"
#include "core/formats/tensor_file.h"
#include "tests/core/cpu/gau_case.h"
#include "tests/core/cpu/recurrence_cases.h"
#include "tests/core/cpu/ssd_case.h"

#include <QTest>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

using namespace warplight;
using test::worstError;

namespace {

tensor::Tensor oracle(const std::string& key, const std::string& file = "recurrences") {
    return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/ssm/" + file + ".npz:" + key);
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

    /// The oracle has λ itself; lru_pairs.npz is its complex numbers as pairs.
    void lruEqualsTheOracle() {
        const tensor::Tensor lambda = oracle("lambda", "lru_pairs"), u = oracle("input", "lru_pairs");
        test::LruCase c(test::LruCase::of(1, u.shape[0], u.shape[1]));
        c.u = u.values;
        for (size_t i = 0; i < c.nu.size(); ++i) {
            const double re = static_cast<double>(lambda.values[2 * i]),
                         im = static_cast<double>(lambda.values[2 * i + 1]), angle = std::atan2(im, re);
            c.nu[i] = static_cast<float>(std::log(-std::log(std::hypot(re, im))));
            c.theta[i] = static_cast<float>(std::log(angle > 0 ? angle : angle + 2 * std::numbers::pi));
        }
        for (const auto& rung : cpu::recurrenceRungs()) {
            c.run(rung.id); // an angle of 6 rounded to f32 is off by 2e-7, and the memory is 14 steps long
            QVERIFY2(worstError(c.out, oracle("states", "lru_pairs").values) < 1e-5, rung.name.data());
        }
    }

    void rwkv4EqualsTheOracle() {
        const tensor::Tensor k = oracle("rwkv4_k");
        test::Rwkv4Case c(test::Rwkv4Case::of(1, k.shape[0], k.shape[1]));
        c.k = k.values, c.v = oracle("rwkv4_v").values, c.w = oracle("rwkv4_w").values, c.u = oracle("rwkv4_u").values;
        for (const auto& rung : cpu::recurrenceRungs()) {
            c.run(rung.id);
            QVERIFY2(worstError(c.out, oracle("rwkv4_o").values) < 1e-6, rung.name.data());
        }
    }

    void rwkv6EqualsTheOracle() {
        const tensor::Tensor r = oracle("rwkv6_r"), v = oracle("rwkv6_v");
        test::Rwkv6Case c({1, r.shape[0], 1, r.shape[1], v.shape[1]});
        c.r = r.values, c.k = oracle("rwkv6_k").values, c.v = v.values, c.w = oracle("rwkv6_w").values;
        c.u = oracle("rwkv6_u").values;
        for (const auto& rung : cpu::recurrenceRungs()) {
            c.run(rung.id);
            QVERIFY2(worstError(c.out, oracle("rwkv6_o").values) < 1e-6, rung.name.data());
            QVERIFY2(worstError(c.last, oracle("rwkv6_state").values) < 1e-6, rung.name.data());
        }
    }
};

QTEST_GUILESS_MAIN(RecurrencesOracleTest)
#include "recurrences_oracle_test.moc"
