// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config.h"

#include "core/cpu/attention/attention.h"
#include "core/error.h"
#include "core/model/parameters.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace warplight::model {
namespace {

struct Preset {
    std::string_view name;
    Config config;
};
const Preset presets[] = {
    {"tiny", {.vocabulary = 256, .context = 128, .features = 128, .layers = 2, .heads = 4, .hidden = 512}},
    {"small", {.vocabulary = 256, .context = 256, .features = 256, .layers = 6, .heads = 8, .hidden = 1024}},
};

// Larger than any GPT-2 by far, and no product of two of them overflows.
constexpr int64_t largestSide = 1 << 20, mostLayers = 1 << 12;

} // namespace

std::vector<std::string> presetNames() {
    std::vector<std::string> names;
    for (const Preset& preset : presets)
        names.emplace_back(preset.name);
    return names;
}

Config presetByName(std::string_view name) {
    for (const Preset& preset : presets)
        if (preset.name == name)
            return preset.config;
    throw InputError(
        fmt::format("preset '{}' is not known, expected {}", echoed(name), fmt::join(presetNames(), " or ")));
}

std::string_view nameOf(Architecture architecture) { return architecture == Architecture::Gau ? "gau" : "gpt2"; }

std::vector<std::string> architectureNames() { return {"gpt2", "gau"}; }

Architecture architectureByName(std::string_view name) {
    for (const Architecture architecture : {Architecture::Gpt2, Architecture::Gau})
        if (nameOf(architecture) == name)
            return architecture;
    throw InputError(fmt::format("architecture '{}' is not known, expected {}", echoed(name),
                                 fmt::join(architectureNames(), " or ")));
}

Config withGatedUnits(const Config& gpt2) {
    Config c = gpt2;
    c.architecture = Architecture::Gau;
    c.layers = 2 * gpt2.layers;
    c.heads = 1;
    c.shared = std::clamp<int64_t>(gpt2.features / 2, 1, 128);
    const auto perBlock = [](const Config& config, int64_t blocks) { // of one layer, times `blocks`
        Config two = config, one = config;
        two.layers = 2;
        one.layers = 1;
        return blocks * (ParameterLayout(two).count() - ParameterLayout(one).count());
    };
    c.hidden = 1;
    const int64_t target = perBlock(gpt2, 1), least = perBlock(c, 2), perUnit = 2 * 3 * c.features;
    c.hidden = std::max<int64_t>(1, 1 + (target - least + perUnit / 2) / perUnit);
    return c;
}

void check(const Config& c, const std::string& where) {
    const bool units = c.architecture == Architecture::Gau;
    const std::pair<const char*, int64_t> sides[] = {
        {"vocab_size", c.vocabulary}, {"n_positions", c.context},
        {"n_embd", c.features},       {"n_layer", c.layers},
        {"n_inner", c.hidden},        {units ? "n_shared" : "n_head", units ? c.shared : c.heads}};
    for (const auto& [name, side] : sides) {
        const int64_t most = std::string_view(name) == "n_layer" ? mostLayers : largestSide;
        if (side < 1 || side > most)
            throw InputError(
                fmt::format("{}: {} is {}, expected a whole number from 1 to {}", where, name, side, most));
    }
    if (!units && c.features % c.heads != 0)
        throw InputError(fmt::format("{}: n_head is {}, expected a divisor of n_embd, {}", where, c.heads, c.features));
    if (!units && c.headFeatures() > cpu::largestHeadDim)
        throw InputError(fmt::format("{}: n_embd / n_head is {}, expected at most {} features a head", where,
                                     c.headFeatures(), cpu::largestHeadDim));
    if (!(c.epsilon > 0) || !std::isfinite(c.epsilon))
        throw InputError(fmt::format("{}: layer_norm_epsilon is {}, expected a number above 0", where, c.epsilon));
}

} // namespace warplight::model
