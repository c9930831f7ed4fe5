// SPDX-License-Identifier: GPL-3.0-or-later
// Parallel, recurrent, cumsum and chunked linear attention: one sum in four orders.
#include "core/cpu/linear/linear_attention.h"
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/lab/number_text.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/memory_story.h"
#include "core/tensor/random.h"
#include "core/workbench/stopwatch.h"
#include "gpu/number/format.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;
using cpu::LinearForm;

struct Stored {
    const char *id, *title;
    std::optional<number::Format> format; ///< none: double precision throughout
};
constexpr Stored storedAs[]{{"f64", "FP64", {}},
                            {"f32", "FP32", number::Format::F32},
                            {"f16", "FP16, sums in FP32", number::Format::F16},
                            {"bf16", "BF16, sums in FP32", number::Format::BF16}};

/// q, k, v, decay and beta of one problem, in double precision as they were made.
struct Inputs {
    std::vector<double> q, k, v, decay, beta;
};

Inputs makeInputs(const cpu::LinearShape& s, uint64_t seed, const std::atomic<bool>* cancel) {
    const auto numbers = [&](int64_t count, uint64_t stream, bool uniform, float low) {
        std::vector<float> x(static_cast<size_t>(count));
        if (uniform)
            tensor::fillUniform(x, seed, stream, low, 1, cancel);
        else
            tensor::fillGaussian(x, seed, stream, 1, cancel);
        return std::vector<double>(x.begin(), x.end());
    };
    Inputs in{numbers(s.queryLen * s.headDim, 0, false, 0),
              numbers(s.keyLen * s.headDim, 1, false, 0),
              numbers(s.keyLen * s.valueDim, 2, false, 0),
              {},
              {}};
    using cpu::LinearRule;
    if (s.rule == LinearRule::Delta || s.rule == LinearRule::GatedDelta) { // a key as long as 1: else β k kᵀ overshoots
        for (int64_t t = 0; t < s.keyLen; ++t) {
            double square = 0;
            double* key = in.k.data() + t * s.headDim;
            for (int64_t c = 0; c < s.headDim; ++c)
                square += key[c] * key[c];
            for (int64_t c = 0; c < s.headDim; ++c)
                key[c] /= std::sqrt(square);
        }
        in.beta = numbers(s.keyLen, 3, true, 0.2f);
    }
    if (s.rule == LinearRule::Gla)
        in.decay = numbers(s.keyLen * cpu::featureCount(s), 4, true, 0.9f);
    else if (s.rule == LinearRule::Retention || s.rule == LinearRule::GatedDelta)
        in.decay = numbers(s.keyLen, 4, true, 0.9f);
    return in;
}

template <class T>
std::vector<T> stored(const std::vector<double>& x, std::optional<number::Format> format) {
    std::vector<T> y(x.begin(), x.end());
    if (format)
        for (T& value : y)
            value = static_cast<T>(number::rounded(static_cast<float>(value), *format));
    return y;
}

template <class T>
std::vector<double> outputOf(LinearForm form, const cpu::LinearShape& s, const Inputs& in, const Stored& as,
                             const std::atomic<bool>* cancel) {
    const auto q = stored<T>(in.q, as.format), k = stored<T>(in.k, as.format), v = stored<T>(in.v, as.format);
    const std::vector<T> decay(in.decay.begin(), in.decay.end()), beta(in.beta.begin(), in.beta.end());
    std::vector<T> o(static_cast<size_t>(s.queryLen * s.valueDim));
    cpu::LinearTensors<T> t;
    t.q = q.data(), t.k = k.data(), t.v = v.data(), t.o = o.data();
    t.decay = decay.empty() ? nullptr : decay.data();
    t.beta = beta.empty() ? nullptr : beta.data();
    cpu::linearAttention(form, s, t, {0, cancel});
    return stored<double>({o.begin(), o.end()}, as.format);
}

