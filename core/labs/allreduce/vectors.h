// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "core/tensor/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace warplight::labs::allreduce {

/// One vector of elements per rank, as the ranks hold them.
using RankVectors = std::vector<std::vector<std::byte>>;

/// "random": uniform in [-1, 1); "integers": -8 to 8, whose sums are exact in any order; "gradients": normal with a
/// scale of its own for every rank; "cancelling": large numbers that cancel out between ranks, and small ones.
std::vector<lab::Parameter::Option> vectorKinds();

/// The same for a seed whatever the transport. Throws InputError for an unknown kind, Cancelled.
RankVectors makeVectors(std::string_view kind, number::Format type, int ranks, int64_t elements, uint64_t seed,
                        const std::atomic<bool>* cancel = nullptr);

double elementAt(number::Format type, std::span<const std::byte> vector, int64_t index);
void setElement(number::Format type, std::span<std::byte> vector, int64_t index, double value); ///< rounded to nearest

/// Sums over the ranks, element by element, in long double with compensation, rounded once to double.
struct ExactSums {
    std::vector<double> sums;
    std::vector<double> magnitudes; ///< sums of absolute values: what rounding errors are measured against
};
ExactSums exactSums(number::Format type, const RankVectors& vectors, const std::atomic<bool>* cancel = nullptr);

/// Distance between neighbours of that type at |value|: the unit in the last place.
double unitInLastPlace(number::Format type, double value);

} // namespace warplight::labs::allreduce
