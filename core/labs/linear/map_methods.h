// SPDX-License-Identifier: GPL-3.0-or-later
// The methods whose map stands beside the softmax's: features, patterns of keys, low rank.
#pragma once

#include "core/lab/parameter.h"
#include "core/labs/linear/method_map.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// A method's map and what there is to say of its rows.
struct MapMethod {
    std::shared_ptr<const MethodMap> map;
    std::string title, formula, explain; ///< of its picture
    std::string label;                   ///< of its curves
    int64_t rankAtMost = 0;              ///< without a mask; 0: it may be full
    struct Rows {
        std::string title, subtitle, explain, axis;
        bool logarithmic = false;
        std::vector<double> values;
    } rows;
    int64_t nearZero = -1; ///< rows whose denominator is zero or nearly so; negative: there are no denominators
};

/// The choice "method" and what some methods have besides: random features, a rank, a pattern's numbers.
std::vector<lab::Parameter> mapMethodParameters();
/// Methods that mix all positions have no causal mask, and some patterns have nothing else.
bool isCausal(const lab::Settings& settings);
/// Methods that have a causal mask if one is wanted.
std::vector<std::string> methodsWithMasks();

/// On the inputs and the log-sum-exps of `maps`, which has to outlive it. Throws InputError naming the setting;
/// Cancelled.
MapMethod makeMapMethod(const lab::Settings& settings, const ComparedMaps& maps, const std::atomic<bool>* cancel);
/// What that holds at most, for so many queries and keys.
int64_t mapMethodBytes(const lab::Settings& settings, int64_t length, int64_t headDim);
/// Numbers for each query and key: features, rank, or of a pattern what a row of bits comes to.
int64_t widthOf(const lab::Settings& settings, int64_t headDim);

} // namespace warplight::labs::linear
