// SPDX-License-Identifier: GPL-3.0-or-later
// LRU, RWKV-4 and RWKV-6 against NumPy's results, and what they must not do with large numbers.
#include "core/ssm/recurrences.h"

#include "tests/core/ssm/oracle.h"

#include <QTest>
#include <cmath>
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using Complex = std::complex<double>;

namespace {
std::span<const double> view(const std::vector<double>& x) { return x; }
} // namespace

class RecurrencesTest : public QObject {
    Q_OBJECT
  private slots:
    void lru() {
        const auto lambda = oracle<Complex>("recurrences", "lru_lambda"),
                   inputs = oracle<Complex>("recurrences", "lru_input");
        std::vector<Complex> states(inputs.size());
        ssm::lru<double>(lambda, inputs, states);
        QVERIFY(worst(states, oracle<Complex>("recurrences", "lru_states")) < 1e-13);
    }

    // White noise that goes in with the gain has states of its own variance.
    void gainKeepsTheSizeOfWhatComesIn() {
        for (const double size : {0.9, 0.99, 0.999}) {
            const Complex pole = ssm::lruPole(std::log(-std::log(size)), std::log(0.7));
            QVERIFY(std::abs(std::abs(pole) - size) < 1e-14);
            QVERIFY(std::abs(std::arg(pole) - 0.7) < 1e-14);
            QVERIFY(std::abs(std::pow(ssm::lruGain(pole), 2) / (1 - std::norm(pole)) - 1) < 1e-12);
        }
    }

    void rwkv4() {
        const auto k = oracle("recurrences", "rwkv4_k"), v = oracle("recurrences", "rwkv4_v"),
                   w = oracle("recurrences", "rwkv4_w"), u = oracle("recurrences", "rwkv4_u");
        std::vector<double> o(v.size());
        ssm::rwkv4<double>(k, v, w, u, o);
        QVERIFY(worst(o, oracle("recurrences", "rwkv4_o")) < 1e-13);
    }

    // Keys that are 1000 larger leave every quotient as it is; without the running maximum e^k would be infinite.
    void rwkv4OutlivesLargeKeys() {
        auto k = oracle("recurrences", "rwkv4_k");
        const auto v = oracle("recurrences", "rwkv4_v"), w = oracle("recurrences", "rwkv4_w"),
                   u = oracle("recurrences", "rwkv4_u");
        for (double& x : k)
            x += 1000;
        std::vector<double> o(v.size());
        ssm::rwkv4<double>(k, v, w, u, o);
        QVERIFY(worst(o, oracle("recurrences", "rwkv4_o")) < 1e-11);
    }

    void rwkv6() {
        const auto r = oracle("recurrences", "rwkv6_r"), k = oracle("recurrences", "rwkv6_k"),
                   v = oracle("recurrences", "rwkv6_v"), w = oracle("recurrences", "rwkv6_w"),
                   u = oracle("recurrences", "rwkv6_u");
        std::vector<double> o(v.size()), state(u.size() * 5);
        ssm::rwkv6<double>(view(r), view(k), view(v), view(w), view(u), o, state);
        QVERIFY(worst(o, oracle("recurrences", "rwkv6_o")) < 1e-13);
        QVERIFY(worst(state, oracle("recurrences", "rwkv6_state")) < 1e-13);
    }
};

QTEST_GUILESS_MAIN(RecurrencesTest)
#include "recurrences_test.moc"
