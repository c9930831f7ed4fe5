// SPDX-License-Identifier: GPL-3.0-or-later
// A user's tensors of SSD, and made-up ones.
#include "core/labs/ssm/ssd_operator.h"
#include "core/tensor/random.h"
#include "core/workbench/arrange.h"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using tensor::Tensor;
using workbench::Problem;
using workbench::Tensors;

enum Stream : uint64_t { xStream, aStream, bStream, cStream, initialStream };
constexpr int64_t resetEvery = 16; ///< steps, of the input "resets"
/// Mamba-2 begins with Δ in 0.001 … 0.1 and A in 1 … 16: decays e^-ΔA.
constexpr float leastDecay = 1e-3f, mostDecay = 1.6f;

using Origin = std::map<std::string, std::string>;

void expectShape(const Origin& origin, const char* name, const Tensor& t, const std::vector<int64_t>& shape) {
    if (t.shape != shape)
        workbench::refuseShape(origin, name, t.shape, fmt::format("{}, as X has it", tensor::shapeText(shape)));
}

/// X in two to four dimensions, the others as it.
workbench::Arranged arrange(Tensors& given, const Origin& origin, const std::string&) {
    Tensor& x = given.at("X");
    const size_t rank = x.shape.size();
    if (rank < 2 || rank > 4)
        workbench::refuseShape(origin, "X", x.shape, "[batch, length, heads, P], [length, heads, P] or [length, P]");
    std::vector<int64_t> dims = x.shape; // batch, length, heads, P
    if (rank == 2)
        dims.insert(dims.begin() + 1, 1);
    if (rank < 4)
        dims.insert(dims.begin(), 1);
    Tensor& a = given.at("A");
    std::vector<int64_t> decays = x.shape; // one a row of X
    decays.pop_back();
    expectShape(origin, "A", a, decays);
    std::vector<int64_t> shared; // batch, length, groups, N of B
    for (const char* name : {"B", "C"}) {
        Tensor& t = given.at(name);
        std::vector<int64_t> shape = t.shape;
        const size_t ungrouped = rank == 4 ? 3 : 2;
        if (shape.size() == ungrouped)
            shape.insert(shape.end() - 1, 1);
        if (shape.size() == 3)
            shape.insert(shape.begin(), 1);
        if (shape.size() != 4 || t.shape.size() > rank || shape[0] != dims[0] || shape[1] != dims[1])
            workbench::refuseShape(
                origin, name, t.shape,
                rank == 4 ? fmt::format("[{}, {}, groups, N] or [{}, {}, N]", dims[0], dims[1], dims[0], dims[1])
                          : fmt::format("[{}, groups, N] or [{}, N]", dims[1], dims[1]));
        if (!shared.empty() && shape != shared)
            workbench::refuseShape(origin, name, t.shape, "as many groups and numbers of a state as B has");
        shared = shape;
        t.shape = shape;
    }
    workbench::Arranged arranged;
    arranged.problem.set("batch", dims[0]);
    arranged.problem.set("seqLen", dims[1]);
    arranged.problem.set("heads", dims[2]);
    arranged.problem.set("headDim", dims[3]);
    arranged.problem.set("groups", shared[2]);
    arranged.problem.set("stateDim", shared[3]);
    arranged.problem.set("begins", given.contains("initial-state"));
    const std::vector<int64_t> state{dims[0], dims[2], dims[3], shared[3]};
    if (given.contains("initial-state")) {
        Tensor& initial = given.at("initial-state");
        std::vector<int64_t> expected(state.end() - static_cast<std::ptrdiff_t>(rank), state.end());
        expectShape(origin, "initial-state", initial, expected);
        initial.shape = state;
    }
    x.shape = dims;
    a.shape = {dims[0], dims[1], dims[2]};
    arranged.out = [rank](const std::string& name, Tensor made) {
        if (name == "Y" && rank == 2)
            made.shape = {made.shape[1], made.shape[3]};
        else
            made.shape.erase(made.shape.begin(), made.shape.end() - static_cast<std::ptrdiff_t>(rank));
        return made;
    };
    return arranged;
}

} // namespace

workbench::Arrangement ssdArrangement() { return {{}, arrange}; }

std::vector<lab::Parameter::Option> ssdInputKinds() {
    return {{"gaussian", "Gaussian", "independent normal numbers; decays as Mamba-2 begins with"},
            {"large", "Large", "B and C times 10"},
            {"keeps", "Keeps", "decays of exactly 1: nothing is forgotten"},
            {"resets", "Resets", "decays of exactly 0 at every 16th step: all before is forgotten"}};
}

void fillSsd(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    const float spread = kind == "large" ? 10.0f : 1.0f;
    tensor::fillGaussian(t.at("X").values, seed, xStream, 1, cancel);
    tensor::fillGaussian(t.at("B").values, seed, bStream, spread, cancel);
    tensor::fillGaussian(t.at("C").values, seed, cStream, spread, cancel);
    if (const auto initial = t.find("initial-state"); initial != t.end())
        tensor::fillGaussian(initial->second.values, seed, initialStream, 1, cancel);
    std::vector<float>& a = t.at("A").values;
    tensor::fillUniform(a, seed, aStream, std::log(leastDecay), std::log(mostDecay), cancel);
    for (size_t i = 0; i < a.size(); ++i) {
        const bool resets = kind == "resets" && static_cast<int64_t>(i) / p["heads"] % resetEvery == resetEvery - 1;
        a[i] = kind == "keeps" ? 0 : resets ? -std::numeric_limits<float>::infinity() : -std::exp(a[i]);
    }
}

} // namespace warplight::labs::ssm
