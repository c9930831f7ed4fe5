// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/fit_network.h"
#include "core/error.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <vector>

#include <cmath>
#include <random>

using namespace warplight;
using namespace warplight::collectives;

namespace {

/// The closed forms, with `noise` (relative, standard deviation).
std::vector<MeasuredPoint> measured(double alpha, double beta, double gamma, bool withDoubling, double noise) {
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    std::vector<MeasuredPoint> points;
    for (const int ranks : {2, 4, 8})
        for (int64_t elements = 1024; elements <= int64_t{1} << 24; elements *= 4) {
            const double p = ranks, v = 4.0 * static_cast<double>(elements);
            const double onRing = 2 * (p - 1) * (alpha + v / p * beta) + (p - 1) * v / p * gamma;
            const double doubling = std::log2(p) * (alpha + v * (beta + gamma));
            points.push_back({"ring", Collective::Allreduce, ranks, elements, 4, onRing, {}});
            if (withDoubling)
                points.push_back({"recursive-doubling", Collective::Allreduce, ranks, elements, 4, doubling, {}});
        }
    for (MeasuredPoint& point : points)
        point.seconds *= 1 + noise * normal(random);
    return points;
}

bool isWithin(double share, double value, double expected) { return std::abs(value - expected) <= share * expected; }

} // namespace

class FitNetworkTest : public QObject {
    Q_OBJECT
  private slots:
    void findsTheParametersOfExactPoints() {
        const NetworkFit fit = fitNetwork(measured(5e-6, 4e-11, 1e-10, true, 0));
        QVERIFY(isWithin(1e-6, fit.network.cost.latency, 5e-6));
        QVERIFY(isWithin(1e-6, fit.network.cost.secondsPerByte, 4e-11));
        QVERIFY(isWithin(1e-6, fit.network.secondsPerReducedByte, 1e-10));
        QVERIFY(fit.tellsReductionApart && fit.remark.empty());
        QVERIFY(fit.r2 > 1 - 1e-9);
    }

    void findsTheParametersThroughNoise() {
        const NetworkFit fit = fitNetwork(measured(5e-6, 4e-11, 1e-10, true, 0.01));
        QVERIFY(isWithin(0.03, fit.network.cost.latency, 5e-6));
        QVERIFY(isWithin(0.05, fit.network.cost.secondsPerByte, 4e-11));
        QVERIFY(isWithin(0.05, fit.network.secondsPerReducedByte, 1e-10));
        QVERIFY(fit.r2 > 0.999 && fit.r2 < 1);
        // Off by some of its own errors at most, and errors of a size that noise of 1 % can make.
        QVERIFY(std::abs(fit.network.cost.latency - 5e-6) < 5 * fit.latencyError);
        QVERIFY(std::abs(fit.network.cost.secondsPerByte - 4e-11) < 5 * fit.secondsPerByteError);
        QVERIFY(fit.latencyError < 0.03 * 5e-6 && fit.latencyError > 1e-5 * 5e-6);
        double squares = 0;
        for (const NetworkFit::Point& point : fit.points)
            squares += point.relativeResidual * point.relativeResidual;
        const double spread = std::sqrt(squares / static_cast<double>(fit.points.size()));
        QVERIFY(spread > 0.005 && spread < 0.015);
    }

    void saysWhenReductionCannotBeToldApart() {
        const NetworkFit fit = fitNetwork(measured(5e-6, 4e-11, 1e-10, false, 0.01));
        QVERIFY(!fit.tellsReductionApart);
        QVERIFY(fit.remark.find("gamma cannot be told apart") == 0);
        QCOMPARE(fit.network.secondsPerReducedByte, 0.0);
        QVERIFY(isWithin(0.03, fit.network.cost.secondsPerByte, 4e-11 + 1e-10 / 2)); // a ring reduces half its bytes
        std::vector<MeasuredPoint> gathers;
        for (const int64_t elements : {1000, 100'000, 10'000'000})
            gathers.push_back(
                {"ring", Collective::AllGather, 4, elements, 4, 1e-5 + 1e-9 * static_cast<double>(elements), {}});
        QVERIFY(fitNetwork(gathers).remark.find("no point reduces") != std::string::npos);
    }

    void noParameterFallsBelowZero() {
        // Times that fall short of any line through them: small messages take next to nothing.
        std::vector<MeasuredPoint> points = measured(0, 4e-11, 0, true, 0.02);
        const NetworkFit fit = fitNetwork(points);
        QVERIFY(fit.network.cost.latency >= 0 && fit.network.cost.secondsPerByte > 0);
        QVERIFY(fit.network.secondsPerReducedByte >= 0);
        QVERIFY(fit.network.secondsPerReducedByte < 0.05 * 4e-11);
    }

    // What lies on the critical path depends on what is dear; the points of the naive algorithm are its closed form.
    void followsTheCriticalPath() {
        std::vector<MeasuredPoint> points = measured(5e-6, 4e-11, 1e-10, true, 0);
        for (const int64_t elements : {1000, 100'000, 10'000'000})
            points.push_back(
                {"naive",
                 Collective::Allreduce,
                 5,
                 elements,
                 4,
                 8 * (5e-6 + 4 * static_cast<double>(elements) * 4e-11) + 4 * 4 * static_cast<double>(elements) * 1e-10,
                 {}});
        const NetworkFit fit = fitNetwork(points);
        QVERIFY(isWithin(1e-6, fit.network.secondsPerReducedByte, 1e-10));
        for (const NetworkFit::Point& point : fit.points)
            QVERIFY(std::abs(point.relativeResidual) < 1e-6);
    }

    void refusesWhatCannotBeFitted() {
        std::vector<MeasuredPoint> points = measured(5e-6, 4e-11, 0, true, 0);
        Network islands;
        islands.topology = Topology::Islands;
        QVERIFY_EXCEPTION_THROWN(fitNetwork(points, islands), InputError);
        points[1].seconds = 0;
        QVERIFY_EXCEPTION_THROWN(fitNetwork(points), InputError);
        points.resize(2);
        QVERIFY_EXCEPTION_THROWN(fitNetwork(points), InputError);
    }
};

QTEST_GUILESS_MAIN(FitNetworkTest)
#include "fit_network_test.moc"
