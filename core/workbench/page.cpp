// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/workbench/page.h"

#include "core/devices/gpus.h"
#include "core/error.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <utility>

namespace warplight::workbench {
namespace {

using lab::Parameter;

constexpr const char* pageIds[] = {"race", "traffic", "accuracy"};
constexpr const char* pageTitles[] = {"Race", "Traffic", "Accuracy"};
constexpr const char* nothingSwept = "nothing";

std::string numberText(double x) { return fmt::format("{}", x); }

double valueOf(const lab::Settings& settings, const Parameter& parameter) {
    switch (parameter.type) {
    case Parameter::Type::Flag:
        return settings.flag(parameter.id) ? 1 : 0;
    case Parameter::Type::Real:
        return settings.real(parameter.id);
    case Parameter::Type::Choice: { // by position
        const std::string& chosen = settings.text(parameter.id);
        for (size_t i = 0; i < parameter.options.size(); ++i)
            if (parameter.options[i].id == chosen)
                return static_cast<double>(i);
        return 0;
    }
    default:
        return static_cast<double>(settings.integer(parameter.id));
    }
}

std::string defaultSentence(Page page, const Operator& op) {
    switch (page) {
    case Page::Race:
        return "Time point by point, rate, memory and roofline of " + op.formula + ".";
    case Page::Traffic:
        return "Bytes that each kernel moves, tensor by tensor: by formula, and counted while it runs.";
    case Page::Accuracy:
        return "Error of each implementation and storage type against double precision.";
    }
    return {};
}

std::string textOr(const std::map<Page, std::string>& texts, Page page, std::string otherwise) {
    const auto found = texts.find(page);
    return found == texts.end() ? std::move(otherwise) : found->second;
}

std::string defaultQuestion(Page page, const Operator& op) {
    switch (page) {
    case Page::Race:
        return "Which way to compute " + op.formula + " is fastest, and how close does it come to the machine's peak?";
    case Page::Traffic:
        return "Which bytes does each kernel move that it need not?";
    case Page::Accuracy:
        return "Does a faster kernel give worse numbers, and on which inputs?";
    }
    return {};
}

std::string defaultAbout(Page page, const Operator& op) {
    switch (page) {
    case Page::Race:
        return fmt::format(
            "{}. **FLOPs** {}. **% of f32 peak**: against this machine's own fused multiply-add rate. Each point is "
            "warmed up once and repeated until its median is stable. On the virtual GPU the compiled GPU kernels race, "
            "in **modelled** time; on an NVIDIA GPU in **measured** time, with the modelled one beside it.",
            op.formula, op.flopsText);
    case Page::Traffic:
        return "**Compulsory**: each tensor once. **Algorithmic**: the loops' formula, with the kernel's own tiles. "
               "**Counted**: what the threads of the compiled kernel asked for on the virtual GPU, byte by byte. "
               "**DRAM**: what is left of it behind the modelled L1 and L2 of the chosen GPU, cold at the start, with "
               "what is dirty in the end written back. The four are never mixed. On an NVIDIA GPU its own counters "
               "stand beside them, **measured**.";
    case Page::Accuracy:
        return "The **reference** computes in f64 and rounds its result to f32 once, so nothing below 6e-8 of a row's "
               "size can be told apart.";
    }
    return {};
}

/// A choice of implementations; of several operators that have one of the same name it is the first's.
Parameter ladderParameter(const OperatorList& operators, const char* id, const char* title,
                          Implementation::Device device, const char* doc, Page page,
                          const std::vector<std::string>& atFirst) {
    std::vector<Parameter::Option> options;
    std::vector<std::string> chosen;
    for (const auto& op : operators)
        for (const Implementation* i : op->onDevice(device)) {
            const bool known =
                std::any_of(options.begin(), options.end(), [&](const auto& o) { return o.id == i->id; });
            const bool judges = page == Page::Accuracy; // the reference is what others are judged by
            if (i->library || known || (judges && i->id == "reference"))
                continue;
            options.push_back({i->id, i->id, fmt::format("{}: {}", i->title, i->improves)});
            const bool named = std::find(atFirst.begin(), atFirst.end(), i->id) != atFirst.end();
            if (atFirst.empty() ? i->chosen || (judges && i->judged) : named)
                chosen.push_back(i->id);
        }
    return Parameter::choices(id, title, chosen, options, doc);
}

} // namespace

PageSetup::PageSetup(OperatorList ops, Page page, std::vector<std::string> chosen)
    : operators(std::move(ops)), which(page), atFirst(std::move(chosen)) {
    for (const auto& op : operators)
        for (Knob& knob : op->knobs(page))
            if (std::none_of(every.begin(), every.end(), [&](const Knob& k) { return k.id == knob.id; }))
                every.push_back(std::move(knob));
}

lab::Description PageSetup::describe() const {
    const Operator& op = first();
    const auto p = static_cast<size_t>(which);
    lab::Description d;
    d.id = fmt::format("{}.{}", op.id, pageIds[p]);
    d.lab = op.lab;
    d.title = pageTitles[p];
    if (!op.page.empty()) {
        d.title[0] = static_cast<char>(std::tolower(d.title[0]));
        d.title = op.page + " " + d.title;
    }
    d.sentence = textOr(op.sentences, which, defaultSentence(which, op));
    d.question = textOr(op.questions, which, defaultQuestion(which, op));
    d.about = textOr(op.abouts, which, defaultAbout(which, op));
    const auto any = [&](Implementation::Device device) {
        return std::any_of(operators.begin(), operators.end(),
                           [&](const auto& o) { return !o->onDevice(device).empty(); });
    };
    if (which != Page::Traffic && any(Implementation::Device::Cpu))
        d.devices.emplace_back("cpu");
    if (any(Implementation::Device::Gpu)) {
        d.devices.emplace_back("vgpu");
        d.devices.emplace_back("cuda");
    }
    for (const auto& o : operators)
        d.colours.merge(coloursOf(*o));
    return d;
}

std::vector<Parameter> PageSetup::knobParameters() const {
    std::vector<Parameter::Option> axes;
    if (which == Page::Accuracy)
        axes.push_back({nothingSwept, "one problem", "the errors of one problem, with their histogram"});
    for (const Knob& knob : every)
        if (knob.sweep)
            axes.push_back({knob.id, knob.axis, ""});
    std::vector<Parameter> all;
    if (axes.size() > 1)
        all.push_back(Parameter::choice("against", "Against", axes.front().id, axes, "What the plot's x axis is."));
    for (const Knob& knob : every) {
        if (knob.sweep) {
            all.push_back(*knob.sweep);
            if (axes.size() > 1)
                all.back().shownWhen = {lab::when("against", {knob.id})};
        }
        if (knob.single && (!knob.sweep || axes.size() > 1)) {
            all.push_back(*knob.single);
            if (knob.sweep)
                all.back().shownWhen = {lab::unless("against", {knob.id})};
        }
    }
    return all;
}

std::vector<Parameter> PageSetup::ladderParameters() const {
    std::vector<Parameter> all;
    const lab::Description d = describe();
    if (lab::runsOn(d, "cpu"))
        all.push_back(devices::onDevice(
            ladderParameter(operators, "implementations", "Implementations", Implementation::Device::Cpu,
                            which == Page::Accuracy ? "Which rungs are judged." : "Which rungs of the ladder race.",
                            which, atFirst),
            "cpu"));
    if (!lab::runsOn(d, "vgpu"))
        return all;
    Parameter kernels = ladderParameter(operators, "kernels", "Kernels", Implementation::Device::Gpu,
                                        "Which GPU kernels run.", which, atFirst);
    all.push_back(lab::runsOn(d, "cpu") ? devices::notOnDevice(std::move(kernels), "cpu") : std::move(kernels));
    if (which == Page::Race)
        for (const auto& op : operators)
            for (const Implementation& i : op->ladder)
                if (i.library && std::none_of(all.begin(), all.end(), [&](const Parameter& p) { return p.id == i.id; }))
                    all.push_back(devices::onDevice(Parameter::flag(i.id,
                                                                    i.id == "cublas"  ? "cuBLAS"
                                                                    : i.id == "cufft" ? "cuFFT"
                                                                                      : i.id,
                                                                    true, i.title + "."),
                                                    "cuda"));
    return all;
}

std::vector<Contestant> PageSetup::chosen(const lab::Settings& settings, const std::string& device) const {
    const auto kind = device == "cpu" ? Implementation::Device::Cpu : Implementation::Device::Gpu;
    const char* setting = device == "cpu" ? "implementations" : "kernels";
    const std::vector<std::string>& ids = settings.choices(setting);
    std::vector<Contestant> all;
    const auto add = [&](const std::string& id) {
        for (const auto& op : operators)
            for (const Implementation* i : op->onDevice(kind))
                if (i->id == id) {
                    all.push_back({op.get(), i});
                    return;
                }
    };
    for (const std::string& id : ids)
        add(id);
    if (device.starts_with("cuda"))
        for (const auto& op : operators)
            for (const Implementation& i : op->ladder)
                if (i.library && settings.values().contains(i.id) && settings.flag(i.id))
                    all.push_back({op.get(), &i});
    if (all.empty())
        throw InputError(fmt::format("{} is empty, expected at least one of those that describe lists", setting));
    return all;
}

bool PageSetup::sweeps(const lab::Settings& settings) const {
    return settings.values().contains("against") ? settings.text("against") != nothingSwept : which != Page::Accuracy;
}

const Knob& PageSetup::axis(const lab::Settings& settings) const {
    const bool choice = settings.values().contains("against");
    for (const Knob& knob : every)
        if (knob.sweep && (!choice || settings.text("against") == knob.id))
            return knob;
    return every.front();
}

std::vector<double> PageSetup::points(const lab::Settings& settings) const {
    if (!sweeps(settings))
        return {0};
    const auto& given = settings.sweep(axis(settings).sweep->id);
    std::vector<double> values(given.begin(), given.end());
    std::sort(values.begin(), values.end());
    return values;
}

Problem PageSetup::fromKnobs(const Operator& op, const lab::Settings& settings, double x, bool small) const {
    Problem problem;
    const Knob* swept = sweeps(settings) ? &axis(settings) : nullptr;
    for (const Knob& knob : every) {
        double value = &knob == swept ? x : knob.single ? valueOf(settings, *knob.single) : knob.otherwise;
        if (small && knob.probe > 0)
            value = std::min(value, knob.probe);
        problem.numbers[knob.id] = value;
    }
    if (op.complete)
        op.complete(problem);
    return problem;
}

Problem PageSetup::problem(const Operator& op, const lab::Settings& settings, double x) const {
    return fromKnobs(op, settings, x, false);
}

Problem PageSetup::probe(const Operator& op, const lab::Settings& settings, double x) const {
    return fromKnobs(op, settings, x, true);
}

lab::Axis PageSetup::xAxis(const lab::Settings& settings) const {
    const Knob& knob = axis(settings);
    lab::Axis x;
    x.title = knob.axis;
    x.scale = knob.scale;
    return x;
}

std::string atText(const Knob& knob, double x) { return fmt::format("{} = {}", knob.symbol, numberText(x)); }

std::string columnOf(const Knob& knob) {
    std::string name;
    for (const char c : knob.id) {
        if (std::isupper(static_cast<unsigned char>(c)))
            name += '_';
        name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return name;
}

lab::Table::Cell cellOf(double x) {
    return x == std::floor(x) ? lab::Table::Cell(static_cast<int64_t>(x)) : lab::Table::Cell(x);
}

lab::Axis axisOf(std::string title, std::string unit, lab::Scale scale) {
    lab::Axis axis;
    axis.title = std::move(title);
    axis.unit = std::move(unit);
    axis.scale = scale;
    return axis;
}

lab::Curve curveOf(const std::string& id, lab::Provenance provenance, lab::Curve::Style style) {
    lab::Curve curve;
    curve.id = curve.label = curve.colourKey = id;
    curve.provenance = provenance;
    curve.style = style;
    return curve;
}

lab::Figure headline(const std::string& id, const std::string& title, const std::string& explain, lab::Metric metric) {
    return {id, title, "", explain, lab::Figure::Place::Headline, std::move(metric)};
}

void registerPages(lab::Registry& registry, const std::shared_ptr<const Operator>& op) {
    registry.add(makeRace({op}));
    if (!op->onDevice(Implementation::Device::Gpu).empty())
        registry.add(makeTraffic({op}));
    registry.add(makeAccuracy({op}));
}

} // namespace warplight::workbench
