// SPDX-License-Identifier: GPL-3.0-or-later
// Error of each implementation and storage type against double precision, of one problem or along an axis.
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/workbench/errors.h"
#include "core/workbench/page.h"
#include "core/workbench/runner.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/kernel_library.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::workbench {
namespace {

using namespace lab;

constexpr number::Format storable[] = {number::Format::F32, number::Format::F16, number::Format::BF16};
/// FLOP/s of the reference in double precision, about.
constexpr double referenceRate = 1e9;
constexpr int64_t neighbours = 4; ///< of the worst element, on each side

number::Format formatByName(const std::string& name) {
    return *std::find_if(std::begin(storable), std::end(storable),
                         [&](number::Format f) { return number::name(f) == name; });
}

Problem problemOf(const PageSetup& setup, const Operator& op, const Settings& settings, double x) {
    Problem problem = setup.problem(op, settings, x);
    if (op.reshape)
        op.reshape(settings.text("input"), problem);
    return problem;
}

/// What a row of the table is about, to open its worst element.
struct Judged {
    std::string text;
    int64_t worst = 0;
    int64_t first = 0; ///< index of the first value kept
    std::vector<float> made, exact;
};

class Judging {
  public:
    Judging(const PageSetup& s, const Settings& g, Run& r) : setup(s), settings(g), run(r) {
        if (run.device() != "cpu") {
            device = devices::openGpu(run.device());
            library = std::make_unique<gpu::KernelLibrary>(*device);
        }
        options.cancel = run.cancelToken();
        for (const auto& op : setup.all()) {
            int outputs = 0;
            for (const TensorSpec& t : op->tensors)
                outputs += t.role == TensorSpec::Role::Output;
            namesTensor = namesTensor || outputs > 1;
        }
    }

    void go() {
        const std::vector<double> xs = setup.points(settings);
        const std::vector<Contestant> all = setup.chosen(settings, run.device());
        const bool swept = setup.sweeps(settings);
        table = emptyTable(swept);
        if (swept)
            beginSweep();
        LeftOut leftOut(run);
        total = static_cast<double>(xs.size() * all.size() * settings.choices("dtypes").size());
        for (const double x : xs) {
            const Operator* op = nullptr;
            for (const Contestant& who : all)
                if (who.op != op) {
                    op = who.op;
                    judge(*op, x, all, xs.size() > 1, x == xs.back(), leftOut);
                }
        }
        if (judged.empty())
            leftOut.refuse();
        leftOut.tell();
        for (const Contestant& who : all)
            if (const auto broken = who.implementation->breaksOn.find(settings.text("input"));
                broken != who.implementation->breaksOn.end())
                run.log(fmt::format("{} breaks on these inputs: {}.", who.implementation->id, broken->second),
                        Log::Level::Warning);
        auto shared = std::make_shared<std::vector<Judged>>(std::move(judged));
        run.onSelect("errors", [shared](Run& r, int64_t row, int64_t) { openWorst(*shared, r, row); });
    }

