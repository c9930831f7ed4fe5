// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/recipe.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numbers>
#include <type_traits>

namespace warplight::model {
namespace {

using nlohmann::json;

/// Calls of(name, member) for every whole number and number of a recipe.
template <class AnyRecipe, class Of>
void forEachNumber(AnyRecipe& r, const Of& of) {
    of("steps", r.steps);
    of("batch", r.batch);
    of("length", r.length);
    of("seed", r.seed);
    of("rate", r.rate);
    of("warmup", r.warmup);
    of("last_rate", r.lastRate);
    of("beta1", r.beta1);
    of("beta2", r.beta2);
    of("epsilon", r.epsilon);
    of("weight_decay", r.weightDecay);
    of("clip", r.clip);
}

/// What recipes did not have when the first runs were kept.
template <class AnyRecipe, class Of>
void forEachLaterNumber(AnyRecipe& r, const Of& of) {
    of("loss_scale", r.lossScale);
    of("growth_interval", r.growthInterval);
    of("gradient_shift", r.gradientShift);
}

} // namespace

double rateAt(const Recipe& r, int64_t step) {
    if (step < r.warmup)
        return r.rate * static_cast<double>(step + 1) / static_cast<double>(r.warmup);
    if (r.schedule == Schedule::Constant || r.steps <= r.warmup)
        return r.rate;
    const double done = std::min(1.0, static_cast<double>(step - r.warmup) / static_cast<double>(r.steps - r.warmup));
    const double height = (1 + std::cos(std::numbers::pi * done)) / 2;
    return r.rate * (r.lastRate + (1 - r.lastRate) * height);
}

void check(const Recipe& r, const std::string& where) {
    const auto require = [&](const char* name, auto value, bool right, const char* expected) {
        if (!right)
            throw InputError(fmt::format("{}: {} is {}, expected {}", where, name, value, expected));
    };
    constexpr int64_t most = 1'000'000'000;
    require("steps", r.steps, r.steps >= 1 && r.steps <= most, "a whole number from 1 to 1000000000");
    require("batch", r.batch, r.batch >= 1 && r.batch <= 1 << 20, "a whole number from 1 to 1048576");
    require("length", r.length, r.length >= 0 && r.length <= most, "a whole number of at least 1");
    require("warmup", r.warmup, r.warmup >= 0 && r.warmup <= most, "a whole number from 0 to 1000000000");
    require("rate", r.rate, std::isfinite(r.rate) && r.rate > 0, "a number above 0");
    require("last_rate", r.lastRate, r.lastRate >= 0 && r.lastRate <= 1, "a number from 0 to 1");
    require("beta1", r.beta1, r.beta1 >= 0 && r.beta1 < 1, "a number from 0 to below 1");
    require("beta2", r.beta2, r.beta2 >= 0 && r.beta2 < 1, "a number from 0 to below 1");
    require("epsilon", r.epsilon, std::isfinite(r.epsilon) && r.epsilon > 0, "a number above 0");
    require("weight_decay", r.weightDecay, r.weightDecay >= 0 && r.rate * r.weightDecay <= 1,
            "a number from 0 to 1 / rate");
    require("clip", r.clip, std::isfinite(r.clip) && r.clip >= 0, "a number of at least 0");
    require("loss_scale", r.lossScale, r.lossScale == 0 || (r.lossScale >= 0x1p-60 && r.lossScale <= 0x1p60),
            "0 or a number from 2^-60 to 2^60");
    require("growth_interval", r.growthInterval, r.growthInterval >= 1 && r.growthInterval <= most,
            "a whole number from 1 to 1000000000");
    require("gradient_shift", r.gradientShift, r.gradientShift >= 0 && r.gradientShift <= 60,
            "a whole number from 0 to 60");
}

std::string recipeText(const Recipe& recipe) {
    json j{{"schedule", recipe.schedule == Schedule::Cosine ? "cosine" : "constant"}};
    const auto write = [&](const char* name, const auto& value) { j[name] = value; };
    forEachNumber(recipe, write);
    forEachLaterNumber(recipe, write);
    j["precision"] = traitsOf(recipe.precision).id;
    return j.dump();
}

Recipe recipeFrom(const std::string& text, const std::string& where) {
    const json j = json::parse(text, nullptr, false);
    const auto refuse = [&](const std::string& name, const char* expected) {
        throw InputError(fmt::format("{}: '{}' of its recipe is missing or wrong, expected {}", where, name, expected));
    };
    if (!j.is_object() || !j.contains("schedule") || (j["schedule"] != "cosine" && j["schedule"] != "constant"))
        refuse("schedule", "cosine or constant");
    Recipe recipe;
    recipe.schedule = j["schedule"] == "cosine" ? Schedule::Cosine : Schedule::Constant;
    const auto read = [&](const char* name, auto& value) {
        using Number = std::remove_reference_t<decltype(value)>;
        const bool whole = std::is_integral_v<Number>;
        if (!j.contains(name) || !(whole ? j[name].is_number_integer() : j[name].is_number()))
            refuse(name, whole ? "a whole number" : "a number");
        value = j[name].template get<Number>();
    };
    forEachNumber(recipe, read);
    forEachLaterNumber(recipe, [&](const char* name, auto& value) {
        if (j.contains(name))
            read(name, value);
    });
    if (j.contains("precision")) {
        const auto names = precisionNames();
        const std::string name = j["precision"].is_string() ? j["precision"].get<std::string>() : "";
        if (std::find(names.begin(), names.end(), name) == names.end())
            refuse("precision", "the name of one");
        recipe.precision = precisionByName(name);
    }
    check(recipe, where);
    return recipe;
}

} // namespace warplight::model
