// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::model {

/// The sizes of a GPT-2 (Radford et al. 2019): learned positions, normalisation before each sublayer, the tanh
/// approximation of GELU, and an embedding that also makes the logits.
struct Config {
    int64_t vocabulary = 256; ///< tokens that there are; 256: bytes
    int64_t context = 128;    ///< longest sequence
    int64_t features = 128;   ///< of a token between layers; a multiple of `heads`
    int64_t layers = 2;
    int64_t heads = 4;
    int64_t hidden = 512;  ///< features between the two products of an MLP; GPT-2 has 4 · features
    double epsilon = 1e-5; ///< that normalisation adds to the variance

    int64_t headFeatures() const { return features / heads; }
    bool operator==(const Config&) const = default;
};

/// "tiny" (2 layers of 128 features, context 128) and "small" (6 layers of 256 features, context 256).
std::vector<std::string> presetNames();
/// Throws InputError that lists the names.
Config presetByName(std::string_view name);

/// Throws InputError "`where`: n_head is 3, expected ..." for sizes that make no model: a side below 1, or so large
/// that counting overflows; heads that do not divide the features; more than 512 features a head.
void check(const Config& config, const std::string& where);

} // namespace warplight::model