std::vector<double> run(LinearForm form, const cpu::LinearShape& s, const Inputs& in, const Stored& as, Run& run) {
    run.checkCancelled();
    return as.format ? outputOf<float>(form, s, in, as, run.cancelToken())
                     : outputOf<double>(form, s, in, as, run.cancelToken());
}

/// The largest difference, relative to the largest number of `right`.
double error(const std::vector<double>& x, const std::vector<double>& right) {
    double most = 0, difference = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        most = std::max(most, std::fabs(right[i]));
        difference = std::max(difference, std::fabs(x[i] - right[i]));
        if (std::isnan(x[i]) != std::isnan(right[i]))
            return INFINITY;
    }
    return most > 0 ? difference / most : difference;
}

constexpr LinearForm forms[]{LinearForm::Parallel, LinearForm::Recurrent, LinearForm::Cumsum, LinearForm::Chunked};
std::string nameOf(LinearForm form) {
    for (const auto& info : cpu::linearForms())
        if (info.id == form)
            return std::string(info.name);
    return "";
}

class Forms : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.forms";
        d.lab = "Linear attention";
        d.title = "Equal algorithms";
        d.sentence =
            "Parallel, recurrent, cumsum and chunked: the same sum, so how far are their outputs apart, and how long "
            "does each take?";
        d.question = "Does it matter for the result which form computes it, and which chunk is the best?";
        d.about = "**Parallel**: masked scores times values, n² of them. **Recurrent**: a state, step by step. "
                  "**Cumsum**: all "
                  "states kept. **Chunked**: parallel within a chunk, recurrent from chunk to chunk. In exact "
                  "arithmetic they "
                  "are equal; each rounds in its own order.";
        d.devices = {"cpu"};
        d.colours = {{"parallel", 1}, {"recurrent", 5}, {"cumsum", 10}, {"chunked", 6},
                     {"f64", 12},     {"f32", 4},       {"f16", 0},     {"bf16", 1}};
        auto maps = stepwiseMapOptions();
        Parameter n = Parameter::integer("seqLen", "Sequence length", 1024, 1, 16384, "Steps.");
        n.powersOfTwo = true;
        Parameter features = Parameter::integer("headDim", "Features", 64, 1, 256, "Of queries, keys and values.");
        features.powersOfTwo = true;
        d.parameters = {
            Parameter::choice("rule", "Rule", "add", ruleOptions(), "How the state takes a key and its value."),
            Parameter::choice("featureMap", "Feature map", "elu1", maps, "φ, of queries and keys."),
            Parameter::flag("normalise", "Normalised", true, "Divided by the same for values of 1."),
            n,
            features,
            Parameter::sweep("chunks", "Chunks", {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, 1, 16384,
                             "Steps of a chunk, one a point."),
            Parameter::integer("chunk", "Chunk of the comparison", 64, 1, 16384, "Of the pictures of pairs."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("seqLen")), d = static_cast<double>(s.integer("headDim"));
        return 0.2 + 4 * n * d * (n + 8 * d) * 4e-9 + static_cast<double>(s.sweep("chunks").size()) * n * d * d * 4e-8;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string&) const override {
        cpu::LinearShape shape = shapeOf(s);
        int64_t most = 0;
        for (const LinearForm form : forms)
            most = std::max(most, cpu::extraBytesAtMost(form, shape));
        const int64_t tensors = 8 * s.integer("seqLen") * (16 * s.integer("headDim") + 2 * cpu::featureCount(shape));
        return {2 * std::min(most, INT64_MAX / 4) + tensors, 0,
                fmt::format("All states of {} steps with {} features", s.integer("seqLen"), s.integer("headDim")),
                "seqLen or headDim"};
    }

    void run(const Settings& settings, Run& run) override {
        const cpu::LinearShape shape = shapeOf(settings);
        const Inputs inputs = makeInputs(shape, static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        const std::vector<double> right = linear::run(LinearForm::Recurrent, shape, inputs, storedAs[0], run);
        putSweeps(run);
        pairs(run, shape, inputs, right);
        const std::map<std::string, double> others = timeOthers(run, shape, inputs, settings);
        sweepChunks(run, settings, shape, inputs, right, others);
    }

  private:
    static cpu::LinearShape shapeOf(const Settings& s) {
        cpu::LinearShape shape;
        shape.queryLen = shape.keyLen = s.integer("seqLen");
        shape.headDim = shape.valueDim = s.integer("headDim");
        shape.rule = cpu::linearRuleByName(s.text("rule"));
        shape.map = cpu::featureMapByName(s.text("featureMap"));
        shape.causal = true;
        shape.normalise = s.flag("normalise");
        shape.chunk = s.integer("chunk");
        return shape;
    }

    /// For each type a picture of all pairs of forms.
    static void pairs(Run& run, const cpu::LinearShape& shape, const Inputs& inputs, const std::vector<double>& right) {
        std::vector<std::string> names;
        for (const LinearForm form : forms)
            names.push_back(nameOf(form));
        Table table;
        table.columns = {{"stored", "Stored as", "", false, {}, ""}};
        for (const std::string& name : names)
            table.columns.push_back({name, name, "", true, Provenance::Counted, "{:.1e}"});
        table.columns.push_back({"apart", "Most between two", "", true, Provenance::Counted, "{:.1e}"});
        for (const Stored& as : storedAs) {
            std::vector<std::vector<double>> outputs;
            for (const LinearForm form : forms) {
                run.progress(0.1, fmt::format("{}, {}", nameOf(form), as.title));
                outputs.push_back(linear::run(form, shape, inputs, as, run));
            }
            table.rows.push_back({std::string(as.title)});
            for (const auto& output : outputs)
                table.rows.back().push_back(error(output, right));
            double most = 0;
            for (const auto& a : outputs)
                for (const auto& b : outputs)
                    most = std::max(most, error(a, b));
            table.rows.back().push_back(most);
            run.put(
                {"errors", "How far off, form by form", "largest difference, relative to the largest output",
                 "Each form against the recurrent one in double precision on inputs that are not rounded, and the two "
                 "forms that are farthest apart. Stored as FP16 or BF16: inputs and outputs are rounded, sums are "
                 "FP32. "
                 "**Counted.**",
                 Figure::Place::Main, table});
            if (as.id == std::string("f32"))
                run.put({"apart", "apart", "", "", Figure::Place::Headline,
                         Metric{most,
                                "",
                                "{:.1e}",
                                "most that two forms differ by in FP32, relative",
                                {},
                                {},
                                Provenance::Counted,
                                {}}});
        }
    }

    static Curve curveOf(const std::string& id, std::string label, Provenance provenance) {
        Curve c;
        c.id = c.colourKey = id;
        c.label = std::move(label);
        c.provenance = provenance;
        return c;
    }

    static void putSweeps(Run& run) {
        const Axis chunk{"chunk", "steps", Scale::Log2, {}, {}, {}, false};
        Series time;
        time.x = chunk;
        time.y = {"time", "s", Scale::Log10, {}, {}, {}, false};
        run.put({"time", "Time by chunk", "FP32, one head; lines: the other forms",
                 "The median of repeated runs on this machine. **Measured.** Forms without a chunk are drawn level.",
                 Figure::Place::Main, std::move(time)});
        Series errors;
        errors.x = chunk;
        errors.y = {"error", "", Scale::Log10, {}, {}, {}, false};
        run.put({"chunkErrors", "Error by chunk", "of the chunked form, by type",
                 "As the table has it, of the chunked form alone. **Counted.**", Figure::Place::Support,
                 std::move(errors)});
    }

    template <class Work>
    static double timed(Run& run, const Work& work) {
        return workbench::timeRepeatedly(
                   [&] {
                       work();
                       run.checkCancelled();
                   },
                   0.15)
            .median;
    }

    static double timeOf(Run& run, LinearForm form, const cpu::LinearShape& shape, const Inputs& in) {
        const std::vector<float> q(in.q.begin(), in.q.end()), k(in.k.begin(), in.k.end()), v(in.v.begin(), in.v.end()),
            decay(in.decay.begin(), in.decay.end()), beta(in.beta.begin(), in.beta.end());
        std::vector<float> o(static_cast<size_t>(shape.queryLen * shape.valueDim));
        cpu::LinearTensors<float> t;
        t.q = q.data(), t.k = k.data(), t.v = v.data(), t.o = o.data();
        t.decay = decay.empty() ? nullptr : decay.data();
        t.beta = beta.empty() ? nullptr : beta.data();
        return timed(run, [&] { cpu::linearAttention(form, shape, t, {0, run.cancelToken()}); });
    }

    static std::map<std::string, double> timeOthers(Run& run, const cpu::LinearShape& shape, const Inputs& inputs,
                                                    const Settings& settings) {
        const auto& chunks = settings.sweep("chunks");
        const auto [least, most] = std::minmax_element(chunks.begin(), chunks.end());
        std::map<std::string, double> seconds;
        for (const LinearForm form : {LinearForm::Parallel, LinearForm::Recurrent, LinearForm::Cumsum}) {
            const std::string name = nameOf(form);
            run.progress(0.3, fmt::format("time of {}", name));
            seconds[name] = timeOf(run, form, shape, inputs);
            Curve c = curveOf(name, name, Provenance::Measured);
            c.style = Curve::Style::Line;
            c.x = {static_cast<double>(*least), static_cast<double>(*most)};
            c.y = {seconds[name], seconds[name]};
            run.appendPoint("time", c);
        }
        return seconds;
    }

    static void sweepChunks(Run& run, const Settings& settings, cpu::LinearShape shape, const Inputs& inputs,
                            const std::vector<double>& right, const std::map<std::string, double>& others) {
        std::vector<int64_t> chunks = settings.sweep("chunks");
        std::sort(chunks.begin(), chunks.end());
        double best = INFINITY, done = 0;
        for (const int64_t chunk : chunks) {
            run.progress(0.4 + 0.6 * done++ / static_cast<double>(chunks.size()), fmt::format("chunks of {}", chunk));
            shape.chunk = chunk;
            const double seconds = timeOf(run, LinearForm::Chunked, shape, inputs);
            Curve c = curveOf("chunked", "chunked", Provenance::Measured);
            c.x = {static_cast<double>(chunk)};
            c.y = {seconds};
            run.appendPoint("time", c);
            for (const Stored& as : storedAs) {
                Curve e = curveOf(as.id, as.title, Provenance::Counted);
                e.x = c.x;
                e.y = {std::max(error(linear::run(LinearForm::Chunked, shape, inputs, as, run), right), 1e-17)};
                run.appendPoint("chunkErrors", e);
            }
            if (seconds < best) {
                best = seconds;
                headlines(run, chunk, seconds, others);
            }
        }
    }

    static void headlines(Run& run, int64_t chunk, double seconds, const std::map<std::string, double>& others) {
        const auto put = [&](const char* id, double value, const char* format, std::string caption) {
            putHeadline(run, id, value, "", format, caption, Provenance::Measured);
        };
        put("best", static_cast<double>(chunk), "{:.0f}",
            fmt::format("steps of the fastest chunk: {}", numberText(seconds, "s")));
        for (const auto& [name, time] : others)
            put(("over." + name).c_str(), time / seconds, "{:.1f}×", fmt::format("as fast as {}", name));
    }
};

} // namespace

std::unique_ptr<Experiment> makeForms() { return std::make_unique<Forms>(); }

} // namespace warplight::labs::linear
