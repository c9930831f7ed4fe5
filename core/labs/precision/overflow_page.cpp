// SPDX-License-Identifier: GPL-3.0-or-later
// Attention in few bits: which numbers are lost, in which operation, and what each remedy buys.
#include "core/cpu/parallel.h"
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/attention/map_inputs.h"
#include "core/labs/precision/overflow.h"
#include "core/labs/precision/precision_lab.h"
#include "core/tensor/random.h"
#include "core/tensor/release.h"
#include "gpu/ops/attention_f8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using cpu::HalfRecipe;

constexpr int64_t allRows = 1024, someRows = 256;  ///< all are judged, or so many of them
constexpr int64_t kernelScores = int64_t{1} << 20; ///< S of the kernel is kept and compared up to here
constexpr uint64_t valueStream = 0x76;             ///< of V, beside those of Q and K

HalfRecipe recipeOf(const Settings& s) {
    const std::string& stored = s.text("stored");
    const std::string& sums = s.text("sums");
    HalfRecipe r;
    r.stored = stored == "f16"    ? HalfRecipe::Stored::F16
               : stored == "bf16" ? HalfRecipe::Stored::BF16
                                  : HalfRecipe::Stored::E4M3;
    r.sums = r.stored != HalfRecipe::Stored::F16 || sums == "f32" ? number::Sums::Single
             : sums == "half2"                                    ? number::Sums::Half
                                                                  : number::Sums::TensorHalf;
    r.scaleFirst = s.flag("scaleFirst") && r.stored != HalfRecipe::Stored::E4M3;
    r.subtractMaximum = s.flag("subtractMaximum");
    return r;
}

std::map<std::string, std::string> settingsOf(const HalfRecipe& r) {
    std::map<std::string, std::string> all{{"stored", formatOf(r)},
                                           {"scaleFirst", r.scaleFirst ? "true" : "false"},
                                           {"subtractMaximum", r.subtractMaximum ? "true" : "false"}};
    if (r.stored == HalfRecipe::Stored::F16)
        all["sums"] = r.sums == number::Sums::Single ? "f32" : r.sums == number::Sums::Half ? "half2" : "tensor";
    return all;
}

