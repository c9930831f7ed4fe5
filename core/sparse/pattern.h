// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/sparse/bit_row.h"
#include "core/tensor/tensor.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace warplight::sparse {

/// Rules by which a query sees some keys only.
enum class Kind { Full, Causal, Atrous, Local, AtrousLocal, Strided, Fixed, Longformer, BigBird, TopK, Lsh, Bitmap };

struct KindInfo {
    Kind id;
    std::string_view name;    ///< as on the command line: "atrous-local"
    std::string_view title;   ///< "Atrous and local"
    std::string_view rule;    ///< which keys j query i sees, with the names of the parameters
    bool isCausal = false;    ///< sees nothing later, whatever is asked for
    bool needsInputs = false; ///< follows from Q and K
    bool needsMask = false;   ///< is somebody's own
    std::string_view uses{};  ///< the parameters that it goes by, with spaces around each: " stride window "
    bool usesParameter(std::string_view id) const;
};

/// All kinds, in the order of Kind. Valid for the whole life of the program.
std::span<const KindInfo> kinds();
const KindInfo& info(Kind kind);
/// Throws InputError that lists the names.
Kind kindByName(std::string_view name);

/// What rules go by. A kind uses some of them (KindInfo::uses).
struct Parameters {
    Kind kind = Kind::Local;
    bool causal = false;  ///< besides, query i sees no key behind it
    int64_t stride = 32;  ///< l: of every l-th key; length of fixed's blocks
    int64_t window = 32;  ///< w: neighbours on each side
    int64_t dilation = 1; ///< of Longformer's window: each dilation-th neighbour
    int64_t global = 1;   ///< g: tokens at the start that see and are seen by all; fixed: last keys of each block
    int64_t random = 2;   ///< r: blocks of keys that BigBird draws for each block of queries
    int64_t block = 64;   ///< b: queries and keys of such a block
    int64_t top = 32;     ///< k: keys with the largest scores
    int64_t hashes = 2;   ///< rounds of LSH
    int64_t buckets = 16; ///< of each round: 1, or even
    int64_t seed = 42;    ///< of what is drawn by chance, not negative

    bool operator==(const Parameters&) const = default;
};

/// One of these numbers, for forms, commands and messages.
struct Field {
    const char *id, *title, *doc;
    int64_t least, most;
    int64_t Parameters::*value;
};
/// All of them, in the order of Parameters. Valid for the whole life of the program.
std::span<const Field> fields();

/// Throws InputError naming the parameter and what was expected. `named`: what the message calls one ("--stride").
void check(const Parameters& parameters, const std::function<std::string(const char*)>& named);

/// Which keys each query sees, a row at a time: no matrix is held. Position of query i among the keys: i + keys -
/// queries (bottom-right, as causal masks are aligned).
struct Pattern {
    int64_t queries = 0, keys = 0;
    int64_t heads = 1; ///< 1: the same for all heads; otherwise one for each head of each batch entry
    bool causal = false;
    /// Sets the bits of a row [keys] that was empty. Safe to call from several threads.
    std::function<void(int64_t head, int64_t query, BitRow row)> see;

    /// Keys below this are behind no causal mask.
    int64_t seenAtMost(int64_t query) const {
        return causal ? std::clamp<int64_t>(query + 1 + keys - queries, 0, keys) : keys;
    }
};

/// A pattern of positions alone. Throws InputError for wrong parameters and for kinds that need more.
Pattern makePattern(const Parameters& parameters, int64_t queries, int64_t keys);

/// Q and K [heads, rows, headDim] as patterns need them; they have to outlive the pattern.
struct Inputs {
    const float *q = nullptr, *k = nullptr;
    int64_t heads = 1;             ///< batch · query heads
    int64_t queriesPerKeyHead = 1; ///< grouped-query attention: query head h reads key head h / this
    int64_t queries = 0, keys = 0, headDim = 0;
};

/// The keys with the `top` largest scores q·k of those that a causal mask leaves: of equal ones the first, NaN before
/// all numbers. Sums are in f64. It holds K transposed and a row of scores a thread.
Pattern makeTopK(const Parameters& parameters, const Inputs& inputs);
/// Locality-sensitive hashing (Reformer, Kitaev et al. 2020): in each round a vector's bucket is argmax([xR; -xR]) for
/// R of normal numbers; a query sees the keys that share its bucket in any round. A pair that meets in several rounds
/// counts once, which is what Reformer's merge of rounds by log-sum-exp comes to when each round's weight is divided by
/// the number of rounds in which the pair meets.
Pattern makeLsh(const Parameters& parameters, const Inputs& inputs);
/// A vector's bucket in one round of makeLsh.
int64_t bucketOf(std::span<const float> x, const Parameters& parameters, int64_t round);

/// A mask [queries, keys] of somebody's own: 0 is hidden, everything else is seen. `where` names it for messages.
/// Throws InputError for other shapes and NaN. The tensor is not kept.
Pattern makeBitmap(const tensor::Tensor& mask, bool causal, const std::string& where);

} // namespace warplight::sparse
