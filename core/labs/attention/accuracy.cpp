// How far each rung is from double precision, on friendly and on hostile inputs.
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/inputs.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace warplight::labs {
namespace {

using namespace lab;

constexpr int firstDecade = -12, lastDecade = 0, binsPerDecade = 4;

struct Errors {
    double largest = 0, mean = 0, rootMeanSquare = 0, lse = 0;
    int64_t worstRow = 0;
    std::vector<double> histogram = std::vector<double>((lastDecade - firstDecade) * binsPerDecade);
};

/// Relative to the largest |O| of the row: an output that cancels to nearly nothing is no error of its own.
Errors compare(const std::vector<float>& o, const std::vector<float>& lse, const std::vector<float>& exact,
               const std::vector<float>& exactLse, int64_t headDim) {
    Errors errors;
    for (size_t row = 0; row < lse.size(); ++row) {
        const size_t begin = row * static_cast<size_t>(headDim), end = begin + static_cast<size_t>(headDim);
        double size = 0;
        for (size_t i = begin; i < end; ++i)
            size = std::max(size, std::fabs(static_cast<double>(exact[i])));
        for (size_t i = begin; i < end; ++i) {
            const double error = std::fabs(static_cast<double>(o[i]) - static_cast<double>(exact[i]));
            if (error > errors.largest || std::isnan(error)) {
                errors.largest = error;
                errors.worstRow = static_cast<int64_t>(row);
            }
            errors.mean += error;
            errors.rootMeanSquare += error * error;
            const double decade = error == 0 || size == 0 ? firstDecade : std::log10(error / size);
            const int bin = std::clamp(static_cast<int>(std::floor((decade - firstDecade) * binsPerDecade)), 0,
                                       static_cast<int>(errors.histogram.size()) - 1);
            ++errors.histogram[static_cast<size_t>(bin)];
        }
        if (!std::isinf(exactLse[row]) || lse[row] != exactLse[row])
            errors.lse =
                std::max(errors.lse, std::fabs(static_cast<double>(lse[row]) - static_cast<double>(exactLse[row])));
    }
    errors.mean /= static_cast<double>(o.size());
    errors.rootMeanSquare = std::sqrt(errors.rootMeanSquare / static_cast<double>(o.size()));
    return errors;
}

class Accuracy : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "attention.accuracy";
        d.lab = "Attention";
        d.title = "Accuracy";
        d.sentence = "Error of each rung against double precision.";
        d.question = "Does a faster kernel give worse numbers, and on which inputs?";
        d.about = "The **reference** rung computes in f64 and rounds its result to f32 once, so nothing below 6e-8 of "
                  "a row's size can be told apart.";
        d.devices = {"cpu"};
        std::vector<std::string> rungs;
        for (const auto& option : rungOptions())
            if (option.id != "reference")
                rungs.push_back(option.id);
        d.parameters = {
            Parameter::integer("queryLen", "Query length", 256, 1, 16384, "Rows of Q."),
            Parameter::integer("keyLen", "Key length", 256, 1, 16384,
                               "Rows of K and V. Shorter than the queries and causal: the first rows see no key."),
            Parameter::integer("headDim", "Head dimension", 64, 1, 512, "Features of the head."),
            Parameter::flag("causal", "Causal mask", false, "Aligned bottom-right."),
            Parameter::choice("input", "Input", "gaussian", inputKinds(), "Friendly or hostile numbers."),
            Parameter::choices("implementations", "Implementations", rungs, rungOptions(), "Which rungs are judged."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        constexpr double referenceFlops = 1e9;
        return 8.0 * static_cast<double>(s.integer("queryLen") * s.integer("keyLen") * s.integer("headDim")) /
               referenceFlops;
    }

    void run(const Settings& settings, Run& run) override {
        cpu::AttentionProblem shape;
        shape.queryLen = settings.integer("queryLen");
        shape.keyLen = settings.integer("keyLen");
        shape.headDim = settings.integer("headDim");
        shape.causal = settings.flag("causal");
        AttentionInputs inputs =
            makeInputs(shape, settings.text("input"), static_cast<uint64_t>(settings.integer("seed")));
        cpu::Execution execution;
        execution.cancel = run.cancelToken();
        run.progress(0, "reference");
        cpu::attentionForward(cpu::Implementation::Reference, inputs.problem, execution);
        const std::vector<float> exact = inputs.o, exactLse = inputs.lse;

        begin(run);
        Histogram histogram;
        histogram.x = {"log10 of error over the row's largest |O|", "", Scale::Linear, {}, {}, {}, false};
        histogram.y = {"outputs", "", Scale::Linear, {}, {}, {}, false};
        for (int i = 0; i <= (lastDecade - firstDecade) * binsPerDecade; ++i)
            histogram.edges.push_back(firstDecade + static_cast<double>(i) / binsPerDecade);
        const auto& rungs = settings.choices("implementations");
        for (size_t i = 0; i < rungs.size(); ++i) {
            run.checkCancelled();
            run.progress(static_cast<double>(i) / static_cast<double>(rungs.size()), rungs[i]);
            cpu::attentionForward(cpu::implementationByName(rungs[i]), inputs.problem, execution);
            const Errors errors = compare(inputs.o, inputs.lse, exact, exactLse, shape.headDim);
            run.appendRow("errors",
                          {rungs[i], errors.largest, errors.mean, errors.rootMeanSquare, errors.lse, errors.worstRow});
            histogram.sets.push_back({rungs[i], rungs[i], rungs[i], Provenance::Counted, errors.histogram});
            run.put({"histogram", "Relative error", "outputs by size of error",
                     "**Counted** over all outputs of this run; errors of exactly zero stand in the first bin.",
                     Figure::Place::Main, histogram});
            run.put(
                {"largest." + rungs[i], "largest error of " + rungs[i], "",
                 "max |O − O_reference| over all outputs, **measured**.", Figure::Place::Headline,
                 Metric{
                     errors.largest, "", "{:.2g}", "largest error of " + rungs[i], {}, {}, Provenance::Measured, {}}});
        }
    }

  private:
    static void begin(Run& run) {
        Table table;
        table.columns = {{"implementation", "Implementation", "", false, {}, ""},
                         {"max_error", "Largest", "", true, Provenance::Measured, "{:.3g}"},
                         {"mean_error", "Mean", "", true, Provenance::Measured, "{:.3g}"},
                         {"rms_error", "Root mean square", "", true, Provenance::Measured, "{:.3g}"},
                         {"lse_error", "Log-sum-exp", "", true, Provenance::Measured, "{:.3g}"},
                         {"worst_row", "Worst row", "", true, Provenance::Measured, ""}};
        run.put({"errors", "Errors", "absolute, against double precision",
                 "max, mean and root mean square of |O − O_reference|, and max |lse − lse_reference|, all **measured** "
                 "in this run.",
                 Figure::Place::Support, std::move(table)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeAccuracy() { return std::make_unique<Accuracy>(); }

} // namespace warplight::labs