  private:
    void judge(const Operator& op, double x, const std::vector<Contestant>& all, bool swept, bool last,
               LeftOut& leftOut) {
        Problem problem = problemOf(setup, op, settings, x);
        const std::string kind = settings.text("input");
        Tensors exact = makeTensors(op, problem, kind, static_cast<uint64_t>(settings.integer("seed")), options.cancel);
        run.progress(done / total, "reference");
        op.reference(problem, exact, options);
        for (const std::string& dtype : settings.choices("dtypes")) {
            const number::Format format = formatByName(dtype);
            Tensors stored = exact;
            for (const TensorSpec& t : op.tensors)
                if (t.role == TensorSpec::Role::Input && !t.fixed)
                    tensor::round(stored[t.name], format, options.cancel);
            if (op.derive)
                op.derive(problem, stored, options);
            std::map<std::string, Histogram> histograms;
            double largest = -1;
            std::string worst;
            for (const Contestant& who : all) {
                if (who.op != &op)
                    continue;
                const Implementation& i = *who.implementation;
                run.checkCancelled();
                run.progress(done++ / total, i.id + ", " + dtype);
                const auto kernel = library ? i.kernelFormat(format) : number::Format::F32;
                if (!kernel)
                    continue; // tensor cores take 16 bits
                problem.format = *kernel;
                if (const std::string why = whyNot(i, problem); !why.empty()) {
                    leftOut.add(i.id, why);
                    continue;
                }
                if (library) {
                    gpu::LaunchOptions how;
                    how.cancel = options.cancel;
                    i.onGpu(problem, stored, *library, how);
                } else
                    i.onCpu(problem, stored, options);
                for (const TensorSpec& t : op.tensors) {
                    if (t.role != TensorSpec::Role::Output)
                        continue;
                    tensor::Tensor made = stored.at(t.name);
                    if (!t.fixed && !i.makes)
                        tensor::round(made, format, options.cancel);
                    const Errors errors = compareRows(made, exact.at(t.name), options.cancel);
                    addRow(op, who, problem, x, dtype, t, errors, stored, made, exact);
                    if (swept)
                        addPoint(i.id, dtype, t.name, x, errors.largest);
                    if (last)
                        addHistogram(histograms[t.name], i.id, dtype, t.name, errors);
                    if (last && (largest < 0 || !(errors.largest <= largest))) {
                        largest = errors.largest;
                        worst = i.id;
                    }
                }
            }
            if (!worst.empty())
                putLargest(dtype, largest, worst);
        }
    }

    std::string whyNot(const Implementation& i, const Problem& problem) const {
        if (device)
            if (const std::string why = whyNotOn(i, device->architecture(), device->name()); !why.empty())
                return why;
        return i.whyNot ? i.whyNot(problem) : "";
    }

    std::string tensorSuffix(const std::string& tensor) const { return namesTensor ? ", " + tensor : ""; }

    void addHistogram(Histogram& histogram, const std::string& id, const std::string& dtype, const std::string& tensor,
                      const Errors& errors) {
        if (histogram.edges.empty())
            histogram = emptyErrorHistogram();
        histogram.sets.push_back({id, id, id, Provenance::Counted, errors.histogram});
        const std::string figure = namesTensor ? fmt::format("histogram.{}.{}", dtype, tensor) : "histogram." + dtype;
        if (mainFigure.empty())
            mainFigure = figure;
        run.put({figure, fmt::format("Relative error, {}{}", dtype, tensorSuffix(tensor)), "outputs by size of error",
                 "**Counted** over all outputs of this run; errors of exactly zero stand in the first bin, infinities "
                 "and NaN "
                 "in the last.",
                 figure == mainFigure && !setup.sweeps(settings) ? Figure::Place::Main : Figure::Place::Support,
                 histogram});
    }

    void putLargest(const std::string& dtype, double largest, const std::string& worst) {
        Metric metric;
        metric.value = largest;
        metric.format = "{:.2g}";
        metric.caption = fmt::format("largest error, {} ({})", dtype, worst);
        run.put(headline("largest." + dtype, "largest error, " + dtype,
                         "max |made − exact| over all outputs of the implementation that errs most, **measured**.",
                         std::move(metric)));
    }

    void beginSweep() {
        Series series;
        series.x = setup.xAxis(settings);
        series.y = axisOf("largest error", "", Scale::Log10);
        run.put({"against", "Largest error", "absolute, of each implementation and storage type",
                 "max |made − exact| over all outputs of a problem, **measured** at each point.", Figure::Place::Main,
                 std::move(series)});
    }

    void addPoint(const std::string& id, const std::string& dtype, const std::string& tensor, double x, double error) {
        if (!(error > 0))
            return; // a logarithmic axis has no zero; the table has the row
        Curve curve = curveOf(fmt::format("{} {}{}", id, dtype, namesTensor ? " " + tensor : ""), Provenance::Measured);
        curve.colourKey = id;
        curve.x = {x};
        curve.y = {error};
        run.appendPoint("against", curve);
    }

