// SPDX-License-Identifier: GPL-3.0-or-later
// warplight-cli with experiments that emit one of everything, and that fail in every way there is.
#include "core/cli/cli.h"
#include "core/error.h"
#include "core/labs/allreduce/allreduce_lab.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/devices/devices_lab.h"
#include "core/labs/inspector/inspector_lab.h"
#include "core/labs/precision/precision_lab.h"
#include "core/labs/profile/profile_lab.h"
#include "tests/core/lab/every_figure.h"
#include "tests/core/lab/kernel_figures.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

namespace {

/// Cells are row · 1000 + column of the level, so that a test can tell where one came from.
class GridTiles : public TileSource {
  public:
    TilePut tile(int level, int64_t tileRow, int64_t tileCol, const std::atomic<bool>&) override {
        TilePut tile;
        tile.level = level;
        tile.tileRow = tileRow;
        tile.tileCol = tileCol;
        tile.rows = tile.cols = 4;
        for (int i = 0; i < 16; ++i)
            tile.cells.push_back(static_cast<float>(1000 * (tileRow * 4 + i / 4) + tileCol * 4 + i % 4));
        return tile;
    }
    std::vector<std::string> probe(int64_t row, int64_t col) override { return {fmt::format("cell {}, {}", row, col)}; }
};

/// A source of many lines, whose lines belong to those of the other pane, and a timeline of many spans.
class Kernel : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "test.kernel";
        d.lab = "Test";
        d.title = "Kernel";
        d.sentence = "Lines of code and blocks on multiprocessors, as many as asked for.";
        d.devices = {"cpu"};
        d.parameters = {Parameter::integer("lines", "Lines of PTX", 400, 0, 100'000, "How many."),
                        Parameter::integer("spans", "Spans", 2000, 0, 2'000'000, "How many."),
                        Parameter::integer("tracks", "Tracks", 20, 1, 200, "How many.")};
        return d;
    }
    double estimatedSeconds(const Settings&) const override { return 1; }
    MemoryNeed neededMemory(const Settings&, const std::string&) const override { return {}; }
    void run(const Settings& settings, Run& run) override {
        run.put({"hbm", "", "", "", Figure::Place::Headline,
                 Metric{34498150.0, "B", "", "read and written", {}, {}, Provenance::Counted, {}}});
        run.put({"peak", "", "", "", Figure::Place::Headline,
                 Metric{61.0, "%", "{:.0f}", "of the tensor peak", {}, {}, Provenance::Modelled, {}}});
        Figure source{"source",
                      "Source",
                      "instructions and bytes of each line",
                      "Counted, *line by line*.",
                      Figure::Place::Main,
                      test::kernelSource(settings.integer("lines"))};
        run.put(source);
        run.onSelect("source", [](Run& again, int64_t line, int64_t pane) {
            again.put({"chosen", "Chosen line", "", "", Figure::Place::Detail,
                       Note{fmt::format("line {} of pane {}", line, pane)}});
        });
        Figure timeline{"blocks", "Blocks on SMs",     "clocks, modelled",
                        "",       Figure::Place::Main, test::blocksTimeline(0, settings.integer("tracks"))};
        run.put(timeline);
        run.onSelect("blocks", [](Run& again, int64_t span, int64_t track) {
            again.put({"block", "Chosen block", "", "", Figure::Place::Detail,
                       Note{fmt::format("span {} on track {}", span, track)}});
        });
        const auto all = test::blocksTimeline(settings.integer("spans"), settings.integer("tracks")).spans;
        constexpr size_t batch = 100'000;
        for (size_t i = 0; i < all.size(); i += batch) {
            run.checkCancelled();
            run.appendSpans("blocks", {all.begin() + static_cast<ptrdiff_t>(i),
                                       all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), i + batch))});
        }
    }
};

