// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/attention/attention.h"

#include "core/cpu/attention/rungs.h"
#include "core/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace warplight::cpu {
namespace {

using Rung = AttentionCost (*)(const AttentionProblem&, const Execution&);
constexpr std::array<ImplementationInfo, 6> infos{{
    {Implementation::Reference, "reference", "double precision, plain loops",
     "nothing: this is the textbook formula that every other rung is judged by"},
    {Implementation::Standard, "standard", "S and P as whole matrices, blocked products, SIMD softmax",
     "blocks the two matrix products for the registers and vectorises the softmax; pays with two N×N matrices"},
    {Implementation::Online, "online", "one query row at a time, online softmax",
     "needs no N×N matrix: one pass over the keys with a running maximum and sum; pays by reading K and V for each "
     "row"},
    {Implementation::Flash, "flash", "tiles, softmax fused strip by strip, O(block) extra memory",
     "shares each key block among all rows of a query tile and keeps its scores in the first-level cache"},
    {Implementation::FlashPacked, "flash-packed", "K packed once, lazy rescale, heavy tiles first",
     "transposes K once instead of once a query tile, rescales only when a maximum jumps, and evens out causal work"},
    {Implementation::FlashBf16, "flash-bf16", "bf16 inputs and probabilities, f32 sums",
     "halves the bytes and doubles the products an instruction does, where the CPU has AVX-512 BF16"},
}};
constexpr std::array<Rung, infos.size()> rungs{referenceAttention, standardAttention,    onlineAttention,
                                               flashAttention,     flashPackedAttention, flashBf16Attention};

} // namespace

void checkShape(const AttentionProblem& p) {
    if (p.headDim < 1 || p.headDim > largestHeadDim)
        throw InputError(fmt::format("headDim is {}, expected 1 to {}", p.headDim, largestHeadDim));
    if (p.batch < 0 || p.queryHeads < 1 || p.keyHeads < 1 || p.queryLen < 0 || p.keyLen < 0)
        throw InputError(
            fmt::format("batch {}, heads {} and {}, lengths {} and {}: expected at least 1 head, and none negative",
                        p.batch, p.queryHeads, p.keyHeads, p.queryLen, p.keyLen));
    if (p.queryHeads % p.keyHeads != 0)
        throw InputError(
            fmt::format("{} query heads cannot share {} key heads: expected a multiple", p.queryHeads, p.keyHeads));
}

std::span<const ImplementationInfo> implementations() { return infos; }

Implementation implementationByName(std::string_view name) {
    std::string known;
    for (const auto& entry : infos) {
        if (entry.name == name)
            return entry.id;
        known += known.empty() ? "" : ", ";
        known += entry.name;
    }
    throw InputError(fmt::format("implementation '{}' is not known, expected one of {}", name, known));
}

const ImplementationInfo& info(Implementation implementation) { return infos[static_cast<size_t>(implementation)]; }

AttentionCost attentionForward(Implementation implementation, const AttentionProblem& problem,
                               const Execution& execution) {
    checkShape(problem);
    if (headCount(problem) * problem.queryLen == 0)
        return {}; // nothing is asked for
    return rungs[static_cast<size_t>(implementation)](problem, execution);
}

double usefulFlops(const AttentionProblem& p) {
    double pairs = static_cast<double>(p.queryLen) * static_cast<double>(p.keyLen);
    if (p.causal) {
        // Rows see 1 + offset, 2 + offset, ... keys; those above the map see none.
        const int64_t first = std::max<int64_t>(0, p.queryLen - p.keyLen);
        const double rows = static_cast<double>(p.queryLen - first);
        const double firstSees = static_cast<double>(visibleKeys(p, first));
        pairs = p.keyLen == 0 ? 0 : rows * (firstSees + static_cast<double>(p.keyLen)) / 2;
    }
    return 4.0 * static_cast<double>(p.headDim) * pairs * static_cast<double>(headCount(p));
}

} // namespace warplight::cpu
