// SPDX-License-Identifier: GPL-3.0-or-later
// Knobs and tensors of the linear scans.
#include "core/labs/ssm/scan_operator.h"
#include "core/tensor/random.h"
#include "core/tensor/tensor.h"
#include "core/workbench/arrange.h"
#include "core/workbench/knobs.h"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <numbers>
#include <string>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using lab::Parameter;
using workbench::dimension;
using workbench::Knob;
using workbench::Page;
using workbench::Problem;
using workbench::Tensors;

constexpr int64_t resetEvery = 16; ///< steps, of the kind "resets"

/// [..., length] or [..., length, parts]: everything before the length is channels.
workbench::Arranged arrange(Tensors& given, const std::map<std::string, std::string>& origin, int64_t parts) {
    workbench::Arranged arranged;
    const size_t behind = parts > 1 ? 1 : 0;
    std::vector<int64_t> whole; // of the first
    std::string first;
    for (auto& [name, tensor] : given) {
        const bool isState = name == "h0";
        const std::string expected = parts > 1 ? "[..., length, 2]" : "[..., length]";
        if (isState)
            continue;
        if (tensor.shape.size() < 1 + behind || (parts > 1 && tensor.shape.back() != parts))
            workbench::refuseShape(origin, name, tensor.shape, expected);
        if (first.empty()) {
            whole = tensor.shape;
            first = name;
        } else if (tensor.shape != whole) {
            workbench::refuseShape(origin, name, tensor.shape,
                                   fmt::format("{} as {} has", tensor::shapeText(whole), origin.at(first)));
        }
    }
    const int64_t length = whole[whole.size() - 1 - behind];
    int64_t channels = 1;
    for (size_t i = 0; i + 1 + behind < whole.size(); ++i)
        channels *= whole[i];
    std::vector<int64_t> states(whole.begin(), whole.end() - 1 - static_cast<std::ptrdiff_t>(behind)); // of h0
    if (parts > 1)
        states.push_back(parts);
    if (const auto h0 = given.find("h0"); h0 != given.end() && h0->second.shape != states)
        workbench::refuseShape(
            origin, "h0", h0->second.shape,
            fmt::format("{}: that of {} without the steps", tensor::shapeText(states), origin.at(first)));
    for (auto& [name, tensor] : given) {
        tensor.shape = name == "h0" ? std::vector<int64_t>{channels} : std::vector<int64_t>{channels, length};
        if (parts > 1)
            tensor.shape.push_back(parts);
    }
    arranged.problem.set("channels", channels);
    arranged.problem.set("length", length);
    arranged.out = [whole, states](const std::string& name, tensor::Tensor made) {
        made.shape = name == "dh0" ? states : whole;
        return made;
    };
    return arranged;
}

} // namespace

std::vector<Knob> scanKnobs(Page page) {
    const bool race = page == Page::Race;
    const int64_t longest = race ? 1 << 24 : page == Page::Accuracy ? 1 << 20 : 1 << 16;
    return {dimension("length", "n", "steps",
                      Parameter::integer("length", "Steps", race ? 65536 : 4096, 1, static_cast<double>(longest),
                                         "Steps of each channel."),
                      Parameter::sweep("lengths", "Steps",
                                       race ? std::vector<int64_t>{1024, 4096, 16384, 65536, 262144, 1048576}
                                            : std::vector<int64_t>{256, 1024, 4096},
                                       1, static_cast<double>(longest), "Steps of each channel, one number a point."),
                      1024),
            dimension("channels", "channels", "channels",
                      Parameter::integer("channels", "Channels", race ? 4 : 2, 1, 1 << 16,
                                         "Rows that are scanned independently: batch times channels."),
                      Parameter::sweep("channelCounts", "Channels", {1, 4, 16, 64, 256}, 1, 1 << 16,
                                       "Numbers of channels, one a point."),
                      4)};
}

std::string scanInWords(const Problem& p) {
    return fmt::format("{} channel{} of {} steps", p["channels"], p["channels"] == 1 ? "" : "s", p["length"]);
}

std::vector<Parameter::Option> scanInputKinds() {
    return {{"decays", "Decays", "decays between 0 and 1, normal inputs"},
            {"memory", "Long memory", "decays of 0.999 to 1: states remember thousands of steps"},
            {"resets", "Resets", "decays of exactly 1, and of 0 at every 16th step: all before is forgotten"},
            {"signed", "Signed", "decays between -1 and 1"}};
}

void fillScan(const Problem& p, const std::string& kind, uint64_t seed, Tensors& t, const std::atomic<bool>* cancel) {
    std::vector<float>& a = t.at("A").values;
    const auto parts = static_cast<size_t>(p["parts"]);
    const float low = kind == "memory" ? 0.999f : kind == "signed" ? -1.0f : 0.0f;
    tensor::fillUniform(a, seed, 0, low, 1, cancel);
    if (kind == "resets")
        for (size_t i = 0; i < a.size(); ++i)
            a[i] = static_cast<int64_t>(i / parts) % p["length"] % resetEvery == resetEvery - 1 ? 0.0f : 1.0f;
    if (parts == 2) // the first of each pair is the size, the second becomes a turn
        for (size_t i = 0; i + 1 < a.size(); i += 2) {
            const double size = static_cast<double>(a[i]),
                         turn = kind == "resets" ? 0 : static_cast<double>(a[i + 1]) * std::numbers::pi / 4;
            a[i] = static_cast<float>(size * std::cos(turn));
            a[i + 1] = static_cast<float>(size * std::sin(turn));
        }
    tensor::fillGaussian(t.at("B").values, seed, 1, 1, cancel);
    tensor::fillGaussian(t.at("h0").values, seed, 2, 1, cancel);
}

workbench::Arrangement scanArrangement(int64_t parts) {
    return {{}, [parts](Tensors& given, const std::map<std::string, std::string>& origin, const std::string&) {
                return arrange(given, origin, parts);
            }};
}

} // namespace warplight::labs::ssm
