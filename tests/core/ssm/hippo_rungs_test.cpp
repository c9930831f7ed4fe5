// SPDX-License-Identifier: GPL-3.0-or-later
// Memories of many channels: every rung against double precision and closed forms, on every instruction set.
#include "core/ssm/hippo_rungs.h"

#include "core/cpu/target.h"
#include "core/error.h"
#include "core/tensor/random.h"

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
using ssm::HippoRung;
using ssm::HippoShape;
using ssm::Measure;
using ssm::Rule;

namespace {

struct Case {
    HippoShape shape;
    std::vector<float> u;

    explicit Case(const HippoShape& s) : shape(s), u(static_cast<size_t>(s.channels * s.length)) {
        tensor::fillGaussian(u, 5, 0);
    }
    std::vector<float> run(HippoRung rung, const cpu::RunOptions& options = {}, cpu::RunCost* cost = nullptr) const {
        std::vector<float> c(static_cast<size_t>(shape.channels * kept(shape) * shape.memory.n), NAN);
        const cpu::RunCost was = ssm::hippo(rung, shape, {u.data(), c.data()}, options);
        if (cost)
            *cost = was;
        return c;
    }
    bool runs(HippoRung rung) const { return whyNot(rung, shape).empty(); }
};

HippoShape shapeOf(int64_t channels, int64_t length, Measure measure, Rule rule, int64_t n, int64_t every = 0) {
    return {channels, length, every, {measure, n, rule, 90, 1}};
}

/// The largest difference over the largest number.
double apart(const std::vector<float>& x, const std::vector<float>& right) {
    double off = 0, most = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double d = std::abs(static_cast<double>(x[i]) - static_cast<double>(right[i]));
        off = std::isnan(d) ? HUGE_VAL : std::max(off, d);
        most = std::max(most, std::abs(static_cast<double>(right[i])));
    }
    return most > 0 ? off / most : off;
}

constexpr HippoRung fast[] = {HippoRung::Dense, HippoRung::Linear};

std::string nameOf(HippoRung rung) { return std::string(ssm::hippoRungs()[static_cast<size_t>(rung)].name); }

} // namespace

class HippoRungsTest : public QObject {
    Q_OBJECT
  private slots:
    void equalDoublePrecision_data() {
        QTest::addColumn<int>("measure");
        QTest::addColumn<int>("rule");
        for (const auto& measure : ssm::measures())
            for (const auto& rule : ssm::rules())
                QTest::addRow("%s, %s", std::string(measure.name).c_str(), std::string(rule.name).c_str())
                    << static_cast<int>(measure.id) << static_cast<int>(rule.id);
    }
    void equalDoublePrecision() {
        QFETCH(int, measure);
        QFETCH(int, rule);
        const bool isForward = static_cast<Rule>(rule) == Rule::ForwardEuler; // which grows with many states
        for (const auto& [channels, length, n] :
             {std::array<int64_t, 3>{1, 1, 2}, {3, 100, 6}, {17, 257, 34}, {40, 130, 64}}) {
            if (isForward && n > 6)
                continue;
            const Case x(shapeOf(channels, length, static_cast<Measure>(measure), static_cast<Rule>(rule), n, 30));
            const std::vector<float> right = x.run(HippoRung::Reference);
            for (const HippoRung rung : fast)
                for (const std::string& target : cpu::supportedTargets()) {
                    if (!x.runs(rung))
                        continue;
                    cpu::useTarget(target);
                    const double off = apart(x.run(rung), right);
                    QVERIFY2(off < 5e-6, qPrintable(QString("%1, %2 channels, %3 steps, n = %4, %5: %6")
                                                        .arg(nameOf(rung).c_str())
                                                        .arg(channels)
                                                        .arg(length)
                                                        .arg(n)
                                                        .arg(target.c_str())
                                                        .arg(off)));
                }
            cpu::useTarget(cpu::supportedTargets().front());
        }
    }

    // The bilinear rule takes u = 1 for a past half a sample longer: c_0 = 1 - 1/(2L + 1), and the others fade.
    void aConstantIsWhatItsClosedFormSays() {
        for (const HippoRung rung : {HippoRung::Reference, HippoRung::Dense, HippoRung::Linear}) {
            Case x(shapeOf(3, 200, Measure::LegS, Rule::Bilinear, 4, 1));
            std::fill(x.u.begin(), x.u.end(), 1.0f);
            const std::vector<float> c = x.run(rung);
            for (size_t row = 0; row < c.size() / 4; ++row) {
                const double steps = static_cast<double>(row % 200 + 1);
                QVERIFY(std::abs(static_cast<double>(c[4 * row]) - (1 - 1 / (2 * steps + 1))) < 1e-6);
            }
            const double second[] = {0.8, 0.34641, -0.31944, -0.22678}; // after two steps
            for (size_t i = 0; i < 4; ++i)
                QVERIFY(std::abs(static_cast<double>(c[4 + i]) - second[i]) < 1e-5);
        }
    }

