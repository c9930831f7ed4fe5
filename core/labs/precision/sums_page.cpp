// SPDX-License-Identifier: GPL-3.0-or-later
// The same terms added up in several orders and formats, against their exact sum.
#include "core/error.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/sums_figures.h"
#include "core/labs/precision/sums_inputs.h"
#include "core/labs/precision/sums_scene.h"
#include "core/precision/sum_tree.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using warplight::precision::HowToSum;
using warplight::precision::NamedOrder;
using warplight::precision::SumOrder;
using warplight::precision::sumOrders;

constexpr double secondsATerm = 2.5e-8;                  ///< of one order in one format, about
constexpr double secondsAnInput = 4e-8;                  ///< to make it, and to add it exactly
constexpr double bytesPerSecond = 1e9;                   ///< of a file, about
constexpr size_t shownTerms = 16, shownTermsOfKahan = 8; ///< in the picture
constexpr int64_t longestShownChunk = 4;

const NamedOrder& orderNamed(const std::string& id) {
    return *std::find_if(sumOrders().begin(), sumOrders().end(), [&](const NamedOrder& o) { return o.id == id; });
}

std::vector<Parameter::Option> orderOptions() {
    const std::map<SumOrder, const char*> docs{
        {SumOrder::Serial, "One term after the other."},
        {SumOrder::Chunked, "Chunk by chunk, then the chunks' sums."},
        {SumOrder::Pairwise, "Halves of halves: a tree."},
        {SumOrder::WarpTree, "32 lanes serially over every 32nd term, then five exchanges, as a GPU's reduction does."},
        {SumOrder::Kahan, "Serially; what each addition loses goes into the next."},
        {SumOrder::TensorCore, "In f32 within 16 terms, then rounded, as the virtual GPU's mma does."}};
    std::vector<Parameter::Option> options;
    for (const NamedOrder& order : sumOrders())
        options.push_back({std::string(order.id), std::string(order.title), docs.at(order.order)});
    return options;
}

/// One field, since the check boxes of a list have their options' colours: those of formats stand for nothing here.
std::vector<Parameter::Option> accumulatorOptions() {
    return {{"f16", "FP16", "11 bits."},          {"bf16", "BF16", "8 bits."},
            {"f32", "FP32", "24 bits."},          {"f16,f32", "FP16, FP32", "Both."},
            {"bf16,f32", "BF16, FP32", "Both."},  {"f16,bf16", "FP16, BF16", "Both."},
            {"f16,bf16,f32", "all", "All three."}};
}

std::map<std::string, int64_t> colours() {
    return {{"serial", 1}, {"chunked", 6},     {"pairwise", 0}, {"warp-tree", 5},
            {"kahan", 2},  {"tensor-core", 3}, {"sum.lost", 1}, {"sum.line", 7}};
}

