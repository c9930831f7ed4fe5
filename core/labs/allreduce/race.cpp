// SPDX-License-Identifier: GPL-3.0-or-later
// Time, algorithm bandwidth and bus bandwidth against message size, measured point by point.
#include "core/collectives/files/nccl_tests.h"
#include "core/error.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/headline.h"
#include "core/labs/allreduce/measured_point.h"
#include "core/labs/allreduce/memory.h"
#include "core/labs/allreduce/nccl_figures.h"
#include "core/labs/allreduce/regimes.h"
#include "core/text/counted.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

/// An algorithm over a transport, or a transport's own collective.
struct Runner {
    std::string transport, algorithm;
    collectives::Collective collective = collectives::Collective::Allreduce;
    std::string title() const { return titleOf(algorithm, collective); }
    /// "Ring, threads"; a library's own function says its transport itself.
    std::string titleAndTransport() const { return library() ? title() : fmt::format("{}, {}", title(), transport); }
    std::string id() const { return transport + "." + algorithm; }
    bool library() const { return algorithm.ends_with("-library"); }
};

struct Point {
    Runner runner;
    int64_t bytes = 0, count = 0;
    MeasuredPoint measured;
};

const char* ncclTypeName(number::Format type) {
    return type == number::Format::F64    ? "double"
           : type == number::Format::F16  ? "half"
           : type == number::Format::BF16 ? "bfloat16"
                                          : "float";
}

std::string ncclReduction(const Settings& settings) {
    return settings.text("reduction") == "average" ? "avg" : settings.text("reduction");
}

Axis sizeAxis() { return {"message size", "B", Scale::Log2, {}, {}, {}, false}; }

