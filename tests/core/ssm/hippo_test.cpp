// SPDX-License-Identifier: GPL-3.0-or-later
// HiPPO's matrices against NumPy's and the published ones, and its basis functions against what the matrices say.
#include "core/ssm/hippo.h"

#include "core/algebra/matrix_functions.h"
#include "core/error.h"
#include "core/ssm/discretise.h"
#include "tests/core/ssm/oracle.h"

#include <QTest>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::test;
using ssm::Measure;
using ssm::System;

namespace {

/// e^(tA) B, which is what a unit impulse has become after t.
std::vector<double> impulse(const System& s, double t) {
    std::vector<double> a(s.a);
    for (double& x : a)
        x *= t;
    const System grown{s.n, algebra::exponential(a, s.n), std::vector<double>(s.b.size())};
    return stepped(grown, s.b, 0);
}

} // namespace

class HippoTest : public QObject {
    Q_OBJECT
  private slots:
    void equalsTheOracle_data() {
        QTest::addColumn<int>("n");
        for (const int n : {4, 8, 16})
            QTest::addRow("n %d", n) << n;
    }
    void equalsTheOracle() {
        QFETCH(int, n);
        const std::string file = "hippo_" + std::to_string(n);
        const System legs = ssm::hippo(Measure::LegS, n), legt = ssm::hippo(Measure::LegT, n);
        QVERIFY(worst(legs.a, oracle(file, "A")) < 1e-13);
        QVERIFY(worst(legs.b, oracle(file, "B")) < 1e-13);
        QVERIFY(worst(legt.a, oracle(file, "A_legt")) < 1e-13);
        QVERIFY(worst(legt.b, oracle(file, "B_legt")) < 1e-13);
    }

    void publishedRows() {
        const System legt = ssm::hippo(Measure::LegT, 4), lmu = ssm::hippo(Measure::Lmu, 3, 2),
                     lagt = ssm::hippo(Measure::LagT, 3), fout = ssm::hippo(Measure::FouT, 4, 2);
        QVERIFY(worst(legt.a, {-1, 1.732051, -2.236068, 2.645751, -1.732051, -3, 3.872983, -4.582576, -2.236068,
                               -3.872983, -5, 5.916080, -2.645751, -4.582576, -5.916080, -7}) < 1e-6);
        QVERIFY(worst(lmu.a, {-0.5, -0.5, -0.5, 1.5, -1.5, -1.5, -2.5, 2.5, -2.5}) < 1e-15);
        QVERIFY(worst(lmu.b, {0.5, -1.5, 2.5}) < 1e-15);
        QVERIFY(worst(lagt.a, {-.5, 0, 0, -1, -.5, 0, -1, -1, -.5}) < 1e-15);
        const double pi = 3.141592653589793, r = std::sqrt(2.0);
        QVERIFY(worst(fout.a, {-1, 0, -r, 0, 0, 0, 0, 0, -r, 0, -2, -pi, 0, 0, pi, 0}) < 1e-15);
        QVERIFY(worst(fout.b, {1, 0, r, 0}) < 1e-15);
    }

    // A memory of LegS that holds c = e_0 of a signal that is 1 stays as it is.
    void aConstantStays_data() {
        QTest::addColumn<int>("measure");
        for (const auto& info : ssm::measures())
            if (info.id != Measure::LagT) // which holds no constant in a single coefficient
                QTest::addRow("%s", std::string(info.name).c_str()) << static_cast<int>(info.id);
    }
    void aConstantStays() {
        QFETCH(int, measure);
        const System s = ssm::hippo(static_cast<Measure>(measure), 6, 0.7);
        for (size_t i = 0; i < 6; ++i)
            QVERIFY2(std::abs(s.a[i * 6] + s.b[i]) < 1e-13, qPrintable(QString("row %1").arg(i)));
    }

