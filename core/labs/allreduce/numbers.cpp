// SPDX-License-Identifier: GPL-3.0-or-later
// The same numbers, summed in another order by every algorithm: error against the exact sum, and whose bits agree.
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/carrier.h"
#include "core/labs/allreduce/memory.h"
#include "core/tensor/pieces.h"
#include "core/tensor/release.h"
#include "core/text/counted.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

constexpr int bins = 41;
constexpr double farthest = 2.05; ///< units in the last place at the histogram's ends; what lies beyond is in them

/// How far a vector is from the exact sums.
struct Errors {
    double relative = 0; ///< norm of the errors over the norm of the sums
    double most = 0;     ///< in units in the last place of the sum of magnitudes
    double mostAbsolute = 0;
    int64_t notFinite = 0;
    std::vector<double> counts = std::vector<double>(bins);
};

Errors errorsOf(number::Format type, std::span<const std::byte> vector, const ExactSums& exact,
                const std::atomic<bool>* cancel) {
    Errors errors;
    double squares = 0, norm = 0;
    constexpr size_t look = 1 << 18;
    for (size_t i = 0; i < exact.sums.size(); ++i) {
        if (i % look == 0)
            checkCancelled(cancel);
        const double value = elementAt(type, vector, static_cast<int64_t>(i));
        if (!std::isfinite(value)) {
            ++errors.notFinite;
            continue;
        }
        const double error = value - exact.sums[i], units = error / unitInLastPlace(type, exact.magnitudes[i]);
        squares += error * error;
        norm += exact.sums[i] * exact.sums[i];
        errors.most = std::max(errors.most, std::fabs(units));
        errors.mostAbsolute = std::max(errors.mostAbsolute, std::fabs(error));
        const double at = (std::clamp(units, -farthest + 1e-9, farthest - 1e-9) + farthest) / (2 * farthest) * bins;
        ++errors.counts[static_cast<size_t>(at)];
    }
    errors.relative = norm > 0 ? std::sqrt(squares / norm) : 0;
    return errors;
}

/// The exact sums, rounded once: no algorithm can do better.
std::vector<std::byte> rounded(number::Format type, const std::vector<double>& exact) {
    std::vector<std::byte> vector(exact.size() * static_cast<size_t>(number::bytes(type)));
    for (size_t i = 0; i < exact.size(); ++i)
        setElement(type, vector, static_cast<int64_t>(i), exact[i]);
    return vector;
}