class Sums : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.sums";
        d.lab = "Precision";
        d.title = "Sums";
        d.sentence = "The error of a sum or a dot product by the order and the format in which it is added up.";
        d.question = "From how many terms on does my sum stand still, and which order keeps its error small?";
        d.about =
            "Every addition is rounded to the accumulator's format. With unit roundoff u, a serial sum of n terms is "
            "off "
            "by at most about n·u·Σ|term|, a tree by log₂ n · u · Σ|term|, Kahan's by 2u·Σ|term| as long as n·u is "
            "small (Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 4). A serial sum **stands "
            "still** "
            "where a term is below half the distance to the next number: ones stop at 2048 in FP16 and at 256 in "
            "BF16.\n\n"
            "The exact sum is that of the numbers as they are stored, in fixed point without rounding. Terms are "
            "converted to the accumulator's format as a kernel would do; products are fused with the addition, but "
            "rounded where they are the leaves of a tree. The tensor core's way is the virtual GPU's model: products "
            "exact, multiply-adds in f32, rounding after each 16; with an FP32 accumulator that is the serial order. "
            "Real "
            "ones cut products to a common exponent and lose other last bits.";
        d.devices = {"cpu"};
        d.colours = colours();
        d.dropFiles = "file";
        Parameter length = Parameter::integer("length", "Longest length", 1 << 15, 1, 1 << 25,
                                              "All lengths up to it come from one run.");
        length.powersOfTwo = true;
        Parameter chunk = Parameter::integer("chunk", "Chunk", 256, 2, 1 << 20, "Terms of a chunk.");
        chunk.powersOfTwo = true;
        std::vector<std::string> all;
        for (const NamedOrder& order : sumOrders())
            all.emplace_back(order.id);
        const std::vector<Parameter::Option> formats{{"f16", "FP16", "11 bits, up to 65504."},
                                                     {"bf16", "BF16", "8 bits, the range of f32."},
                                                     {"f32", "FP32", "24 bits."}};
        d.parameters = {
            Parameter::choice("what", "What", "sum", {{"sum", "sum", "Σ a"}, {"dot", "dot product", "Σ a · b"}},
                              "What is added up."),
            Parameter::choice("input", "Terms", "uniform", sumInputKinds(),
                              "Of a dot product both factors are made so; of a file it is the sum of squares."),
            Parameter::file("file", "File", "Tensors (*.npy *.npz *.safetensors *.safetensors.index.json)",
                            "A tensor, with :NAME one of several; its first numbers."),
            Parameter::choice("format", "Stored as", "f16", formats, "What the terms are rounded to first."),
            length,
            Parameter::choices("orders", "Orders", all, orderOptions(), "Which are compared."),
            Parameter::choice("accumulators", "Accumulators", "f16,f32", accumulatorOptions(),
                              "What sums are rounded to."),
            chunk,
            Parameter::choice("picture", "In the picture", "pairwise", orderOptions(),
                              "The order that is drawn, for the first terms."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the terms by chance.")};
        d.parameters[2].shownWhen = {when("input", {"file"})};
        d.parameters[7].shownWhen = {when("orders", {"chunked"})};
        d.parameters[9].shownWhen = {when("input", seededSumInputs())};
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        double seconds = static_cast<double>(settings.integer("length")) *
                         (secondsAnInput + secondsATerm * static_cast<double>(settings.choices("orders").size() *
                                                                              accumulatorsOf(settings).size()));
        std::error_code ignored;
        if (settings.text("input") == "file")
            if (const auto bytes = std::filesystem::file_size(settings.text("file"), ignored); !ignored)
                seconds += static_cast<double>(bytes) / bytesPerSecond;
        return seconds;
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        MemoryNeed need;
        need.bytes = settings.integer("length") * 4 * (settings.text("what") == "dot" ? 2 : 1) + (int64_t(1) << 20);
        need.what = fmt::format("{} terms", settings.integer("length"));
        need.lower = "length";
        return need;
    }

    void run(const Settings& settings, Run& run) override {
        const SumInputs inputs = makeSumInputs(settings, run.cancelToken());
        SumsRun sums;
        const auto length = static_cast<int64_t>(inputs.a.size());
        sums.what = titleOf(settings, length);
        chooseLengths(sums, length);
        sums.exact = warplight::precision::sumExactly(inputs.a, inputs.b, sums.lengths, run.cancelToken());
        addUp(settings, inputs, sums, run);
        putHeadlines(sums, run);
        run.put(errorFigure(sums));
        run.put(runningFigure(sums));
        run.put(pictureOf(settings, inputs));
        run.put(ordersTable(sums));
    }

  private:
    static std::string optionTitle(const std::vector<Parameter::Option>& options, const std::string& id) {
        return std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.id == id; })->title;
    }

    static std::string titleOf(const Settings& settings, int64_t length) {
        return fmt::format("{} of {} terms, {}, stored as {}", settings.text("what") == "dot" ? "dot product" : "sum",
                           length, optionTitle(sumInputKinds(), settings.text("input")),
                           number::floatFormat(settings.text("format")).title);
    }

    static HowToSum howOf(const Settings& settings, SumOrder order, const std::string& accumulator) {
        return {order, formatNamed(accumulator), settings.integer("chunk")};
    }

    static bool possible(const Settings& settings, SumOrder order, const std::string& accumulator) {
        return order != SumOrder::TensorCore || warplight::precision::hasTensorCoreInstruction(
                                                    formatNamed(settings.text("format")), formatNamed(accumulator));
    }

    /// The narrowest first.
    static std::vector<std::string> accumulatorsOf(const Settings& settings) {
        std::vector<std::string> ids;
        const std::string wanted = "," + settings.text("accumulators") + ",";
        for (const char* id : {"f16", "bf16", "f32"})
            if (wanted.find(fmt::format(",{},", id)) != std::string::npos)
                ids.emplace_back(id);
        return ids;
    }

    static void addUp(const Settings& settings, const SumInputs& inputs, SumsRun& sums, Run& run) {
        const auto& chosen = settings.choices("orders");
        const auto accumulators = accumulatorsOf(settings);
        for (const std::string& accumulator : accumulators) {
            const auto& format = number::floatFormat(accumulator);
            for (const NamedOrder& order : sumOrders()) {
                if (std::find(chosen.begin(), chosen.end(), order.id) == chosen.end())
                    continue;
                if (!possible(settings, order.order, accumulator)) {
                    run.log(fmt::format("No tensor core adds up numbers of {} in {}: that one is left out.",
                                        number::floatFormat(settings.text("format")).title, format.title),
                            Log::Level::Info);
                    continue;
                }
                run.progress(static_cast<double>(sums.all.size()) /
                                 static_cast<double>(chosen.size() * accumulators.size()),
                             fmt::format("{}, {}", order.title, format.title));
                sums.all.push_back({order, &format,
                                    sumInOrder(inputs.a, inputs.b, howOf(settings, order.order, accumulator),
                                               sums.lengths, run.cancelToken())});
                if (sums.accumulators.empty() || sums.accumulators.back() != &format)
                    sums.accumulators.push_back(&format);
            }
        }
        if (sums.all.empty())
            throw InputError("orders: no tensor core adds up in these formats, expected another order or accumulator");
    }

    static Figure pictureOf(const Settings& settings, const SumInputs& inputs) {
        const NamedOrder& order = orderNamed(settings.text("picture"));
        std::string accumulator = accumulatorsOf(settings).front();
        if (!possible(settings, order.order, accumulator))
            accumulator = "f32";
        HowToSum how = howOf(settings, order.order, accumulator);
        how.chunk = std::min(how.chunk, longestShownChunk);
        const auto terms =
            std::min<size_t>(inputs.a.size(), order.order == SumOrder::Kahan ? shownTermsOfKahan : shownTerms);
        const auto tree = warplight::precision::sumTree(std::span(inputs.a).first(terms),
                                                        std::span(inputs.b).first(inputs.b.empty() ? 0 : terms), how);
        const auto& format = number::floatFormat(accumulator);
        return {"picture",
                fmt::format("Step by step: {}", order.title),
                fmt::format("{} terms in {}{}; the stronger a colour, the more its rounding took", terms, format.title,
                            order.order == SumOrder::Chunked ? fmt::format(", chunks of {}", how.chunk) : ""),
                "The real partial sums of these terms. The stronger the colour, the more an addition lost: pale is "
                "exact, full is half a unit in the last place. **Counted.**",
                Figure::Place::Support,
                sumScene(tree, order.order, format)};
    }
};

} // namespace

std::unique_ptr<Experiment> makeSums() { return std::make_unique<Sums>(); }

} // namespace warplight::labs::precision
