// SPDX-License-Identifier: GPL-3.0-or-later
// Who sends how much to whom.
#include "core/error.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/allreduce/carrier.h"
#include "core/labs/allreduce/log_figures.h"
#include "core/labs/allreduce/memory.h"
#include "core/labs/allreduce/network_settings.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;

class Links : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "allreduce.links";
        d.lab = "Allreduce";
        d.title = "Links";
        d.sentence = "Bytes that each rank sends to each other, counted from the messages.";
        d.question = "What does each link carry, and which is the busiest?";
        d.about =
            "A ring loads each link to its neighbour alike; a tree loads those near its root twice as much as its "
            "leaves'; recursive doubling uses long ways; a root that gathers everything is the bottleneck. The "
            "matrix is **counted** from the messages of a run.";
        d.devices = {"cpu"};
        d.colours = collectiveColours();
        d.parameters = {
            Parameter::choice("algorithm", "Algorithm", "ring", algorithmOptions(), "Whose messages are counted."),
            transportParameter(true),
            Parameter::integer("ranks", "Ranks", 16, 2, 256, "Rows and columns."),
            Parameter::integer("elements", "Elements", 65536, 0, 1 << 24, "Of every rank's vector."),
            typeParameter(),
        };
        d.parameters[2].sliderStep = 1;
        for (const auto& more : {networkParameters({when("transport", {"simulated"})}), shapeParameters()})
            d.parameters.insert(d.parameters.end(), more.begin(), more.end());
        return d;
    }

    double estimatedSeconds(const Settings& settings) const override {
        return settings.text("transport") == "mpi" ? 1.5 : 0.3;
    }

    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        const CollectiveJob job = jobFor(settings);
        return {saturatedSum(runBytes(job, true), job.elements * int64_t{4}), runAddressSpace(job),
                fmt::format("{} ranks with {} elements", job.ranks, job.elements), "ranks or elements"};
    }

    void run(const Settings& settings, Run& run) override {
        CollectiveJob job = jobFor(settings);
        job.network = networkOf(settings);
        job.disturbances = disturbancesOf(settings, job.ranks);
        RankVectors inputs = makeVectors("integers", job.type, job.ranks, job.elements, 1, run.cancelToken());
        const ReleasesBeside release(inputs);
        collectives::RunOptions options;
        options.keepLog = true;
        options.cancel = run.cancelToken();
        run.progress(0, fmt::format("{} over {}", titleOf(job.algorithm), job.transport));
        const collectives::RunOutcome outcome = runJob(job, inputs, options);
        const NamedLog named{titleOf(job.algorithm), &job, &outcome.log};

        Figure map = linksFigure("links", named);
        map.place = Figure::Place::Main;
        run.put(std::move(map));
        busiest(run, outcome.log);
        run.put(ranksFigure(outcome.log, theoryOf(job)));
        run.put(theoryTable({named}));
        run.put(timelineFigure({named}, job.transport == "simulated" ? Provenance::Modelled : Provenance::Measured));
    }

  private:
    static CollectiveJob jobFor(const Settings& settings) {
        CollectiveJob job;
        job.transport = settings.text("transport");
        job.algorithm = settings.text("algorithm");
        job.ranks = static_cast<int>(settings.integer("ranks"));
        job.elements = settings.integer("elements");
        job.type = collectives::elementType(settings.text("dtype"));
        job.options = algorithmOptionsOf(settings);
        return job;
    }

    static void busiest(Run& run, const collectives::MessageLog& log) {
        const auto p = static_cast<size_t>(log.ranks);
        std::vector<int64_t> carried(p * p), messages(p * p);
        for (const auto& message : log.messages) {
            const size_t link = static_cast<size_t>(message.source) * p + static_cast<size_t>(message.destination);
            carried[link] += message.bytes;
            ++messages[link];
        }
        std::vector<size_t> order;
        for (size_t link = 0; link < carried.size(); ++link)
            if (messages[link] > 0)
                order.push_back(link);
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return carried[a] > carried[b]; });
        const auto name = [p](size_t link) { return fmt::format("{} → {}", link / p, link % p); };

        Metric most;
        most.value = order.empty() ? 0 : static_cast<double>(carried[order[0]]);
        most.unit = std::string("B");
        size_t alike = 0;
        while (alike < order.size() && carried[order[alike]] == carried[order[0]])
            ++alike;
        most.caption = order.empty() ? "no message was sent"
                       : alike > 1
                           ? fmt::format("on the busiest link, {}, and {} others alike", name(order[0]), alike - 1)
                           : fmt::format("on the busiest link, {}", name(order[0]));
        most.provenance = Provenance::Counted;
        run.put({"busiest", "Busiest link", "", "", Figure::Place::Headline, std::move(most)});
        Metric used;
        used.value = static_cast<double>(order.size());
        used.format = "{:.0f}";
        used.caption = fmt::format("of {} links carry something", p * (p - 1));
        used.provenance = Provenance::Counted;
        run.put({"used", "Links used", "", "", Figure::Place::Headline, std::move(used)});

        Table table;
        table.columns = {{"link", "Link", "", false, {}, ""},
                         {"bytes", "Bytes", "B", true, Provenance::Counted, ""},
                         {"messages", "Messages", "", true, Provenance::Counted, ""}};
        constexpr size_t mostListed = 100;
        for (size_t i = 0; i < std::min(order.size(), mostListed); ++i)
            table.rows.push_back({name(order[i]), carried[order[i]], messages[order[i]]});
        run.put({"table", "Links", order.size() > mostListed ? "the 100 busiest" : "the busiest first", "",
                 Figure::Place::Detail, std::move(table)});
    }

    static Figure ranksFigure(const collectives::MessageLog& log, const TheoryBytes& theory) {
        Series series;
        series.x = {"rank", "", Scale::Linear, {}, {}, {}, false};
        series.y = {"bytes", "B", Scale::Linear, 0.0, {}, {}, false};
        for (const bool sends : {true, false}) {
            std::vector<double> bytes(static_cast<size_t>(log.ranks));
            for (const auto& message : log.messages)
                bytes[static_cast<size_t>(sends ? message.source : message.destination)] +=
                    static_cast<double>(message.bytes);
            Curve curve;
            curve.id = sends ? "sent" : "received";
            curve.colourKey = curve.label = curve.id;
            curve.provenance = Provenance::Counted;
            for (size_t rank = 0; rank < bytes.size(); ++rank) {
                curve.x.push_back(static_cast<double>(rank));
                curve.y.push_back(bytes[rank]);
            }
            series.curves.push_back(std::move(curve));
        }
        if (theory.busiest) {
            Curve line;
            line.id = line.label = "in theory, the busiest sends";
            line.provenance = Provenance::Reference;
            line.style = Curve::Style::Line;
            line.x = {0, static_cast<double>(log.ranks - 1)};
            line.y = {*theory.busiest, *theory.busiest};
            series.curves.push_back(std::move(line));
        }
        return {"ranks",
                "By rank",
                "",
                "What each rank sent and received, **counted** from the messages; the line is the formula's "
                "(**reference**): 2(p − 1)/p · n for a ring.",
                Figure::Place::Detail,
                std::move(series)};
    }
};

} // namespace

std::unique_ptr<Experiment> makeLinks() { return std::make_unique<Links>(); }

} // namespace warplight::labs::allreduce
