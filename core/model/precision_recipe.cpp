// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/precision_recipe.h"

#include "core/error.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace warplight::model {
namespace {

using enum number::Format;

const PrecisionTraits all[] = {
    {.precision = Precision::F32, .id = "f32", .title = "FP32"},
    {.precision = Precision::F16NoMaster, .id = "f16-no-master", .title = "FP16 alone", .stored = F16},
    {.precision = Precision::F16, .id = "f16", .title = "FP16, no scale", .stored = F16, .master = true},
    {.precision = Precision::F16Static,
     .id = "f16-static",
     .title = "FP16, static scale",
     .stored = F16,
     .master = true,
     .lossScale = 1024},
    {.precision = Precision::F16Dynamic,
     .id = "f16-dynamic",
     .title = "FP16, dynamic scale",
     .stored = F16,
     .master = true,
     .lossScale = 65536,
     .dynamic = true},
    {.precision = Precision::BF16, .id = "bf16", .title = "BF16", .stored = BF16, .master = true},
    {.precision = Precision::BF16Stochastic,
     .id = "bf16-stochastic",
     .title = "BF16 alone, stochastic",
     .stored = BF16,
     .stochastic = true},
    {.precision = Precision::FP8,
     .id = "fp8",
     .title = "FP8",
     .operands = E4M3,
     .gradientOperands = E5M2,
     .master = true},
};

} // namespace

std::span<const PrecisionTraits> precisions() { return all; }

const PrecisionTraits& traitsOf(Precision precision) {
    return *std::find_if(std::begin(all), std::end(all), [&](const auto& t) { return t.precision == precision; });
}

std::vector<std::string> precisionNames() {
    std::vector<std::string> names;
    for (const PrecisionTraits& t : all)
        names.emplace_back(t.id);
    return names;
}

Precision precisionByName(std::string_view name) {
    for (const PrecisionTraits& t : all)
        if (t.id == name)
            return t.precision;
    throw InputError(
        fmt::format("precision '{}': expected {}", echoed(std::string(name)), fmt::join(precisionNames(), ", ")));
}

bool isProductWeight(const ParameterPlace& place) { return place.shape.size() == 2 && place.name.starts_with("h."); }

ParameterBytes parameterBytes(Precision precision, const ParameterLayout& layout) {
    const PrecisionTraits& t = traitsOf(precision);
    constexpr double single = 4;
    const double stored = t.stored ? static_cast<double>(number::bytes(*t.stored)) : single;
    ParameterBytes bytes{stored, t.master ? single : 0, stored, 2 * single};
    if (t.operands) {
        int64_t products = 0;
        for (const ParameterPlace& place : layout.places())
            products += isProductWeight(place) ? place.count : 0;
        bytes.weights =
            static_cast<double>(products * number::bytes(*t.operands)) / static_cast<double>(layout.count());
    }
    return bytes;
}

} // namespace warplight::model
