// SPDX-License-Identifier: GPL-3.0-or-later
// Every replacement of exact attention on the same Q, K and V: how far off, and for how much.
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/labs/attention/map_inputs.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/pareto_methods.h"
#include "core/tensor/random.h"
#include "core/workbench/runner.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr uint64_t valueStream = 0x76;
constexpr double leastError = 1e-9; ///< of the axis: what is exact stands there

struct Point {
    double error = 0, flops = 0, bytes = 0, seconds = 0;
};

class Pareto : public Experiment {
  public:
    explicit Pareto(workbench::OperatorList operators) : operators(std::move(operators)) {}

    Description describe() const override {
        Description d;
        d.id = "linear.pareto";
        d.lab = "Linear attention";
        d.title = "Pareto";
        d.sentence = "Every replacement of softmax attention on the same Q, K and V: its error against what it costs.";
        d.question = "Which method gives up least for its speed, on inputs like mine?";
        d.about =
            "The output of each method against exact attention in double precision, ‖O − O*‖ / ‖O*‖, over its "
            "operations, the bytes that its loops ask memory for, and its time on this machine. Methods with a knob "
            "are a line over its values. A point is on the front if no other is both cheaper and closer. On inputs by "
            "chance attention is nearly a mean, and a blur is good; on structured ones it is sharp, and only methods "
            "that find the right keys come close.";
        d.devices = {"cpu"};
        d.colours = {{"exact", 10}, {"linear", 0}, {"sparse", 1}, {"low-rank", 2}, {"front", 7}};
        d.dropFiles = "qFile";
        Parameter n = Parameter::integer("seqLen", "Sequence length", 1024, 16, 16384, "Of the made-up inputs.");
        n.powersOfTwo = true;
        const std::string tensors = "Tensors (*.npy *.npz *.safetensors)";
        d.parameters = {
            Parameter::choice("input", "Input", "mixed", attention::mapInputKinds(),
                              "Made-up structure, or your own tensors."),
            n,
            Parameter::integer("headDim", "Features", 64, 8, 256, "Of the made-up inputs."),
            Parameter::flag("causal", "Causal mask", false, "Leaves out what has none: low rank, double softmax."),
            Parameter::choices("families", "Methods", {"exact", "linear", "sparse", "low-rank"},
                               {{"exact", "Exact attention", ""},
                                {"linear", "Linear attention", "Eight feature maps."},
                                {"sparse", "Sparse attention", "Patterns of pairs."},
                                {"low-rank", "Low rank", "Linformer, Nyström, pooling."}},
                               "Which are compared."),
            Parameter::file("qFile", "Q", tensors, "FILE.npy, FILE.npz:key or FILE.safetensors:name."),
            Parameter::file("kFile", "K", tensors, "As Q."),
            Parameter::file("vFile", "V", tensors, "As K; none: made-up values."),
            Parameter::choice(
                "layout", "Layout", "BHND",
                {{"BHND", "batch, heads, sequence, features", ""}, {"BNHD", "batch, sequence, heads, features", ""}},
                "Of four-dimensional files."),
            Parameter::integer("head", "Head", 0, 0, 1 << 20, "Of your files: batch times heads, counted from 0."),
            Parameter::real("pointSeconds", "Seconds a point", 0.1, 0.01, 10, "Spent on the time of each at most."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs.")};
        for (Parameter& p : d.parameters)
            if (p.id.ends_with("File") || p.id == "layout" || p.id == "head")
                p.shownWhen = {when("input", {"files"})};
            else if (p.id == "seqLen" || p.id == "headDim")
                p.shownWhen = {unless("input", {"files"})};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("seqLen")), d = static_cast<double>(s.integer("headDim"));
        return 40 * (2 * s.real("pointSeconds") + n * n * d * 1e-10);
    }

    MemoryNeed neededMemory(const Settings& s, const std::string&) const override {
        SharedInputs shape;
        shape.length = s.integer("seqLen");
        shape.headDim = s.integer("headDim");
        shape.causal = s.flag("causal");
        int64_t most = 0;
        for (const Replacement& method : chosen(s)) {
            if (!whyNot(method, shape).empty())
                continue;
            const workbench::Problem p = problemOf(method, shape);
            most = std::max(most, saturatedSum(method.op->tensorBytes(p), method.implementation->heldBytes(p, 0)));
        }
        return {saturatedSum(most, 40 * shape.length * shape.headDim), 0,
                fmt::format("Attention of {} tokens with {} features", shape.length, shape.headDim),
                "seqLen or headDim"};
    }

    void run(const Settings& settings, Run& run) override {
        const SharedInputs inputs = takeInputs(settings, run);
        const std::vector<double> exact = exactOutputs(inputs, run);
        putFigures(run);
        workbench::LeftOut leftOut(run);
        std::vector<std::pair<Replacement, Point>> all;
        const std::vector<Replacement> methods = chosen(settings);
        double done = 0;
        for (const Replacement& method : methods) {
            run.progress(done++ / static_cast<double>(methods.size()),
                         fmt::format("{} {}", method.title, method.setting));
            if (const std::string why = whyNot(method, inputs); !why.empty()) {
                leftOut.add(method.title, why);
                continue;
            }
            all.emplace_back(method, pointOf(method, inputs, exact, settings.real("pointSeconds"), run));
            append(run, method, all.back().second);
        }
        leftOut.tell();
        if (all.empty())
            throw InputError("families: none of these methods takes such inputs, expected another one");
        fronts(run, all);
    }

  private:
    std::vector<Replacement> chosen(const Settings& s) const {
        const auto& families = s.choices("families");
        std::vector<Replacement> methods = replacements(operators);
        std::erase_if(methods, [&](const Replacement& m) {
            return std::find(families.begin(), families.end(), m.family) == families.end();
        });
        return methods;
    }

    static SharedInputs takeInputs(const Settings& s, Run& run) {
        const auto seed = static_cast<uint64_t>(s.integer("seed"));
        attention::MapInputs x =
            s.text("input") == "files"
                ? attention::loadMapInputs({s.text("qFile"), s.text("kFile"), s.text("vFile")}, s.text("layout"),
                                           s.integer("head"), run.cancelToken())
                : attention::makeMapInputs(s.text("input"), s.integer("seqLen"), s.integer("seqLen"),
                                           s.integer("headDim"), seed, run.cancelToken());
        if (x.queryLen != x.keyLen || x.queryLen == 0)
            throw InputError(fmt::format("there are {} queries and {} keys, expected as many of one as of the other",
                                         x.queryLen, x.keyLen));
        if (x.v.empty()) {
            x.v.resize(x.k.size());
            tensor::fillGaussian(x.v, seed, valueStream, 1, run.cancelToken());
        }
        return {x.queryLen, x.headDim, s.flag("causal"), std::move(x.q), std::move(x.k), std::move(x.v)};
    }

    std::vector<double> exactOutputs(const SharedInputs& inputs, Run& run) const {
        for (const Replacement& method : replacements(operators)) {
            if (method.family != "exact")
                continue;
            const workbench::Problem p = problemOf(method, inputs);
            workbench::Tensors t = tensorsOf(method, p, inputs, run.cancelToken());
            method.op->reference(p, t, {0, run.cancelToken()});
            const std::vector<float>& o = t.at("O").values;
            return {o.begin(), o.end()};
        }
        throw InputError("there is no exact attention to compare with");
    }

    static Point pointOf(const Replacement& method, const SharedInputs& inputs, const std::vector<double>& exact,
                         double seconds, Run& run) {
        const workbench::Problem p = problemOf(method, inputs);
        workbench::Tensors t = tensorsOf(method, p, inputs, run.cancelToken());
        Point point;
        point.seconds =
            workbench::timeOnCpu({method.op.get(), method.implementation}, p, t, {0, run.cancelToken()}, seconds, run)
                .timing.median;
        double off = 0, size = 0;
        const std::vector<float>& o = t.at("O").values;
        for (size_t i = 0; i < exact.size(); ++i) {
            const double d = static_cast<double>(o[i]) - exact[i];
            off += d * d;
            size += exact[i] * exact[i];
        }
        point.error = std::sqrt(off / size);
        point.flops = method.implementation->flops ? method.implementation->flops(p) : method.op->usefulFlops(p);
        if (method.implementation->bytes)
            point.bytes = totalBytes(method.implementation->bytes(p));
        return point;
    }

    struct Against {
        const char *id, *title, *axis, *unit;
        double Point::*cost;
        Provenance provenance;
    };
    static constexpr Against against[]{
        {"flops", "Error against operations", "operations", "FLOP", &Point::flops, Provenance::Modelled},
        {"time", "Error against time", "time", "s", &Point::seconds, Provenance::Measured},
        {"bytes", "Error against bytes", "bytes asked of memory", "B", &Point::bytes, Provenance::Modelled}};

    static void putFigures(Run& run) {
        for (const Against& what : against) {
            Series s;
            s.x = {what.axis, what.unit, Scale::Log10, {}, {}, {}, false};
            s.y = {"error of O, relative", "", Scale::Log10, {}, {}, {}, false};
            run.put({what.id, what.title, "lower and further left is better",
                     "‖O − O*‖ / ‖O*‖ against exact attention in double precision: **counted**. Operations and bytes "
                     "follow "
                     "from each method's formula: **modelled**; the time is **measured** here. What is exact to the "
                     "last bits "
                     "stands at 1e-9. Lines join the settings of one method.",
                     what.cost == &Point::flops ? Figure::Place::Main : Figure::Place::Support, std::move(s)});
        }
        Table t;
        t.columns = {{"method", "Method", "", false, {}, ""},
                     {"setting", "Setting", "", false, {}, ""},
                     {"error", "Error", "", true, Provenance::Counted, "{:.2g}"},
                     {"flops", "Operations", "FLOP", true, Provenance::Modelled, ""},
                     {"bytes", "Bytes", "B", true, Provenance::Modelled, ""},
                     {"time", "Time", "s", true, Provenance::Measured, ""}};
        run.put({"methods", "Method by method", "", "As in the pictures.", Figure::Place::Support, std::move(t)});
    }

    static void append(Run& run, const Replacement& method, const Point& point) {
        const std::string text =
            method.setting.empty() ? method.title : fmt::format("{}, {}", method.title, method.setting);
        for (const Against& what : against) {
            if (!(point.*what.cost > 0) || !std::isfinite(point.error))
                continue;
            Curve c;
            c.id = method.id; // of a family all but the first go with that in the legend
            if (method.id == method.family)
                c.label = method.familyTitle;
            c.colourKey = method.family;
            c.provenance = what.provenance;
            c.x = {point.*what.cost};
            c.y = {std::max(point.error, leastError)};
            c.pointText = {text};
            run.appendPoint(what.id, c);
        }
        run.appendRow("methods", {method.title, method.setting, point.error, point.flops, point.bytes, point.seconds});
    }

    /// Points that no other one beats in both.
    static void fronts(Run& run, const std::vector<std::pair<Replacement, Point>>& all) {
        for (const Against& what : against) {
            std::vector<std::pair<double, double>> points; // cost, error
            for (const auto& [method, p] : all)
                if (p.*what.cost > 0 && std::isfinite(p.error))
                    points.emplace_back(p.*what.cost, std::max(p.error, leastError));
            std::sort(points.begin(), points.end());
            Curve front;
            front.id = front.colourKey = "front";
            front.label = "the front";
            front.style = Curve::Style::Line;
            front.provenance = what.provenance;
            double best = INFINITY;
            for (const auto& [cost, error] : points)
                if (error < best) {
                    best = error;
                    front.x.push_back(cost);
                    front.y.push_back(error);
                }
            run.appendPoint(what.id, front);
        }
        headlines(run, all);
    }

    /// Of each family, the one that comes closest in less time than exact attention takes.
    static void headlines(Run& run, const std::vector<std::pair<Replacement, Point>>& all) {
        double exactSeconds = INFINITY;
        for (const auto& [method, p] : all)
            if (method.family == "exact")
                exactSeconds = p.seconds;
        std::set<std::string> families;
        for (const auto& [method, p] : all)
            if (method.family != "exact")
                families.insert(method.family);
        for (const std::string& family : families) {
            const std::pair<Replacement, Point>* best = nullptr;
            for (const auto& each : all)
                if (each.first.family == family && each.second.seconds < exactSeconds &&
                    (!best || each.second.error < best->second.error))
                    best = &each;
            const std::string caption =
                best ? fmt::format("error of {}{}, the closest of {} that is faster than exact attention",
                                   best->first.title,
                                   best->first.setting.empty() ? "" : fmt::format(" ({})", best->first.setting), family)
                     : fmt::format("no method of {} is faster than exact attention here", family);
            putHeadline(run, "best." + family, best ? std::optional(best->second.error) : std::nullopt, "", "{:.2g}",
                        caption, Provenance::Measured);
        }
    }

    workbench::OperatorList operators;
};

} // namespace

std::unique_ptr<Experiment> makePareto(workbench::OperatorList operators) {
    return std::make_unique<Pareto>(std::move(operators));
}

} // namespace warplight::labs::linear
