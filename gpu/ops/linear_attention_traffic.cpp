// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/linear_attention.h"
#include "gpu/ops/linear_attention_features.h"
#include "gpu/ops/linear_attention_launch.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace warplight::gpu {
namespace {

using number::Format;

double tilesOf(int64_t a, int64_t b) { return static_cast<double>((a + b - 1) / b); }

/// Numbers of a row of Q, K, V or O in memory.
double width(int64_t columns, Format format) {
    return static_cast<double>(format == Format::F32 ? columns : (columns + 7) / 8 * 8);
}

/// The rows of a problem, all heads together.
struct Sizes {
    Sizes(LinearRung rung, const LinearShape& s, Format format)
        : heads(static_cast<double>(s.allHeads())),
          rows(heads * static_cast<double>(s.queryLen)),
          keys(heads * static_cast<double>(s.keyLen)),
          f(static_cast<double>(features(s))),
          d(width(appliesItself(rung, s.map) ? s.headDim : features(s), format)),
          dv(width(s.valueDim, format)),
          element(static_cast<double>(number::bytes(format))),
          perStep(static_cast<double>(decaysPerStep(s))) {}
    double heads, rows, keys, f, d, dv, element, perStep;
};

/// What the state and the normaliser of all heads are at the end.
void addState(TensorTraffic& t, const Sizes& n) {
    t["state"].written += n.heads * n.f * n.dv * 4;
    t["z"].written += n.heads * n.f * 4;
}

TensorTraffic recurrentTraffic(const LinearShape& s) {
    const Sizes n(LinearRung::Recurrent, s, Format::F32);
    const double tiles = tilesOf(s.valueDim, recurrentColumns); // of columns, each of which goes through all of Q and K
    TensorTraffic t{{"Q", {tiles * n.rows * n.d * 4, 0}},
                    {"K", {tiles * n.keys * n.d * 4, 0}},
                    {"V", {n.keys * n.dv * 4, 0}},
                    {"O", {0, n.rows * n.dv * 4}},
                    {"decay", {tiles * n.keys * n.perStep * 4, 0}},
                    {"beta", {takesBeta(s.rule) ? tiles * n.keys * 4 : 0, 0}}};
    if (s.keepsState)
        addState(t, n);
    return t;
}

TensorTraffic chunkedTraffic(const LinearShape& s) {
    const Sizes n(LinearRung::Chunked, s, Format::F32);
    const bool byFeature = s.rule == LinearRule::Gla;
    const double featureTiles = tilesOf(features(s), stateFeatures), columnTiles = tilesOf(s.valueDim, stateColumns);
    TensorTraffic t;
    const char* states = s.causal ? "states" : "state";
    const char* sums = s.causal ? "sums" : "z";
    const double kept = s.causal ? n.heads * static_cast<double>(chunksOf(s) - 1) : 0;
    const bool overwrites = takesBeta(s.rule);
    const char* values = overwrites ? "added" : "V";
    if (overwrites) { // keys are read for what is held of them and to be added, once where they are one tile of
                      // features
        const double tiles = tilesOf(deltaColumnsOf(s), deltaColumns);
        t["K"].read += tiles * n.keys * n.f * (featureTiles > 1 ? 2 : 1) * 4;
        t["V"].read += n.keys * n.dv * 4;
        t["decay"].read += tiles * n.keys * n.perStep * 4;
        t["beta"].read += tiles * n.keys * 4;
        t["added"].written += n.keys * n.dv * 4;
        t["ones"].written += countsOnes(s) ? n.keys * 4 : 0;
    } else if (needsStates(s)) {
        t["K"].read += columnTiles * n.keys * n.f * 4;
        t["V"].read += featureTiles * n.keys * n.dv * 4;
        t["decay"].read += (byFeature ? columnTiles * n.f : featureTiles * columnTiles * n.perStep) * n.keys * 4;
    }
    if (overwrites || needsStates(s)) {
        t[states].written += kept * n.f * n.dv * 4;
        t[sums].written += s.normalised ? kept * n.f * 4 : 0;
        if (s.keepsState || !s.causal)
            addState(t, n);
    }
    const int64_t rows = outputRows(s);
    for (int64_t first = 0; first < s.queryLen; first += rows) { // a block each
        const auto count = static_cast<double>(std::min(rows, s.queryLen - first));
        const bool reads = !s.causal || first >= s.chunk;
        const double keys = s.causal ? static_cast<double>(first % s.chunk) + count : 0;
        t["Q"].read += n.heads * count * n.f * ((s.causal ? 1 : 0) + (reads ? columnTiles : 0)) * 4;
        t["K"].read += n.heads * keys * n.f * 4;
        t[values].read += n.heads * keys * n.dv * 4;
        t["ones"].read += overwrites && s.normalised ? n.heads * keys * 4 : 0;
        t["decay"].read += n.heads * keys * (byFeature ? n.f * (1 + (reads ? columnTiles : 0)) : n.perStep) * 4;
        t[states].read += reads ? n.heads * n.f * n.dv * 4 : 0;
        t[sums].read += reads && s.normalised ? n.heads * n.f * 4 : 0;
    }
    t["O"].written = n.rows * n.dv * 4;
    return t;
}

TensorTraffic mmaTraffic(const LinearShape& s, Format format) {
    const Sizes n(LinearRung::ChunkedMma, s, format);
    const double featureTiles = tilesOf(features(s), mmaRows), columnTiles = tilesOf(s.valueDim, mmaRows);
    TensorTraffic t;
    if (needsStates(s)) {
        t["K"].read += columnTiles * n.keys * n.d * 2;
        t["V"].read += featureTiles * n.keys * n.dv * 2;
        t["decay"].read += featureTiles * columnTiles * n.keys * n.perStep * 4;
        const double kept = n.heads * static_cast<double>(s.causal ? chunksOf(s) - 1 : 1);
        t["states"].written += kept * n.f * n.dv * 2;
        t["sums"].written += s.normalised ? kept * n.f * 4 : 0;
        if (s.keepsState)
            addState(t, n);
    }
    for (int64_t first = 0; first < s.queryLen; first += mmaRows) { // a block each
        const auto count = static_cast<double>(std::min(mmaRows, s.queryLen - first));
        const bool reads = !s.causal || first >= s.chunk;
        const double keys = s.causal ? static_cast<double>(first % s.chunk) + count : 0;
        // Queries of one tile of features stay in shared memory.
        const double again = !reads ? 0 : featureTiles > 1 ? columnTiles : s.causal ? 0 : 1;
        t["Q"].read += n.heads * count * n.d * ((s.causal ? 1 : 0) + again) * 2;
        t["K"].read += n.heads * keys * n.d * 2;
        t["V"].read += n.heads * keys * n.dv * 2;
        t["decay"].read += n.heads * keys * n.perStep * 4;
        t["states"].read += reads ? n.heads * n.f * n.dv * 2 : 0;
        t["sums"].read += reads && s.normalised ? n.heads * n.f * 4 : 0;
    }
    t["O"].written = n.rows * n.dv * 2;
    return t;
}

} // namespace

