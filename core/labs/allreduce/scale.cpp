// SPDX-License-Identifier: GPL-3.0-or-later
// Time against ranks, on a network that is calculated: this machine's, fitted to a race, or one that is described.
#include "core/collectives/simulate/fit_network.h"
#include "core/lab/number_text.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/headline.h"
#include "core/labs/allreduce/measured_point.h"
#include "core/labs/allreduce/memory.h"
#include "core/labs/allreduce/network_settings.h"
#include "core/text/counted.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

constexpr double pointSeconds = 0.02; ///< of the race that calibrates
constexpr double poorFit = 0.7;       ///< R² below which somebody is told
const std::vector<int64_t> calibrationBytes = {8, 4096, 65536, 1048576, 4194304};
const std::vector<std::string> calibrationAlgorithms = {"ring", "recursive-doubling", "naive"};

/// As many as run at the same time here: ranks that wait for a core tell nothing about messages.
std::vector<int> calibrationRanks() {
    return std::thread::hardware_concurrency() >= 4 ? std::vector<int>{2, 3, 4} : std::vector<int>{2};
}

Curve curveOf(const std::string& algorithm, Provenance provenance, Curve::Style style) {
    Curve curve;
    const bool measured = provenance == Provenance::Measured;
    curve.id = algorithm + (measured ? ".measured" : "");
    curve.label = measured ? std::string() : titleOf(algorithm); // goes with the one it was fitted to
    curve.colourKey = algorithm;
    curve.provenance = provenance;
    curve.style = style;
    return curve;
}

