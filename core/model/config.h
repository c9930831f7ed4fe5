// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// What blocks are made of: attention and an MLP, or one gated attention unit (Hua et al. 2022).
enum class Architecture { Gpt2, Gau };
/// "gpt2", "gau"
std::string_view nameOf(Architecture architecture);
std::vector<std::string> architectureNames();
/// Throws InputError that lists the names.
Architecture architectureByName(std::string_view name);

/// The sizes of a GPT-2 (Radford et al. 2019): learned positions, normalisation before each sublayer, the tanh
/// approximation of GELU, and an embedding that also makes the logits. With gated attention units everything around the
/// blocks is the same.
struct Config {
    int64_t vocabulary = 256; ///< tokens that there are; 256: bytes
    int64_t context = 128;    ///< longest sequence
    int64_t features = 128;   ///< of a token between layers; a multiple of `heads`
    int64_t layers = 2;
    int64_t heads = 4;     ///< of a GPT-2
    int64_t hidden = 512;  ///< features between the two products of an MLP; GPT-2 has 4 · features. Of a unit: e
    double epsilon = 1e-5; ///< that normalisation adds to the variance
    Architecture architecture = Architecture::Gpt2;
    int64_t shared = 0; ///< s of a unit: features of its queries and keys

    int64_t headFeatures() const { return features / heads; }
    bool operator==(const Config&) const = default;
};

/// With two gated attention units in the place of each block, and as many parameters as units of a whole `hidden` can
/// have: 2 · (3de + ds + …) ≈ 12d², where s is half of the features and at most 128.
Config withGatedUnits(const Config& gpt2);

/// "tiny" (2 layers of 128 features, context 128) and "small" (6 layers of 256 features, context 256).
std::vector<std::string> presetNames();
/// Throws InputError that lists the names.
Config presetByName(std::string_view name);

/// Throws InputError "`where`: n_head is 3, expected ..." for sizes that make no model: a side below 1, or so large
/// that counting overflows; heads that do not divide the features; more than 512 features a head.
void check(const Config& config, const std::string& where);

} // namespace warplight::model
