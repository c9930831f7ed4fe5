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
    embedding = floats(features);
    const auto block = [&] {
        BlockActivations b{};
        for (float** each : {&b.norm1, &b.q, &b.k, &b.v, &b.o, &b.merged, &b.middle, &b.norm2, &b.out})
            *each = floats(features);
        b.lse = floats(r * c.heads);
        b.up = floats(hidden);
        b.activated = floats(hidden);
        for (float** each : {&b.means1, &b.scales1, &b.means2, &b.scales2})
            *each = floats(r);
        return b;
    };
    for (int64_t layer = 0; layer < c.layers; ++layer)
        blocks.push_back(layer == 0 || learns ? block() : blocks.front());
    norm = floats(features);
    means = floats(r);
    scales = floats(r);
    logits = floats(r * c.vocabulary);
    wide = floats(std::max(3 * features, hidden));
    losses = workspace.take<double>(r);
    for (float** each : {&stream, &branch, &dq, &dk, &dv, &dOut})
        *each = learns ? floats(features) : nullptr;

    labels.reserve(static_cast<size_t>(3 + 11 * c.layers)); // views point into it
    const std::vector<int64_t> row{batch, length, c.features}, wideRow{batch, length, c.hidden},
        head{batch, c.heads, length, c.headFeatures()};
    name("embedding", row, embedding);
    for (int64_t layer = 0; layer < c.layers; ++layer) {
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
    name("ln_f", row, norm);
    name("logits", {batch, length, c.vocabulary}, logits);
}

void Activations::name(std::string text, std::vector<int64_t> shape, const float* values) {
    labels.push_back({std::move(text), std::move(shape)});
    const Label& label = labels.back();
    named.push_back({label.name, label.shape, {values, static_cast<size_t>(tensor::elementCount(label.shape))}});
}

int64_t activationBytes(const Config& c, int64_t batch, int64_t length, bool learns) {
    const int64_t rows = saturatedProduct(batch, length);
    const int64_t block = 9 * c.features + c.heads + 2 * c.hidden + 4;
    const int64_t around = 2 * c.features + 4 + c.vocabulary + std::max(3 * c.features, c.hidden);
    const int64_t a = saturatedSum(saturatedProduct(learns ? c.layers : 1, block), around);
    return saturatedProduct(saturatedProduct(rows, 4), saturatedSum(a, learns ? 6 * c.features : 0));
}

} // namespace warplight::model
