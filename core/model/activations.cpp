// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/activations.h"

#include "core/tensor/tensor.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::model {

Activations::Activations(const Config& c, int64_t sequences, int64_t tokens, bool learns)
    : batch(sequences), length(tokens) {
    const int64_t r = rows(), features = r * c.features, hidden = r * c.hidden;
    const auto floats = [this](int64_t count) { return workspace.take<float>(count); };
    const bool gated = c.architecture == Architecture::Gau;
    embedding = floats(features);
    if (gated)
        takeUnits(c, learns);
    else
        takeBlocks(c, learns);
    norm = floats(features);
    means = floats(r);
    scales = floats(r);
    logits = floats(r * c.vocabulary);
    wide = floats(std::max(3 * features, hidden));
    losses = workspace.take<double>(r);
    for (float** each : {&stream, &branch})
        *each = learns ? floats(features) : nullptr;
    for (float** each : {&dq, &dk, &dv, &dOut})
        *each = learns && !gated ? floats(features) : nullptr;
    for (float** each : {&dU, &dV})
        *each = learns && gated ? floats(hidden) : nullptr;
    dZ = learns && gated ? floats(r * c.shared) : nullptr;

    labels.reserve(static_cast<size_t>(3 + namesOfLayer() * c.layers)); // views point into it
    const std::vector<int64_t> row{batch, length, c.features};
    name("embedding", row, embedding);
    for (int64_t layer = 0; layer < c.layers; ++layer)
        if (gated)
            nameUnit(c, layer);
        else
            nameBlock(c, layer);
    name("ln_f", row, norm);
    name("logits", {batch, length, c.vocabulary}, logits);
}

void Activations::takeBlocks(const Config& c, bool learns) {
    const int64_t r = rows(), features = r * c.features, hidden = r * c.hidden;
    for (int64_t layer = 0; layer < c.layers; ++layer) {
        if (layer > 0 && !learns) {
            blocks.push_back(blocks.front());
            continue;
        }
        BlockActivations b{};
        for (float** each : {&b.norm1, &b.q, &b.k, &b.v, &b.o, &b.merged, &b.middle, &b.norm2, &b.out})
            *each = workspace.take<float>(features);
        b.lse = workspace.take<float>(r * c.heads);
        b.up = workspace.take<float>(hidden);
        b.activated = workspace.take<float>(hidden);
        for (float** each : {&b.means1, &b.scales1, &b.means2, &b.scales2})
            *each = workspace.take<float>(r);
        blocks.push_back(b);
    }
}

void Activations::takeUnits(const Config& c, bool learns) {
    const int64_t r = rows();
    for (int64_t layer = 0; layer < c.layers; ++layer) {
        if (layer > 0 && !learns) {
            units.push_back(units.front());
            continue;
        }
        UnitActivations a{};
        for (float** each : {&a.norm, &a.out})
            *each = workspace.take<float>(r * c.features);
        for (float** each : {&a.u, &a.v, &a.gate, &a.values, &a.mixed, &a.gated})
            *each = workspace.take<float>(r * c.hidden);
        for (float** each : {&a.z, &a.base})
            *each = workspace.take<float>(r * c.shared);
        for (float** each : {&a.means, &a.scales})
            *each = workspace.take<float>(r);
        units.push_back(a);
    }
}

void Activations::nameBlock(const Config& c, int64_t layer) {
    const std::vector<int64_t> row{batch, length, c.features}, wideRow{batch, length, c.hidden},
        head{batch, c.heads, length, c.headFeatures()};
    const BlockActivations& b = blocks[static_cast<size_t>(layer)];
    const auto add = [&](const char* what, const std::vector<int64_t>& shape, const float* values) {
        name(fmt::format("h.{}.{}", layer, what), shape, values);
    };
    add("ln_1", row, b.norm1);
    add("attn.q", head, b.q);
    add("attn.k", head, b.k);
    add("attn.v", head, b.v);
    add("attn.out", head, b.o);
    add("middle", row, b.middle);
    add("ln_2", row, b.norm2);
    add("mlp.c_fc", wideRow, b.up);
    add("mlp.act", wideRow, b.activated);
    add("out", row, b.out);
}

void Activations::nameUnit(const Config& c, int64_t layer) {
    const std::vector<int64_t> row{batch, length, c.features}, wideRow{batch, length, c.hidden},
        narrow{batch, length, c.shared};
    const UnitActivations& a = units[static_cast<size_t>(layer)];
    const auto add = [&](const char* what, const std::vector<int64_t>& shape, const float* values) {
        name(fmt::format("h.{}.{}", layer, what), shape, values);
    };
    add("ln", row, a.norm);
    add("gau.u", wideRow, a.u);
    add("gau.v", wideRow, a.v);
    add("gau.z", narrow, a.z);
    add("gau.gate", wideRow, a.gate);
    add("gau.values", wideRow, a.values);
    add("gau.base", narrow, a.base);
    add("gau.mixed", wideRow, a.mixed);
    add("gau.gated", wideRow, a.gated);
    add("out", row, a.out);
}

void Activations::name(std::string text, std::vector<int64_t> shape, const float* values) {
    labels.push_back({std::move(text), std::move(shape)});
    const Label& label = labels.back();
    named.push_back({label.name, label.shape, {values, static_cast<size_t>(tensor::elementCount(label.shape))}});
}

int64_t activationBytes(const Config& c, int64_t batch, int64_t length, bool learns) {
    const int64_t rows = saturatedProduct(batch, length);
    const bool gated = c.architecture == Architecture::Gau;
    const int64_t block =
        gated ? 2 * c.features + 6 * c.hidden + 2 * c.shared + 2 : 9 * c.features + c.heads + 2 * c.hidden + 4;
    const int64_t back = gated ? 2 * c.features + 2 * c.hidden + c.shared : 6 * c.features;
    const int64_t around = 2 * c.features + 4 + c.vocabulary + std::max(3 * c.features, c.hidden);
    const int64_t a = saturatedSum(saturatedProduct(learns ? c.layers : 1, block), around);
    return saturatedProduct(saturatedProduct(rows, 4), saturatedSum(a, learns ? back : 0));
}

} // namespace warplight::model