    void addRow(const Operator& op, const Contestant& who, const Problem& problem, double x, const std::string& dtype,
                const TensorSpec& spec, const Errors& errors, const Tensors& stored, const tensor::Tensor& made,
                const Tensors& exact) {
        std::vector<Table::Cell> row{who.implementation->id};
        if (setup.sweeps(settings))
            row.push_back(cellOf(x));
        row.emplace_back(dtype);
        if (namesTensor)
            row.emplace_back(spec.name);
        row.insert(row.end(), {errors.largest, errors.mean, errors.rootMeanSquare});
        for (const std::string& name : statistics()) {
            const TensorSpec* t = op.tensor(name);
            row.push_back(t ? Table::Cell(compareRows(stored.at(name), exact.at(name), options.cancel).largest)
                            : Table::Cell());
        }
        row.emplace_back(errors.worstRow);
        if (op.worst)
            if (auto link = op.worst(settings, problem, spec.name, errors.worstRow))
                table.rowLinks[static_cast<int64_t>(table.rows.size())] = std::move(*link);
        table.rows.push_back(std::move(row));
        keep(fmt::format("{} of {}, {}", spec.name, who.implementation->id, dtype), errors.worst, made,
             exact.at(spec.name));
        run.put({"errors", "Errors", "absolute, against double precision on unrounded inputs",
                 "max, mean and root mean square of |made − exact|, all **measured** in this run. The reference takes "
                 "the inputs as they were made; for f16 and bf16 an implementation gets them rounded to that type, "
                 "accumulates in f32, unless its title says otherwise, and its outputs are rounded again unless "
                 "they are f32 always: the row of the plain implementation with the same type is the yardstick. A "
                 "click on a row opens its worst element.",
                 Figure::Place::Support, table});
    }

    void keep(std::string text, int64_t worst, const tensor::Tensor& made, const tensor::Tensor& exact) {
        Judged j;
        j.text = std::move(text);
        j.worst = worst;
        const int64_t length = exact.shape.empty() ? 1 : std::max<int64_t>(exact.shape.back(), 1),
                      row = worst / length * length;
        j.first = std::max(row, worst - neighbours);
        const int64_t end = std::min({row + length, worst + neighbours + 1, exact.size()});
        for (int64_t i = j.first; i < end; ++i) {
            j.made.push_back(made.values[static_cast<size_t>(i)]);
            j.exact.push_back(exact.values[static_cast<size_t>(i)]);
        }
        judged.push_back(std::move(j));
    }

    static void openWorst(const std::vector<Judged>& rows, Run& run, int64_t row) {
        if (row < 0 || row >= static_cast<int64_t>(rows.size()))
            return;
        const Judged& j = rows[static_cast<size_t>(row)];
        Table around;
        around.columns = {{"element", "Element", "", true, {}, ""},
                          {"made", "Made", "", true, Provenance::Measured, "{:.9g}"},
                          {"exact", "Exact", "", true, Provenance::Reference, "{:.9g}"},
                          {"error", "Error", "", true, Provenance::Measured, "{:.3g}"}};
        for (size_t i = 0; i < j.made.size(); ++i) {
            const double a = static_cast<double>(j.made[i]), b = static_cast<double>(j.exact[i]);
            around.rows.push_back({j.first + static_cast<int64_t>(i), a, b, a == b ? 0.0 : std::fabs(a - b)});
        }
        run.put({"worst", "Worst element", fmt::format("{}: element {} and its neighbours in the row", j.text, j.worst),
                 "Values as they were made, rounded to their storage type, beside those of double precision.",
                 Figure::Place::Detail, std::move(around)});
    }

    /// Names of the statistics of all operators: a column each.
    std::vector<std::string> statistics() const {
        std::vector<std::string> names;
        for (const auto& op : setup.all())
            for (const TensorSpec& t : op->tensors)
                if (t.role == TensorSpec::Role::Statistic &&
                    std::find(names.begin(), names.end(), t.name) == names.end())
                    names.push_back(t.name);
        return names;
    }