class Overflow : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.overflow";
        d.lab = "Precision";
        d.title = "Overflow";
        d.sentence = "Where attention's numbers die in f16, which operation kills them, and what each remedy buys.";
        d.question =
            "Which scores overflow, in which step, and is it the product, its sum, the exponential or the store?";
        d.about = "The largest number of **FP16** is 65,504; from 65,520 on a result is infinite. A score is a sum of "
                  "d products: in "
                  "f16 it can be lost at a product, on the way, or at the end; in f32 only when it is stored. One "
                  "infinite score makes "
                  "its row's maximum infinite, ∞ − ∞ is NaN, and the whole row of O is lost.\n\n"
                  "**Scale Q first**: (Q/√d) Kᵀ instead of (Q Kᵀ)/√d keeps the sum √d times smaller. **Subtract the "
                  "maximum**: without "
                  "it e^x is beyond f16 from x = 11.09 on. **bf16** has f32's range with 8 bits of precision, **e4m3** "
                  "with a scale for "
                  "each tensor has its largest number at 448; S stays f32, and P is rounded tile by tile, 256 times as "
                  "large.";
        d.devices = {"vgpu", "cpu", "cuda"};
        d.colours = formatColours();
        d.colours.insert({{"kept", 0}, {"lost", 1}, {"limit", 7}, {"exact", 10}});
        d.colours["flushed"] = 5;
        d.dropFiles = "qFile";
        const std::string tensors = "Tensors (*.npy *.npz *.safetensors)";
        Parameter scale =
            Parameter::real("scale", "Scale of the inputs", 30, 0.001, 200, "Q and K are multiplied by it.");
        scale.sliderStep = 1;
        d.parameters = {
            scale,
            Parameter::choice("stored", "Stored as", "f16",
                              {{"f16", "f16", ""}, {"bf16", "bf16", ""}, {"e4m3", "e4m3 with a scale", ""}},
                              "Of Q, K, V, S, P and O; e4m3: of Q, K, V and P."),
            Parameter::choice(
                "sums", "Added up in", "half2",
                {{"half2", "f16, CUDA cores", "Rounded at each fused multiply-add."},
                 {"tensor", "f16, tensor cores", "Rounded from one instruction to the next: 16 products."},
                 {"f32", "f32, tensor cores", "What overflows does so when it is stored."}},
                "What holds the sum of a score's products."),
            Parameter::flag("scaleFirst", "Scale Q before the product", false, "Instead of the sum behind it."),
            Parameter::flag("subtractMaximum", "Subtract the row's maximum", true, "Before the exponentials."),
            Parameter::choice("input", "Input", "mixed", attention::mapInputKinds(),
                              "Made-up structure, or your own tensors."),
            Parameter::integer("seqLen", "Sequence length", 128, 1, 1 << 17, "Queries and keys of the made-up inputs."),
            Parameter::integer("headDim", "Head dimension", 64, 8, 256, "Features of the made-up inputs."),
            Parameter::flag("causal", "Causal mask", true, "Query i sees keys 0 to i (aligned bottom-right)."),
            Parameter::file("qFile", "Q", tensors,
                            "FILE.npy, FILE.npz:key or FILE.safetensors:name: Q, or activations."),
            Parameter::file("kFile", "K", tensors, "Of Q's layout; none: activations are scored against themselves."),
            Parameter::file("vFile", "V", tensors, "Of K's layout; none: made-up values."),
            Parameter::choice(
                "layout", "Layout", "BHND",
                {{"BHND", "batch, heads, sequence, features", ""}, {"BNHD", "batch, sequence, heads, features", ""}},
                "Of four-dimensional files."),
            Parameter::integer("head", "Head", 0, 0, 1 << 20, "Of your files: batch times heads, counted from 0."),
            Parameter::integer("row", "Selected row", -1, -1, 1 << 20, "-1: the first row that dies, or the last one."),
            Parameter::integer("key", "Selected key", -1, -1, 1 << 20, "-1: where the row dies, or its last key."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the made-up inputs."),
        };
        for (Parameter& parameter : d.parameters)
            if (const auto& id = parameter.id;
                id == "qFile" || id == "kFile" || id == "vFile" || id == "layout" || id == "head")
                parameter.shownWhen = {when("input", {"files"})};
            else if (id == "seqLen" || id == "headDim" || id == "seed")
                parameter.shownWhen = {unless("input", {"files"})};
            else if (id == "sums")
                parameter.shownWhen = {when("stored", {"f16"})};
            else if (id == "scaleFirst")
                parameter.shownWhen = {unless("stored", {"e4m3"})};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        if (s.text("input") == "files")
            return 0.9; // a head of a file, in all likelihood
        const auto n = static_cast<double>(s.integer("seqLen")), d = static_cast<double>(s.integer("headDim"));
        const double judged = n <= allRows ? n : someRows, kernel = n * n <= kernelScores ? n * n * d / 2e7 : 0;
        return 0.05 + judged * n * (d + 60) / 4e8 + n * n * d / 1e10 + kernel;
    }

    /// Inputs, twice as stored; the far map; a row a worker; the kernel's tensors.
    MemoryNeed neededMemory(const Settings& s, const std::string& device) const override {
        if (s.text("input") == "files")
            return {};
        const int64_t n = s.integer("seqLen"), d = s.integer("headDim");
        const int64_t tensors = 4 * n * (3 * d + 2 * (2 * d + (d + 63) / 64 * 64)),
                      map = 8 * (n / 64 + 1) * (n / 64 + 1), exact = 8 * std::min(n, allRows) * d,
                      rows = 48 * n * cpu::workerCount(0);
        const bool kernel = device != "cpu" && n * n <= kernelScores;
        return {tensors + map + exact + rows + (kernel ? 24 * n * n : 0), 0,
                fmt::format("Scores of {} rows with {} features", n, d), "seqLen or headDim"};
    }

    void run(const Settings& settings, Run& run) override {
        auto scene = std::make_shared<OverflowScene>();
        const ReleasesBeside release(scene);
        takeInputs(settings, run, *scene);
        const cpu::MapProblem& p = scene->head.problem;
        scene->recipe = recipeOf(settings);
        scene->kernel = inWords(scene->recipe);
        scene->steps = std::make_unique<cpu::HalfSteps>(p, scene->v.data(), scene->recipe, run.cancelToken());
        putScores(run, scene);

        std::vector<int64_t> rows;
        const int64_t judged = p.queryLen <= allRows ? p.queryLen : someRows;
        for (int64_t i = 0; i < judged; ++i)
            rows.push_back((2 * i + 1) * p.queryLen / (2 * judged));
        const std::vector<double> exact = exactOutputs(scene->head, rows, run.cancelToken());
        const Verdict verdict = judge(*scene->steps, scene->head, rows, exact, run.cancelToken());
        putOverflowHeadlines(run, *scene, verdict);
        remedies(settings, run, *scene, rows, exact, verdict);
        putExponents(run, *scene, verdict);
        const auto [query, key] = selected(settings, *scene, verdict);
        putHistory(run, *scene, query, key);
        run.onSelect("scores", [scene](Run& again, int64_t row, int64_t col) {
            if (row >= 0 && col >= 0 && row < scene->head.problem.queryLen && col < scene->steps->visible(row))
                putHistory(again, *scene, row, col);
        });
        compareWithKernel(run, *scene);
        if (isLarge(*scene))
            surveyScores(run, scene);
    }

  private:
    static void takeInputs(const Settings& settings, Run& run, OverflowScene& scene) {
        attention::MapInputs x;
        if (settings.text("input") == "files") {
            const std::string q = settings.text("qFile"), k = settings.text("kFile");
            if (q.empty())
                throw InputError("qFile is empty, expected a file with Q or with activations, for example qkv.npz:q");
            x = attention::loadMapInputs({q, k.empty() ? q : k, settings.text("vFile")}, settings.text("layout"),
                                         settings.integer("head"), run.cancelToken());
        } else {
            x = attention::makeMapInputs(settings.text("input"), settings.integer("seqLen"), settings.integer("seqLen"),
                                         settings.integer("headDim"), static_cast<uint64_t>(settings.integer("seed")),
                                         run.cancelToken());
        }
        if (x.queryLen == 0 || x.keyLen == 0)
            throw InputError(
                fmt::format("there are {} queries and {} keys, expected at least one of each", x.queryLen, x.keyLen));
        if (x.v.empty()) {
            x.v.resize(x.k.size());
            tensor::fillGaussian(x.v, static_cast<uint64_t>(settings.integer("seed")), valueStream, 1,
                                 run.cancelToken());
        }
        const auto scale = static_cast<float>(settings.real("scale"));
        for (auto* values : {&x.q, &x.k})
            for (float& value : *values)
                value *= scale;
        scene.q = std::move(x.q);
        scene.k = std::move(x.k);
        scene.v = std::move(x.v);
        scene.head.problem = {x.queryLen,
                              x.keyLen,
                              x.headDim,
                              1.0f / std::sqrt(static_cast<float>(x.headDim)),
                              settings.flag("causal"),
                              scene.q.data(),
                              scene.k.data()};
        scene.head.v = scene.v.data();
    }

    static std::pair<int64_t, int64_t> selected(const Settings& settings, const OverflowScene& scene,
                                                const Verdict& v) {
        const cpu::MapProblem& p = scene.head.problem;
        int64_t query = settings.integer("row"), key = settings.integer("key");
        if (query >= p.queryLen)
            throw InputError(fmt::format("row is {}, expected -1 to {}", query, p.queryLen - 1));
        if (query < 0) {
            query = p.queryLen - 1;
            for (const auto* by : {&v.scoresBy, &v.rowsBy})
                for (const auto& [step, deaths] : *by)
                    query = std::min(query, deaths.query);
        }
        const int64_t seen = scene.steps->visible(query);
        if (key >= seen)
            throw InputError(fmt::format("key is {}, row {} sees keys 0 to {}", key, query, seen - 1));
        if (key < 0) {
            const cpu::HalfSteps::Row row = scene.steps->row(query);
            key = !row.dead.empty() ? row.dead.front().key : std::max<int64_t>(seen - 1, 0);
        }
        return {query, key};
    }

    static void remedies(const Settings& settings, Run& run, const OverflowScene& scene,
                         const std::vector<int64_t>& rows, const std::vector<double>& exact, const Verdict& asItIs) {
        Table table;
        table.columns = {{"remedy", "Remedy", "", false, {}, ""},
                         {"state", "", "", false, {}, ""},
                         {"outputs", "Lost, %", "", true, Provenance::Counted, "{:.2f}"},
                         {"error", "Error", "", true, Provenance::Counted, "{:.2g}"}};
        const auto put = [&] {
            run.put({"remedies", "Remedies", "run beside it",
                     "The same inputs by each remedy, over the rows that are judged: the outputs that are infinite or "
                     "NaN, and the relative error, against f64, of the rows of O that are finite, ‖O − O₆₄‖ / ‖O₆₄‖. "
                     "**Counted.** Click a remedy to look at it.",
                     Figure::Place::Detail, table});
        };
        Deaths deaths(scene);
        const std::vector<Parameter> parameters = Overflow().describe().parameters;
        for (const NamedRecipe& remedy : remediesOf(scene.recipe)) {
            Verdict v = asItIs;
            if (!table.rows.empty()) {
                const cpu::HalfSteps steps(scene.head.problem, scene.v.data(), remedy.recipe, run.cancelToken());
                v = judge(steps, scene.head, rows, exact, run.cancelToken());
            }
            std::map<std::string, std::string> there = settingsOf(remedy.recipe);
            for (const Parameter& parameter : parameters)
                there.emplace(parameter.id, valueText(parameter, settings.values().at(parameter.id)));
            table.rowLinks[static_cast<int64_t>(table.rows.size())] = {"Look at it", "precision.overflow",
                                                                       std::move(there)};
            table.rows.push_back(
                {remedy.title, std::string(v.lostOutputs > 0 ? "✗" : "✓"),
                 100 * static_cast<double>(v.lostOutputs) / static_cast<double>(std::max<int64_t>(v.outputs, 1)),
                 std::isnan(v.error) ? Table::Cell() : Table::Cell(v.error)});
            deaths.add(remedy.title, v);
            put();
        }
        deaths.put(run);
    }

    /// The kernel itself on the run's device, score for score.
    static void compareWithKernel(Run& run, const OverflowScene& scene) {
        const cpu::MapProblem& p = scene.head.problem;
        std::string text;
        if (run.device() == "cpu") {
            text = "The kernel's steps, done by the CPU in their order. On the device **vgpu** the kernel itself runs "
                   "beside them.";
        } else if (p.queryLen * p.keyLen > kernelScores) {
            text = fmt::format(
                "S of {} × {} is not kept by a kernel: its steps were done by the CPU. Up to {} scores they are "
                "compared with the kernel's.",
                p.queryLen, p.keyLen, kernelScores);
        } else {
            const auto device = devices::openGpu(run.device());
            text = comparison(run, scene, *device);
        }
        run.put({"kernel", "The kernel itself", "", "Whether the kernel and its steps on the CPU agree. **Counted.**",
                 Figure::Place::Support, Note{std::move(text)}});
    }

    static std::string comparison(Run& run, const OverflowScene& scene, gpu::Device& device) {
        const cpu::MapProblem& p = scene.head.problem;
        const HalfRecipe& r = scene.recipe;
        const bool small = r.stored == HalfRecipe::Stored::E4M3;
        if (const std::string why = gpu::whyNotOn(
                device.architecture(), small ? gpu::architectureOf(gpu::AttentionRung::MmaE4M3) : 0, device.name());
            !why.empty())
            return fmt::format("The kernel's steps were done by the CPU, the kernel did not run: {}.", why);
        gpu::KernelLibrary library(device);
        gpu::LaunchOptions options;
        options.cancel = run.cancelToken();
        const gpu::AttentionShape shape{1, 1, 1, p.queryLen, p.keyLen, p.headDim, p.scale, p.causal};
        const float* v = scene.v.data();
        const number::Format format = r.stored == HalfRecipe::Stored::F16 ? number::Format::F16 : number::Format::BF16;
        return verdictOn(small ? gpu::attentionInF8(library, shape, p.q, p.k, v, r.subtractMaximum, true, options)
                               : gpu::attentionInHalf(library, {format, r.sums, r.scaleFirst, r.subtractMaximum}, shape,
                                                      p.q, p.k, v, true, options),
                         scene, device.name());
    }

    static std::string verdictOn(const gpu::HalfAttentionRun& kernel, const OverflowScene& scene,
                                 const std::string& device) {
        const cpu::MapProblem& p = scene.head.problem;
        int64_t scores = 0, differ = 0, outputs = 0, otherEnd = 0;
        for (int64_t i = 0; i < p.queryLen; ++i) {
            const cpu::HalfSteps::Row row = scene.steps->row(i);
            for (int64_t j = 0; j < scene.steps->visible(i); ++j, ++scores) {
                const float a = kernel.s[static_cast<size_t>(i * p.keyLen + j)], b = row.scores[static_cast<size_t>(j)];
                differ +=
                    !(std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)));
            }
            for (int64_t c = 0; c < p.headDim; ++c, ++outputs)
                otherEnd += std::isfinite(kernel.o[static_cast<size_t>(i * p.headDim + c)]) !=
                            std::isfinite(row.output[static_cast<size_t>(c)]);
        }
        std::string launches;
        for (const gpu::LaunchRecord& launch : kernel.launches)
            launches += (launches.empty() ? "" : ", ") + launch.kernel;
        return fmt::format(
            "**{}** ran {}: {} of {} scores are the steps' to the bit, and {} of {} outputs are finite, or not, where "
            "theirs are.",
            device, launches, scores - differ, scores, outputs - otherEnd, outputs);
    }
};

} // namespace

std::unique_ptr<Experiment> makeOverflow() { return std::make_unique<Overflow>(); }

} // namespace warplight::labs::precision
