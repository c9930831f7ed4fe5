// SPDX-License-Identifier: GPL-3.0-or-later
// A training step of data parallelism: gradients are reduced while the backward pass goes on.
#include "core/collectives/simulate/overlap.h"
#include "core/error.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/collective_job.h"
#include "core/labs/allreduce/headline.h"
#include "core/labs/allreduce/memory.h"
#include "core/labs/allreduce/network_settings.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

/// Backward pass of a decoder-only transformer: 12 d² parameters a layer, and the embedding; 4 FLOPs a parameter and
/// token backwards (twice the forward pass's 2).
std::vector<collectives::LayerCost> layersOf(const Settings& settings) {
    const double width = static_cast<double>(settings.integer("width"));
    const double rate = settings.real("teraflops") * 1e12;
    const double tokens = static_cast<double>(settings.integer("tokens"));
    const double gradientBytes = settings.text("gradients") == "f32" ? 4 : 2;
    const auto layer = [&](double parameters) {
        return collectives::LayerCost{4 * parameters * tokens / rate, static_cast<int64_t>(parameters * gradientBytes)};
    };
    std::vector<collectives::LayerCost> layers(static_cast<size_t>(settings.integer("layers")),
                                               layer(12 * width * width));
    const double vocabulary = static_cast<double>(settings.integer("vocabulary"));
    if (vocabulary > 0)
        layers.insert(layers.begin(), layer(vocabulary * width));
    return layers;
}