class Fault : public Experiment {
  public:
    explicit Fault(std::string what) : what(std::move(what)) {}
    Description describe() const override {
        Description d;
        d.id = "test." + what;
        d.lab = "Test";
        d.title = what;
        d.sentence = "Does what its name says.";
        d.devices = {"cpu"};
        d.parameters = {Parameter::integer("points", "Points", 20, 1, 1'000'000, "How many."),
                        Parameter::integer("pauseMilliseconds", "Pause", 5, 0, 1000, "After each.")};
        return d;
    }
    double estimatedSeconds(const Settings& s) const override {
        return 1e-3 * static_cast<double>(s.integer("points") * s.integer("pauseMilliseconds"));
    }
    MemoryNeed neededMemory(const Settings&, const std::string&) const override {
        return {what == "huge" ? int64_t{1} << 60 : 0, 0, "A run of a whole exbibyte", "what it asks for"};
    }
    void run(const Settings& settings, Run& run) override {
        if (what == "throw")
            throw std::runtime_error("the kernel said no");
        if (what == "lost")
            throw DeviceLost("kernel flash2_d64 failed; the GPU takes no further work from this process");
        if (what == "crash")
            std::abort();
        if (what == "spin")
            for (volatile bool forEver = true; forEver;) {
            }
        if (what == "hang")
            std::this_thread::sleep_for(std::chrono::hours(1));
        for (const Figure& figure : test::everyFigure())
            run.put(figure);
        run.serveTiles("lazy", std::make_shared<GridTiles>());
        run.onSelect("map", [](Run& again, int64_t row, int64_t col) {
            if (row == 99)
                throw DeviceLost("the GPU was lost while a click was answered");
            again.put({"chosen", "Chosen", "", "", Figure::Place::Detail, Note{fmt::format("{}, {}", row, col)}});
        });
        Curve ramp;
        ramp.id = ramp.label = "ramp";
        for (int64_t i = 0; i < settings.integer("points"); ++i) {
            run.checkCancelled();
            ramp.x = {static_cast<double>(i)};
            ramp.y = {static_cast<double>(i * i)};
            run.appendPoint("series", ramp);
            run.progress(static_cast<double>(i) / static_cast<double>(settings.integer("points")),
                         fmt::format("point {}", i));
            std::this_thread::sleep_for(std::chrono::milliseconds(settings.integer("pauseMilliseconds")));
        }
    }

  private:
    std::string what;
};

/// One of many pages: what a program with all its labs has to list.
class Page : public Experiment {
  public:
    Page(int lab, int page) : lab(lab), page(page) {}
    Description describe() const override {
        Description d;
        d.id = fmt::format("lab{}.page{}", lab, page);
        d.lab = fmt::format("Lab {}", lab);
        d.title = fmt::format("Page {} of lab {}", page, lab);
        d.sentence = "One of many.";
        d.devices = {"cpu"};
        return d;
    }
    double estimatedSeconds(const Settings&) const override { return 0; }
    MemoryNeed neededMemory(const Settings&, const std::string&) const override { return {}; }
    void run(const Settings&, Run& run) override {
        run.put({"note", "Note", "", "", Figure::Place::Main, Note{fmt::format("page {} of lab {}", page, lab)}});
    }

  private:
    int lab, page;
};

} // namespace

int main(int argc, char** argv) {
    Registry registry;
    workbench::Operators operators;
    labs::attention::registerLab(registry, operators);
    labs::allreduce::registerLab(registry);
    labs::profile::registerLab(registry);
    labs::tools::registerLab(registry);
    labs::precision::registerLab(registry);
    labs::inspector::registerLab(registry);
    registry.add(std::make_unique<Kernel>());
    for (const char* what : {"ramp", "throw", "lost", "crash", "hang", "spin", "huge"})
        registry.add(std::make_unique<Fault>(what));
    if (const char* labs = std::getenv("WARPLIGHT_TEST_LABS")) // so many, of six pages each
        for (int lab = 0; lab < std::atoi(labs); ++lab)
            for (int page = 0; page < 6; ++page)
                registry.add(std::make_unique<Page>(lab, page));
    return cli::runCli(argc, argv, registry, operators);
}
