// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/errors.h"

#include "core/tensor/pieces.h"
#include "core/workbench/page.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace warplight::workbench {
namespace {

constexpr int firstDecade = -12, lastDecade = 0, binsPerDecade = 4;
constexpr size_t bins = (lastDecade - firstDecade) * binsPerDecade;

size_t binOf(double error, double size) {
    if (!std::isfinite(error))
        return bins - 1;
    const double decade = error == 0 || size == 0 ? firstDecade : std::log10(error / size);
    return static_cast<size_t>(std::clamp(static_cast<int>(std::floor((decade - firstDecade) * binsPerDecade)), 0,
                                          static_cast<int>(bins) - 1));
}

} // namespace

Errors compareRows(const tensor::Tensor& made, const tensor::Tensor& exact, const std::atomic<bool>* cancel) {
    Errors errors;
    errors.histogram.assign(bins, 0);
    const size_t count = exact.values.size(),
                 length = exact.shape.empty() ? 1 : static_cast<size_t>(std::max<int64_t>(exact.shape.back(), 1));
    for (size_t begin = 0; begin < count; begin += length) {
        checkCancelled(cancel);
        const size_t end = std::min(count, begin + length);
        double size = 0;
        for (size_t i = begin; i < end; ++i)
            size = std::max(size, std::fabs(static_cast<double>(exact.values[i])));
        for (size_t i = begin; i < end; ++i) {
            const double a = static_cast<double>(made.values[i]), b = static_cast<double>(exact.values[i]);
            const double error = a == b ? 0 : std::fabs(a - b);
            if (error > errors.largest || (std::isnan(error) && !std::isnan(errors.largest))) {
                errors.largest = error;
                errors.worst = static_cast<int64_t>(i);
                errors.worstRow = static_cast<int64_t>(begin / length);
            }
            errors.mean += error;
            errors.rootMeanSquare += error * error;
            ++errors.histogram[binOf(error, size)];
        }
    }
    if (count > 0) {
        errors.mean /= static_cast<double>(count);
        errors.rootMeanSquare = std::sqrt(errors.rootMeanSquare / static_cast<double>(count));
    }
    return errors;
}

lab::Histogram emptyErrorHistogram() {
    lab::Histogram histogram;
    histogram.x = axisOf("log10 of error over the row's largest", "", lab::Scale::Linear);
    histogram.y = axisOf("outputs", "", lab::Scale::Linear);
    for (size_t i = 0; i <= bins; ++i)
        histogram.edges.push_back(firstDecade + static_cast<double>(i) / binsPerDecade);
    return histogram;
}

} // namespace warplight::workbench