class ScalePage : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.scale";
        d.lab = "Allreduce";
        d.title = "Scale";
        d.sentence = "Time against ranks, simulated event by event.";
        d.question = "Which algorithm is best for how many ranks?";
        d.about =
            "A message costs α + n·β, a byte that is combined γ; ranks meet for it, ports and links carry one at a "
            "time. "
            "Calibrated with a race that is **measured** now on this machine's threads, or with the numbers below. "
            "Ring: "
            "2(p − 1)α grows with the ranks, its bytes do not; recursive doubling: log₂ p steps of all bytes. Every "
            "point is a run of the same schedule that threads and processes execute.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        Parameter bytes =
            Parameter::integer("bytes", "Message size", 1 << 20, 1, 1 << 28, "Bytes of every rank's vector.");
        bytes.powersOfTwo = true;
        Parameter calibrate = Parameter::choice("network", "Network", "machine",
                                                {{"machine", "this machine, fitted", "α, β and γ from a race now."},
                                                 {"described", "described below", "α, β, γ and links as given."}},
                                                "Whose numbers are used.");
        d.parameters = {
            Parameter::choices("algorithms", "Algorithms", {"ring", "recursive-doubling", "halving-doubling", "tree"},
                               algorithmOptions(), "Which are simulated."),
            bytes,
            Parameter::sweep("ranks", "Ranks", {2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}, 1, 16384,
                             "Rank counts to simulate."),
            calibrate,
        };
        for (const auto& more : {networkParameters({when("network", {"described"})}), shapeParameters()})
            d.parameters.insert(d.parameters.end(), more.begin(), more.end());
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        double most = 0;
        for (const int64_t ranks : settings.sweep("ranks"))
            most = std::max(most, static_cast<double>(ranks));
        return 1 + 5 * most * most / (4096.0 * 4096.0);
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const auto& ranks = settings.sweep("ranks");
        return {simulationBytes(*std::max_element(ranks.begin(), ranks.end())), 0,
                fmt::format("{} simulated ranks", *std::max_element(ranks.begin(), ranks.end())), "ranks"};
    }

    void run(const Settings& settings, Run& run) override {
        std::vector<int64_t> rankCounts = settings.sweep("ranks");
        std::sort(rankCounts.begin(), rankCounts.end());
        const auto& algorithms = chosenAlgorithms(settings);
        begin(run, algorithms, settings.integer("bytes"), fits(settings));
        const collectives::Network network = fits(settings) ? calibrate(settings, run) : networkOf(settings);
        std::map<std::string, double> last;
        size_t done = 0;
        for (const int64_t ranks : rankCounts)
            for (const std::string& algorithm : algorithms) {
                run.checkCancelled();
                run.progress(static_cast<double>(done++) / static_cast<double>(rankCounts.size() * algorithms.size()),
                             fmt::format("{}, {}", titleOf(algorithm), counted(ranks, "rank")));
                last[algorithm] = simulatePoint(settings, run, algorithm, static_cast<int>(ranks), network);
            }
        conclude(run, last, rankCounts.back(), network);
    }

  private:
    /// Calibrated here, rather than described.
    static bool fits(const Settings& settings) { return settings.text("network") == "machine"; }

    static void begin(Run& run, const std::vector<std::string>& algorithms, int64_t bytes, bool fits) {
        Series series;
        series.x = {"ranks", "", Scale::Log2, {}, {}, {}, false};
        series.y = {"time", "s", Scale::Log10, {}, {}, {}, false};
        for (const std::string& algorithm : algorithms)
            series.curves.push_back(curveOf(algorithm, Provenance::Modelled, Curve::Style::LineAndPoints));
        run.put({"time", "Time", fmt::format("{} on every rank", bytesText(static_cast<double>(bytes))),
                 fits ? "**Modelled**: every message of every rank, on a network with the fitted α, β and γ. Points "
                        "without a line are **measured** now between threads."
                      : "**Modelled**: every message of every rank, on the network described.",
                 Figure::Place::Main, std::move(series)});
        Table table;
        const auto modelled = Provenance::Modelled;
        table.columns = {
            {"algorithm", "Algorithm", "", false, {}, ""},     {"ranks", "Ranks", "", true, {}, ""},
            {"time", "Time", "s", true, modelled, ""},         {"busbw", "Bus bandwidth", "B/s", true, modelled, ""},
            {"messages", "Messages", "", true, modelled, ""},  {"busiest", "Busiest link", "", false, {}, ""},
            {"share", "Busy, %", "", true, modelled, "{:.0f}"}};
        run.put({"points", "Points", "", "", Figure::Place::Support, std::move(table)});
    }

    /// A short race between threads, and the α, β and γ that fit it best.
    static collectives::Network calibrate(const Settings& settings, Run& run) {
        std::vector<collectives::MeasuredPoint> points;
        Series series;
        series.x = {"message size", "B", Scale::Log2, {}, {}, {}, false};
        series.y = {"time", "s", Scale::Log10, {}, {}, {}, false};
        std::vector<int64_t> sizes = calibrationBytes;
        if (std::find(sizes.begin(), sizes.end(), settings.integer("bytes")) == sizes.end() &&
            settings.integer("bytes") < sizes.back())
            sizes.push_back(settings.integer("bytes"));
        std::sort(sizes.begin(), sizes.end());
        for (const int ranks : calibrationRanks()) {
            const auto carrier = makeCarrier("threads", ranks);
            for (const int64_t bytes : sizes)
                for (const std::string& algorithm : calibrationAlgorithms) {
                    run.checkCancelled();
                    run.progress(0, fmt::format("Measuring: {}, {}, {}", titleOf(algorithm), counted(ranks, "rank"),
                                                bytesText(static_cast<double>(bytes))));
                    CollectiveJob job;
                    job.algorithm = algorithm;
                    job.ranks = ranks;
                    job.elements = std::max<int64_t>(1, bytes / 4);
                    collectives::MeasuredPoint point;
                    point.algorithm = algorithm;
                    point.ranks = ranks;
                    point.elements = job.elements;
                    // The 10th percentile: what other work on this machine delays is not the network's.
                    point.seconds = measurePoint(*carrier, job, pointSeconds, run.cancelToken()).low;
                    points.push_back(point);
                    if (job.bytes() != settings.integer("bytes"))
                        continue;
                    Curve dot = curveOf(algorithm, Provenance::Measured, Curve::Style::Points);
                    dot.x = {static_cast<double>(ranks)};
                    dot.y = {point.seconds};
                    run.appendPoint("time", dot);
                }
        }
        const collectives::NetworkFit fit = collectives::fitNetwork(points, {}, run.cancelToken());
        if (!fit.remark.empty())
            run.log(fit.remark);
        if (fit.r2 < poorFit)
            run.log(fmt::format("The fit is poor (R² = {:.2f}): this machine was busy with something else. Run again.",
                                fit.r2),
                    Log::Level::Warning);
        showFit(run, fit, points, std::move(series));
        return fit.network;
    }

    static void showFit(Run& run, const collectives::NetworkFit& fit,
                        const std::vector<collectives::MeasuredPoint>& points, Series series) {
        for (const std::string& algorithm : calibrationAlgorithms)
            for (const int ranks : calibrationRanks()) {
                Curve measured, modelled;
                measured.id = fmt::format("{} {}", algorithm, ranks);
                measured.label = fmt::format("{}, {}", titleOf(algorithm), counted(ranks, "rank"));
                measured.colourKey = algorithm; // as above
                measured.style = Curve::Style::Points;
                modelled.id = measured.id + ".fit";
                modelled.colourKey = algorithm;
                modelled.provenance = Provenance::Modelled;
                modelled.style = Curve::Style::Line;
                for (size_t i = 0; i < points.size(); ++i)
                    if (points[i].algorithm == algorithm && points[i].ranks == ranks) {
                        const double bytes = static_cast<double>(points[i].elements * points[i].elementBytes);
                        measured.x.push_back(bytes);
                        measured.y.push_back(points[i].seconds);
                        modelled.x.push_back(bytes);
                        modelled.y.push_back(fit.points[i].fitted);
                    }
                series.curves.push_back(std::move(measured));
                series.curves.push_back(std::move(modelled));
            }
        run.put({"fit", "Fit", fmt::format("points measured, lines fitted, R² {:.3f}", fit.r2),
                 "Least squares of relative misses over all points; the coefficients of α, β and γ are those of each "
                 "schedule's critical path.",
                 Figure::Place::Support, std::move(series)});
        const double beta = fit.network.cost.secondsPerByte, gamma = fit.network.secondsPerReducedByte;
        putHeadline(run, "alpha", "α", fit.network.cost.latency, "s",
                    "α, fitted: latency of a message between threads here", Provenance::Modelled);
        putHeadline(run, "beta", "1/β", beta > 0 ? std::optional(1 / beta) : std::nullopt, "B/s",
                    beta <= 0 ? std::string("1/β: bytes cost nothing beside their combining")
                    : fit.tellsReductionApart && gamma > 0
                        ? fmt::format("1/β, fitted; combining 1/γ {}", numberText(1 / gamma, "B/s"))
                        : std::string("1/β, fitted, with what combining costs"),
                    Provenance::Modelled);
    }

    static double simulatePoint(const Settings& settings, Run& run, const std::string& algorithm, int ranks,
                                const collectives::Network& network) {
        constexpr int64_t elementBytes = 4;
        const int64_t elements = std::max<int64_t>(1, settings.integer("bytes") / elementBytes);
        const auto schedule = collectives::makeSchedule(algorithm, collectives::Collective::Allreduce, ranks, elements,
                                                        algorithmOptionsOf(settings));
        collectives::SimulateOptions options;
        options.cancel = run.cancelToken();
        const auto result = collectives::simulate(
            *schedule, elementBytes, network,
            fits(settings) ? collectives::Disturbances() : disturbancesOf(settings, ranks), options);
        if (result.seconds > 0) {
            Curve more;
            more.id = algorithm;
            more.x = {static_cast<double>(ranks)};
            more.y = {result.seconds};
            run.appendPoint("time", more);
        }
        const double bytes = static_cast<double>(elements * elementBytes);
        const double busy = result.busiestLink < 0 || result.seconds <= 0
                                ? 0
                                : result.links[static_cast<size_t>(result.busiestLink)].busySeconds / result.seconds;
        run.appendRow("points", {titleOf(algorithm), static_cast<int64_t>(ranks), result.seconds,
                                 result.seconds > 0 ? Table::Cell(busFactor(ranks) * bytes / result.seconds)
                                                    : Table::Cell(std::monostate()),
                                 result.messages, result.busiestLinkName, 100 * busy});
        return result.seconds;
    }

    static void conclude(Run& run, const std::map<std::string, double>& last, int64_t ranks,
                         const collectives::Network& network) {
        const auto best = std::min_element(last.begin(), last.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        putHeadline(run, "best", "Fastest", best->second, "s",
                    fmt::format("{}, the fastest at {}; {}", titleOf(best->first), counted(ranks, "rank"),
                                networkText(network)),
                    Provenance::Modelled);
    }
};

} // namespace

std::unique_ptr<Experiment> makeScale() { return std::make_unique<ScalePage>(); }

} // namespace warplight::labs::allreduce
