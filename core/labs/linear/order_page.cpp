// SPDX-License-Identifier: GPL-3.0-or-later
// (Q Kᵀ) V against Q (Kᵀ V): the same three matrices, brackets elsewhere.
#include "core/devices/gpus.h"
#include "core/lab/headline.h"
#include "core/lab/number_text.h"
#include "core/labs/linear/linear_pages.h"
#include "core/labs/linear/order.h"

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

namespace warplight::labs::linear {
namespace {

using namespace lab;

constexpr const char* orderIds[]{"scores", "state"};
constexpr const char* orderTitles[]{"(Q Kᵀ) V", "Q (Kᵀ V)"};

/// From where on the first order takes more, on logarithmic axes; nothing: from no point on. Kernels of whole tiles may
/// make both equal below that.
std::optional<double> crossing(const std::vector<Orders>& all, double Product::*what) {
    const auto gap = [&](const Orders& o) { return std::log(o.sum(0, what)) - std::log(o.sum(1, what)); };
    for (size_t i = all.size(); i-- > 1;) {
        const double before = gap(all[i - 1]), after = gap(all[i]);
        if (!(before <= 0 && after > 0))
            continue;
        const double t = before / (before - after);
        return std::exp(std::log(static_cast<double>(all[i - 1].length)) * (1 - t) +
                        std::log(static_cast<double>(all[i].length)) * t);
    }
    return std::nullopt;
}

class Order : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "linear.order";
        d.lab = "Linear attention";
        d.title = "Order of products";
        d.sentence = "(Q Kᵀ) V and Q (Kᵀ V) are the same numbers: drag n and d and see what the brackets cost.";
        d.question = "Why is attention without a softmax linear in the length, and from which length on does that pay?";
        d.about =
            "**(Q Kᵀ) V** takes 4·n²·d operations and n² numbers between its products; **Q (Kᵀ V)** 4·n·d² and "
            "d². They meet at n = d. The softmax stands between the first two products and forbids the second order: "
            "linear attention replaces it by a product of features, φ(Q) φ(K)ᵀ. On **vgpu** the tiled kernel of the "
            "matrix product runs and its operations and bytes are counted; on the **cpu** its time is measured.";
        d.devices = {"vgpu", "cpu"};
        d.colours = {{"tensor.Q", 0}, {"tensor.K", 5}, {"tensor.V", 2}, {"tensor.O", 3},
                     {"tensor.S", 1}, {"scores", 1},   {"state", 0}};
        Parameter n = Parameter::integer("seqLen", "Sequence length n", 256, 1, 4096, "Rows of Q, K and V.");
        n.powersOfTwo = true;
        Parameter features = Parameter::integer("headDim", "Features d", 32, 1, 512, "Columns of Q, K and V.");
        features.powersOfTwo = true;
        d.parameters = {n, features,
                        Parameter::sweep("seqLens", "Lengths of the curves", {8, 16, 32, 64, 128, 256, 512, 1024}, 1,
                                         4096, "Both orders run at each."),
                        devices::onDevice(devices::gpuParameter(), "vgpu"),
                        Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of Q, K and V.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        double flops = 0;
        const auto d = static_cast<double>(s.integer("headDim"));
        const auto add = [&](int64_t length) {
            const auto n = static_cast<double>(length);
            flops += 4 * n * d * (n + d);
        };
        add(s.integer("seqLen"));
        for (const int64_t length : s.sweep("seqLens"))
            add(length);
        return 0.1 + flops / 2e9;
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& device) const override {
        int64_t longest = s.integer("seqLen");
        for (const int64_t length : s.sweep("seqLens"))
            longest = std::max(longest, length);
        const int64_t once = heldBytes(longest, s.integer("headDim"));
        return {device == "cpu" ? once : 3 * once, 0, fmt::format("Scores of {} × {}", longest, longest),
                "seqLen or seqLens"};
    }

    void run(const Settings& settings, Run& run) override {
        const bool counted = run.device() != "cpu";
        const std::string gpu = counted ? settings.text("gpu") : "";
        const auto at = [&](int64_t length) {
            return runOrders(length, settings.integer("headDim"), static_cast<uint64_t>(settings.integer("seed")), gpu,
                             run);
        };
        const Orders here = at(settings.integer("seqLen"));
        putHeadlines(run, here, counted);
        run.put(
            {"orders", "The same product, twice", fmt::format("to scale: n = {}, d = {}", here.length, here.features),
             "Every block is as large as its matrix. Each product has run on this device; the outputs of both orders "
             "are compared.",
             Figure::Place::Main, orderScene(here, counted)});
        run.put(table(here, counted));
        sweep(run, settings, at, counted);
    }

