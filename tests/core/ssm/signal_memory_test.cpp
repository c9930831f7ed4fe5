// SPDX-License-Identifier: GPL-3.0-or-later
// Memories that take a signal sample by sample: against dense steps, golden numbers and what they promise of the past.
#include "core/algebra/matrix_functions.h"
#include "core/ssm/memory.h"
#include "tests/core/ssm/oracle.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using ssm::Measure;
using ssm::Memory;
using ssm::MemorySettings;
using ssm::Rule;
using ssm::System;

namespace {

std::vector<double> held(const Memory& memory) { return {memory.coefficients().begin(), memory.coefficients().end()}; }

double wave(int64_t i) { return std::sin(0.37 * static_cast<double>(i)) + 0.1 * static_cast<double>(i % 5); }

/// c_0 after n samples of 1.
double constant(Rule rule, int n) {
    Memory memory({Measure::LegS, 8, rule});
    for (int i = 0; i < n; ++i)
        memory.push(1.0);
    return memory.coefficients()[0];
}

} // namespace

class SignalMemoryTest : public QObject {
    Q_OBJECT
  private slots:
    void equalsDenseSteps_data() {
        QTest::addColumn<int>("measure");
        QTest::addColumn<int>("rule");
        for (const auto& m : ssm::measures())
            for (const auto& r : ssm::rules())
                QTest::addRow("%s, %s", std::string(m.name).c_str(), std::string(r.name).c_str())
                    << static_cast<int>(m.id) << static_cast<int>(r.id);
    }
    void equalsDenseSteps() {
        QFETCH(int, measure);
        QFETCH(int, rule);
        for (const int64_t n : {2, 6, 34}) {
            MemorySettings settings{static_cast<Measure>(measure), n, static_cast<Rule>(rule), 0.9, 0.01};
            const System s = ssm::hippo(settings.measure, n, settings.theta);
            Memory memory(settings);
            std::vector<double> c(static_cast<size_t>(n));
            double largest = 1;
            for (int64_t k = 0; k < 120; ++k) {
                const double step = settings.measure == Measure::LegS ? ssm::legsStep(settings.rule, k) : settings.step;
                QCOMPARE(memory.nextStep(), step);
                c = stepped(ssm::discretise(s, settings.rule, step), c, wave(k));
                memory.push(wave(k));
                for (const double x : c)
                    largest = std::max(largest, std::abs(x));
            }
            QVERIFY2(worst(held(memory), c) < 1e-11 * largest,
                     qPrintable(QString("n %1: %2 of %3").arg(n).arg(worst(held(memory), c)).arg(largest)));
            QCOMPARE(memory.steps(), int64_t{120});
        }
    }

    void recurrenceOfTheOracle() {
        const auto c = oracle("recurrences", "C"), u = oracle("recurrences", "u"),
                   y = oracle("recurrences", "y_recurrent");
        const System s =
            ssm::discretise(ssm::hippo(Measure::LegS, 8), Rule::Bilinear, oracle("recurrences", "dt").at(0));
        std::vector<double> x(8), got;
        for (const double in : u) {
            x = stepped(s, x, in);
            double out = 0;
            for (size_t i = 0; i < 8; ++i)
                out += c[i] * x[i];
            got.push_back(out);
        }
        QVERIFY(worst(got, y) < 1e-12);
    }

    void constantsApproachOneAsPublished() {
        for (const int n : {1, 2, 10, 200}) {
            QVERIFY(std::abs(constant(Rule::Bilinear, n) - (1 - 1.0 / (2 * n + 1))) < 1e-14);
            QVERIFY(std::abs(constant(Rule::Zoh, n) - (1 - 1.0 / (n + 1))) < 1e-14);
            QVERIFY(std::abs(constant(Rule::BackwardEuler, n) - (1 - 1.0 / (n + 1))) < 1e-14);
            QVERIFY(std::abs(constant(Rule::ForwardEuler, n) - 1) < 1e-14);
        }
    }

    void goldenVectors() {
        Memory memory({Measure::LegS, 4, Rule::Bilinear});
        memory.push(1.0);
        QVERIFY(worst(held(memory), {.66667, .57735, .14907, 0}) < 5e-6);
        memory.push(1.0);
        QVERIFY(worst(held(memory), {.8, .34641, -.31944, -.22678}) < 5e-6);
    }

    // The span is what makes a constant come back as one.
    void spanIsTheTimeThatTheMemoryCounts() {
        for (const Rule rule : {Rule::ForwardEuler, Rule::BackwardEuler, Rule::Bilinear, Rule::Zoh}) {
            Memory memory({Measure::LegS, 8, rule, 1, 0.25});
            for (int i = 0; i < 40; ++i)
                memory.push(1.0);
            QVERIFY(std::abs(memory.coefficients()[0] - 40 * 0.25 / memory.span()) < 1e-14);
        }
    }