    Table emptyTable(bool swept) const {
        Table made;
        made.columns.push_back({"implementation", "Implementation", "", false, {}, ""});
        if (swept) {
            const Knob& knob = setup.axis(settings);
            made.columns.push_back({columnOf(knob), knob.symbol, "", true, {}, ""});
        }
        made.columns.push_back({"dtype", "Stored as", "", false, {}, ""});
        if (namesTensor)
            made.columns.push_back({"tensor", "Tensor", "", false, {}, ""});
        for (const auto& [id, title] :
             {std::pair("max_error", "Largest"), std::pair("mean_error", "Mean"), std::pair("rms_error", "RMS")})
            made.columns.push_back({id, title, "", true, Provenance::Measured, "{:.3g}"});
        for (const std::string& name : statistics())
            made.columns.push_back({name + "_error", name, "", true, Provenance::Measured, "{:.3g}"});
        made.columns.push_back({"worst_row", "Worst row", "", true, Provenance::Measured, ""});
        return made;
    }

    const PageSetup& setup;
    const Settings& settings;
    Run& run;
    std::unique_ptr<gpu::Device> device; ///< the GPU, where the run is on one
    std::unique_ptr<gpu::KernelLibrary> library;
    cpu::RunOptions options;
    bool namesTensor = false;
    std::string mainFigure; ///< the first histogram; those of other types and tensors support it
    Table table;
    std::vector<Judged> judged; ///< one a row of the table
    double done = 0, total = 1;
};

class Accuracy : public Experiment {
  public:
    explicit Accuracy(OperatorList operators) : setup(std::move(operators), Page::Accuracy) {}

    Description describe() const override {
        Description d = setup.describe();
        d.parameters = setup.knobParameters();
        const Operator& op = setup.first();
        d.parameters.push_back(Parameter::choice("input", "Input", op.inputKinds.front().id, op.inputKinds,
                                                 "Friendly or hostile numbers."));
        for (Parameter& p : setup.ladderParameters())
            d.parameters.push_back(std::move(p));
        // Of inputs that are f32 always there is nothing to compare, at first.
        const bool storesInputs = std::any_of(op.tensors.begin(), op.tensors.end(), [](const TensorSpec& t) {
            return t.role == TensorSpec::Role::Input && !t.fixed;
        });
        std::vector<std::string> names;
        std::vector<Parameter::Option> types;
        for (const number::Format f : storable) {
            if (storesInputs || f == number::Format::F32)
                names.push_back(number::name(f));
            types.push_back({number::name(f), number::name(f), ""});
        }
        d.parameters.push_back(
            Parameter::choices("dtypes", "Stored as", names, types,
                               "Inputs and outputs are rounded to this type. Implementations accumulate in f32 unless "
                               "their titles say otherwise."));
        d.parameters.push_back(Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."));
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        double flops = 0;
        for (const double x : setup.points(settings))
            flops += setup.first().usefulFlops(problemOf(setup, setup.first(), settings, x));
        return 2 * flops / referenceRate;
    }

    /// The tensors three times: exact, as stored, and what is compared; an implementation at a time.
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        MemoryNeed need;
        std::string growing;
        for (const double x : setup.points(settings))
            for (const Contestant& who : setup.chosen(settings, device)) {
                const Problem problem = problemOf(setup, *who.op, settings, x);
                const Implementation& i = *who.implementation;
                const int64_t held = i.onGpuDevice() ? virtualBytes(who, problem)
                                     : i.heldBytes   ? i.heldBytes(problem, 0)
                                                     : 0,
                              bytes = saturatedSum(saturatedProduct(3, who.op->tensorBytes(problem)), held);
                if (!i.held.empty() && growing.find(i.id) == std::string::npos)
                    growing += (growing.empty() ? "" : " and ") + i.id;
                if (bytes > need.bytes) {
                    need.bytes = bytes;
                    need.what = who.op->inWords(problem);
                }
            }
        need.lower = setup.first().lower;
        if (!growing.empty())
            need.lower += ", or leave out " + growing;
        return need;
    }

    void run(const Settings& settings, Run& run) override { Judging(setup, settings, run).go(); }

  private:
    PageSetup setup;
};

} // namespace

std::unique_ptr<Experiment> makeAccuracy(OperatorList operators) {
    return std::make_unique<Accuracy>(std::move(operators));
}

} // namespace warplight::workbench