  private:
    static Provenance ofFlops(bool counted) { return counted ? Provenance::Counted : Provenance::Modelled; }
    static Provenance ofSeconds(bool counted) { return counted ? Provenance::Modelled : Provenance::Measured; }

    static void putHeadlines(Run& run, const Orders& here, bool counted) {
        const double ratio = here.sum(0, &Product::flops) / here.sum(1, &Product::flops);
        putHeadline(run, "ratio", ratio >= 1 ? ratio : 1 / ratio, "×", "{:.3g}",
                    fmt::format("{} operations with K and V first", ratio >= 1 ? "fewer" : "more"), ofFlops(counted));
        putHeadline(run, "between", 4.0 * static_cast<double>(here.features * here.features), "B", "",
                    fmt::format("between the products, not {}",
                                numberText(4.0 * static_cast<double>(here.length * here.length), "B")),
                    Provenance::Counted);
        putHeadline(run, "difference", here.largestDifference, "", "{:.1e}",
                    "largest difference of the two outputs, relative",
                    counted ? Provenance::Counted : Provenance::Measured);
    }

    static Figure table(const Orders& here, bool counted) {
        Table t;
        t.columns = {{"product", "Product", "", false, {}, ""},
                     {"shape", "Shape", "", false, {}, ""},
                     {"flops", "Operations", "FLOP", true, ofFlops(counted), ""}};
        if (counted)
            t.columns.push_back({"bytes", "Asked of memory", "B", true, Provenance::Counted, ""});
        t.columns.push_back({"seconds", "Time", "s", true, ofSeconds(counted), ""});
        for (const Product& p : here.products) {
            t.rows.push_back(
                {fmt::format("{} = {}", p.name, p.of), fmt::format("{} × {}", p.rows, p.columns), p.flops});
            if (counted)
                t.rows.back().push_back(p.bytes);
            t.rows.back().push_back(p.seconds);
        }
        return {
            "products",
            "Product by product",
            "",
            counted
                ? "Operations and bytes are **counted** on the virtual GPU while the tiled kernel runs; the time is "
                  "**modelled** for the GPU of the settings."
                : "Operations are 2·rows·columns·inner; the time of the packed product is **measured**, the median "
                  "of some runs.",
            Figure::Place::Support,
            std::move(t)};
    }

    static Figure curves(const char* id, const char* title, const char* axis, const char* unit, std::string explain) {
        Series s;
        s.x = {"sequence length", "", Scale::Log2, {}, {}, {}, false};
        s.y = {axis, unit, Scale::Log10, {}, {}, {}, false};
        return {id, title, "", std::move(explain), Figure::Place::Support, std::move(s)};
    }

    template <class At>
    static void sweep(Run& run, const Settings& settings, const At& at, bool counted) {
        run.put(curves("flops", "Operations", "operations", "FLOP",
                       "Of both products together. They meet at n = d. " + std::string(counted ? "**Counted.**" : "")));
        if (counted)
            run.put(curves("bytes", "Asked of memory", "bytes", "B", "What both kernels ask memory for. **Counted.**"));
        run.put(curves("time", "Time", "time", "s",
                       counted ? "**Modelled** for the GPU of the settings." : "**Measured**, medians."));
        std::vector<int64_t> lengths = settings.sweep("seqLens");
        std::sort(lengths.begin(), lengths.end());
        std::vector<Orders> all;
        for (const int64_t length : lengths) {
            run.progress(static_cast<double>(all.size()) / static_cast<double>(lengths.size()),
                         fmt::format("n = {}", length));
            all.push_back(at(length));
            for (size_t order = 0; order < 2; ++order) {
                const auto point = [&](const char* figure, double Product::*what, Provenance provenance) {
                    Curve c;
                    c.id = c.colourKey = orderIds[order];
                    c.label = orderTitles[order];
                    c.provenance = provenance;
                    c.x = {static_cast<double>(length)};
                    c.y = {all.back().sum(order, what)};
                    run.appendPoint(figure, c);
                };
                point("flops", &Product::flops, ofFlops(counted));
                if (counted)
                    point("bytes", &Product::bytes, Provenance::Counted);
                point("time", &Product::seconds, ofSeconds(counted));
            }
        }
        const std::optional<double> flops = crossing(all, &Product::flops), seconds = crossing(all, &Product::seconds);
        if (flops)
            putHeadline(run, "crossing", *flops, "", "n = {:.0f}",
                        fmt::format("as many operations either way (theory: n = d = {})", settings.integer("headDim")),
                        ofFlops(counted));
        if (seconds)
            putHeadline(run, "timeCrossing", *seconds, "", "n = {:.0f}", "as long either way", ofSeconds(counted));
    }
};

} // namespace

std::unique_ptr<Experiment> makeOrder() { return std::make_unique<Order>(); }

} // namespace warplight::labs::linear
