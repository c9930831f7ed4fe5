// SPDX-License-Identifier: GPL-3.0-or-later
// Discretisation against SciPy's cont2discrete and golden numbers.
#include "core/ssm/discretise.h"

#include "core/algebra/matrix_functions.h"
#include "core/error.h"
#include "tests/core/ssm/oracle.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using ssm::Measure;
using ssm::Rule;
using ssm::System;

class DiscretiseTest : public QObject {
    Q_OBJECT
  private slots:
    void equalsTheOracle_data() {
        QTest::addColumn<QString>("file");
        for (const char* file : {"hippo_4", "hippo_8", "hippo_16"})
            QTest::addRow("%s", file) << file;
    }
    void equalsTheOracle() {
        QFETCH(QString, file);
        const std::string name = file.toStdString();
        const double dt = oracle(name, "dt").at(0);
        const auto b = oracle(name, "B");
        const System s{static_cast<int64_t>(b.size()), oracle(name, "A"), b};
        for (const auto& [rule, named] :
             {std::pair{Rule::Bilinear, "bilinear"}, std::pair{Rule::Zoh, "zoh"},
              std::pair{Rule::ForwardEuler, "euler"}, std::pair{Rule::BackwardEuler, "backward"}}) {
            const System got = ssm::discretise(s, rule, dt);
            QVERIFY2(worst(got.a, oracle(name, std::string(named) + "_A")) < 1e-12, named);
            QVERIFY2(worst(got.b, oracle(name, std::string(named) + "_B")) < 1e-12, named);
        }
    }

    // SciPy's gbt of a step that is not symmetric writes B for the state's own form; A is the same in all.
    void equalsScipy() {
        const double dt = oracle("recurrences", "dt").at(0);
        const System s = ssm::hippo(Measure::LegS, 8);
        for (const auto& [rule, named] :
             {std::pair{Rule::Bilinear, "bilinear"}, std::pair{Rule::Zoh, "zoh"},
              std::pair{Rule::ForwardEuler, "euler"}, std::pair{Rule::BackwardEuler, "backward_diff"}}) {
            const System got = ssm::discretise(s, rule, dt);
            const std::string prefix = std::string("scipy_") + named;
            QVERIFY2(worst(got.a, oracle("recurrences", prefix + "_A")) < 1e-12, named);
            QVERIFY2(worst(got.b, oracle("recurrences", prefix + "_B")) < 1e-12, named);
        }
    }

    void goldenScalars_data() {
        QTest::addColumn<int>("rule");
        QTest::addColumn<double>("step");
        QTest::addColumn<double>("a");
        QTest::addColumn<double>("b"); // NaN: not known
        const auto row = [](Rule rule, double step, double a, double b) {
            QTest::addRow("%s, %g", std::string(ssm::rules()[static_cast<size_t>(rule)].name).c_str(), step)
                << static_cast<int>(rule) << step << a << b;
        };
        row(Rule::ForwardEuler, 0.1, 0.9, 0.1);
        row(Rule::BackwardEuler, 0.1, 0.909091, 0.0909091);
        row(Rule::Bilinear, 0.1, 0.9047619, 0.0952381);
        row(Rule::Zoh, 0.1, 0.904837418, 0.0951625820);
        row(Rule::Mamba, 0.1, 0.904837418, 0.1);
        row(Rule::ForwardEuler, 2.1, -1.1, NAN);
        row(Rule::BackwardEuler, 2.1, 0.3226, NAN);
        row(Rule::Bilinear, 2.1, -0.0244, NAN);
        row(Rule::Zoh, 2.1, 0.1225, NAN);
    }
    void goldenScalars() {
        QFETCH(int, rule);
        QFETCH(double, step);
        QFETCH(double, a);
        QFETCH(double, b);
        const auto r = static_cast<Rule>(rule);
        const double bound = std::isnan(b) ? 5e-5 : 5e-7;
        const System dense = ssm::discretise(System{1, {-1}, {1}}, r, step);
        const ssm::DiscretePole one = ssm::discretise({-1, 0}, {1, 0}, r, step);
        QVERIFY(std::abs(dense.a[0] - a) < bound && std::abs(one.a - a) < bound);
        QVERIFY(std::abs(dense.b[0] - one.b) < 1e-15);
        QVERIFY(std::isnan(b) || std::abs(dense.b[0] - b) < bound);
        QVERIFY(std::abs(ssm::mapped({-1, 0}, r, step) - one.a) < 1e-15);
    }

