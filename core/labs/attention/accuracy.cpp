// How far each rung is from double precision, on friendly and on hostile inputs.
#include "core/cpu/attention/attention_memory.h"
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/gpu_rungs.h"
#include "core/labs/attention/inputs.h"
#include "core/tensor/pieces.h"
#include "gpu/host/memory_budget.h"
#include "gpu/number/half.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs {
namespace {

using namespace lab;

constexpr const char* maskedRows = "maskedRows";
constexpr int firstDecade = -12, lastDecade = 0, binsPerDecade = 4;

struct Errors {
    double largest = 0, mean = 0, rootMeanSquare = 0, lse = 0;
    int64_t worstRow = 0;
    std::vector<double> histogram = std::vector<double>((lastDecade - firstDecade) * binsPerDecade);
};

/// Relative to the largest |O| of the row: an output that cancels to nearly nothing is no error of its own.
Errors compare(const AttentionInputs& made, const AttentionInputs& reference, const std::atomic<bool>* cancel) {
    const auto &o = made.o, &lse = made.lse, &exact = reference.o, &exactLse = reference.lse;
    const int64_t headDim = made.problem.headDim;
    Errors errors;
    for (size_t row = 0; row < lse.size(); ++row) {
        checkCancelled(cancel);
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
        d.sentence = "Error of each rung and storage type against double precision.";
        d.question = "Does a faster kernel give worse numbers, and on which inputs?";
        d.about = "The **reference** rung computes in f64 and rounds its result to f32 once, so nothing below 6e-8 of "
                  "a row's size can be told apart.";
        d.devices = {"cpu", "vgpu", "cuda"};
        std::vector<std::string> rungs;
        for (const auto& option : rungOptions())
            if (option.id != "reference")
                rungs.push_back(option.id);
        std::vector<Parameter::Option> kinds = inputKinds();
        kinds.push_back(
            {maskedRows, "Rows without keys", "causal with half as many keys as queries: the first half sees none"});
        d.parameters = {
            Parameter::integer("queryLen", "Query length", 256, 1, 16384, "Rows of Q."),
            Parameter::integer("keyLen", "Key length", 256, 1, 16384,
                               "Rows of K and V. Shorter than the queries and causal: the first rows see no key."),
            Parameter::integer("headDim", "Head dimension", 64, 1, 512, "Features of the head."),
            Parameter::flag("causal", "Causal mask", false, "Aligned bottom-right."),
            Parameter::choice("input", "Input", "gaussian", kinds, "Friendly or hostile numbers."),
            onDevice(Parameter::choices("implementations", "Implementations", rungs, rungOptions(),
                                        "Which rungs are judged."),
                     "cpu"),
            notOnDevice(kernelsParameter(), "cpu"),
            Parameter::choices("dtypes", "Stored as", {"f32", "f16", "bf16"},
                               {{"f32", "f32", ""}, {"f16", "f16", ""}, {"bf16", "bf16", ""}},
                               "Q, K, V and O are rounded to this type; every rung accumulates in f32."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        constexpr double referenceFlops = 1e9;
        return 8.0 * static_cast<double>(s.integer("queryLen") * s.integer("keyLen") * s.integer("headDim")) /
               referenceFlops;
    }

    /// The inputs three times: as made, with the reference's result, and as stored; a rung at a time.
    MemoryNeed neededMemory(const Settings& settings, const std::string& device) const override {
        const cpu::AttentionProblem shape = shapeOf(settings);
        const bool onGpu = device != "cpu";
        int64_t most = cpu::extraBytesAtMost(cpu::Implementation::Reference, shape);
        for (const std::string& rung : settings.choices(onGpu ? "kernels" : "implementations"))
            most = std::max(most, onGpu ? virtualBytes(rung, shape)
                                        : cpu::extraBytesAtMost(cpu::implementationByName(rung), shape));
        return {saturatedSum(3 * inputBytes(shape), most), 0,
                fmt::format("{} queries and {} keys of {} features", shape.queryLen, shape.keyLen, shape.headDim),
                fmt::format("queryLen, keyLen or headDim, or leave out {}", onGpu ? "naive and tiled" : "standard")};
    }

    void run(const Settings& settings, Run& run) override {
        const bool masked = settings.text("input") == maskedRows;
        const cpu::AttentionProblem shape = shapeOf(settings);
        const std::string kind = masked ? "gaussian" : settings.text("input");
        const AttentionInputs inputs =
            makeInputs(shape, kind, static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        Judge judge{run, rounded(inputs, "f32", run), table(), {}, {}, {}, {}};
        judge.worst = {"",
                       "attention.map",
                       {{"input", kind},
                        {"seqLen", std::to_string(shape.queryLen)},
                        {"keyLen", std::to_string(shape.keyLen)},
                        {"headDim", std::to_string(shape.headDim)},
                        {"causal", shape.causal ? "true" : "false"},
                        {"seed", std::to_string(settings.integer("seed"))}}};
        judge.execution.cancel = run.cancelToken();
        run.progress(0, "reference");
        cpu::attentionForward(cpu::Implementation::Reference, judge.exact.problem, judge.execution);
        const bool onGpu = run.device() != "cpu";
        const auto &rungs = settings.choices(onGpu ? "kernels" : "implementations"),
                   &dtypes = settings.choices("dtypes");
        if (onGpu) {
            gpu::checkShape(gpuShape(inputs.problem));
            judge.device = openGpu(run.device());
            judge.library = std::make_unique<gpu::KernelLibrary>(*judge.device);
        }
        double done = 0;
        for (const std::string& dtype : dtypes) {
            AttentionInputs stored = rounded(inputs, dtype, run);
            Histogram histogram = emptyHistogram();
            Errors largest;
            std::string worstRung;
            for (const std::string& rung : rungs) {
                run.checkCancelled();
                if (onGpu && dtype == "f32" && gpu::info(gpu::attentionRungByName(rung)).halfInputs)
                    continue; // tensor cores take 16 bits
                run.progress(done++ / static_cast<double>(rungs.size() * dtypes.size()), rung + ", " + dtype);
                const Errors errors = judge.measure(rung, dtype, stored);
                histogram.sets.push_back({rung, rung, rung, Provenance::Counted, errors.histogram});
                run.put({"histogram." + dtype, "Relative error, " + dtype, "outputs by size of error",
                         "**Counted** over all outputs of this run; errors of exactly zero stand in the first bin.",
                         dtype == dtypes.front() ? Figure::Place::Main : Figure::Place::Support, histogram});
                if (worstRung.empty() || !(errors.largest <= largest.largest)) {
                    largest = errors;
                    worstRung = rung;
                }
            }
            if (!worstRung.empty())
                run.put({"largest." + dtype, "largest error, " + dtype, "",
                         "max |O − O_reference| over all outputs of the rung that errs most, **measured**.",
                         Figure::Place::Headline,
                         Metric{largest.largest,
                                "",
                                "{:.2g}",
                                fmt::format("largest error, {} ({})", dtype, worstRung),
                                {},
                                {},
                                Provenance::Measured,
                                {}}});
        }
    }

  private:
    static cpu::AttentionProblem shapeOf(const Settings& settings) {
        const bool masked = settings.text("input") == maskedRows;
        cpu::AttentionProblem shape;
        shape.queryLen = settings.integer("queryLen");
        shape.keyLen = masked ? std::max<int64_t>(1, shape.queryLen / 2) : settings.integer("keyLen");
        shape.headDim = settings.integer("headDim");
        shape.causal = masked || settings.flag("causal");
        return shape;
    }

    /// Runs rungs and fills the table, with a way from each worst row into the Map.
    struct Judge {
        Run& run;
        AttentionInputs exact; ///< with the reference's o and lse
        Table table;
        Link worst;
        cpu::Execution execution;
        std::unique_ptr<gpu::Device> device; ///< the GPU, where the run is on one
        std::unique_ptr<gpu::KernelLibrary> library;

        void compute(const std::string& rung, const std::string& dtype, AttentionInputs& stored) {
            if (!library) {
                cpu::attentionForward(cpu::implementationByName(rung), stored.problem, execution);
                return;
            }
            const gpu::AttentionRung kernel = gpu::attentionRungByName(rung);
            gpu::AttentionOptions options;
            options.cancel = run.cancelToken();
            if (gpu::info(kernel).halfInputs)
                options.format = dtype == "f16" ? number::Format::F16 : number::Format::BF16;
            gpu::AttentionRun result = gpu::attentionForward(
                *library, kernel, gpuShape(stored.problem), stored.q.data(), stored.k.data(), stored.v.data(), options);
            stored.o.assign(result.o.begin(), result.o.end());
            stored.lse.assign(result.lse.begin(), result.lse.end());
        }

        Errors measure(const std::string& rung, const std::string& dtype, AttentionInputs& stored) {
            compute(rung, dtype, stored);
            round(stored.o, dtype, run);
            const Errors errors = compare(stored, exact, run.cancelToken());
            Link link = worst;
            link.title = fmt::format("Open row {} in Map", errors.worstRow);
            link.settings["row"] = std::to_string(errors.worstRow);
            table.rowLinks[static_cast<int64_t>(table.rows.size())] = link;
            table.rows.push_back(
                {rung, dtype, errors.largest, errors.mean, errors.rootMeanSquare, errors.lse, errors.worstRow});
            run.put({"errors", "Errors", "absolute, against double precision on unrounded inputs",
                     "max, mean and root mean square of |O − O_reference|, and max |lse − lse_reference|, all "
                     "**measured** in this run. The reference takes Q, K, V as they were made; for f16 and bf16 a rung "
                     "gets them rounded to that type, accumulates in f32 and its O is rounded again: the row of "
                     "`standard` with the same type is the yardstick. A click on a worst row opens it in Map.",
                     Figure::Place::Support, table});
            return errors;
        }
    };

    static void round(std::vector<float>& x, const std::string& dtype, const Run& run) {
        inPieces(x.size(), sizeof(float), run.cancelToken(), [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; ++i)
                if (dtype == "f16")
                    x[i] = number::f16ToFloat(number::floatToF16(x[i]));
                else if (dtype == "bf16")
                    x[i] = number::bf16ToFloat(number::floatToBf16(x[i]));
        });
    }

    /// A copy of the inputs, stored as this type.
    static AttentionInputs rounded(const AttentionInputs& inputs, const std::string& dtype, const Run& run) {
        AttentionInputs copy;
        copy.problem = inputs.problem;
        for (const auto member : {&AttentionInputs::q, &AttentionInputs::k, &AttentionInputs::v}) {
            copy.*member = inputs.*member;
            round(copy.*member, dtype, run);
        }
        copy.o = inputs.o;
        copy.lse = inputs.lse;
        copy.problem.q = copy.q.data();
        copy.problem.k = copy.k.data();
        copy.problem.v = copy.v.data();
        copy.problem.o = copy.o.data();
        copy.problem.lse = copy.lse.data();
        return copy;
    }

    static Histogram emptyHistogram() {
        Histogram histogram;
        histogram.x = {"log10 of error over the row's largest |O|", "", Scale::Linear, {}, {}, {}, false};
        histogram.y = {"outputs", "", Scale::Linear, {}, {}, {}, false};
        for (int i = 0; i <= (lastDecade - firstDecade) * binsPerDecade; ++i)
            histogram.edges.push_back(firstDecade + static_cast<double>(i) / binsPerDecade);
        return histogram;
    }

    static Table table() {
        Table table;
        table.columns = {{"implementation", "Implementation", "", false, {}, ""},
                         {"dtype", "Stored as", "", false, {}, ""},
                         {"max_error", "Largest", "", true, Provenance::Measured, "{:.3g}"},
                         {"mean_error", "Mean", "", true, Provenance::Measured, "{:.3g}"},
                         {"rms_error", "RMS", "", true, Provenance::Measured, "{:.3g}"},
                         {"lse_error", "lse", "", true, Provenance::Measured, "{:.3g}"},
                         {"worst_row", "Worst row", "", true, Provenance::Measured, ""}};
        return table;
    }
};

} // namespace

std::unique_ptr<Experiment> makeAccuracy() { return std::make_unique<Accuracy>(); }

} // namespace warplight::labs