TensorTraffic compulsoryTraffic(const LinearShape& s, Format format) {
    LinearShape asItIs = s; // features are nobody's input
    asItIs.map = FeatureMap::Identity;
    const Sizes n(LinearRung::Chunked, asItIs, format);
    const double perStep = static_cast<double>(decaysPerStep(s));
    TensorTraffic t{{"Q", {n.rows * n.d * n.element, 0}},  {"K", {n.keys * n.d * n.element, 0}},
                    {"V", {n.keys * n.dv * n.element, 0}}, {"O", {0, n.rows * n.dv * n.element}},
                    {"decay", {n.keys * perStep * 4, 0}},  {"beta", {takesBeta(s.rule) ? n.keys * 4 : 0, 0}}};
    if (s.keepsState)
        addState(t, Sizes(LinearRung::Chunked, s, format));
    return withoutEmpty(t);
}

TensorTraffic algorithmicTraffic(LinearRung rung, const LinearShape& s, Format format) {
    TensorTraffic t = rung == LinearRung::Recurrent ? recurrentTraffic(s)
                      : rung == LinearRung::Chunked ? chunkedTraffic(s)
                                                    : mmaTraffic(s, format);
    if (!appliesItself(rung, s.map)) {
        for (const auto& [tensor, phi] : {std::pair("Q", "phiQ"), std::pair("K", "phiK")}) {
            t[phi] = t[tensor];
            t.erase(tensor);
        }
        for (const auto& [tensor, bytes] : featureTraffic(s, format)) {
            t[tensor].read += bytes.read;
            t[tensor].written += bytes.written;
        }
    }
    return withoutEmpty(t);
}

} // namespace warplight::gpu
