// SPDX-License-Identifier: GPL-3.0-or-later
// Every message of a real run, played back.
#include "core/error.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/headline.h"
#include "core/labs/allreduce/log_figures.h"
#include "core/labs/allreduce/memory.h"
#include "core/labs/allreduce/network_settings.h"
#include "core/labs/allreduce/steps_scene.h"
#include "core/tensor/release.h"
#include "core/text/counted.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

/// A run and all that is derived from it.
struct Recorded {
    CollectiveJob job;
    std::unique_ptr<collectives::Schedule> schedule;
    collectives::RunOutcome outcome;
    std::optional<collectives::Contributions> contributions;
    std::optional<Replay> replay;
};

class StepsPage : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.steps";
        d.lab = "Allreduce";
        d.title = "Steps";
        d.sentence = "Every message of a real run, played back.";
        d.question = "How does a sum get to everybody?";
        d.about =
            "The algorithm runs **for real** between threads, processes or GPUs, and each rank notes its messages "
            "down. What a chunk holds after a step, whose contributions and which partial sum, is replayed from "
            "these messages; its end is compared with the vectors bit for bit. **Ring**: a chunk travels round "
            "once to be summed (p − 1 steps), and once more to be handed out.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        std::vector<Parameter::Option> others = algorithmOptions();
        others.insert(others.begin(), {"none", "nothing", ""});
        d.parameters = {
            Parameter::choice("algorithm", "Algorithm", "ring", algorithmOptions(), "Whose steps are shown."),
            Parameter::choice("compare", "Compare with", "none", others, "Shown beside it, in step."),
            collectiveParameter(),
            transportParameter(true),
            Parameter::integer("ranks", "Ranks", 4, 1, 32, "Columns; up to 8 show whose elements a chunk holds."),
            Parameter::integer("elements", "Elements", 1024, 0, 4e6, "Of every rank's vector."),
            typeParameter(),
            reductionParameter(),
            Parameter::choice("input", "Input", "random", vectorKinds(), "What the ranks begin with."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the inputs."),
        };
        d.parameters[4].sliderStep = 1;
        std::vector<Parameter> shape = shapeParameters();
        shape.back().defaultValue = int64_t{4}; // rows that can be read
        for (const auto& more : {networkParameters({when("transport", {"simulated"})}), shape, faultParameters()})
            d.parameters.insert(d.parameters.end(), more.begin(), more.end());
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return settings.text("transport") == "mpi" ? 1.5 : settings.text("fault") == "none" ? 0.2 : 3;
    }

    /// Each algorithm's results, its replay and who holds whose elements are kept; the scenes are as many fields as
    /// there are steps, ranks and chunks.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        MemoryNeed need;
        for (const std::string& algorithm : algorithmsOf(settings)) {
            const CollectiveJob job = jobFor(algorithm, settings);
            const auto schedule = scheduleOf(job);
            const auto chunks = static_cast<int64_t>(schedule->chunkBorders().size());
            const int64_t fields = saturatedProduct((schedule->steps() + 2) * job.ranks, chunks);
            constexpr int64_t field = sizeof(Steps::Cell) + 2 * sizeof(uint64_t);
            need.bytes = saturatedSum(
                need.bytes, saturatedSum(saturatedSum(runBytes(job, true), saturatedProduct(2, vectorBytes(job))),
                                         saturatedProduct(fields, field)));
            need.addressSpace = std::max(need.addressSpace, runAddressSpace(job));
        }
        need.what = fmt::format("{} ranks with {} elements", settings.integer("ranks"), settings.integer("elements"));
        need.lower = "ranks, elements or pipelineChunks";
        return need;
    }

    void run(const Settings& settings, Run& run) override {
        std::vector<std::unique_ptr<Recorded>> recorded;
        const ReleasesBeside release(recorded);
        for (const std::string& algorithm : algorithmsOf(settings))
            recorded.push_back(record(settings, run, algorithm));

        std::vector<ShownRun> shown;
        const Provenance times =
            settings.text("transport") == "simulated" ? Provenance::Modelled : Provenance::Measured;
        int64_t steps = 0;
        for (const auto& r : recorded) {
            shown.push_back({&r->job, r->schedule.get(), &r->outcome.log, &*r->contributions, &*r->replay});
            steps = std::max(steps, r->replay->steps());
        }
        const ScenePlan plan(shown);
        Steps scenes;
        scenes.width = plan.width;
        scenes.height = plan.height;
        scenes.stretches = true;
        scenes.opensAt = 1; // the first that moves something; the start is a step back
        const CollectiveJob& job = recorded[0]->job;
        run.put({"steps", recorded.size() == 1 ? titleOf(job.algorithm) : "Side by side",
                 plan.chips ? "colours: whose elements a chunk holds; numbers: its first element"
                            : "colour: how many ranks' elements a chunk holds",
                 "A field is what a rank holds of a chunk. Arrows are the messages of the step. Replayed from the "
                 "messages that the ranks noted down.",
                 Figure::Place::Main, scenes});
        for (int64_t step = -1; step < steps; ++step) {
            run.checkCancelled();
            run.appendStep("steps", sceneAt(plan, shown, step));
        }
        for (size_t i = 0; i < recorded.size(); ++i)
            check(run, *recorded[i], i, times);
        headlines(run, *recorded[0], times);
        std::vector<NamedLog> logs;
        for (const auto& r : recorded)
            logs.push_back({titleOf(r->job.algorithm), &r->job, &r->outcome.log});
        run.put(timelineFigure(logs, times));
        for (size_t i = 0; i < logs.size(); ++i)
            run.put(linksFigure(i == 0 ? "links" : "links.other", logs[i]));
        run.put(theoryTable(logs));
    }

  private:
    static std::vector<std::string> algorithmsOf(const Settings& settings) {
        std::vector<std::string> wanted = {settings.text("algorithm")};
        if (const std::string& other = settings.text("compare"); other != "none" && other != wanted[0])
            wanted.push_back(other);
        return wanted;
    }

    static CollectiveJob jobFor(const std::string& algorithm, const Settings& settings) {
        CollectiveJob job;
        job.transport = settings.text("transport");
        job.algorithm = algorithm;
        job.collective = collectiveOf(settings);
        job.ranks = static_cast<int>(settings.integer("ranks"));
        job.elements = settings.integer("elements");
        job.type = collectives::elementType(settings.text("dtype"));
        job.reduction = collectives::reductionOf(settings.text("reduction"));
        job.options = algorithmOptionsOf(settings);
        return job;
    }

    static std::unique_ptr<Recorded> record(const Settings& settings, Run& run, const std::string& algorithm) {
        auto recorded = std::make_unique<Recorded>(); // the replay refers to the log
        Recorded& r = *recorded;
        r.job = jobFor(algorithm, settings);
        r.job.network = networkOf(settings);
        r.job.disturbances = disturbancesOf(settings, r.job.ranks);
        RankVectors inputs = makeVectors(settings.text("input"), r.job.type, r.job.ranks, r.job.elements,
                                         static_cast<uint64_t>(settings.integer("seed")), run.cancelToken());
        const ReleasesBeside release(inputs);
        collectives::RunOptions options;
        options.keepLog = true;
        options.warmups = 1;
        options.fault = faultOf(settings, r.job.ranks);
        options.timeout = std::chrono::milliseconds(static_cast<int64_t>(1e3 * settings.real("timeout")));
        options.cancel = run.cancelToken();
        run.progress(0, fmt::format("{} over {}", titleOf(algorithm), r.job.transport));
        r.schedule = scheduleOf(r.job);
        r.outcome = runJob(r.job, inputs, options);
        r.contributions.emplace(r.outcome.log);
        r.replay.emplace(r.outcome.log, r.job, inputs);
        return recorded;
    }

    static void check(Run& run, const Recorded& r, size_t index, Provenance provenance) {
        const auto& results = r.outcome.results;
        const bool replayed = r.replay->matches(results);
        const bool agree = std::all_of(results.begin(), results.end(), [&](const auto& v) { return v == results[0]; });
        if (!replayed)
            run.log(
                fmt::format("{}: the messages do not give what the ranks hold in the end.", titleOf(r.job.algorithm)),
                Log::Level::Warning);
        if (index > 0 || r.job.collective == collectives::Collective::ReduceScatter) // there each holds another chunk
            return;
        Metric m;
        m.value = agree ? 1 : 0;
        m.format = agree ? "yes" : "no";
        m.caption = agree ? "all ranks hold the same bits" : "the ranks do not hold the same bits";
        m.provenance = provenance;
        run.put({"agree", "Same bits", "", "Whether all ranks ended with the same vector, bit for bit.",
                 Figure::Place::Headline, std::move(m)});
    }

    static void headlines(Run& run, const Recorded& r, Provenance times) {
        const auto& log = r.outcome.log;
        int64_t bytes = 0;
        for (const auto& message : log.messages)
            bytes += message.bytes;
        putHeadline(
            run, "time", "Time", log.seconds, "s",
            fmt::format("for {} over {}", bytesText(static_cast<double>(r.job.bytes())), counted(r.job.ranks, "rank")),
            times);
        putHeadline(run, "bytes", "Bytes sent", static_cast<double>(bytes), "B",
                    fmt::format("in {} messages, {} steps", log.messages.size(), r.replay->steps()),
                    Provenance::Counted);
    }
};

} // namespace

std::unique_ptr<Experiment> makeSteps() { return std::make_unique<StepsPage>(); }

} // namespace warplight::labs::allreduce
