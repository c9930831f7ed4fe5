// SPDX-License-Identifier: GPL-3.0-or-later
// The exponents of a file's tensors under the ranges of the formats, and what each format would lose of them.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/precision/exponent_shares.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/precision/storage_figure.h"
#include "core/precision/statistics.h"
#include "core/tensor/pieces.h"
#include "core/tensor/random.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using number::FloatFormat;
using warplight::precision::judgedFormats;
using warplight::precision::Statistics;

constexpr double bytesPerSecond = 3e8; ///< that are read and counted, about

constexpr size_t judgedNumbers = 1 << 17; ///< of the tensor that is drawn, stored in each way

struct Counted {
    std::string name;
    Statistics numbers;
    std::string spec{}; ///< that loads it again; empty: `sample` holds it
    int64_t rowLength = 1;
    std::vector<float> sample{};
    double worst() const { ///< the share that f16 would lose
        return numbers.values() == 0
                   ? 0
                   : static_cast<double>(numbers.losses()[0].flushed + numbers.losses()[0].overflowed) /
                         static_cast<double>(numbers.values());
    }
};

/// Made-up tensors whose exponents lie as those of a trained layer do: weights and activations around 1, gradients far
/// below it, a few outliers.
std::vector<Counted> example(int scale, uint64_t seed, Run& run) {
    struct Kind {
        const char* name;
        double centre, width; ///< log2 of the sizes: mean and standard deviation
    };
    std::vector<Counted> all;
    uint64_t stream = 0;
    for (const Kind& kind : {Kind{"weights", -6, 1.6}, Kind{"activations", 0, 2.4}, Kind{"logits", 9, 3},
                             Kind{"gradients of the output", -13, 3}, Kind{"gradients of the first layer", -22, 3.5}}) {
        std::vector<float> sizes(1 << 16), signs(sizes.size());
        tensor::fillGaussian(sizes, seed, stream++, 1, run.cancelToken());
        tensor::fillUniform(signs, seed, stream++, -1, 1);
        for (size_t i = 0; i < sizes.size(); ++i)
            sizes[i] = std::copysign(
                static_cast<float>(std::exp2(kind.centre + kind.width * static_cast<double>(sizes[i]))), signs[i]);
        Counted c{kind.name, Statistics(scale)};
        c.numbers.add(sizes);
        c.rowLength = 256;
        c.sample = std::move(sizes);
        all.push_back(std::move(c));
    }
    return all;
}

std::vector<Counted> ofFile(const std::string& file, int scale, Run& run) {
    std::vector<Counted> all;
    std::vector<formats::NotRead> notRead;
    const auto tensors = formats::tensorsOf(file, &notRead);
    if (!notRead.empty())
        run.log(fmt::format("Not read: {}.", formats::listed(notRead)));
    for (const auto& [spec, entry] : tensors) {
        run.progress(static_cast<double>(all.size()) / static_cast<double>(tensors.size()), entry.name);
        Counted c{entry.name.empty() ? std::filesystem::path(file).filename().string() : entry.name, Statistics(scale)};
        formats::streamExactly(
            spec,
            [&](const formats::Numbers& numbers) { std::visit([&](auto values) { c.numbers.add(values); }, numbers); },
            run.cancelToken());
        c.spec = spec;
        c.rowLength = entry.shape.empty() ? 1 : std::max<int64_t>(entry.shape.back(), 1);
        all.push_back(std::move(c));
    }
    return all;
}

/// The first numbers of a tensor, whole rows of them where these are not too long.
std::vector<float> beginningOf(const Counted& c, const std::atomic<bool>* cancel) {
    struct Enough {};
    std::vector<float> numbers = c.sample;
    try {
        if (!c.spec.empty())
            formats::streamTensor(
                c.spec,
                [&](std::span<const float> values) {
                    const size_t more = std::min(values.size(), judgedNumbers - numbers.size());
                    numbers.insert(numbers.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(more));
                    if (numbers.size() == judgedNumbers)
                        throw Enough(); // the file may be long
                },
                cancel);
    } catch (const Enough&) {
    }
    return numbers;
}