class CollectiveRace : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.race";
        d.lab = "Allreduce";
        d.title = "Race";
        d.sentence = "Time and bandwidth against message size, point by point.";
        d.question = "Which algorithm is best for which message size, and where does latency end and bandwidth begin?";
        d.about =
            "**Algorithm bandwidth**: bytes of one rank's vector over time. **Bus bandwidth**: that times 2(p − 1)/p, "
            "what each link had to carry at least; comparable between rank counts (nccl-tests' definition; (p − 1)/p "
            "for "
            "reduce-scatter and all-gather, 1 for a broadcast). Every "
            "point is warmed up, repeated, and each element of each rank compared with the exact sum (**#wrong**). "
            "The library's own MPI_Allreduce and ncclAllReduce run beside ours where they are there. Open what "
            "nccl-tests printed on another machine to draw it with ours.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        d.dropFiles = "file";
        Parameter transports = Parameter::choices("transports", "Transports", {"threads"},
                                                  transportParameter(false).options, "What joins the ranks.");
        d.parameters = {
            Parameter::choices("algorithms", "Algorithms", {"ring", "recursive-doubling", "halving-doubling", "tree"},
                               algorithmOptions(), "Which race."),
            collectiveParameter(),
            transports,
            Parameter::flag("library", "The library's own too", true,
                            "MPI_Allreduce between processes and ncclAllReduce between GPUs, where they are there."),
            Parameter::integer("ranks", "Ranks", 2, 1, 64, "Threads, processes or GPUs."),
            Parameter::sweep("bytes", "Message size", {8, 64, 512, 4096, 32768, 262144, 2097152, 16777216}, 1,
                             268435456, "Bytes of every rank's vector."),
            typeParameter(),
            reductionParameter(),
            Parameter::real("pointSeconds", "Time for a point", 0.1, 0.001, 60, "Repetitions fill it, at least three."),
            Parameter::file("file", "Measured elsewhere",
                            "nccl-tests (*.txt *.log *.out *.md);;JSON, packed (*.json *.gz)",
                            "What nccl-tests printed, or its JSON: drawn with ours."),
        };
        d.parameters[4].sliderStep = 1;
        for (const Parameter& more : shapeParameters())
            d.parameters.push_back(more);
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return 1 +
               settings.real("pointSeconds") * 1.5 *
                   static_cast<double>(settings.sweep("bytes").size() * (settings.choices("algorithms").size() + 1) *
                                       settings.choices("transports").size());
    }

    /// One point at a time: the largest of all.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const auto& sizes = settings.sweep("bytes");
        const int64_t bytes = *std::max_element(sizes.begin(), sizes.end());
        const bool library = settings.flag("library") && whyNot("mpi").empty();
        const auto& transports = settings.choices("transports");
        MemoryNeed need;
        for (const std::string transport : {"threads", "mpi", "nccl"})
            for (std::string algorithm : settings.choices("algorithms")) {
                const bool chosen = std::find(transports.begin(), transports.end(), transport) != transports.end();
                if (!chosen && !(library && transport == "mpi"))
                    continue;
                if (!chosen)
                    algorithm = "mpi-library";
                if (!canDo(algorithm, collectiveOf(settings)))
                    continue;
                const CollectiveJob job = jobFor({transport, algorithm, collectiveOf(settings)}, bytes, settings);
                const int64_t needed = runBytes(job);
                if (needed > need.bytes)
                    need.lower = chosen ? "bytes or ranks" : "bytes or ranks, or switch library off";
                need.bytes = std::max(need.bytes, needed);
                need.addressSpace = std::max(need.addressSpace, runAddressSpace(job));
            }
        need.what = fmt::format("{} ranks with vectors of {}", settings.integer("ranks"),
                                bytesText(static_cast<double>(bytes)));
        return need;
    }

    void run(const Settings& settings, Run& run) override {
        std::vector<int64_t> sizes = settings.sweep("bytes");
        std::sort(sizes.begin(), sizes.end());
        const int ranks = static_cast<int>(settings.integer("ranks"));
        begin(run, ranks, settings);
        if (const std::string& file = settings.text("file"); !file.empty())
            drawNcclFile(run, file);
        std::map<std::string, std::unique_ptr<Carrier>> carriers;
        const std::vector<Runner> runners = runnersOf(settings, run, ranks, carriers);
        if (runners.empty())
            throw InputError("algorithms: none of those chosen does this collective on its own");
        for (const Runner& runner : runners)
            addCurves(run, runner, settings.choices("transports").size() > 1);

        std::vector<Point> points;
        const size_t total = sizes.size() * runners.size();
        for (const int64_t bytes : sizes) // all at a size before the next: the plot grows evenly
            for (const Runner& runner : runners) {
                run.checkCancelled();
                run.progress(static_cast<double>(points.size()) / static_cast<double>(total),
                             fmt::format("{}, {}", runner.title(), bytesText(static_cast<double>(bytes))));
                const CollectiveJob job = jobFor(runner, bytes, settings);
                points.push_back({runner, job.bytes(), job.elements,
                                  measurePoint(*carriers.at(runner.transport), job, settings.real("pointSeconds"),
                                               run.cancelToken())});
                show(run, points.back(), ranks, settings);
            }
        conclude(run, points, runners, ranks, settings);
    }

  private:
    static CollectiveJob jobFor(const Runner& runner, int64_t bytes, const Settings& settings) {
        CollectiveJob job;
        job.transport = runner.transport;
        job.algorithm = runner.algorithm;
        job.collective = runner.collective;
        job.ranks = static_cast<int>(settings.integer("ranks"));
        job.type = collectives::elementType(settings.text("dtype"));
        job.elements = std::max<int64_t>(1, bytes / number::bytes(job.type));
        job.reduction = collectives::reductionOf(settings.text("reduction"));
        job.options = algorithmOptionsOf(settings);
        return job;
    }

    static std::vector<Runner> runnersOf(const Settings& settings, Run& run, int ranks,
                                         std::map<std::string, std::unique_ptr<Carrier>>& carriers) {
        std::vector<Runner> runners;
        const auto offer = [&](const std::string& transport) {
            if (carriers.contains(transport))
                return true;
            if (!whyNot(transport).empty())
                return false;
            carriers[transport] = makeCarrier(transport, ranks);
            return true;
        };
        for (const std::string& transport : settings.choices("transports")) {
            if (!offer(transport)) {
                run.log(fmt::format("{} left out: {}", transport, whyNot(transport)), Log::Level::Warning);
                continue;
            }
            for (const std::string& algorithm : settings.choices("algorithms"))
                if (canDo(algorithm, collectiveOf(settings)))
                    runners.push_back({transport, algorithm, collectiveOf(settings)});
        }
        std::string missing;
        if (settings.flag("library"))
            for (const char* transport : {"mpi", "nccl"}) {
                if (offer(transport))
                    runners.push_back({transport, fmt::format("{}-library", transport), collectiveOf(settings)});
                else
                    missing += (missing.empty() ? "" : " ") + whyNot(transport);
            }
        if (!missing.empty())
            run.log(missing); // no warning: it was not asked for by name
        return runners;
    }

    static void begin(Run& run, int ranks, const Settings& settings) {
        const auto put = [&](const char* id, const char* title, std::string subtitle, Axis y, const char* explain,
                             Figure::Place place) {
            Series series;
            series.x = sizeAxis();
            series.y = std::move(y);
            series.dispersion = "10th to 90th percentile";
            run.put({id, title, std::move(subtitle), explain, place, std::move(series)});
        };
        put("time", "Time", fmt::format("{}, median with 10 to 90 %", counted(ranks, "rank")),
            {"time", "s", Scale::Log10, {}, {}, {}, false},
            "**Measured**: from the first rank's start to the last rank's end, median of the repetitions. Circles "
            "mark where an algorithm's latency ends and its bandwidth begins: n½, where half of the greatest "
            "bandwidth is reached.",
            Figure::Place::Main);
        put("busbw", "Bus bandwidth", "bytes over time, times 2(p − 1)/p",
            {"bus bandwidth", "B/s", Scale::Log10, {}, {}, {}, false},
            "What each link had to carry at least: for p ranks 2(p − 1)/p times the algorithm bandwidth.",
            Figure::Place::Support);
        put("algbw", "Algorithm bandwidth", "bytes over time",
            {"algorithm bandwidth", "B/s", Scale::Log10, {}, {}, {}, false}, "Bytes of one rank's vector over time.",
            Figure::Place::Support);
        Table table;
        const auto measured = Provenance::Measured;
        table.columns = {{"algorithm", "Algorithm", "", false, {}, ""}, {"transport", "Transport", "", false, {}, ""},
                         {"size", "size", "B", true, {}, ""},           {"count", "count", "", true, {}, ""},
                         {"time", "time", "s", true, measured, ""},     {"algbw", "algbw", "B/s", true, measured, ""},
                         {"busbw", "busbw", "B/s", true, measured, ""}, {"wrong", "#wrong", "", true, measured, ""},
                         {"repetitions", "times", "", true, {}, ""}};
        run.put({"points", "Points",
                 fmt::format("type {}, redop {}; columns as in nccl-tests",
                             ncclTypeName(collectives::elementType(settings.text("dtype"))), ncclReduction(settings)),
                 "", Figure::Place::Support, std::move(table)});
    }

    static void addCurves(Run& run, const Runner& runner, bool several) {
        for (const char* figure : {"time", "busbw", "algbw"}) {
            Curve curve;
            curve.id = runner.id();
            curve.colourKey =
                several && runner.transport != "threads" && !runner.library() ? runner.id() : runner.algorithm;
            curve.label = several ? runner.titleAndTransport() : runner.title();
            run.appendPoint(figure, curve);
        }
    }

    static void show(Run& run, const Point& p, int ranks, const Settings& settings) {
        const auto append = [&](const char* figure, double value, double low, double high) {
            Curve more;
            more.id = p.runner.id();
            more.x = {static_cast<double>(p.bytes)};
            more.y = {value};
            more.low = {low};
            more.high = {high};
            more.pointText = {fmt::format("{} repetitions, {} wrong", p.measured.repetitions, p.measured.wrong)};
            run.appendPoint(figure, more);
        };
        const MeasuredPoint& m = p.measured;
        const double bytes = static_cast<double>(p.bytes), factor = busFactor(ranks, collectiveOf(settings));
        append("time", m.seconds, m.low, m.high);
        append("algbw", bytes / m.seconds, bytes / m.high, bytes / m.low);
        if (factor > 0)
            append("busbw", factor * bytes / m.seconds, factor * bytes / m.high, factor * bytes / m.low);
        run.appendRow("points", {p.runner.title(), p.runner.transport, p.bytes, p.count, m.seconds, bytes / m.seconds,
                                 factor * bytes / m.seconds, m.wrong, m.repetitions});
    }

    static void conclude(Run& run, const std::vector<Point>& points, const std::vector<Runner>& runners, int ranks,
                         const Settings& settings) {
        markRegimes(run, points, runners);
        const auto headline = [&](const char* id, const char* title, int64_t bytes) {
            const Point* best = nullptr;
            for (const Point& p : points)
                if (p.bytes == bytes && !p.runner.library() && (!best || p.measured.seconds < best->measured.seconds))
                    best = &p;
            if (!best)
                return;
            putHeadline(run, id, title, best->measured.seconds, "s",
                        fmt::format("{}, the fastest of ours at {}", best->runner.title(),
                                    bytesText(static_cast<double>(bytes))),
                        Provenance::Measured);
        };
        headline("small", "Smallest", points.front().bytes);
        headline("large", "Largest", points.back().bytes);
        int64_t wrong = 0;
        double most = 0;
        std::string bestName;
        for (const Point& p : points) {
            wrong += p.measured.wrong;
            const double bus = busFactor(ranks, collectiveOf(settings)) * p.measured.algorithmBandwidth(p.bytes);
            if (bus > most) {
                most = bus;
                bestName = p.runner.title();
            }
        }
        putHeadline(run, "best", "Bus bandwidth", most, "B/s", fmt::format("greatest bus bandwidth, {}", bestName),
                    Provenance::Measured);
        putHeadline(run, "wrong", "Wrong", static_cast<double>(wrong), "", "elements that are not the exact sum",
                    Provenance::Measured);
        Note text;
        for (const Runner& runner : runners)
            text.markdown += fmt::format("{}, {}\n\n```\n{}```\n\n", runner.title(), runner.transport,
                                         ncclText(points, runner, ranks, settings));
        run.put({"text", "As nccl-tests prints it", "to be copied",
                 "In-place times, since the ranks combine in place; the out-of-place columns repeat nothing.",
                 Figure::Place::Support, std::move(text)});
    }

    /// A circle at each algorithm's n½, and the sizes at which another one becomes the fastest.
    static void markRegimes(Run& run, const std::vector<Point>& points, const std::vector<Runner>& runners) {
        Curve marks;
        marks.id = "regimes";
        marks.label = "latency | bandwidth";
        marks.style = Curve::Style::Points;
        marks.provenance = Provenance::Modelled;
        Table table;
        table.columns = {{"algorithm", "Algorithm", "", false, {}, ""},
                         {"latency", "Latency", "s", true, Provenance::Modelled, ""},
                         {"bandwidth", "Algorithm bandwidth at large sizes", "B/s", true, Provenance::Modelled, ""},
                         {"half", "n½", "B", true, Provenance::Modelled, ""},
                         {"error", "Typical miss of the fit, %", "", true, Provenance::Modelled, "{:.0f}"}};
        std::vector<RegimePoint> all;
        for (const Runner& runner : runners) {
            std::vector<RegimePoint> own;
            for (const Point& p : points)
                if (p.runner.id() == runner.id())
                    own.push_back({static_cast<double>(p.bytes), p.measured.seconds});
            const std::optional<LatencyBandwidth> fit = fitLatencyBandwidth(own);
            if (!fit)
                continue;
            const double half = fit->halfBandwidthBytes();
            table.rows.push_back(
                {runner.titleAndTransport(), fit->latency, 1 / fit->secondsPerByte, half, 100 * fit->typicalMiss});
            if (half >= own.front().bytes && half <= own.back().bytes) {
                marks.x.push_back(half);
                marks.y.push_back(fit->at(half));
                marks.pointText.push_back(fmt::format("{}: n½ = {}", runner.title(), bytesText(half)));
            }
        }
        run.appendPoint("time", marks);
        run.put({"regimes", "Latency and bandwidth", "t = latency + bytes / bandwidth, fitted to the points",
                 "Least squares on relative errors. At **n½** half of the greatest bandwidth is reached: below it "
                 "latency rules, above it bandwidth.",
                 Figure::Place::Support, std::move(table)});
    }

    static std::string ncclText(const std::vector<Point>& points, const Runner& runner, int ranks,
                                const Settings& settings) {
        collectives::NcclTests tests;
        tests.test = ncclTestOf(collectiveOf(settings));
        tests.ranks = ranks;
        tests.hosts = 1;
        int64_t outOfBounds = 0;
        double sum = 0;
        for (const Point& p : points) {
            if (p.runner.id() != runner.id())
                continue;
            collectives::NcclTiming timing;
            timing.seconds = p.measured.seconds;
            timing.algbw = p.measured.algorithmBandwidth(p.bytes);
            timing.busbw = busFactor(ranks, collectiveOf(settings)) * timing.algbw;
            timing.wrong = p.measured.wrong;
            outOfBounds += p.measured.wrong > 0 ? 1 : 0;
            collectives::NcclRow row;
            row.bytes = p.bytes;
            row.count = p.count;
            row.type = ncclTypeName(collectives::elementType(settings.text("dtype")));
            row.redop = ncclReduction(settings);
            row.inPlace = timing;
            sum += timing.busbw;
            tests.rows.push_back(std::move(row));
        }
        tests.outOfBounds = outOfBounds;
        tests.averageBusBandwidth = tests.rows.empty() ? 0 : sum / static_cast<double>(tests.rows.size());
        return collectives::formatNcclTests(tests);
    }
};

} // namespace

std::unique_ptr<Experiment> makeCollectiveRace() { return std::make_unique<CollectiveRace>(); }

} // namespace warplight::labs::allreduce