    // e^(tA) B is what the memory keeps of an impulse t ago. LagT keeps its functions themselves; LegS in the time
    // ln t keeps Legendre polynomials of e^-t.
    void impulsesAreBasisFunctions() {
        for (const double t : {0.0, 0.3, 1.0, 2.5}) {
            std::vector<double> g(8);
            ssm::basisAt(Measure::LagT, t / 1.7, g);
            for (double& x : g)
                x /= 1.7;
            QVERIFY(worst(impulse(ssm::hippo(Measure::LagT, 8, 1.7), t), g) < 1e-12);
            ssm::basisAt(Measure::LegS, 1 - std::exp(-t), g);
            for (double& x : g)
                x *= std::exp(-t);
            QVERIFY(worst(impulse(ssm::hippo(Measure::LegS, 8), t), g) < 1e-11);
        }
    }

    // Windows keep polynomials (Fourier: frequencies) that they can represent, whatever is beyond the window.
    void windowsKeepWhatTheirBasisHas_data() {
        QTest::addColumn<int>("measure");
        for (const Measure m : {Measure::LegT, Measure::Lmu, Measure::FouT})
            QTest::addRow("%s", std::string(ssm::measures()[static_cast<size_t>(m)].name).c_str())
                << static_cast<int>(m);
    }
    void windowsKeepWhatTheirBasisHas() {
        QFETCH(int, measure);
        const auto m = static_cast<Measure>(measure);
        const double theta = 1.3, step = 1e-4;
        const auto signal = [&](double s) {
            return m == Measure::FouT ? std::cos(2 * 3.141592653589793 * 2 * s / theta) + 0.5 : s * s * s - s + 0.2;
        };
        const System s = ssm::discretise(ssm::hippo(m, 8, theta), ssm::Rule::Bilinear, step);
        std::vector<double> c(8), g(8);
        double t = 0;
        for (int i = 0; i < 100000; ++i, t += step) // until what was before has gone
            c = stepped(s, c, signal(t + step / 2));
        for (const double age : {0.05, 0.4, 0.9, 1.25}) {
            ssm::basisAt(m, age / theta, g);
            double u = 0;
            for (size_t i = 0; i < 8; ++i)
                u += c[i] * g[i];
            const double scale = std::abs(signal(t)) + 1; // of what the cubic has grown to
            QVERIFY2(std::abs(u - signal(t - age)) < 2e-3 * scale,
                     qPrintable(QString("age %1: %2, expected %3").arg(age).arg(u).arg(signal(t - age))));
        }
    }

    void aBasisReconstructsAsItsFunctionsDo() {
        const std::vector<double> positions{0, 0.25, 0.7, 1}, c{1, -2, 0.5, 3, 0.25, -1};
        for (const auto& info : ssm::measures()) {
            std::vector<double> out(4), g(6), want(4);
            ssm::Basis(info.id, 6, positions).reconstruct(c, out);
            for (size_t i = 0; i < 4; ++i) {
                ssm::basisAt(info.id, positions[i], g);
                for (size_t k = 0; k < 6; ++k)
                    want[i] += c[k] * g[k];
            }
            QVERIFY(worst(out, want) < 1e-13);
        }
    }

    void eigenvaluesOfLegSCountDownFromMinusOne() {
        const auto poles = ssm::poles(Measure::LegS, 32);
        for (size_t i = 0; i < poles.size(); ++i)
            QCOMPARE(poles[i], std::complex<double>(-static_cast<double>(i + 1)));
        QCOMPARE(ssm::poles(Measure::FouT, 8).size(), size_t{7}); // the idle state has none
        for (const Measure m : {Measure::LegT, Measure::Lmu, Measure::FouT, Measure::LagT})
            for (const auto& pole : ssm::poles(m, 32, 0.5))
                QVERIFY(pole.real() < 0);
    }

    void wrongSizesAreRefused() {
        const double none = std::numeric_limits<double>::quiet_NaN();
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::hippo(Measure::LegS, 0));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::hippo(Measure::LegS, 4097));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::hippo(Measure::FouT, 5));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::hippo(Measure::LegT, 4, 0));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::hippo(Measure::LegT, 4, none));
        QVERIFY_THROWS_EXCEPTION(InputError, ssm::measureByName("legx"));
        for (const auto& info : ssm::measures())
            QCOMPARE(ssm::measureByName(info.name), info.id);
    }
};

QTEST_GUILESS_MAIN(HippoTest)
#include "hippo_test.moc"
