// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/parameters.h"

#include "core/cpu/rounding.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <utility>

namespace warplight::model {
namespace {

constexpr int64_t cacheLine = 16; ///< floats
/// The paper begins with N(0, 0.02²), which makes the first weights of attention smaller than 1e-6.
constexpr float unitGamma = 1;

} // namespace

ParameterLayout::ParameterLayout(const Config& c) {
    add("wte.weight", {c.vocabulary, c.features});
    add("wpe.weight", {c.context, c.features});
    for (int64_t layer = 0; layer < c.layers; ++layer) {
        const std::string prefix = fmt::format("h.{}.", layer);
        if (c.architecture == Architecture::Gau)
            addUnit(c, prefix);
        else
            addBlock(c, prefix);
    }
    add("ln_f.weight", {c.features});
    add("ln_f.bias", {c.features});
}

void ParameterLayout::addBlock(const Config& c, const std::string& prefix) {
    add(prefix + "ln_1.weight", {c.features});
    add(prefix + "ln_1.bias", {c.features});
    add(prefix + "attn.c_attn.weight", {c.features, 3 * c.features});
    add(prefix + "attn.c_attn.bias", {3 * c.features});
    add(prefix + "attn.c_proj.weight", {c.features, c.features});
    add(prefix + "attn.c_proj.bias", {c.features});
    add(prefix + "ln_2.weight", {c.features});
    add(prefix + "ln_2.bias", {c.features});
    add(prefix + "mlp.c_fc.weight", {c.features, c.hidden});
    add(prefix + "mlp.c_fc.bias", {c.hidden});
    add(prefix + "mlp.c_proj.weight", {c.hidden, c.features});
    add(prefix + "mlp.c_proj.bias", {c.features});
}

void ParameterLayout::addUnit(const Config& c, const std::string& prefix) {
    add(prefix + "ln.weight", {c.features});
    add(prefix + "ln.bias", {c.features});
    add(prefix + "gau.u.weight", {c.features, c.hidden});
    add(prefix + "gau.v.weight", {c.features, c.hidden});
    add(prefix + "gau.z.weight", {c.features, c.shared});
    for (const char* view : {"gau.gamma", "gau.beta"}) {
        add(prefix + view, {2, c.shared});
        all.back().decays = false;
    }
    add(prefix + "gau.c_proj.weight", {c.hidden, c.features});
}

void ParameterLayout::add(std::string name, std::vector<int64_t> shape) {
    ParameterPlace place;
    place.name = std::move(name);
    place.begin = total;
    place.count = tensor::elementCount(shape);
    place.decays = shape.size() > 1;
    place.shape = std::move(shape);
    total += cpu::roundUp(place.count, cacheLine);
    all.push_back(std::move(place));
}

int64_t ParameterLayout::count() const {
    int64_t sum = 0;
    for (const ParameterPlace& place : all)
        sum += place.count;
    return sum;
}

const ParameterPlace* ParameterLayout::find(std::string_view name) const {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& place) { return place.name == name; });
    return found == all.end() ? nullptr : &*found;
}

ParameterBuffer::ParameterBuffer(const ParameterLayout& layout)
    : begin(workspace.take<float>(layout.size())), size(layout.size()) {
    std::fill_n(begin, size, 0.0f);
}

std::vector<NamedView> namedViews(const ParameterLayout& layout, const ParameterBuffer& buffer) {
    std::vector<NamedView> views;
    views.reserve(layout.places().size());
    for (const ParameterPlace& place : layout.places())
        views.push_back({place.name, place.shape, buffer[place]});
    return views;
}

void initialise(const Config& config, const ParameterLayout& layout, ParameterBuffer& weights, uint64_t seed) {
    constexpr float deviation = 0.02f;
    const float sublayers = static_cast<float>(config.layers) * (config.architecture == Architecture::Gau ? 1 : 2);
    const float endOfSublayer = deviation / std::sqrt(sublayers);
    uint64_t stream = 0;
    for (const ParameterPlace& place : layout.places()) {
        const std::string_view name = place.name;
        const std::span<float> values = weights[place];
        if (name.ends_with("gau.gamma") || name.ends_with("gau.beta"))
            std::fill(values.begin(), values.end(), name.ends_with("gamma") ? unitGamma : 0.0f);
        else if (place.shape.size() > 1)
            tensor::fillGaussian(values, seed, stream, name.ends_with("c_proj.weight") ? endOfSublayer : deviation);
        else
            std::fill(values.begin(), values.end(), name.ends_with("weight") ? 1.0f : 0.0f);
        ++stream;
    }
}

} // namespace warplight::model
