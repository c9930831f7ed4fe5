// SPDX-License-Identifier: GPL-3.0-or-later
// GAU ledger: what gated attention units cost beside attention and a feed-forward layer, and what stands between them.
#include "core/labs/linear/gau_lab.h"
#include "core/labs/linear/gau_ledger.h"
#include "core/labs/linear/gau_strips.h"
#include "core/labs/linear/ledger_figures.h"
#include "core/workbench/knobs.h"
#include "core/workbench/stopwatch.h"
#include "gpu/host/memory_budget.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr double operationsASecond = 6e10; ///< of two cores, about
constexpr double longestPoint = 5;         ///< in units of the seconds a point: longer ones are left out
constexpr int64_t driftRows = 48, longestDrift = 4096;

class Ledger : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.ledger";
        d.lab = "Linear attention";
        d.title = "GAU ledger";
        d.sentence = "Gated attention units beside attention and a feed-forward layer of as many parameters: time, "
                     "operations, memory, and the way from one to the other.";
        d.question = "What do I save when one gated unit does what attention and the feed-forward layer do?";
        d.about =
            "A **gated attention unit** is a gated linear unit, U ∘ V, whose values are mixed by an attention matrix: "
            "(U ∘ A V) Wₒ (Hua et al. 2022, Transformer Quality in Linear Time). With **A = I** it is a feed-forward "
            "layer, with **U = 1** it is attention with one head: the two sliders go there. **FLASH-Quad** are two "
            "such units in the place of a block; **FLASH** has chunks of c tokens within which attention is "
            "quadratic, and a linear part across them. (FlashAttention, the kernel, is something else; the block of "
            "attention and feed-forward uses it.)\n\nPoints are kept while only the sliders move.";
        d.devices = {"cpu"};
        d.colours = ledgerColours();
        Parameter identity = Parameter::real("toIdentity", "A → identity", 0, 0, 1,
                                             "0: attention as it is, 1: every token sees itself alone.");
        Parameter one = Parameter::real("toOne", "U → 1", 0, 0, 1, "0: the gate as it is, 1: everything passes.");
        identity.sliderStep = one.sliderStep = 0.05;
        Parameter features = Parameter::integer("dModel", "Features d", 128, 8, 1024, "Of a token.");
        Parameter shared =
            Parameter::integer("shared", "Shared features s", 64, 1, 512, "Of queries and keys, views of one Z.");
        Parameter chunk = Parameter::integer("chunk", "Chunk c", 256, 1, 1 << 16, "Tokens of a chunk of FLASH.");
        features.powersOfTwo = shared.powersOfTwo = chunk.powersOfTwo = true;
        Parameter seconds =
            Parameter::real("pointSeconds", "Seconds a point", 0.1, 0.001, 60, "How long a point is repeated at most.");
        seconds.advanced = true;
        d.parameters = {identity,
                        one,
                        Parameter::choice("view", "Shown A", "quad",
                                          {{"quad", "FLASH-Quad", "All pairs of tokens."},
                                           {"chunks", "FLASH", "Chunks of 24 tokens and what is linear across them."}},
                                          "Whose A the strips are made with."),
                        Parameter::choice("variant", "Scores", "relu2", workbench::optionsOf(cpu::gauFunctions()),
                                          "What makes a weight of a score."),
                        Parameter::flag("causal", "Causal", true, "A token sees itself and what is before it."),
                        features,
                        shared,
                        chunk,
                        Parameter::sweep("lengths", "Lengths", {128, 256, 512, 1024, 2048, 4096}, 2, 1 << 17,
                                         "Tokens of a sequence, one a point."),
                        seconds,
                        Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of the tokens of the strips.")};
        d.parameters.back().advanced = true;
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        double seconds = 0.15; // strips and drift
        if (isKept(s))
            return seconds;
        const double most = s.real("pointSeconds");
        for (const LedgerEntry& entry : ledgerEntries(sizesOf(s)))
            for (const int64_t length : s.sweep("lengths")) {
                const double once = entry.flops(length) / operationsASecond;
                if (once < longestPoint * most)
                    seconds += std::min(most, 8 * once) + 2 * once;
            }
        return seconds;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        int64_t most = 0;
        const LedgerSizes sizes = sizesOf(s);
        for (const LedgerEntry& entry : ledgerEntries(sizes))
            for (const int64_t length : s.sweep("lengths")) {
                const int64_t tokens = saturatedProduct(3 * sizes.features, length);
                most = std::max(most, saturatedSum(entry.heldBytes(length),
                                                   saturatedProduct(4, saturatedSum(tokens, entry.parameters()))));
            }
        constexpr int64_t always = int64_t{8} << 20; // strips, the numbers of drift
        return {saturatedSum(most, always), 0, "The longest sequence", "lengths or dModel"};
    }

    void run(const Settings& s, Run& run) override {
        const LedgerSizes sizes = sizesOf(s);
        const auto entries = ledgerEntries(sizes);
        std::vector<int64_t> lengths = s.sweep("lengths");
        std::sort(lengths.begin(), lengths.end());
        const double toIdentity = s.real("toIdentity"), toOne = s.real("toOne");
        putTimes(run, entries);
        const cpu::RunOptions options{0, run.cancelToken()};
        putStrips(run,
                  gateStrips(sizes.function, sizes.causal, s.text("view") == "chunks" ? 24 : 0,
                             static_cast<uint64_t>(s.integer("seed")), toIdentity, toOne, options),
                  toIdentity, toOne);
        putCosts(run, entries, lengths);
        drift(sizes, options, run);
        measure(s, entries, lengths, run);
    }

  private:
    using Key = std::tuple<LedgerSizes, std::vector<int64_t>, double>;

    static LedgerSizes sizesOf(const Settings& s) {
        LedgerSizes sizes;
        sizes.features = s.integer("dModel");
        sizes.shared = s.integer("shared");
        sizes.chunk = s.integer("chunk");
        sizes.causal = s.flag("causal");
        const auto functions = cpu::gauFunctions();
        for (const auto& f : functions)
            if (f.name == s.text("variant"))
                sizes.function = f.id;
        return sizes;
    }

    static Key keyOf(const Settings& s) { return {sizesOf(s), s.sweep("lengths"), s.real("pointSeconds")}; }

    bool isKept(const Settings& s) const {
        const std::lock_guard lock(mutex);
        return kept && kept->first == keyOf(s);
    }

    static void drift(const LedgerSizes& sizes, const cpu::RunOptions& options, Run& run) {
        std::map<cpu::GauFunction, std::vector<std::pair<int64_t, double>>> sums;
        for (const auto& f : cpu::gauFunctions())
            for (int64_t keys = 64; keys <= longestDrift; keys *= 2)
                sums[f.id].emplace_back(keys, meanRowSum(f.id, keys, sizes.shared, driftRows, 7, options));
        putDrift(run, sizes.shared, sums);
    }

    /// Every point, or those of the last time where nothing but the sliders has moved.
    void measure(const Settings& s, const std::vector<LedgerEntry>& entries, const std::vector<int64_t>& lengths,
                 Run& run) {
        LedgerPoints points;
        const bool again = isKept(s);
        if (again) {
            const std::lock_guard lock(mutex);
            points = kept->second;
        }
        std::map<std::string, double> rates; // operations a second at the length before
        size_t done = 0;
        for (const int64_t length : lengths)
            for (const LedgerEntry& entry : entries) {
                if (!again)
                    measurePoint(s, entry, length, rates, points, run);
                if (const auto found = points.find({entry.id, length}); found != points.end())
                    addLedgerPoint(run, entry, length, found->second);
                run.progress(static_cast<double>(++done) / static_cast<double>(lengths.size() * entries.size()),
                             fmt::format("{} at {} tokens", entry.title, length));
            }
        putLedgerTable(run, entries, lengths, points);
        const std::lock_guard lock(mutex);
        kept.emplace(keyOf(s), std::move(points));
    }

    void measurePoint(const Settings& s, const LedgerEntry& entry, int64_t length, std::map<std::string, double>& rates,
                      LedgerPoints& points, Run& run) const {
        const double most = s.real("pointSeconds"), flops = entry.flops(length);
        const auto [rate, isFirst] = rates.try_emplace(entry.id, operationsASecond / 4);
        if (flops / rate->second > std::max(2.0, longestPoint * most)) {
            run.log(fmt::format("{} at {} tokens would take {:.0f} s and is left out: give a point more seconds.",
                                entry.title, length, flops / rate->second));
            return;
        }
        const auto ready = prepare(entry, sizesOf(s), length);
        LedgerPoint p;
        const workbench::Timing timing = workbench::timeRepeatedly(
            [&] {
                p.held = std::max(p.held, ready->run({0, run.cancelToken()}));
            },
            most);
        p.seconds = timing.median;
        p.low = timing.p10;
        p.high = timing.p90;
        rate->second = flops / p.seconds;
        points[{entry.id, length}] = p;
    }

    mutable std::mutex mutex;
    std::optional<std::pair<Key, LedgerPoints>> kept; ///< of the last run that came to its end
};

} // namespace

std::unique_ptr<Experiment> makeLedger() { return std::make_unique<Ledger>(); }

} // namespace warplight::labs::linear