class Numbers : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.numbers";
        d.lab = "Allreduce";
        d.title = "Numbers";
        d.sentence = "The error of each algorithm against the exact sum, and whose bits agree.";
        d.question = "Why does the same all-reduce give other bits with another algorithm or rank count?";
        d.about =
            "Floating-point addition is not associative: (a + b) + c rounds elsewhere than a + (b + c). A ring adds "
            "each chunk in another rank's order, a tree in pairs, and every intermediate sum is rounded to the data "
            "type. The exact sums are made in 80-bit numbers with compensation. One **ulp** is the distance between "
            "neighbouring numbers of the type, here at the sum of the magnitudes. **Same bits**: on all ranks, in "
            "repeated runs, and as the first algorithm's.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        d.parameters = {
            Parameter::choices("algorithms", "Algorithms", {"ring", "recursive-doubling", "tree", "naive"},
                               algorithmOptions(), "Which are compared."),
            transportParameter(false),
            Parameter::sweep("ranks", "Ranks", {2, 3, 4, 6, 8, 12, 16}, 1, 64, "Rank counts to run."),
            Parameter::integer("elements", "Elements", 4096, 1, 1 << 22, "Of every rank's vector."),
            typeParameter("bf16"), // where orders differ most
            Parameter::choice("input", "Input", "random", vectorKinds(), "What the ranks begin with."),
            Parameter::integer("runs", "Runs", 3, 1, 100, "Each is repeated so often, to see whether its bits stay."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        for (const Parameter& more : shapeParameters())
            d.parameters.push_back(more);
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return (settings.text("transport") == "mpi" ? 1.5 : 0.02) * static_cast<double>(settings.sweep("ranks").size());
    }

    /// Of one rank count at a time. Between runs there are two results to compare; sums are exact in double precision.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const auto& rankCounts = settings.sweep("ranks");
        MemoryNeed need;
        for (const std::string& algorithm : settings.choices("algorithms")) {
            const CollectiveJob job =
                jobFor(algorithm, *std::max_element(rankCounts.begin(), rankCounts.end()), settings);
            constexpr int64_t perElement = 4 + 2 * 2 * 8 + 4; // made up as f32; sums and magnitudes while they grow
            need.bytes =
                std::max(need.bytes, saturatedSum(runBytes(job), saturatedSum(saturatedProduct(2, vectorBytes(job)),
                                                                              perElement * job.elements)));
            need.addressSpace = std::max(need.addressSpace, runAddressSpace(job));
            need.what = fmt::format("{} ranks with {} elements", job.ranks, job.elements);
        }
        need.lower = "ranks or elements";
        return need;
    }

    void run(const Settings& settings, Run& run) override {
        std::vector<int64_t> rankCounts = settings.sweep("ranks");
        std::sort(rankCounts.begin(), rankCounts.end());
        const auto& algorithms = chosenAlgorithms(settings);
        begin(run, settings, algorithms);
        const auto type = collectives::elementType(settings.text("dtype"));
        std::map<std::string, Errors> last;
        for (const int64_t ranks : rankCounts) {
            RankVectors inputs =
                makeVectors(settings.text("input"), type, static_cast<int>(ranks), settings.integer("elements"),
                            static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
            const ReleasesBeside release(inputs);
            const ExactSums exact = exactSums(type, inputs, run.cancelToken());
            const auto carrier = makeCarrier(settings.text("transport"), static_cast<int>(ranks));
            point(run, "best", static_cast<double>(ranks),
                  errorsOf(type, rounded(type, exact.sums), exact, run.cancelToken()));
            std::vector<std::byte> first;
            for (const std::string& algorithm : algorithms) {
                run.checkCancelled();
                const CollectiveJob job = jobFor(algorithm, ranks, settings);
                last[algorithm] = compare(run, *carrier, job, inputs, exact, settings.integer("runs"), first);
            }
        }
        conclude(run, algorithms, last, rankCounts.back());
    }

  private:
    static CollectiveJob jobFor(const std::string& algorithm, int64_t ranks, const Settings& settings) {
        CollectiveJob job;
        job.transport = settings.text("transport");
        job.algorithm = algorithm;
        job.ranks = static_cast<int>(ranks);
        job.elements = settings.integer("elements");
        job.type = collectives::elementType(settings.text("dtype"));
        job.options = algorithmOptionsOf(settings);
        return job;
    }

    static void begin(Run& run, const Settings& settings, const std::vector<std::string>& algorithms) {
        Series series;
        series.x = {"ranks", "", Scale::Linear, {}, {}, {}, false};
        series.y = {"relative error", "", Scale::Linear, 0.0, {}, {}, false};
        for (const std::string& algorithm : algorithms) {
            Curve curve;
            curve.id = curve.colourKey = algorithm;
            curve.label = titleOf(algorithm);
            series.curves.push_back(curve);
        }
        Curve best;
        best.id = "best";
        best.label = "exact sum, rounded once";
        best.style = Curve::Style::Line;
        best.provenance = Provenance::Reference;
        series.curves.push_back(best);
        run.put({"error", "Error", fmt::format("{}: norm of the errors over norm of the sums", settings.text("dtype")),
                 "**Measured** on the vectors that the ranks end with, against the exact sums: root of the sum of "
                 "squared errors over that of squared sums.",
                 Figure::Place::Main, std::move(series)});
        Table table;
        const auto measured = Provenance::Measured;
        table.columns = {{"algorithm", "Algorithm", "", false, {}, ""},
                         {"ranks", "Ranks", "", true, {}, ""},
                         {"relative", "Relative error", "", true, measured, "{:.3g}"},
                         {"most", "Most, ulp", "", true, measured, "{:.4g}"},
                         {"absolute", "Most, absolute", "", true, measured, "{:.3g}"},
                         {"overflow", "Not finite", "", true, measured, ""},
                         {"agree", "Same on all ranks", "", false, measured, ""},
                         {"repeat", "Same in every run", "", false, measured, ""},
                         {"same", "Same as the first", "", false, measured, ""}};
        run.put({"bits", "Errors and bits", "", "The first is the algorithm on top of the list.",
                 Figure::Place::Support, std::move(table)});
    }

    static void point(Run& run, const std::string& curve, double ranks, const Errors& errors) {
        Curve more;
        more.id = curve;
        more.x = {ranks};
        more.y = {errors.relative};
        run.appendPoint("error", more);
    }

    static Errors compare(Run& run, Carrier& carrier, const CollectiveJob& job, const RankVectors& inputs,
                          const ExactSums& exact, int64_t runs, std::vector<std::byte>& first) {
        collectives::RunOptions options;
        options.cancel = run.cancelToken();
        RankVectors results;
        const ReleasesBeside release(results);
        bool repeats = true;
        for (int64_t i = 0; i < runs; ++i) {
            RankVectors again = carrier.run(job, inputs, options).results;
            for (size_t rank = 0; i > 0 && repeats && rank < again.size(); ++rank) {
                run.checkCancelled();
                repeats = again[rank] == results[rank];
            }
            results = std::move(again);
        }
        const bool agree = std::all_of(results.begin(), results.end(), [&](const auto& v) { return v == results[0]; });
        const bool isFirst = first.empty();
        if (isFirst)
            first = results[0];
        const Errors errors = errorsOf(job.type, results[0], exact, run.cancelToken());
        point(run, job.algorithm, job.ranks, errors);
        const auto word = [](bool yes) { return std::string(yes ? "yes" : "no"); };
        run.appendRow("bits", {titleOf(job.algorithm), static_cast<int64_t>(job.ranks), errors.relative, errors.most,
                               errors.mostAbsolute, errors.notFinite, word(agree),
                               runs > 1 ? word(repeats) : std::string("one run"),
                               isFirst ? std::string("first") : word(results[0] == first)});
        return errors;
    }

    static void conclude(Run& run, const std::vector<std::string>& algorithms,
                         const std::map<std::string, Errors>& last, int64_t ranks) {
        Histogram histogram;
        histogram.x = {"error, ulp of the magnitudes", "", Scale::Linear, {}, {}, {}, false};
        histogram.y = {"elements", "", Scale::Linear, {}, {}, {}, false};
        for (int i = 0; i <= bins; ++i)
            histogram.edges.push_back(-farthest + 2 * farthest * i / bins);
        for (const std::string& algorithm : algorithms)
            histogram.sets.push_back(
                {algorithm, titleOf(algorithm), algorithm, Provenance::Measured, last.at(algorithm).counts});
        run.put({"spread", "Spread of the errors", counted(ranks, "rank"),
                 "Elements by their error; the outermost bins hold what lies beyond.", Figure::Place::Support,
                 std::move(histogram)});
        const auto metric = [&](const char* id, const char* title, auto&& better) {
            const std::string& found =
                *std::min_element(algorithms.begin(), algorithms.end(), [&](const auto& a, const auto& b) {
                    return better(last.at(a).relative, last.at(b).relative);
                });
            Metric m;
            m.value = last.at(found).relative;
            m.format = "{:.2e}";
            m.caption = fmt::format("{}, {} of all at {}", titleOf(found),
                                    std::string_view(id) == "least" ? "the least error" : "the greatest",
                                    counted(ranks, "rank"));
            run.put({id, title, "", "", Figure::Place::Headline, std::move(m)});
        };
        metric("least", "Least error", std::less<>());
        metric("greatest", "Greatest error", std::greater<>());
    }
};

} // namespace

std::unique_ptr<Experiment> makeNumbers() { return std::make_unique<Numbers>(); }

} // namespace warplight::labs::allreduce
