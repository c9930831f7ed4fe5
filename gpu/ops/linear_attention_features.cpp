// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/linear_attention_features.h"

#include "gpu/ops/kernel_problem.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warplight::gpu {
namespace {

using number::Format;

/// FeatureProblem<T> of gpu/kernels/linear_attention_features.cu.
struct KernelArguments {
    uint64_t from, to;
    int64_t rows;
    int32_t headDim, dim, features, width;
    FeatureMap map;
    float root;
};
static_assert(sizeof(KernelArguments) == 48);

constexpr int64_t rowsOfBlock = 4, favorRows = 16, columnsOfBlock = 32;

/// Whether keys of favor are shifted by their largest exponent; under a causal mask that would tell of later keys.
bool shiftsKeys(const LinearShape& s) { return s.normalised && !s.causal; }

} // namespace

int64_t featureRow(const LinearShape& s, Format format) {
    return format == Format::F32 ? features(s) : (features(s) + 7) / 8 * 8;
}

void launchFeatures(Launcher& launcher, const LinearShape& s, Format format, bool keys, uint64_t from,
                    int64_t rowLength, uint64_t to, uint64_t omega) {
    const int64_t length = keys ? s.keyLen : s.queryLen;
    if (s.allHeads() * length == 0)
        return;
    KernelArguments p{from,
                      to,
                      length,
                      static_cast<int32_t>(rowLength),
                      static_cast<int32_t>(s.headDim),
                      static_cast<int32_t>(features(s)),
                      static_cast<int32_t>(featureRow(s, format)),
                      s.map,
                      s.map == FeatureMap::Cos ? 1 : std::sqrt(s.scale)};
    const auto heads = static_cast<uint32_t>(s.allHeads());
    const auto start = [&](const std::string& kernel, Extent grid, Extent block, std::vector<Argument> arguments) {
        launcher.start("linear_attention_features", kernel, grid, block, 0, std::move(arguments));
    };
    const std::string in = "_" + number::name(format);
    if (s.map == FeatureMap::Favor) {
        const Extent grid{ceilDiv(length, favorRows), heads};
        uint64_t shift = 0;
        if (keys && shiftsKeys(s)) {
            const uint64_t largest = launcher.temporary(int64_t{heads} * grid.x * 4, "largest").address();
            shift = launcher.temporary(int64_t{heads} * 4, "shift").address();
            start("linear_features_favor_find" + in, grid, {128}, {p, omega, largest});
            start("linear_features_largest", {heads}, {32}, {largest, shift, static_cast<int32_t>(grid.x)});
        }
        const char* kind = shift ? "given" : !keys && s.normalised ? "of_row" : "plain";
        start(std::string("linear_features_favor_") + kind + in, grid, {128}, {p, omega, shift});
    } else if (s.map == FeatureMap::Softmax && keys) {
        start("linear_features_columns" + in, {ceilDiv(p.width, columnsOfBlock), heads}, {32, 8}, {p});
    } else {
        p.rows *= heads;
        start("linear_features_rows" + in, {ceilDiv(p.rows, rowsOfBlock)}, {128}, {p});
    }
}

TensorTraffic featureTraffic(const LinearShape& s, Format format) {
    const auto heads = static_cast<double>(s.allHeads()), element = static_cast<double>(number::bytes(format));
    const double rows = heads * static_cast<double>(s.queryLen), keys = heads * static_cast<double>(s.keyLen),
                 d = static_cast<double>(s.headDim), width = static_cast<double>(featureRow(s, format));
    TensorTraffic t{{"Q", {rows * d * element, 0}},
                    {"K", {keys * d * element, 0}},
                    {"phiQ", {0, rows * width * element}},
                    {"phiK", {0, keys * width * element}}};
    if (s.map == FeatureMap::Softmax)
        t["K"].read *= 2; // maximum and sum, then the weights
    if (s.map == FeatureMap::Favor) {
        const auto blocks = [&](int64_t length) { return heads * static_cast<double>(ceilDiv(length, favorRows)); };
        const double all = d * static_cast<double>(s.randomFeatures) * 4, ofKeys = blocks(s.keyLen);
        t["omega"].read = all * (blocks(s.queryLen) * (s.normalised ? 2 : 1) + ofKeys * (shiftsKeys(s) ? 2 : 1));
        if (shiftsKeys(s) && s.keyLen > 0) {
            t["K"].read *= 2;
            t["largest"] = {ofKeys * 4, ofKeys * 4};
            t["shift"] = {ofKeys * 4, heads * 4};
        }
    }
    return t;
}

} // namespace warplight::gpu
