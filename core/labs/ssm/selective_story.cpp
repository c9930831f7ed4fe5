// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/selective_story.h"

#include "core/cpu/ssm/selective_scan.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/ssm/selective_operator.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace warplight::labs::ssm {
namespace {

constexpr int64_t alphabet = 8;

std::vector<float> numbers(int64_t count) { return std::vector<float>(static_cast<size_t>(count)); }

/// A step in so many is data; questions come last.
int64_t symbolsOf(const CopyTask& task) { return std::clamp<int64_t>(task.length / 8, 1, task.states); }

} // namespace

std::string SelectiveStory::name(int64_t token) const {
    if (tokens.empty())
        return std::to_string(token);
    const Token& t = tokens[static_cast<size_t>(token)];
    const std::string letter(1, static_cast<char>('a' + std::max<int64_t>(t.symbol, 0)));
    return t.kind == Token::Kind::Data ? letter : t.kind == Token::Kind::Question ? "? " + letter : "noise";
}

std::vector<float> SelectiveStory::outputs(const std::atomic<bool>* cancel) const {
    cpu::SelectiveShape shape;
    shape.dim = channels, shape.length = length, shape.state = states, shape.groups = groups;
    std::vector<float> y = numbers(channels * length);
    cpu::SelectiveTensors<float> t;
    t.u = u.data(), t.delta = size.data(), t.a = a.data(), t.b = b.data(), t.c = c.data(), t.y = y.data();
    cpu::selectiveScan(cpu::SelectiveRung::Fused, shape, t, {0, cancel});
    return y;
}

std::vector<float> SelectiveStory::statesOf(int64_t channel, const std::atomic<bool>* cancel) const {
    std::vector<float> made = numbers(states * length);
    for (int64_t n = 0; n < states; ++n) {
        checkCancelled(cancel);
        const auto rate = static_cast<double>(a[static_cast<size_t>(channel * states + n)]);
        double h = 0;
        for (int64_t t = 0; t < length; ++t) {
            const auto at = static_cast<size_t>(channel * length + t);
            const auto step = static_cast<double>(size[at]);
            h = std::exp(step * rate) * h +
                step * static_cast<double>(u[at]) *
                    static_cast<double>(b[static_cast<size_t>(mixing(channel) + n * length + t)]);
            made[static_cast<size_t>(n * length + t)] = static_cast<float>(h);
        }
    }
    return made;
}

int64_t SelectiveStory::answer(const std::vector<float>& y, int64_t token) const {
    int64_t best = -1;
    double most = 0;
    for (int64_t symbol = 0; symbol < alphabet; ++symbol) {
        double likeness = 0, square = 0;
        for (int64_t channel = 0; channel < channels; ++channel) {
            const auto x = static_cast<double>(symbols[static_cast<size_t>(symbol * channels + channel)]);
            likeness += x * static_cast<double>(y[static_cast<size_t>(channel * length + token)]);
            square += x * x;
        }
        likeness /= std::sqrt(square);
        if (best < 0 || likeness > most)
            best = symbol, most = likeness;
    }
    return best;
}

SelectiveStory copyTask(const CopyTask& task, const std::atomic<bool>* cancel) {
    enum Stream : uint64_t { symbolStream = 32, noiseStream, mixStream, placeStream, choiceStream };
    SelectiveStory s;
    s.length = task.length, s.channels = task.channels, s.states = task.states;
    const int64_t count = symbolsOf(task), room = task.length - count; // questions stand behind it
    s.tokens.assign(static_cast<size_t>(s.length), {SelectiveStory::Token::Kind::Noise, -1});
    s.symbols = numbers(alphabet * s.channels);
    tensor::fillGaussian(s.symbols, task.seed, symbolStream, 1, cancel);
    std::vector<float> choice = numbers(count), place = numbers(count);
    tensor::fillUniform(choice, task.seed, choiceStream, 0, 1, cancel);
    tensor::fillUniform(place, task.seed, placeStream, 0, 1, cancel);
    s.u = numbers(s.channels * s.length);
    tensor::fillGaussian(s.u, task.seed, noiseStream, 1, cancel);
    s.size.assign(s.u.size(), static_cast<float>(task.noiseStep));
    s.b = numbers(2 * s.states * s.length);
    tensor::fillGaussian(s.b, task.seed, mixStream, 1 / std::sqrt(static_cast<float>(s.states)), cancel);
    s.c.assign(s.b.begin() + static_cast<ptrdiff_t>(s.states * s.length), s.b.end());
    s.b.resize(s.c.size());
    for (int64_t k = 0; k < count; ++k) {
        checkCancelled(cancel);
        // One in each stretch of three quarters of the room, so that noise follows the last, too.
        const double stretch = 0.75 * static_cast<double>(room) / static_cast<double>(count);
        const auto at = static_cast<int64_t>(
            (static_cast<double>(k) + static_cast<double>(place[static_cast<size_t>(k)])) * stretch);
        const int64_t symbol =
            std::min<int64_t>(alphabet - 1, static_cast<int64_t>(choice[static_cast<size_t>(k)] * alphabet));
        s.tokens[static_cast<size_t>(at)] = {SelectiveStory::Token::Kind::Data, symbol};
        s.tokens[static_cast<size_t>(room + k)] = {SelectiveStory::Token::Kind::Question, symbol};
        for (int64_t channel = 0; channel < s.channels; ++channel) {
            const int64_t row = channel * s.length;
            s.u[static_cast<size_t>(row + at)] = s.symbols[static_cast<size_t>(symbol * s.channels + channel)];
            s.size[static_cast<size_t>(row + at)] = static_cast<float>(task.dataStep);
            s.u[static_cast<size_t>(row + room + k)] = 0;
        }
        for (int64_t n = 0; n < s.states; ++n) {
            s.b[static_cast<size_t>(n * s.length + at)] = n == k ? 1.0f : 0.0f;
            s.b[static_cast<size_t>(n * s.length + room + k)] = 0;
            s.c[static_cast<size_t>(n * s.length + room + k)] = n == k ? 1.0f : 0.0f;
        }
    }
    for (int64_t i = 0; i < s.channels * s.states; ++i)
        s.a.push_back(static_cast<float>(-task.rate * static_cast<double>(i % s.states + 1)));
    return s;
}

