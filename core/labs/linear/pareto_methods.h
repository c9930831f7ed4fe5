// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/workbench/operator.h"
#include "core/workbench/page.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::linear {

/// A way to replace exact attention, at one setting of its own knob.
struct Replacement {
    std::string family;      ///< "linear", "sparse", "low-rank", "exact"
    std::string id;          ///< of its curve: "linear.favor"; of a family's first method "linear"
    std::string familyTitle; ///< "Linear attention"
    std::string title;       ///< "FAVOR+"
    std::string setting;     ///< "m = 64"; empty: it has no knob
    std::shared_ptr<const workbench::Operator> op;
    const workbench::Implementation* implementation = nullptr;
    std::map<std::string, double> numbers; ///< of the problem, beside those of all
};

/// Every method of these operators on the CPU: feature maps of linear attention, patterns of sparse attention, low-rank
/// methods, and exact attention itself. Those with a knob come once for each of its values. Operators of other ids are
/// left out.
std::vector<Replacement> replacements(const workbench::OperatorList& operators);

/// What all of them are compared on.
struct SharedInputs {
    int64_t length = 0, headDim = 0;
    bool causal = false;
    std::vector<float> q, k, v; ///< [length, headDim]
};

/// Why a method cannot do these, as a clause; empty: it can.
std::string whyNot(const Replacement& method, const SharedInputs& inputs);

/// The method's problem on these inputs.
workbench::Problem problemOf(const Replacement& method, const SharedInputs& inputs);
/// All tensors of the problem, with the inputs in theirs.
workbench::Tensors tensorsOf(const Replacement& method, const workbench::Problem& problem, const SharedInputs& inputs,
                             const std::atomic<bool>* cancel);

} // namespace warplight::labs::linear
