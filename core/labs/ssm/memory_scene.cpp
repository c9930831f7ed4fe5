// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/ssm/memory_scene.h"

#include "core/text/counted.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <fmt/format.h>
#include <numbers>
#include <utility>

namespace warplight::labs::ssm {
namespace {

using namespace lab;

// The canvas, in units: the signal above, what the memories hold below.
constexpr double canvasWidth = 32, canvasHeight = 14.6;
struct Box {
    double x, y, width, height;
};
constexpr Box signalBox{1.4, 0.8, 30.2, 6.4}, coefficientBox{1.4, 9.2, 10, 4.4}, poleBox{14.2, 9.2, 4.4, 4.4},
    errorBox{21.6, 9.2, 10, 4.4};
constexpr size_t mostPoints = 400;    ///< of a curve: more than a pixel each says nothing
constexpr double reachesBeyond = 1.5; ///< the scale, times the largest sample
constexpr double poleScale = 1.25;    ///< from the middle to the edge of the plane
constexpr double leastError = -4;     ///< log₁₀ of the scale of errors
constexpr double mostError = 1;

Steps::Trace traceIn(const Box& box, double left, double right, double bottom, double top) {
    Steps::Trace trace;
    trace.x = box.x, trace.y = box.y, trace.width = box.width, trace.height = box.height;
    trace.left = left, trace.right = right, trace.bottom = bottom, trace.top = top;
    trace.provenance = Provenance::Counted;
    return trace;
}

Steps::Label label(double x, double y, std::string text, Steps::Label::Align align = Steps::Label::Align::Left) {
    Steps::Label result;
    result.x = x, result.y = y;
    result.text = std::move(text);
    result.align = align;
    return result;
}

Steps::Region frameOf(const Box& box, std::string title) {
    Steps::Region region;
    region.x = box.x, region.y = box.y, region.width = box.width, region.height = box.height;
    region.title = std::move(title);
    return region;
}

/// A line across a box at a value of its vertical scale: 0 = bottom, 1 = top.
Steps::Trace level(const Box& box, float at) {
    Steps::Trace trace = traceIn(box, 0, 1, 0, 1);
    trace.ys = {at, at};
    trace.provenance = Provenance::Reference;
    return trace;
}

bool hasWindow(const MemoryKind& kind) { return kind.id == "legt" || kind.id == "lmu" || kind.id == "fout"; }

/// Through the box of the signal.
Steps::Arrow upright(double x, std::string colourKey = {}) {
    Steps::Arrow arrow;
    arrow.fromX = arrow.toX = x;
    arrow.fromY = signalBox.y;
    arrow.toY = signalBox.y + signalBox.height;
    arrow.shape = Steps::Arrow::Shape::Line;
    arrow.colourKey = std::move(colourKey);
    return arrow;
}

std::string percent(double share) {
    return std::isfinite(share) && share < 100 ? fmt::format("{:.2g} %", 100 * share) : std::string("over 10,000 %");
}

} // namespace

std::string colourKeyOf(const MemoryKind& kind) { return kind.id; }

MemoryScene::MemoryScene(const Signal& signal, const MemoryOptions& options)
    : signal(signal), options(options), last(static_cast<double>(signal.clean.size())) {
    for (const float sample : signal.clean)
        scale = std::max(scale, reachesBeyond * std::fabs(static_cast<double>(sample)));
}

double MemoryScene::across(double sample) const { return signalBox.x + sample / last * signalBox.width; }

Steps MemoryScene::frame(int64_t moments) const {
    Steps steps;
    steps.width = canvasWidth;
    steps.height = canvasHeight;
    steps.stepTime = 0.06;
    steps.opensAt = moments - 1;
    steps.always.links = {{"Remember this", "ssm.memory", {{"signal", "drawn"}}}};
    Steps::Trace sheet = traceIn(signalBox, 0.5, last - 0.5, -scale, scale);
    sheet.ys = signal.clean;
    sheet.title = "signal";
    sheet.provenance = Provenance::Reference;
    sheet.link = 0;
    sheet.draws = "drawn";
    steps.always.regions = {frameOf(signalBox, "Signal and what is remembered of it: draw over it with the mouse"),
                            frameOf(coefficientBox, ""), frameOf(poleBox, "Poles, each step"),
                            frameOf(errorBox, "Error by age of the sample")};
    Steps::Trace circle = traceIn(poleBox, -poleScale, poleScale, -poleScale, poleScale);
    circle.provenance = Provenance::Reference;
    for (int i = 0; i <= 96; ++i) {
        const double angle = 2 * std::numbers::pi * i / 96;
        circle.xs.push_back(static_cast<float>(std::cos(angle)));
        circle.ys.push_back(static_cast<float>(std::sin(angle)));
    }
    steps.always.traces = {level(signalBox, 0.5f), std::move(sheet), std::move(circle)};
    const double bottom = errorBox.y + errorBox.height;
    for (int power = -3; power <= 0; ++power) {
        const double share = (power - leastError) / (mostError - leastError);
        steps.always.traces.push_back(level(errorBox, static_cast<float>(share)));
        steps.always.labels.push_back(label(errorBox.x - 0.25, bottom - share * errorBox.height,
                                            power == 0 ? "100 %" : fmt::format("{:g} %", 100 * std::pow(10, power)),
                                            Steps::Label::Align::Right));
    }
    steps.always.labels.push_back(label(errorBox.x, bottom + 0.5, "now"));
    steps.always.labels.push_back(label(errorBox.x + errorBox.width, bottom + 0.5,
                                        fmt::format("{} ago", counted(static_cast<int64_t>(last), "sample")),
                                        Steps::Label::Align::Right));
    steps.always.labels.push_back(label(signalBox.x, signalBox.y + signalBox.height + 0.5, "0"));
    steps.always.labels.push_back(label(signalBox.x + signalBox.width, signalBox.y + signalBox.height + 0.5,
                                        counted(static_cast<int64_t>(last), "sample"), Steps::Label::Align::Right));
    return steps;
}

void MemoryScene::addTime(Steps::Step& scene, std::span<const MemoryWalk> walks, double now) const {
    if (std::any_of(walks.begin(), walks.end(), [](const auto& walk) { return hasWindow(walk.kind()); })) {
        const double from = across(std::max(0.0, now - options.window));
        Steps::Region window = frameOf({from, signalBox.y, across(now) - from, signalBox.height}, "");
        window.border = Steps::Region::Border::Dashed;
        window.id = "window";
        scene.regions.push_back(std::move(window));
    }
    Steps::Arrow present = upright(across(now));
    present.id = "now";
    scene.arrows.push_back(std::move(present));
}

void MemoryScene::addRecalled(Steps::Step& scene, const MemoryKind& kind, const Moment& moment) const {
    Steps::Trace trace = traceIn(signalBox, 0, last, -scale, scale);
    const size_t stride = std::max<size_t>(1, moment.recalled.size() / mostPoints);
    for (size_t age = 0; age < moment.recalled.size(); age += stride) {
        trace.xs.push_back(static_cast<float>(static_cast<double>(moment.now) - 0.5 - static_cast<double>(age)));
        trace.ys.push_back(static_cast<float>(moment.recalled[age]));
    }
    trace.title = kind.name();
    trace.colourKey = colourKeyOf(kind);
    trace.id = "recalled " + kind.id;
    scene.traces.push_back(std::move(trace));
}

/// Poles far outside stand at the edge of the plane.
void MemoryScene::addPoles(Steps::Step& scene, const MemoryKind& kind, const Moment& moment) {
    Steps::Trace trace = traceIn(poleBox, -poleScale, poleScale, -poleScale, poleScale);
    for (const std::complex<double>& pole : moment.poles) {
        const double outside = std::max({1.0, std::fabs(pole.real()) / poleScale, std::fabs(pole.imag()) / poleScale});
        trace.xs.push_back(static_cast<float>(pole.real() / outside));
        trace.ys.push_back(static_cast<float>(pole.imag() / outside));
    }
    trace.style = Steps::Trace::Style::Points;
    trace.title = "a pole of " + kind.name();
    trace.colourKey = colourKeyOf(kind);
    scene.traces.push_back(std::move(trace));
}

void MemoryScene::addErrors(Steps::Step& scene, const MemoryWalk& walk) const {
    Steps::Trace trace = traceIn(errorBox, 0, last, leastError, mostError);
    for (const auto& [age, error] : walk.errorByAge()) {
        const double power = std::log10(std::max(error, 1e-30));
        trace.xs.push_back(static_cast<float>(age));
        trace.ys.push_back(static_cast<float>(std::isnan(error) ? error : std::clamp(power, leastError, mostError)));
    }
    trace.title = walk.kind().name() + ", log₁₀ of the error";
    trace.colourKey = colourKeyOf(walk.kind());
    scene.traces.push_back(std::move(trace));
}

void MemoryScene::addCoefficients(Steps::Step& scene, const MemoryKind& kind, const Moment& moment) {
    double tallest = 1e-12;
    for (const double c : moment.coefficients)
        tallest = std::isfinite(c) ? std::max(tallest, std::fabs(c)) : tallest;
    Steps::Trace trace =
        traceIn(coefficientBox, -0.5, static_cast<double>(moment.coefficients.size()) - 0.5, -tallest, tallest);
    for (const double c : moment.coefficients) {
        trace.xs.push_back(static_cast<float>(trace.xs.size()));
        trace.ys.push_back(static_cast<float>(c));
    }
    trace.style = Steps::Trace::Style::Stems;
    trace.title = "coefficient";
    trace.colourKey = colourKeyOf(kind);
    scene.traces.push_back(std::move(trace));
    Steps::Region title =
        frameOf(coefficientBox, fmt::format("Coefficients of {}, up to {:.2g}", kind.name(), tallest));
    title.border = Steps::Region::Border::None;
    scene.regions.push_back(std::move(title));
}

Steps::Step MemoryScene::scene(std::span<const MemoryWalk> walks, std::span<const Moment> moments) const {
    Steps::Step scene;
    addTime(scene, walks, static_cast<double>(moments.front().now));
    addCoefficients(scene, walks.front().kind(), moments.front());
    double largestPole = 0, noted = 0;
    std::string diverging;
    bool outside = false;
    for (size_t m = 0; m < walks.size(); ++m) {
        const MemoryKind& kind = walks[m].kind();
        const Moment& moment = moments[m];
        addRecalled(scene, kind, moment);
        addPoles(scene, kind, moment);
        addErrors(scene, walks[m]);
        largestPole = std::max(largestPole, warplight::ssm::largest(moment.poles));
        if (const auto begins = walks[m].divergesAt()) {
            const double at = across(static_cast<double>(*begins));
            scene.arrows.push_back(upright(at, colourKeyOf(kind)));
            scene.labels.push_back(label(at + 0.2, signalBox.y + 0.6 + noted++,
                                         fmt::format("{}: beyond the signal from sample {}", kind.name(), *begins)));
            outside |= walks[m].leftCircle();
            diverging += fmt::format("{}{}", diverging.empty() ? "" : ", ", kind.name());
        }
        scene.facts.push_back({kind.name() + " error", percent(moment.errorAll), Provenance::Counted});
        if (moment.errorNear && hasWindow(kind))
            scene.facts.back().text += fmt::format(", window {}", percent(*moment.errorNear));
    }
    scene.labels.push_back(
        label(poleBox.x + poleBox.width / 2, poleBox.y + poleBox.height + 0.5,
              fmt::format("largest {:.4g}{}", largestPole, largestPole > onCircle ? ", outside" : ""),
              Steps::Label::Align::Centre));
    const Moment& first = moments.front();
    scene.caption = diverging.empty()
                        ? fmt::format("{} numbers of {} remember {} samples: error {}{}.", options.n,
                                      walks.front().kind().name(), first.now, percent(first.errorAll),
                                      first.errorNear ? fmt::format(", {} within the last {:.0f}",
                                                                    percent(*first.errorNear), options.window)
                                                      : std::string())
                        : fmt::format("Beyond ten times the signal: {}. {}", diverging,
                                      outside ? "A pole was outside the circle."
                                              : "No pole is outside the circle: the matrix is far from normal.");
    return scene;
}

} // namespace warplight::labs::ssm
