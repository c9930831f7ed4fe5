// SPDX-License-Identifier: GPL-3.0-or-later
// A signal that a few numbers remember, while time runs.
#include "core/error.h"
#include "core/lab/headline.h"
#include "core/labs/ssm/memory_scene.h"
#include "core/labs/ssm/memory_walk.h"
#include "core/labs/ssm/signals.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/workbench/knobs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;

constexpr int64_t mostMoments = 100; ///< of the film: each is looked at for a blink

std::vector<Parameter::Option> kindOptions() {
    std::vector<Parameter::Option> options;
    for (const MemoryKind& kind : memoryKinds())
        options.push_back({kind.id, kind.title, ""});
    return options;
}

class Memory : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "ssm.memory";
        d.lab = "State space models";
        d.title = "Memory of a signal";
        d.sentence = "Draw with the mouse: a few coefficients keep the past, each measure forgets in its own way.";
        d.question = "Which part of the past do N numbers keep, how well, and when does a rule lose all of it?";
        d.about =
            "A state c of N numbers takes a signal sample by sample, c = Āc + B̄u, and at any time Σ cₙ gₙ(age) gives "
            "the past back. **LegS** keeps all of it, ever coarser; **LegT**, **LMU** and **FouT** a window; **LagT** "
            "fades; **S4** has the matrix of LegS with a step Δ of its own and so sees the past through polynomials "
            "of e^(−Δ·age). The rule makes Ā of A: with forward Euler a pole may leave the unit circle, and then the "
            "state grows without end. The film is of the run: every coefficient is **counted**, in double precision.";
        d.devices = {"cpu"};
        const int64_t colours[] = {0, 1, 8, 2, 3, 5};
        for (size_t i = 0; i < memoryKinds().size(); ++i)
            d.colours[colourKeyOf(memoryKinds()[i])] = colours[i];
        std::vector<Parameter> signal = signalParameters();
        Parameter n = Parameter::integer("n", "Coefficients N", 64, 2, 256, "How many numbers remember.");
        n.sliderStep = 2;
        Parameter window = Parameter::real("window", "Window θ", 260, 4, 4000,
                                           "Samples of LegT, LMU and FouT; the time in which LagT fades.");
        window.unit = "samples";
        window.sliderStep = 4;
        Parameter step = Parameter::real("step", "Step Δ", 0.01, 0.0005, 0.2, "Time that S4 lets pass each sample.");
        step.sliderStep = 0.0005;
        step.shownWhen = {when("measures", {"s4"})};
        d.parameters = {
            signal[0],
            signal[1],
            signal[2],
            Parameter::choice("rule", "Rule", "bilinear", workbench::optionsOf(warplight::ssm::rules()),
                              "How A becomes Ā."),
            n,
            window,
            step,
            signal[4],
            Parameter::choices("measures", "Measures", {"legs", "legt", "lagt", "fout"}, kindOptions(),
                               "Memories of the same signal, side by side; the coefficients are the first's."),
            signal[3],
            signal[5]};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("n")), length = static_cast<double>(s.integer("length"));
        const double steps = 0.4e-9 * n * n * length, looks = 0.5e-9 * mostMoments * n * length,
                     eigenvalues = 6e-9 * n * n * n;
        return 0.03 + static_cast<double>(s.choices("measures").size()) * (steps + looks + eigenvalues);
    }

    MemoryNeed neededMemory(const Settings& s, const std::string& /*device*/) const override {
        const int64_t n = s.integer("n"), kinds = static_cast<int64_t>(s.choices("measures").size());
        return {(int64_t{8} << 20) + kinds * (mostMoments * 40 * (1200 + n) + 64 * n * n), 0, "The film", "measures"};
    }

    void run(const Settings& settings, Run& run) override {
        const Signal signal = signalOf(settings, run.cancelToken());
        const auto length = static_cast<int64_t>(signal.clean.size());
        MemoryOptions options;
        options.n = settings.integer("n");
        options.rule = warplight::ssm::ruleByName(settings.text("rule"));
        options.window = settings.real("window");
        options.step = settings.real("step");
        std::vector<MemoryWalk> walks;
        for (const std::string& id : settings.choices("measures"))
            walks.emplace_back(memoryKind(id), options, signal.heard, signal.clean);
        if (walks.empty())
            throw InputError("measures: none is chosen, expected at least one");
        const MemoryScene scene(signal, options);
        const int64_t count = std::min(mostMoments, length);
        run.put({"memory", "The signal and its memories", fmt::format("N = {}, {}", options.n, settings.text("rule")),
                 "Grey: the signal. A colour: what that memory gives back at this time. Below: the coefficients of the "
                 "first, the eigenvalues of Ā in the complex plane (outside the circle a state grows), and the root "
                 "mean square error by age over all times so far, relative to the signal's. **Counted.**",
                 Figure::Place::Main, scene.frame(count)});
        std::vector<Moment> moments(walks.size());
        for (int64_t i = 1; i <= count; ++i) {
            const int64_t now = length * i / count;
            for (size_t m = 0; m < walks.size(); ++m) {
                run.checkCancelled();
                moments[m] = walks[m].walkTo(now);
            }
            run.appendStep("memory", scene.scene(walks, moments));
            run.progress(static_cast<double>(i) / static_cast<double>(count),
                         fmt::format("{} of {} samples", now, length));
        }
        putHeadlines(run, options, walks, moments);
        putErrors(run, walks);
        putTable(run, walks, moments);
    }

  private:
    static void putHeadlines(Run& run, const MemoryOptions& options, const std::vector<MemoryWalk>& walks,
                             const std::vector<Moment>& moments) {
        putHeadline(run, "numbers", static_cast<double>(options.n), "", "{:.0f}",
                    fmt::format("numbers remember {} samples", moments.front().now));
        const auto shown = [](double share) { return share < 100 ? std::optional(100 * share) : std::nullopt; };
        putHeadline(run, "all", shown(moments.front().errorAll), "%", "{:.3g}",
                    fmt::format("error, all of the past ({})", walks.front().kind().name()));
        for (size_t m = 0; m < walks.size(); ++m)
            if (moments[m].errorNear && walks[m].kind().id != "legs") {
                putHeadline(
                    run, "near", shown(*moments[m].errorNear), "%", "{:.3g}",
                    fmt::format("error of the last {:.0f} samples ({})", options.window, walks[m].kind().name()));
                break;
            }
        const auto largest = [](const Moment& moment) { return warplight::ssm::largest(moment.poles); };
        const auto widest = std::max_element(moments.begin(), moments.end(),
                                             [&](const Moment& a, const Moment& b) { return largest(a) < largest(b); });
        const MemoryWalk& walk = walks[static_cast<size_t>(widest - moments.begin())];
        putHeadline(
            run, "pole", largest(*widest), "", "{:.4g}",
            fmt::format("largest |pole| ({}){}", walk.kind().name(), largest(*widest) > onCircle ? ": it grows" : ""));
    }

    static void putErrors(Run& run, const std::vector<MemoryWalk>& walks) {
        Series s;
        s.x = {"age of the sample", "", Scale::Linear, 0.0, {}, {}, false};
        s.y = {"error", "%", Scale::Log10, {}, {}, {}, false};
        for (const MemoryWalk& walk : walks) {
            Curve c;
            c.id = walk.kind().id;
            c.label = walk.kind().title;
            c.colourKey = colourKeyOf(walk.kind());
            c.provenance = Provenance::Counted;
            c.style = Curve::Style::Line;
            for (const auto& [age, error] : walk.errorByAge()) {
                c.x.push_back(age);
                c.y.push_back(100 * error);
            }
            s.curves.push_back(std::move(c));
        }
        run.put({"errors", "Error by age of the sample", "over all times, relative to the signal",
                 "Root mean square of what is given back less what was, over the times of the film. What a memory does "
                 "not claim to know counts as 0, an error of 100 %. **Counted.**",
                 Figure::Place::Support, std::move(s)});
    }

    static void putTable(Run& run, const std::vector<MemoryWalk>& walks, const std::vector<Moment>& moments) {
        Table t;
        t.columns = {{"measure", "Measure", "", false, {}, ""},
                     {"all", "Error, all", "%", true, Provenance::Counted, "{:.3g}"},
                     {"near", "Error, window", "%", true, Provenance::Counted, "{:.3g}"},
                     {"pole", "Largest |pole|", "", true, Provenance::Counted, "{:.6g}"},
                     {"begins", "10 times the signal from", "", true, Provenance::Counted, ""}};
        for (size_t m = 0; m < walks.size(); ++m) {
            std::vector<Table::Cell> row{walks[m].kind().title, 100 * moments[m].errorAll, std::monostate{},
                                         warplight::ssm::largest(moments[m].poles), std::monostate{}};
            if (moments[m].errorNear)
                row[2] = 100 * *moments[m].errorNear;
            if (walks[m].divergesAt())
                row[4] = *walks[m].divergesAt();
            t.rows.push_back(std::move(row));
        }
        run.put({"measures", "Side by side", "at the end of the signal",
                 "Errors are root mean squares relative to the signal's. **Counted.**", Figure::Place::Support,
                 std::move(t)});
    }
};

} // namespace

std::unique_ptr<Experiment> makeMemory() { return std::make_unique<Memory>(); }

} // namespace warplight::labs::ssm