    // One complex number is a pair of real states that turn.
    void complexNumbersAreRotations() {
        const std::complex<double> a(-0.5, 3), b(1, 0);
        for (const auto& info : ssm::rules()) {
            const System dense = ssm::discretise(System{2, {-0.5, -3, 3, -0.5}, {1, 0}}, info.id, 0.07);
            const ssm::DiscretePole one = ssm::discretise(a, b, info.id, 0.07);
            QVERIFY(std::abs(dense.a[0] - one.a.real()) < 1e-15 && std::abs(dense.a[2] - one.a.imag()) < 1e-15);
            QVERIFY(std::abs(dense.b[0] - one.b.real()) < 1e-15 && std::abs(dense.b[1] - one.b.imag()) < 1e-15);
        }
    }

    // The gain of a held input loses no digits where the pole times the step is small: Taylor's series says so.
    void heldGainsAreExactNearZero() {
        for (const double z : {0.0, 1e-18, 1e-9, 1e-4, 0.01, 0.3}) {
            const double series = 1 - z / 2 + z * z / 6 - z * z * z / 24 + z * z * z * z / 120 - std::pow(z, 5) / 720 +
                                  std::pow(z, 6) / 5040 - std::pow(z, 7) / 40320 + std::pow(z, 8) / 362880;
            const double got = ssm::discretise({-z, 0}, {1, 0}, Rule::Zoh, 1).b.real();
            QVERIFY(std::abs(got - series) < 1e-10 * z * z + 4e-16);
        }
    }

    // As the step goes to 0, (Ā - I) / Δ goes to A and B̄ / Δ to B, of every rule.
    void smallStepsAgree() {
        for (const auto& measure : ssm::measures()) {
            const System s = ssm::hippo(measure.id, 8, 1.5);
            for (const auto& rule : ssm::rules()) {
                const double step = 1e-7;
                System got = ssm::discretise(s, rule.id, step);
                for (size_t i = 0; i < 8; ++i)
                    got.a[i * 8 + i] -= 1;
                for (auto* x : {&got.a, &got.b})
                    for (double& v : *x)
                        v /= step;
                QVERIFY(worst(got.a, s.a) < 1e-3 && worst(got.b, s.b) < 1e-3);
            }
        }
    }

    void polesGoWhereTheRuleTakesThem() {
        for (const auto& rule : ssm::rules()) {
            const double step = 0.05;
            const System s = ssm::hippo(Measure::LegT, 8);
            std::vector<std::complex<double>> dense = algebra::eigenvalues(ssm::discretise(s, rule.id, step).a, 8);
            for (const auto& pole : ssm::poles(Measure::LegT, 8)) {
                const std::complex<double> to = ssm::mapped(pole, rule.id, step);
                const auto near = std::min_element(dense.begin(), dense.end(),
                                                   [&](auto x, auto y) { return std::abs(x - to) < std::abs(y - to); });
                QVERIFY(near != dense.end() && std::abs(*near - to) < 1e-10);
                dense.erase(near);
            }
        }
        // Forward Euler of LegS in log-time is stable for steps below 2 / n only.
        const auto legs = ssm::poles(Measure::LegS, 16);
        const auto grows = [&](Rule rule, double step) {
            std::vector<std::complex<double>> to;
            for (const auto& pole : legs)
                to.push_back(ssm::mapped(pole, rule, step));
            return ssm::largest(to) > 1;
        };
        QVERIFY(!grows(Rule::ForwardEuler, 0.1249) && grows(Rule::ForwardEuler, 0.1251));
        for (const Rule rule : {Rule::BackwardEuler, Rule::Bilinear, Rule::Zoh})
            QVERIFY(!grows(rule, 10));
    }

    void wrongStepsAreRefused() {
        const System s = ssm::hippo(Measure::LegS, 4);
        for (const double step : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
            QVERIFY_THROWS_EXCEPTION(InputError, ssm::discretise(s, Rule::Bilinear, step));
            QVERIFY_THROWS_EXCEPTION(InputError, ssm::discretise({-1, 0}, {1, 0}, Rule::Zoh, step));
        }
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::ruleByName("tustin"));
        for (const auto& info : ssm::rules())
            QCOMPARE(ssm::ruleByName(info.name), info.id);
    }
};

QTEST_GUILESS_MAIN(DiscretiseTest)
#include "discretise_test.moc"
