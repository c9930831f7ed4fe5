// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/precision/loss_scaler.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <string>

namespace warplight::precision {
namespace {

void require(bool holds, std::string_view what, double value, std::string_view expected) {
    if (!holds)
        throw InputError(fmt::format("{} {}: expected {}", what, value, expected));
}

} // namespace

void checkRules(const ScalerRules& r) {
    constexpr double most = std::numeric_limits<float>::max();
    require(r.initial > 0 && r.initial <= most, "initial scale", r.initial, "a positive number of f32");
    require(r.growth >= 1 && r.growth <= most, "growth factor", r.growth, "a number of at least 1");
    require(r.backoff > 0 && r.backoff <= 1, "backoff factor", r.backoff, "a number above 0 and at most 1");
    require(r.interval >= 1, "growth interval", static_cast<double>(r.interval), "at least one step");
    require(r.hysteresis >= 1, "hysteresis", static_cast<double>(r.hysteresis), "at least 1");
    require(r.minimum >= 0 && r.minimum <= most, "minimum scale", r.minimum, "0 or a positive number of f32");
    require(r.maximum >= r.minimum, "maximum scale", r.maximum, "at least the minimum");
}

const std::vector<NamedRules>& knownRules() {
    static const std::vector<NamedRules> all = {
        {"pytorch", "PyTorch GradScaler", {}},
        {"apex", "apex", {0x1p16, 2, 0.5, 2000, 1, 0, 0x1p24}},
        {"deepspeed", "DeepSpeed", {0x1p16, 2, 0.5, 1000, 2, 1}},
        {"megatron", "Megatron", {0x1p32, 2, 0.5, 1000, 2, 1}},
        {"mindspore", "MindSpore", {0x1p24, 2, 0.5, 2000, 1, 1}},
    };
    return all;
}

LossScaler::LossScaler(const ScalerRules& r)
    : rules(r), current(static_cast<float>(r.initial)), forgiving(r.hysteresis) {
    checkRules(r);
}

void LossScaler::restore(const ScalerState& state) {
    current = state.scale;
    clean = state.clean;
    forgiving = state.forgiving;
}

void LossScaler::update(bool overflowed) {
    if (overflowed) {
        clean = 0;
        if (--forgiving <= 0) {
            forgiving = 0;
            const auto lower = static_cast<float>(static_cast<double>(current) * rules.backoff);
            current = std::max(lower, static_cast<float>(rules.minimum));
        }
        return;
    }
    if (++clean < rules.interval)
        return;
    clean = 0;
    forgiving = rules.hysteresis;
    const double wanted = std::min(static_cast<double>(current) * rules.growth, rules.maximum);
    if (const auto higher = static_cast<float>(wanted); std::isfinite(higher))
        current = std::max(current, higher);
}

} // namespace warplight::precision