class Overlap : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.overlap";
        d.lab = "Allreduce";
        d.title = "Overlap";
        d.sentence = "Gradients are reduced in buckets while the backward pass goes on.";
        d.question = "How large should a bucket be, and how much communication stays exposed?";
        d.about =
            "Layers go from the last to the first; their gradients fill buckets, a full bucket is reduced on a stream "
            "of "
            "its own, one at a time. Small buckets start early but pay the latency each time; large ones wait long. "
            "**Exposed**: time in which nothing is computed. All times are **modelled**: layers by FLOPs over a rate "
            "(12 d² parameters each, 4 FLOPs a parameter and token), all-reduces by the simulator, message by message.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        Parameter bucket =
            Parameter::integer("bucket", "Bucket", 25, 1, 4096, "Gradients of so many MiB are reduced at once.");
        bucket.unit = std::string("MiB");
        bucket.powersOfTwo = true;
        bucket.defaultValue = int64_t{32};
        Parameter tera = Parameter::real("teraflops", "Rate of computing", 150, 0.001, 1e5, "What a rank reaches.");
        tera.unit = std::string("TFLOP/s");
        Parameter layers = Parameter::integer("layers", "Layers", 24, 1, 1000, "Of the model.");
        layers.sliderStep = 1;
        layers.maximum = 128;
        d.parameters = {
            bucket,
            Parameter::choice("algorithm", "Algorithm", "ring", algorithmOptions(), "Reduces the buckets."),
            Parameter::integer("ranks", "Ranks", 16, 1, 1024, "That train together."),
            layers,
            Parameter::integer("width", "Width", 2048, 1, 65536, "Features d of a token."),
            Parameter::integer("vocabulary", "Vocabulary", 50257, 0, 1e7, "The embedding's rows; 0 = none."),
            Parameter::integer("tokens", "Tokens a rank", 8192, 1, 1e9, "Of a step."),
            Parameter::choice("gradients", "Gradients", "bf16", {{"bf16", "bf16", ""}, {"f32", "f32", ""}},
                              "Their data type."),
            tera,
        };
        for (const auto& more : {networkParameters({}), shapeParameters()})
            d.parameters.insert(d.parameters.end(), more.begin(), more.end());
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return 0.1 + static_cast<double>(settings.integer("ranks") * settings.integer("ranks")) * 1e-6;
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        return {simulationBytes(settings.integer("ranks")), 0,
                fmt::format("{} simulated ranks", settings.integer("ranks")), "ranks"};
    }

    void run(const Settings& settings, Run& run) override {
        const std::vector<collectives::LayerCost> layers = layersOf(settings);
        const collectives::Network network = networkOf(settings);
        const int64_t elementBytes = settings.text("gradients") == "f32" ? 4 : 2;
        const auto allreduce = [&](int64_t bytes) {
            run.checkCancelled();
            const auto schedule =
                collectives::makeSchedule(settings.text("algorithm"), collectives::Collective::Allreduce,
                                          static_cast<int>(settings.integer("ranks")),
                                          std::max<int64_t>(1, bytes / elementBytes), algorithmOptionsOf(settings));
            collectives::SimulateOptions options;
            options.cancel = run.cancelToken();
            return collectives::simulate(*schedule, elementBytes, network,
                                         disturbancesOf(settings, settings.integer("ranks")), options)
                .seconds;
        };
        const int64_t bucket = settings.integer("bucket") << 20;
        const auto chosen = collectives::overlapStep(layers, bucket, allreduce);
        headlines(run, chosen, settings);
        run.put(timeline(chosen, layers.size(), settings.integer("vocabulary") > 0, networkText(network)));
        sweep(run, layers, allreduce, bucket, chosen);
    }

  private:
    static void headlines(Run& run, const collectives::OverlapResult& chosen, const Settings& settings) {
        const auto put = [&run](const char* id, const char* title, double value, const char* unit,
                                std::string caption) {
            putHeadline(run, id, title, value, unit, std::move(caption), Provenance::Modelled);
        };
        put("exposed", "Exposed", chosen.exposedSeconds, "s",
            fmt::format("exposed communication with buckets of {} MiB", settings.integer("bucket")));
        put("total", "Step", chosen.totalSeconds, "s",
            fmt::format("backward pass with its all-reduces; {} without overlap",
                        secondsText(chosen.withoutOverlapSeconds)));
        const double hidden =
            chosen.communicationSeconds > 0 ? 100 * (1 - chosen.exposedSeconds / chosen.communicationSeconds) : 100;
        put("hidden", "Hidden", hidden, "%",
            fmt::format("of {} of communication is hidden", secondsText(chosen.communicationSeconds)));
    }

    static Figure timeline(const collectives::OverlapResult& chosen, size_t layers, bool embedding,
                           std::string subtitle) {
        Timeline timeline;
        timeline.x = {"time", "s", Scale::Linear, {}, {}, {}, false};
        timeline.tracks = {{"compute", "backward pass", ""}, {"communication", "all-reduce", ""}};
        for (const auto& span : chosen.spans) {
            const bool computes = span.stream == collectives::OverlapSpan::Stream::Compute;
            const bool isEmbedding = computes && embedding && span.index == 0;
            timeline.spans.push_back({computes ? 0 : 1, span.start, span.end,
                                      isEmbedding ? std::string("embedding") : fmt::format("{}", span.index),
                                      computes ? std::string("backward") : std::string("all-reduce"),
                                      Provenance::Modelled,
                                      fmt::format("{} {} of {}, {} of gradients", computes ? "layer" : "bucket",
                                                  span.index, layers, bytesText(static_cast<double>(span.bytes)))});
        }
        return {
            "timeline",
            "Timeline",
            std::move(subtitle),
            "One rank. Above: the backward pass, a span a layer, the last layer first. Below: all-reduces, a span a "
            "bucket. **Modelled**.",
            Figure::Place::Main,
            std::move(timeline)};
    }

    /// The same step with other buckets, so that the best one can be seen.
    template <class Allreduce>
    static void sweep(Run& run, const std::vector<collectives::LayerCost>& layers, const Allreduce& allreduce,
                      int64_t bucket, const collectives::OverlapResult& chosen) {
        Series series;
        series.x = {"bucket", "B", Scale::Log2, {}, {}, {}, false};
        series.y = {"time", "s", Scale::Linear, 0.0, {}, {}, false};
        Curve exposed, total, here;
        exposed.id = exposed.label = exposed.colourKey = "exposed";
        total.id = total.label = total.colourKey = "total";
        here.id = here.label = "chosen";
        here.colourKey = "here";
        here.style = Curve::Style::Points;
        exposed.provenance = total.provenance = here.provenance = Provenance::Modelled;
        here.x.assign(2, static_cast<double>(bucket));
        here.y = {chosen.exposedSeconds, chosen.totalSeconds};
        series.curves = {exposed, total, here};
        run.put({"buckets", "Against the bucket", "exposed and total time",
                 "The same step with other buckets. **Modelled**.", Figure::Place::Support, std::move(series)});
        int64_t all = 0;
        for (const auto& layer : layers)
            all += layer.gradientBytes;
        for (int64_t size = 1 << 20; size < 2 * all; size *= 2) {
            run.checkCancelled();
            const auto other = collectives::overlapStep(layers, size, allreduce);
            for (Curve* curve : {&exposed, &total}) {
                Curve more;
                more.id = curve->id;
                more.x = {static_cast<double>(size)};
                more.y = {curve == &exposed ? other.exposedSeconds : other.totalSeconds};
                run.appendPoint("buckets", more);
            }
        }
    }
};

} // namespace

std::unique_ptr<Experiment> makeOverlap() { return std::make_unique<Overlap>(); }

} // namespace warplight::labs::allreduce