SelectiveStory randomStory(int64_t length, int64_t channels, int64_t states, uint64_t seed,
                           const std::atomic<bool>* cancel) {
    workbench::Problem problem;
    const std::pair<const char*, int64_t> given[] = {{"len", length}, {"dim", channels}, {"state", states}};
    for (const auto& [id, value] : given)
        problem.set(id, value);
    completeSelective(problem);
    workbench::Tensors t;
    for (const workbench::TensorSpec& spec : selectiveTensorSpecs())
        if (spec.role == workbench::TensorSpec::Role::Input) {
            t[spec.name].shape = workbench::shapeOf(spec, problem);
            t[spec.name].values.resize(static_cast<size_t>(tensor::elementCount(t[spec.name].shape)));
        }
    fillSelective(problem, "gaussian", seed, t, cancel);
    SelectiveStory s;
    s.length = length, s.channels = channels, s.states = states;
    s.u = std::move(t["u"].values), s.size = std::move(t["delta"].values), s.a = std::move(t["A"].values);
    s.b = std::move(t["B"].values), s.c = std::move(t["C"].values);
    return s;
}

SelectiveStory loadedStory(const StoryFiles& files, const std::atomic<bool>* cancel) {
    workbench::Tensors t;
    std::map<std::string, std::string> origin;
    const std::pair<const char*, const std::string*> all[] = {{"u", &files.u}, {"delta", &files.delta},
                                                              {"A", &files.a}, {"B", &files.b},
                                                              {"C", &files.c}, {"delta-bias", &files.bias}};
    for (const auto& [name, file] : all) {
        if (file->empty() && std::string(name) != "delta-bias")
            throw InputError(fmt::format("{} is missing, expected a file", name));
        if (file->empty())
            continue;
        t[name] = formats::loadTensor(*file, cancel);
        origin[name] = fmt::format("{} {}", name, *file);
    }
    const workbench::Arranged arranged = selectiveArrangement().in(t, origin, "");
    const workbench::Problem& p = arranged.problem;
    SelectiveStory s;
    s.length = p["len"], s.channels = p["dim"], s.states = p["state"], s.groups = p["groups"];
    cpu::SelectiveShape shape;
    shape.batch = p["batch"], shape.dim = s.channels, shape.length = s.length, shape.state = s.states;
    shape.groups = s.groups;
    cpu::checkShape(shape);
    if (files.sequence >= p["batch"])
        throw InputError(fmt::format("sequence is {}, expected 0 to {}", files.sequence, p["batch"] - 1));
    if (s.length == 0)
        throw InputError("u has no steps, expected at least one");
    const auto part = [&](const char* name) {
        std::vector<float>& values = t[name].values;
        const auto each = static_cast<ptrdiff_t>(values.size()) / p["batch"];
        return std::vector<float>(values.begin() + files.sequence * each, values.begin() + (files.sequence + 1) * each);
    };
    s.u = part("u"), s.size = part("delta"), s.b = part("B"), s.c = part("C");
    s.a = std::move(t["A"].values);
    const std::vector<float>& bias = t["delta-bias"].values;
    for (size_t i = 0; i < s.size.size(); ++i) {
        const double x = static_cast<double>(s.size[i]) +
                         (bias.empty() ? 0 : static_cast<double>(bias[i / static_cast<size_t>(s.length)]));
        s.size[i] = static_cast<float>(files.softplus ? cpu::softplusOf(x) : x);
    }
    return s;
}

} // namespace warplight::labs::ssm