    void statesAreKeptAfterEachMultipleAndAtTheEnd() {
        for (const Measure measure : {Measure::LegS, Measure::LegT})
            for (const HippoRung rung : fast) {
                const Case each(shapeOf(18, 100, measure, Rule::Bilinear, 10, 1)),
                    some(shapeOf(18, 100, measure, Rule::Bilinear, 10, 30)),
                    last(shapeOf(18, 100, measure, Rule::Bilinear, 10));
                if (!each.runs(rung))
                    continue;
                QCOMPARE(kept(some.shape), 4);
                const std::vector<float> all = each.run(rung), few = some.run(rung), one = last.run(rung);
                for (int64_t channel = 0; channel < 18; ++channel)
                    for (int64_t row = 0; row < 4; ++row)
                        for (int64_t i = 0; i < 10; ++i) {
                            const int64_t step = std::min<int64_t>(99, 30 * row + 29);
                            const float there = all[static_cast<size_t>((channel * 100 + step) * 10 + i)];
                            QCOMPARE(few[static_cast<size_t>((channel * 4 + row) * 10 + i)], there);
                            if (row == 3)
                                QCOMPARE(one[static_cast<size_t>(channel * 10 + i)], there);
                        }
            }
    }

    void bitsDoNotDependOnThreads() {
        for (const Measure measure : {Measure::LegS, Measure::FouT})
            for (const HippoRung rung : fast) {
                const Case x(shapeOf(50, 700, measure, Rule::Bilinear, 16, 100));
                if (!x.runs(rung))
                    continue;
                const std::vector<float> one = x.run(rung, {1, nullptr});
                for (const int threads : {2, 3})
                    QVERIFY(x.run(rung, {threads, nullptr}) == one);
            }
    }

    void whatIsNoNumberStaysInItsChannelAndBehindItself() {
        for (const Measure measure : {Measure::LegS, Measure::LegT})
            for (const HippoRung rung : {HippoRung::Reference, HippoRung::Dense, HippoRung::Linear})
                for (const float bad : {NAN, INFINITY}) {
                    Case x(shapeOf(20, 60, measure, Rule::Bilinear, 6, 1));
                    if (!x.runs(rung))
                        continue;
                    const std::vector<float> before = x.run(rung);
                    x.u[7 * 60 + 23] = bad;
                    const std::vector<float> after = x.run(rung);
                    for (size_t i = 0; i < after.size(); ++i)
                        if (i / 6 / 60 != 7 || i / 6 % 60 < 23)
                            QCOMPARE(after[i], before[i]);
                        else
                            QVERIFY(!std::isfinite(after[i]));
                }
    }

    void heldBytesAreAtMostWhatIsSaid() {
        for (const Measure measure : {Measure::LegS, Measure::LagT})
            for (const HippoRung rung : fast)
                for (const int threads : {1, 2}) {
                    const Case x(shapeOf(19, 150, measure, Rule::Bilinear, 32));
                    if (!x.runs(rung))
                        continue;
                    cpu::RunCost cost;
                    x.run(rung, {threads, nullptr}, &cost);
                    const int64_t most = ssm::extraBytesAtMost(rung, x.shape, threads);
                    QVERIFY2(cost.extraBytes <= most && most < cost.extraBytes + 4096,
                             qPrintable(QString("%1 of %2").arg(cost.extraBytes).arg(most)));
                }
        const int64_t huge = std::numeric_limits<int64_t>::max() / 4;
        QCOMPARE(ssm::extraBytesAtMost(HippoRung::Dense, shapeOf(huge, 1, Measure::LegS, Rule::Bilinear, 64)),
                 std::numeric_limits<int64_t>::max());
    }

    void cancelStopsWithin50ms() {
        for (const Rule rule : {Rule::Bilinear, Rule::Zoh})
            for (const HippoRung rung : {HippoRung::Reference, HippoRung::Dense, HippoRung::Linear}) {
                const Case x(shapeOf(64, 100000, Measure::LegS, rule, 128));
                if (!x.runs(rung))
                    continue;
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

    void wrongShapesAndRungsAreRefused() {
        const auto says = [](const HippoShape& s, HippoRung rung, const char* what) {
            try {
                Case(s).run(rung);
            } catch (const InputError& error) {
                return std::string(error.what()).find(what) != std::string::npos;
            }
            return false;
        };
        const auto dense = HippoRung::Dense;
        QVERIFY(says(shapeOf(1, 4, Measure::LegS, Rule::Zoh, 513), dense, "state is 513, expected 1 to 512"));
        QVERIFY(says(shapeOf(1, 4, Measure::FouT, Rule::Zoh, 3), dense, "state is 3, expected an even number"));
        QVERIFY(says(shapeOf(1, 0, Measure::LegS, Rule::Zoh, 3), dense, "length is 0"));
        QVERIFY(says(shapeOf(1, 4, Measure::LegT, Rule::Bilinear, 3), HippoRung::Linear, "the step of LegS"));
        QVERIFY(says(shapeOf(1, 4, Measure::LegS, Rule::Mamba, 3), HippoRung::Linear, "the step of LegS"));
        HippoShape s = shapeOf(1, 4, Measure::LegT, Rule::Bilinear, 3);
        for (const double bad : {0.0, -1.0, static_cast<double>(NAN), HUGE_VAL}) {
            s.memory.theta = bad;
            QVERIFY(says(s, dense, "theta is"));
        }
        QVERIFY(Case(shapeOf(0, 4, Measure::LegS, Rule::Bilinear, 3)).run(HippoRung::Linear).empty());
    }
};

QTEST_GUILESS_MAIN(HippoRungsTest)
#include "hippo_rungs_test.moc"
