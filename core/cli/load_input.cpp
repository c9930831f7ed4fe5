// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/load_input.h"

#include "core/formats/tensor_file.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <iostream>
#include <span>
#include <variant>

namespace warplight::cli {
namespace {

int64_t countBeyondF32(const std::string& spec) {
    int64_t count = 0;
    formats::streamExactly(spec, [&](const formats::Numbers& numbers) {
        if (const auto* wide = std::get_if<std::span<const double>>(&numbers))
            count += std::count_if(wide->begin(), wide->end(),
                                   [](double x) { return std::isfinite(x) && std::isinf(static_cast<float>(x)); });
    });
    return count;
}

} // namespace

tensor::Tensor loadInput(const std::string& spec) {
    tensor::Tensor loaded = formats::loadTensor(spec);
    // The file may hold infinities of its own: it is read again, but only where there are any.
    if (formats::tensorEntry(spec).dtype == number::Format::F64 &&
        std::any_of(loaded.values.begin(), loaded.values.end(), [](float x) { return std::isinf(x); }))
        if (const int64_t count = countBeyondF32(spec); count > 0)
            std::cerr << fmt::format(
                "warplight-cli: {}: finite but beyond f32, and infinite from here on: {} of {} numbers\n", echoed(spec),
                count, loaded.size());
    return loaded;
}

} // namespace warplight::cli
