// SPDX-License-Identifier: GPL-3.0-or-later
// Many channels of S4: every rung against double precision, on every instruction set.
#include "core/ssm/s4_rungs.h"

#include "core/cpu/target.h"
#include "core/error.h"
#include "core/tensor/random.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

using namespace warplight;
using ssm::S4Kind;
using ssm::S4Rung;
using ssm::S4Shape;

namespace {

struct Case {
    S4Shape shape;
    std::vector<float> u, delta, c;

    explicit Case(const S4Shape& s)
        : shape(s),
          u(static_cast<size_t>(s.channels * s.length)),
          delta(static_cast<size_t>(s.channels)),
          c(static_cast<size_t>(s.channels * s.state)) {
        tensor::fillGaussian(u, 5, 0);
        tensor::fillUniform(delta, 5, 1, std::log(1e-3f), std::log(0.1f));
        for (float& x : delta)
            x = std::exp(x);
        tensor::fillGaussian(c, 5, 2, 1 / std::sqrt(static_cast<float>(s.state)));
    }
    std::vector<float> run(S4Rung rung, const cpu::RunOptions& options = {}, cpu::RunCost* cost = nullptr) const {
        std::vector<float> y(u.size(), NAN);
        const cpu::RunCost was = ssm::s4(rung, shape, {u.data(), delta.data(), c.data(), y.data()}, options);
        if (cost)
            *cost = was;
        return y;
    }
};

/// The largest difference over the largest number; infinity where one alone is no number.
double apart(const std::vector<float>& x, const std::vector<float>& right) {
    double off = 0, most = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i]) && std::isnan(right[i]))
            continue;
        const double d = std::abs(static_cast<double>(x[i]) - static_cast<double>(right[i]));
        off = std::isnan(d) ? HUGE_VAL : std::max(off, d);
        most = std::max(most, std::abs(static_cast<double>(right[i])));
    }
    return most > 0 ? off / most : off;
}

constexpr S4Rung fast[] = {S4Rung::Recurrent, S4Rung::Direct, S4Rung::Fourier};

} // namespace

class S4RungsTest : public QObject {
    Q_OBJECT
  private slots:
    void equalDoublePrecision_data() {
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("rung");
        for (const auto& kind : ssm::s4Kinds())
            for (const S4Rung rung : fast)
                QTest::addRow("%s, %s", std::string(kind.name).c_str(),
                              std::string(ssm::s4Rungs()[static_cast<size_t>(rung)].name).c_str())
                    << static_cast<int>(kind.id) << static_cast<int>(rung);
    }
    void equalDoublePrecision() {
        QFETCH(int, kind);
        QFETCH(int, rung);
        for (const auto& [channels, length, state] :
             {std::array<int64_t, 3>{1, 1, 2}, {3, 100, 6}, {17, 257, 16}, {5, 1500, 64}, {20, 64, 256}}) {
            const Case x({channels, length, state, static_cast<S4Kind>(kind)});
            const std::vector<float> right = x.run(S4Rung::Reference);
            for (const std::string& target : cpu::supportedTargets()) {
                cpu::useTarget(target);
                const double off = apart(x.run(static_cast<S4Rung>(rung)), right);
                QVERIFY2(off < 2e-5, qPrintable(QString("%1 channels, %2 steps, state %3, %4: %5")
                                                    .arg(channels)
                                                    .arg(length)
                                                    .arg(state)
                                                    .arg(target.c_str())
                                                    .arg(off)));
            }
            cpu::useTarget(cpu::supportedTargets().front());
        }
    }

    void bitsDoNotDependOnThreads() {
        for (const auto& kind : ssm::s4Kinds())
            for (const S4Rung rung : fast) {
                const Case x({37, test::shortened(9000, 2000), 8, kind.id});
                const std::vector<float> one = x.run(rung, {1, nullptr});
                for (const int threads : {2, 3})
                    QVERIFY(x.run(rung, {threads, nullptr}) == one);
            }
    }

    void whatIsNoNumberStaysInItsChannelAndBehindItself() {
        for (const auto& kind : ssm::s4Kinds())
            for (const S4Rung rung : fast)
                for (const float bad : {NAN, INFINITY}) {
                    Case x({20, 300, 8, kind.id});
                    const std::vector<float> before = x.run(rung);
                    x.u[7 * 300 + 123] = bad;
                    const std::vector<float> after = x.run(rung);
                    for (size_t i = 0; i < after.size(); ++i) {
                        if (i / 300 != 7 || (rung != S4Rung::Fourier && i % 300 < 123))
                            QCOMPARE(after[i], before[i]);
                        else if (i % 300 == 123 || rung == S4Rung::Fourier)
                            QVERIFY(!std::isfinite(after[i]));
                    }
                }
    }

    void heldBytesAreAtMostWhatIsSaid() {
        for (const auto& kind : ssm::s4Kinds())
            for (const S4Rung rung : fast)
                for (const int threads : {1, 2}) {
                    const Case x({19, 1000, 32, kind.id});
                    cpu::RunCost cost;
                    x.run(rung, {threads, nullptr}, &cost);
                    const int64_t most = ssm::extraBytesAtMost(rung, x.shape, threads);
                    QVERIFY2(cost.extraBytes <= most && most < cost.extraBytes + 4096,
                             qPrintable(QString("%1 of %2").arg(cost.extraBytes).arg(most)));
                }
        const int64_t huge = std::numeric_limits<int64_t>::max() / 64;
        QCOMPARE(ssm::extraBytesAtMost(S4Rung::Direct, {huge, huge, 64, S4Kind::LegS}),
                 std::numeric_limits<int64_t>::max());
    }

    void cancelStopsWithin50ms() {
        for (const S4Rung rung : fast) {
            const Case x({64, 100000, 64, S4Kind::DiagonalLin});
            std::atomic<bool> cancel{false};
            std::chrono::steady_clock::time_point asked;
            std::jthread other([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(40));
                asked = std::chrono::steady_clock::now();
                cancel = true;
            });
            try {
                x.run(rung, {0, &cancel});
            } catch (const Cancelled&) {
                QVERIFY(std::chrono::steady_clock::now() - asked < std::chrono::milliseconds(50));
            }
        }
    }

    void wrongShapesAreRefused() {
        const auto says = [](const Case& x, const char* what) {
            try {
                x.run(S4Rung::Recurrent);
            } catch (const InputError& error) {
                return std::string(error.what()).find(what) != std::string::npos;
            }
            return false;
        };
        QVERIFY(says(Case({1, 4, 3, S4Kind::LegS}), "state is 3, expected an even number"));
        QVERIFY(says(Case({1, 4, 258, S4Kind::LegS}), "state is 258"));
        Case x({3, 4, 8, S4Kind::DiagonalInv});
        for (const float bad : {0.0f, -1.0f, NAN, INFINITY}) {
            x.delta[2] = bad;
            QVERIFY(says(x, "delta of channel 2 is"));
        }
        QVERIFY(Case({0, 4, 8, S4Kind::LegS}).run(S4Rung::Fourier).empty());
        QVERIFY(Case({3, 0, 8, S4Kind::LegS}).run(S4Rung::Direct).empty());
    }
};

QTEST_GUILESS_MAIN(S4RungsTest)
#include "s4_rungs_test.moc"
