// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/simulate/fit_network.h"

#include "core/collectives/simulate/simulator.h"
#include "core/error.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <utility>

namespace warplight::collectives {
namespace {

using Three = std::array<double, 3>; ///< α, β, γ, or something for each

constexpr int rounds = 4;                ///< of finding critical paths; they rarely change after the second
constexpr double smallestStep = 1e-5;    ///< relative; a derivative of a piecewise linear function needs no smaller
constexpr double leastDifference = 1e-3; ///< of γ's column from what the others can explain, relative

Network with(const Network& shape, const Three& parameters) {
    Network network = shape;
    network.cost = {parameters[0], parameters[1]};
    network.secondsPerReducedByte = parameters[2];
    return network;
}

double predict(const Schedule& schedule, const MeasuredPoint& point, const Network& network,
               const std::atomic<bool>* cancel) {
    SimulateOptions options;
    options.cancel = cancel;
    return simulate(schedule, point.elementBytes, network, {}, options).seconds;
}

/// Derivatives of the time by the parameters: messages, bytes and reduced bytes on the critical path.
Three coefficients(const Schedule& schedule, const MeasuredPoint& point, const Network& shape, const Three& at,
                   const std::atomic<bool>* cancel) {
    const double here = predict(schedule, point, with(shape, at), cancel);
    Three result{};
    for (size_t i = 0; i < 3; ++i) {
        // A step that lengthens the run by a small part of itself, whatever the parameter's unit.
        Three unit{};
        unit[i] = 1;
        const double most = predict(schedule, point, with(shape, unit), cancel);
        if (most == 0)
            continue;
        if (here == 0) {
            result[i] = most;
            continue;
        }
        Three moved = at;
        const double step = smallestStep * here / most;
        moved[i] += step;
        result[i] = (predict(schedule, point, with(shape, moved), cancel) - here) / step;
    }
    return result;
}

/// Least squares of |1 - A x| over the columns in `subset` (a bit each). False = they depend on each other.
bool solve(const std::vector<Three>& rows, unsigned subset, Three& x, Three& variances, double& squares) {
    std::array<size_t, 3> columns{};
    size_t n = 0;
    for (size_t i = 0; i < 3; ++i)
        if (subset >> i & 1)
            columns[n++] = i;
    // Gram-Schmidt on columns of length one: what is left of a column says how much of it is its own.
    std::vector<std::vector<double>> q(n, std::vector<double>(rows.size()));
    std::array<std::array<double, 3>, 3> r{};
    const auto dot = [&](const std::vector<double>& one, const std::vector<double>& other) {
        double sum = 0;
        for (size_t i = 0; i < rows.size(); ++i)
            sum += one[i] * other[i];
        return sum;
    };
    for (size_t j = 0; j < n; ++j) {
        for (size_t i = 0; i < rows.size(); ++i)
            q[j][i] = rows[i][columns[j]];
        const double length = std::sqrt(dot(q[j], q[j]));
        for (size_t k = 0; k < j; ++k) {
            r[k][j] = dot(q[k], q[j]);
            for (size_t i = 0; i < rows.size(); ++i)
                q[j][i] -= r[k][j] * q[k][i];
        }
        r[j][j] = std::sqrt(dot(q[j], q[j]));
        if (!(r[j][j] > leastDifference * length))
            return false;
        for (double& value : q[j])
            value /= r[j][j];
    }
    x = variances = {};
    const std::vector<double> ones(rows.size(), 1.0);
    std::array<std::array<double, 3>, 3> inverse{}; // of r
    for (size_t j = 0; j < n; ++j) {
        inverse[j][j] = 1 / r[j][j];
        for (size_t i = j; i-- > 0;) {
            double sum = 0;
            for (size_t k = i + 1; k <= j; ++k)
                sum += r[i][k] * inverse[k][j];
            inverse[i][j] = -sum / r[i][i];
        }
    }
    for (size_t i = 0; i < n; ++i)
        for (size_t j = i; j < n; ++j) {
            x[columns[i]] += inverse[i][j] * dot(q[j], ones);
            variances[columns[i]] += inverse[i][j] * inverse[i][j];
        }
    squares = 0;
    for (const Three& row : rows)
        squares += std::pow(1 - row[0] * x[0] - row[1] * x[1] - row[2] * x[2], 2);
    const double freedom = static_cast<double>(rows.size()) - static_cast<double>(n);
    for (double& variance : variances)
        variance *= freedom > 0 ? squares / freedom : 0;
    return true;
}

/// The best of all subsets whose parameters are none below 0: with three of them, simply all are tried.
Three solveNonNegative(const std::vector<Three>& rows, unsigned allowed, Three& variances) {
    Three best{}, bestVariances{};
    double least = static_cast<double>(rows.size()); // all zero
    for (unsigned subset = 1; subset < 8; ++subset) {
        Three x, itsVariances;
        double squares = 0;
        if ((subset & ~allowed) != 0 || !solve(rows, subset, x, itsVariances, squares))
            continue;
        if (squares < least && x[0] >= 0 && x[1] >= 0 && x[2] >= 0) {
            least = squares;
            best = x;
            bestVariances = itsVariances;
        }
    }
    variances = bestVariances;
    return best;
}

void checkPoints(const std::vector<MeasuredPoint>& points, const Network& shape) {
    if (shape.topology == Topology::Islands)
        throw InputError("network: topology is islands, expected one with a single alpha and beta to fit");
    if (points.size() < 3)
        throw InputError(fmt::format("{} measured points, expected at least 3", points.size()));
    for (size_t i = 0; i < points.size(); ++i)
        if (!std::isfinite(points[i].seconds) || points[i].seconds <= 0)
            throw InputError(fmt::format("point {}: seconds is {}, expected more than 0", i, points[i].seconds));
}

} // namespace

NetworkFit fitNetwork(const std::vector<MeasuredPoint>& points, const Network& shape, const std::atomic<bool>* cancel) {
    checkPoints(points, shape);
    std::vector<std::unique_ptr<Schedule>> schedules;
    for (const MeasuredPoint& point : points)
        schedules.push_back(
            makeSchedule(point.algorithm, point.collective, point.ranks, point.elements, point.options));

    NetworkFit fit;
    Three parameters{}, variances{};
    for (int round = 0; round < rounds; ++round) {
        std::vector<Three> rows;
        for (size_t i = 0; i < points.size(); ++i) {
            rows.push_back(coefficients(*schedules[i], points[i], shape, parameters, cancel));
            for (double& value : rows.back())
                value /= points[i].seconds;
        }
        Three x, ignored;
        double squares = 0;
        double reduced = 0;
        for (const Three& row : rows)
            reduced += row[2];
        // β and γ together, α and γ together, all three: γ's column must differ from what the others can explain.
        fit.tellsReductionApart =
            reduced > 0 && solve(rows, 6, x, ignored, squares) && solve(rows, 7, x, ignored, squares);
        fit.remark = fit.tellsReductionApart ? ""
                     : reduced > 0
                         ? "gamma cannot be told apart from beta: every point reduces the same share of the bytes it "
                           "sends; add an algorithm with another share, such as recursive-doubling beside ring"
                         : "gamma cannot be told: no point reduces anything";
        parameters = solveNonNegative(rows, fit.tellsReductionApart ? 7 : 3, variances);
    }
    fit.network = with(shape, parameters);
    fit.latencyError = std::sqrt(variances[0]);
    fit.secondsPerByteError = std::sqrt(variances[1]);
    fit.secondsPerReducedByteError = std::sqrt(variances[2]);

    double mean = 0, total = 0, left = 0;
    for (const MeasuredPoint& point : points)
        mean += std::log(point.seconds) / static_cast<double>(points.size());
    for (size_t i = 0; i < points.size(); ++i) {
        const double fitted = predict(*schedules[i], points[i], fit.network, cancel);
        fit.points.push_back({fitted, (points[i].seconds - fitted) / points[i].seconds});
        total += std::pow(std::log(points[i].seconds) - mean, 2);
        left += std::pow(std::log(points[i].seconds) - std::log(fitted), 2);
    }
    fit.r2 = total > 0 ? 1 - left / total : 0;
    return fit;
}

} // namespace warplight::collectives