    // Zero-order hold projects exactly: LegS keeps the coefficients of the held signal's own Legendre series.
    void holdKeepsTheSeriesOfTheHeldSignal() {
        const int64_t n = 24;
        const int samples = 300;
        Memory memory({Measure::LegS, n, Rule::Zoh});
        std::vector<double> want(static_cast<size_t>(n)), g(static_cast<size_t>(n));
        for (int i = 0; i < samples; ++i)
            memory.push(wave(i));
        constexpr int fine = 400; // midpoints of each held sample
        for (int i = 0; i < samples; ++i)
            for (int f = 0; f < fine; ++f) {
                const double s = (i + 1 + (f + 0.5) / fine) / (samples + 1);
                ssm::basisAt(Measure::LegS, 1 - s, g);
                for (size_t k = 0; k < g.size(); ++k)
                    want[k] += wave(i) * g[k] / (fine * (samples + 1.0));
            }
        QVERIFY2(worst(held(memory), want) < 1e-7, qPrintable(QString::number(worst(held(memory), want))));
    }

    // A signal that takes four times as long and is sampled as often has the same coefficients: LegS has no time scale.
    void slowerSignalsHaveTheSameCoefficients() {
        const auto signal = [](double x) { return std::cos(6 * x) + x; }; // over [0, 1]
        for (const Rule rule : {Rule::BackwardEuler, Rule::Bilinear, Rule::Zoh}) {
            std::vector<std::vector<double>> held4;
            for (const int samples : {4000, 16000}) {
                Memory memory({Measure::LegS, 16, rule, 1, samples == 4000 ? 1.0 : 123.0});
                for (int i = 0; i < samples; ++i)
                    memory.push(signal((i + 0.5) / samples));
                held4.push_back(held(memory));
            }
            QVERIFY(worst(held4[0], held4[1]) < 4e-3);
        }
    }

    void reconstructsThePast_data() {
        QTest::addColumn<int>("measure");
        for (const auto& m : ssm::measures())
            QTest::addRow("%s", std::string(m.name).c_str()) << static_cast<int>(m.id);
    }
    void reconstructsThePast() {
        QFETCH(int, measure);
        const auto m = static_cast<Measure>(measure);
        // Over one window (LegS: the whole past), in a unit in which the window is 1; a sine that fits in it.
        const int samples = 3000;
        const double step = 1.0 / samples;
        Memory memory({m, 32, Rule::Bilinear, m == Measure::LagT ? 0.1 : 1.0, step});
        const auto signal = [](double t) { return std::sin(2 * 3.141592653589793 * 2 * t); };
        for (int i = 0; i < samples; ++i)
            memory.push(signal((i + 0.5) * step));
        const std::vector<double> ages{0.1, 0.3, 0.5, 0.8};
        const std::vector<double> got = memory.reconstruct(ages);
        // LagT fades; FouT takes the ends of its window for neighbours.
        const double bound = m == Measure::LagT || m == Measure::FouT ? 0.05 : 0.005;
        for (size_t i = 0; i < ages.size(); ++i)
            QVERIFY2(std::abs(got[i] - signal(1 - ages[i])) < bound,
                     qPrintable(QString("age %1: %2, expected %3").arg(ages[i]).arg(got[i]).arg(signal(1 - ages[i]))));
    }

    void polesOfTheNextStep() {
        Memory memory({Measure::LegS, 16, Rule::ForwardEuler});
        for (int i = 0; i < 6; ++i)
            memory.push(0.0);
        QCOMPARE(ssm::largest(memory.discretePoles()), std::abs(1 - 16 / 7.0)); // grows until t = n / 2
        memory.push(0.0);
        QVERIFY(std::abs(ssm::largest(memory.discretePoles()) - 1) < 1e-15);
        memory.push(0.0);
        QVERIFY(ssm::largest(memory.discretePoles()) < 1);
        QCOMPARE(memory.continuousPoles().size(), size_t{16});
    }

    void resetBeginsAnew() {
        for (const auto& m : ssm::measures()) {
            Memory memory({m.id, 12, Rule::Bilinear, 0.5, 0.01}), fresh({m.id, 12, Rule::Bilinear, 0.5, 0.01});
            const std::vector<float> samples{1, -2, 0.5f, 3};
            memory.push(samples);
            memory.reset();
            QCOMPARE(memory.steps(), int64_t{0});
            memory.push(samples);
            fresh.push(samples);
            QCOMPARE(held(memory), held(fresh));
        }
    }

    // Stable at the largest size that pages offer, for as long as they run.
    void largeMemoriesStayFinite() {
        for (const Rule rule : {Rule::BackwardEuler, Rule::Bilinear, Rule::Zoh}) {
            Memory memory({Measure::LegS, 256, rule});
            for (int64_t i = 0; i < (rule == Rule::Zoh ? 300 : 20000); ++i)
                memory.push(wave(i));
            for (const double x : memory.coefficients())
                QVERIFY(std::abs(x) < 3);
        }
    }
};

QTEST_GUILESS_MAIN(SignalMemoryTest)
#include "signal_memory_test.moc"