class Tensors : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.tensors";
        d.lab = "Precision";
        d.title = "Tensors";
        d.sentence = "Which numbers of a file's tensors a narrower format would flush to zero or overflow.";
        d.question =
            "Do these weights, activations or gradients fit into FP16, BF16 or FP8, and which scale makes them fit?";
        d.about =
            "A number below half of a format's least subnormal number becomes 0, one above its largest number "
            "infinity. "
            "Multiplying by a power of two moves all exponents alike and changes no digit: that is what loss scaling "
            "does. **flushed** and **overflowed** are counted number by number, at nearest rounding.";
        d.devices = {"cpu"};
        d.colours = formatColours();
        d.dropFiles = "file";
        Parameter scale = Parameter::integer("scale", "Scale: 2 to the", 0, -40, 40,
                                             "All numbers are multiplied by it: a loss scale.");
        scale.sliderStep = 1;
        d.parameters = {Parameter::choice(
                            "input", "Tensors", "example",
                            {{"example", "made up", "Weights, activations and gradients as a trained layer has them."},
                             {"file", "a file", "Your own."}},
                            "What is looked at."),
                        Parameter::file("file", "File", "Tensors (*.npy *.npz *.safetensors *.safetensors.index.json)",
                                        "All of its tensors; with :NAME one of them."),
                        Parameter::text("tensor", "Tensor", "",
                                        "Whose exponents are drawn; empty: that of which FP16 would lose most."),
                        scale, Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the made-up numbers.")};
        d.parameters[1].shownWhen = {when("input", {"file"})};
        d.parameters[4].shownWhen = {when("input", {"example"})};
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        if (settings.text("input") == "example")
            return 0.05;
        std::error_code ignored;
        const auto bytes = std::filesystem::file_size(settings.text("file"), ignored);
        return ignored ? 0.05 : static_cast<double>(bytes) / bytesPerSecond;
    }

    MemoryNeed neededMemory(const Settings&, const std::string& /*device*/) const override {
        return {int64_t(16) << 20, 0, "a piece of a tensor", {}};
    }

    void run(const Settings& settings, Run& run) override {
        const auto scale = static_cast<int>(settings.integer("scale"));
        const bool file = settings.text("input") == "file";
        if (file && settings.text("file").empty())
            throw InputError("file is empty, expected a file with tensors");
        std::vector<Counted> all = file ? ofFile(settings.text("file"), scale, run)
                                        : example(scale, static_cast<uint64_t>(settings.integer("seed")), run);
        std::stable_sort(all.begin(), all.end(),
                         [](const Counted& a, const Counted& b) { return a.worst() > b.worst(); });
        const std::string& wanted = settings.text("tensor");
        const auto chosen =
            wanted.empty() ? all.begin()
                           : std::find_if(all.begin(), all.end(), [&](const Counted& c) { return c.name == wanted; });
        if (chosen == all.end())
            throw InputError(fmt::format(
                "tensor '{}': there is none of that name, expected one of the table's, or nothing", wanted));
        if (!file)
            run.log("These tensors are made up: exponents as a trained layer has them. Drop a file on the window to "
                    "see yours.",
                    Log::Level::Info);
        headlines(all, run);
        exponents(*chosen, scale, run);
        table(all, settings, run);
        std::vector<float> beginning = beginningOf(*chosen, run.cancelToken());
        for (float& x : beginning)
            x = std::ldexp(x, scale);
        putStorageCosts(run, chosen->name, beginning, chosen->rowLength, chosen->numbers.values());
    }

  private:
    static void headlines(const std::vector<Counted>& all, Run& run) {
        for (size_t f = 0; f < judgedFormats().size(); ++f) {
            int64_t values = 0, lost = 0;
            for (const Counted& c : all) {
                values += c.numbers.values();
                lost += c.numbers.losses()[f].flushed + c.numbers.losses()[f].overflowed;
            }
            Metric m;
            m.value = values == 0 ? 0 : 100 * static_cast<double>(lost) / static_cast<double>(values);
            m.unit = "%";
            m.format = "{:.3g}";
            m.caption = fmt::format("of {} numbers lost in {}", values, judgedFormats()[f]->title);
            m.provenance = Provenance::Counted;
            run.put({std::string(judgedFormats()[f]->id), fmt::format("Lost in {}", judgedFormats()[f]->title), "",
                     "Flushed to zero or overflowed, of all tensors together. **Counted** number by number.",
                     Figure::Place::Headline, std::move(m)});
        }
    }

    static void exponents(const Counted& c, int scale, Run& run) {
        const Statistics& n = c.numbers;
        run.put(
            {"exponents", "Exponents", c.name,
             "How many numbers have which power of two (**counted**), and above them how far each format reaches, "
             "subnormal numbers included (**reference**; BF16 reaches beyond the picture). What lies left of a line is "
             "flushed to zero there, what lies right of it overflows.",
             Figure::Place::Main, exponentShares({c.name, n.exponents(), n.lowest(), n.values()}, scale)});
    }

    static void table(const std::vector<Counted>& all, const Settings& settings, Run& run) {
        Table table;
        table.columns = {{"tensor", "Tensor", "", false, {}, ""},
                         {"values", "Numbers", "", true, Provenance::Counted, ""},
                         {"absmax", "Largest size", "", true, Provenance::Counted, "{:.4g}"},
                         {"median", "Median exponent", "", true, Provenance::Counted, ""},
                         {"zeros", "Zero, %", "", true, Provenance::Counted, "{:.3f}"},
                         {"notFinite", "NaN or ∞", "", true, Provenance::Counted, ""}};
        for (const FloatFormat* f : judgedFormats())
            for (const char* what : {"flushed", "overflowed"})
                table.columns.push_back({fmt::format("{}_{}", f->id, what), fmt::format("{} {}, %", f->title, what), "",
                                         true, Provenance::Counted, "{:.3f}"});
        table.columns.push_back({"scale", "FP16 scale, 2^", "", true, Provenance::Counted, ""});
        for (const Counted& c : all) {
            const Statistics& n = c.numbers;
            const auto percent = [&](int64_t part) {
                return 100 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(n.values(), 1));
            };
            const auto whole = [](std::optional<int> x) { return x ? Table::Cell(int64_t{*x}) : Table::Cell(); };
            std::vector<Table::Cell> row{c.name,
                                         n.values(),
                                         n.finite() > 0 ? Table::Cell(n.absoluteMaximum()) : Table::Cell(),
                                         whole(n.exponentPercentile(0.5)),
                                         percent(n.zeros()),
                                         n.nan() + n.infinite()};
            for (const warplight::precision::Loss& loss : n.losses()) {
                row.emplace_back(percent(loss.flushed));
                row.emplace_back(percent(loss.overflowed));
            }
            row.push_back(whole(n.bestScale(*judgedFormats()[0])));
            std::map<std::string, std::string> there{{"tensor", c.name}};
            for (const char* id : {"input", "file"})
                there[id] = settings.text(id);
            there["scale"] = std::to_string(settings.integer("scale"));
            table.rowLinks[static_cast<int64_t>(table.rows.size())] = {"Draw its exponents", "precision.tensors",
                                                                       std::move(there)};
            table.rows.push_back(std::move(row));
        }
        run.put({"tensors", "Tensors", "the ones FP16 loses most of first",
                 "A click draws a tensor's exponents. The best scale is the largest power of two by which nothing "
                 "overflows.",
                 Figure::Place::Support, std::move(table)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeTensors() { return std::make_unique<Tensors>(); }

} // namespace warplight::labs::precision
