// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/formats/npy.h"
#include "core/formats/npz.h"
#include "core/formats/tensor_file.h"
#include "core/precision/gradient_series.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/local_number.h"
#include "core/profiles/text.h"
#include "core/text/echo.h"
#include "core/text/lower_case.h"
#include "core/text/plain_line.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::precision {
namespace {

constexpr size_t mostBins = 512; ///< f64 has 2098 exponents, a histogram of f32 some 280

double sizeOf(double gradient) {
    return std::isnan(gradient) ? std::numeric_limits<double>::infinity() : std::fabs(gradient);
}

std::vector<double> sizesOf(const tensor::Tensor& t) {
    std::vector<double> all(t.values.size());
    std::transform(t.values.begin(), t.values.end(), all.begin(),
                   [](float x) { return sizeOf(static_cast<double>(x)); });
    return all;
}

/// One number a step: [steps], or [steps, 1].
void requireSteps(const std::vector<int64_t>& shape, const std::string& where) {
    const int64_t count = tensor::elementCount(shape);
    if (shape.empty() || shape[0] != count)
        throw InputError(
            fmt::format("{}: its shape is {}, expected one number a step", where, tensor::shapeText(shape)));
    if (count < 1 || count > mostSteps)
        throw InputError(fmt::format("{}: has {} steps, expected 1 to {}", where, count, mostSteps));
}

/// From counts or shares to shares of each step.
void takeSizes(GradientSeries& series, tensor::Tensor&& exponents, const std::string& where) {
    const auto steps = static_cast<int64_t>(series.steps());
    if (exponents.shape.size() != 2 || exponents.shape[0] != steps || exponents.shape[1] < 1 ||
        exponents.shape[1] > static_cast<int64_t>(mostBins))
        throw InputError(fmt::format("{}: the shape of 'exponents' is {}, expected [{}, 1 to {}]", where,
                                     tensor::shapeText(exponents.shape), steps, mostBins));
    series.bins = static_cast<size_t>(exponents.shape[1]);
    series.shares = std::move(exponents.values);
    for (size_t step = 0; step < series.steps(); ++step) {
        const std::span<float> sizes = std::span(series.shares).subspan(step * series.bins, series.bins);
        double sum = 0;
        for (const float share : sizes) {
            if (!(share >= 0) || !std::isfinite(share))
                throw InputError(
                    fmt::format("{}: 'exponents' holds {} in step {}, expected shares or counts", where, share, step));
            sum += static_cast<double>(share);
        }
        for (float& share : sizes)
            share = sum > 0 ? static_cast<float>(static_cast<double>(share) / sum) : 0;
    }
}

using ReadArray = std::function<tensor::Tensor(const std::string& name)>;

GradientSeries ofArrays(const std::vector<std::string>& names, const ReadArray& read, const std::string& where) {
    const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
    if (!has("largest") && names.size() != 1)
        throw InputError(fmt::format("{}: holds {}, expected an array 'largest' with one number a step", where,
                                     echoed(fmt::format("{}", fmt::join(names, ", ")))));
    GradientSeries series;
    series.name = where;
    const tensor::Tensor largest = read(has("largest") ? "largest" : names[0]);
    requireSteps(largest.shape, where);
    series.largest = sizesOf(largest);
    if (has("exponents")) {
        takeSizes(series, read("exponents"), where);
        const tensor::Tensor lowest = has("lowest") ? read("lowest") : tensor::Tensor();
        if (lowest.size() != 1 || !(std::fabs(lowest.values[0]) <= 1100) ||
            lowest.values[0] != std::floor(lowest.values[0]))
            throw InputError(
                fmt::format("{}: expected 'lowest', the exponent of the first of 'exponents', as one integer", where));
        series.lowest = static_cast<int>(lowest.values[0]);
    }
    if (has("loss"))
        if (const tensor::Tensor loss = read("loss"); loss.values.size() == series.steps())
            series.loss.assign(loss.values.begin(), loss.values.end());
    return series;
}

std::optional<double> numberOf(std::string_view cell) {
    const std::string text = lowerCase(profiles::trimmed(cell));
    const std::string_view bare = std::string_view(text).substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
    if (bare == "nan" || bare == "inf" || bare == "infinity")
        return std::numeric_limits<double>::infinity();
    if (const auto number = profiles::plainNumber(text))
        return sizeOf(*number);
    return {};
}

/// Which column holds the gradients, by its name; of those without a name the last.
size_t columnOf(const std::vector<std::string>& header) {
    for (const char* word : {"largest", "max", "norm", "grad"})
        for (size_t i = 0; i < header.size(); ++i)
            if (lowerCase(header[i]).find(word) != std::string::npos)
                return i;
    return header.size() - 1;
}

std::vector<std::string> cellsOf(std::string_view line) {
    line = profiles::trimmed(line);
    const char delimiter = profiles::sniffDelimiter(line);
    if (line.find(delimiter) == line.npos && line.find(' ') != line.npos) {
        std::vector<std::string> words;
        for (size_t at = 0; at < line.size();) {
            const size_t end = std::min(line.find(' ', at), line.size());
            if (end > at)
                words.emplace_back(line.substr(at, end - at));
            at = end + 1;
        }
        return words;
    }
    return profiles::splitLine(line, delimiter);
}

GradientSeries ofText(const std::string& file, const std::atomic<bool>* cancel) {
    const auto source = profiles::openFile(file);
    profiles::CsvReader reader(*source, file);
    GradientSeries series;
    series.name = file;
    std::optional<size_t> column;
    for (std::string raw; reader.nextLine(raw);) {
        if (reader.line() % 1024 == 1)
            checkCancelled(cancel);
        const std::string line = plainLine(raw);
        if (const std::string_view bare = profiles::trimmed(line); bare.empty() || bare.starts_with('#'))
            continue;
        const std::vector<std::string> cells = cellsOf(line);
        if (!column) {
            const bool header = std::none_of(cells.begin(), cells.end(), [](const auto& c) { return numberOf(c); });
            column = header ? columnOf(cells) : cells.size() - 1;
            if (header)
                continue;
        }
        const auto number = *column < cells.size() ? numberOf(cells[*column]) : std::nullopt;
        if (!number)
            throw InputError(fmt::format("{}: line {} is '{}', expected a number, the size of one step's gradient",
                                         file, reader.line(), echoed(asUtf8(profiles::shortened(line, 60)))));
        if (series.steps() >= static_cast<size_t>(mostSteps))
            throw InputError(fmt::format("{}: has more than {} steps", file, mostSteps));
        series.largest.push_back(*number);
    }
    if (series.largest.empty())
        throw InputError(fmt::format("{}: holds no number, expected one a line, the size of a step's gradient", file));
    return series;
}

} // namespace

GradientSeries readGradientSeries(const std::string& file, const std::atomic<bool>* cancel) {
    const std::string name = lowerCase(file);
    if (name.ends_with(".npz"))
        return ofArrays(
            formats::npzNames(file),
            [&](const std::string& array) {
                const std::string spec = fmt::format("{}:{}", file, array);
                if (tensor::elementCount(formats::tensorEntry(spec).shape) > mostSteps * 64)
                    throw InputError(fmt::format("{}: is larger than {} steps", spec, mostSteps));
                return formats::loadTensor(spec, cancel);
            },
            file);
    if (!name.ends_with(".npy"))
        return ofText(file, cancel);
    requireSteps(formats::tensorEntry(file).shape, file);
    GradientSeries series;
    series.name = file;
    series.largest = sizesOf(formats::loadTensor(file, cancel));
    return series;
}

GradientSeries gradientSeriesOf(std::span<const std::byte> npz, const std::string& name) {
    return ofArrays(
        {"largest", "exponents", "lowest", "loss"},
        [&](const std::string& array) {
            return formats::readNpy(formats::readNpzMember(npz, name, array), fmt::format("{}:{}", name, array));
        },
        name);
}

} // namespace warplight::precision
