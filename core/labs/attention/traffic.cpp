// What each rung moves through memory: by formula, and counted on the virtual GPU while the compiled kernel runs.
#include "core/error.h"
#include "core/labs/attention/attention_lab.h"
#include "core/labs/attention/gpu_rungs.h"
#include "core/labs/attention/inputs.h"
#include "core/labs/attention/measured_traffic.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/attention_traffic.h"
#include "gpu/virtual/gpu_profile.h"
#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::labs {
namespace {

using namespace lab;

constexpr double kibibyte = 1024;
constexpr int64_t reservedShared =
    1024; ///< bytes of a multiprocessor's shared memory that a block costs besides its own
/// A bar this many times as long as the next one would leave nothing of the others to see.
constexpr double outlier = 6;

double total(const gpu::TensorTraffic& traffic) {
    double bytes = 0;
    for (const auto& [tensor, t] : traffic)
        bytes += t.total();
    return bytes;
}

/// The statistics of a row are one tensor to the reader.
std::string shownTensor(const std::string& buffer) {
    return buffer == "m" || buffer == "l" || buffer == "lse" ? "statistics" : buffer;
}

/// What a point of the plot counts: `x` is the sequence length, the head dimension or the tile.
struct Case {
    double x = 0;
    gpu::AttentionShape shape;
    int64_t tile = 0; ///< of flash1 and flash2; 0: their own
};

struct Point {
    std::string rung;
    Case of;
    gpu::TensorTraffic compulsory, algorithmic, counted;
    std::map<std::string, double> sectorBytes; ///< by buffer
    std::map<std::string, double> dram;        ///< by buffer, after the modelled caches
    std::optional<MeasuredBytes> measured;     ///< by the counters of a real GPU
};

Curve curve(std::string id, std::string label, std::string colour, Provenance provenance, Curve::Style style) {
    Curve c;
    c.id = std::move(id);
    c.label = std::move(label);
    c.colourKey = std::move(colour);
    c.provenance = provenance;
    c.style = style;
    return c;
}

Axis bytesAxis(Scale scale) { return {"bytes", "B", scale, {}, {}, {}, false}; }

class TrafficExperiment : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "attention.traffic";
        d.lab = "Attention";
        d.title = "Traffic";
        d.sentence = "Bytes that each kernel moves, tensor by tensor: by formula, and counted while it runs.";
        d.question =
            "Why is flash attention faster: which bytes does it not move, and when does its first version move more?";
        d.about =
            "**Compulsory**: each tensor once. **Algorithmic**: the loops' formula, with the kernel's own tiles. "
            "**Counted**: what the threads of the compiled kernel asked for on the virtual GPU, byte by byte. "
            "**DRAM**: "
            "what is left of it behind the modelled L1 and L2 of the chosen GPU, cold at the start, with what is dirty "
            "in the end written back. The four are never mixed. On an NVIDIA GPU its own counters stand beside them, "
            "**measured**.";
        d.devices = {"vgpu", "cuda"};
        Parameter lengths = Parameter::sweep("seqLen", "Sequence length", {64, 128, 256, 512}, 1, 8192,
                                             "Lengths of Q, K and V to count.");
        lengths.shownWhen = "against=seqLen";
        Parameter length = Parameter::integer("length", "Sequence length", 256, 1, 8192, "Length of Q, K and V.");
        length.shownWhen = "against!=seqLen";
        Parameter dims = Parameter::sweep("headDims", "Head dimensions", {16, 32, 64, 128, 256}, 1, 256,
                                          "Head dimensions to count.");
        dims.shownWhen = "against=headDim";
        Parameter dim = Parameter::integer("headDim", "Head dimension", 64, 1, 256, "Features of one head.");
        dim.shownWhen = "against!=headDim";
        Parameter tiles = Parameter::sweep("tiles", "Tiles", {8, 16, 32, 48, 64, 96}, 8, 96,
                                           "Queries and keys of a tile of flash1 and flash2: 8, 16, 32, 48, 64, 96 (at "
                                           "headDim above 64 up to 64, above 128 only 32).");
        tiles.shownWhen = "against=tile";
        Parameter onChip =
            Parameter::integer("onChip", "On-chip memory", 64, 4, 256,
                               "KiB that a tile may fill: for the theory alone, the kernels have tiles of their own.");
        onChip.unit = "KiB";
        onChip.powersOfTwo = true;
        Parameter caches = gpuParameter();
        caches.title = "Caches of";
        caches.defaultValue = std::string("T4");
        caches.doc = "Whose L1 and L2 the accesses go through.";
        d.parameters = {
            Parameter::choice("against", "Against", "seqLen",
                              {{"seqLen", "sequence length", ""},
                               {"headDim", "head dimension", ""},
                               {"tile", "tile size", "flash1 and flash2 are compiled for several"}},
                              "What the plot's x axis is."),
            lengths,
            dim,
            dims,
            tiles,
            length,
            Parameter::integer("heads", "Heads", 1, 1, 64, "Each moves the same; the counts add up."),
            Parameter::flag("causal", "Causal mask", false,
                            "Query i sees keys 0 to i only: flash kernels skip tiles that nobody sees."),
            kernelsParameter(),
            onChip,
            caches,
            Parameter::integer("threads", "Threads", 0, 0, 1024,
                               "Of this machine, for the virtual GPU; 0 uses all. Counts do not depend on it."),
        };
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        double work = 0; // multiply-adds, of which the virtual GPU does about 5e8 a second with everything around them
        for (const Case& c : cases(s))
            work += 2.0 * static_cast<double>(c.shape.heads() * c.shape.queryLen * c.shape.keyLen * c.shape.headDim) *
                    static_cast<double>(rungsOf(s).size());
        return work / 5e8;
    }

    /// A kernel and a point at a time.
    MemoryNeed neededMemory(const Settings& settings, const std::string& /*device*/) const override {
        MemoryNeed need;
        for (const Case& c : cases(settings))
            for (const std::string& rung : rungsOf(settings)) {
                const cpu::AttentionProblem problem = problemOf(c.shape);
                const int64_t bytes = saturatedSum(inputBytes(problem), virtualBytes(rung, problem));
                if (bytes <= need.bytes)
                    continue;
                need.bytes = bytes;
                need.what = fmt::format("{} at N = {} with {} heads of {} features", rung, c.shape.queryLen,
                                        c.shape.queryHeads, c.shape.headDim);
            }
        need.lower = "seqLen or heads, or leave out naive and tiled, which keep S and P";
        return need;
    }

    void run(const Settings& settings, Run& run) override {
        const std::vector<std::string> rungs = rungsOf(settings);
        if (rungs.empty())
            throw InputError(settings.text("against") == "tile"
                                 ? "kernels has neither flash1 nor flash2, which alone come with several tiles"
                                 : "kernels is empty, expected at least one of those that describe lists");
        const std::vector<Case> all = cases(settings);
        const auto device = vgpu::makeVirtualDevice();
        gpu::KernelLibrary library(*device);
        std::unique_ptr<MeasuredTraffic> real;
        if (run.device() != "vgpu") {
            real = std::make_unique<MeasuredTraffic>(run.device());
            if (!real->unavailable().empty())
                run.log(real->unavailable(), Log::Level::Warning);
        }
        const vgpu::GpuProfile& gpu =
            real ? profileOf(real->device(), settings) : vgpu::gpuProfile(settings.text("gpu"));
        begin(run, rungs, settings, all.back().shape, gpu);
        std::vector<Point> points, last; // all, and those of the last case
        size_t done = 0;
        for (const Case& c : all) {
            if (const int64_t needed = c.tile ? gpu::flashSharedBytes(c.shape.headDim, c.tile) : 0;
                needed + reservedShared > gpu.sharedBytes) {
                run.log(
                    fmt::format("Tiles of {} are left out: a block needs {} KiB of shared memory, more than a {} has.",
                                c.tile, needed / 1024 + 1, gpu.name),
                    Log::Level::Warning);
                continue;
            }
            last.clear();
            reference(run, c);
            for (const std::string& rung : rungs) {
                run.checkCancelled();
                run.progress(static_cast<double>(done++) / static_cast<double>(all.size() * rungs.size()),
                             fmt::format("{}, N = {}, headDim {}{}", rung, c.shape.queryLen, c.shape.headDim,
                                         c.tile ? fmt::format(", tile {}", c.tile) : ""));
                last.push_back(count(library, rung, c, settings, gpu.id, real.get(), run));
                points.push_back(last.back());
                show(run, last.back());
            }
            bars(run, last);
        }
        headlines(run, last);
        if (settings.text("against") == "tile")
            tileHeadline(run, points);
    }

  private:
    /// Against the tile, only those that come with several.
    static std::vector<std::string> rungsOf(const Settings& s) {
        std::vector<std::string> rungs = s.choices("kernels");
        if (s.text("against") == "tile")
            std::erase_if(rungs, [](const std::string& rung) { return rung != "flash1" && rung != "flash2"; });
        return rungs;
    }

    static std::vector<Case> cases(const Settings& s) {
        const std::string against = s.text("against");
        std::vector<int64_t> values = s.sweep(against == "seqLen"    ? "seqLen"
                                              : against == "headDim" ? "headDims"
                                                                     : "tiles");
        std::sort(values.begin(), values.end());
        std::vector<Case> all;
        for (const int64_t value : values) {
            const int64_t n = against == "seqLen" ? value : s.integer("length"),
                          d = against == "headDim" ? value : s.integer("headDim");
            all.push_back({static_cast<double>(value),
                           {1, s.integer("heads"), s.integer("heads"), n, n, d, 1.0f / std::sqrt(static_cast<float>(d)),
                            s.flag("causal")},
                           against == "tile" ? value : 0});
        }
        return all;
    }

    static cpu::AttentionProblem problemOf(const gpu::AttentionShape& shape) {
        cpu::AttentionProblem problem;
        problem.queryHeads = problem.keyHeads = shape.queryHeads;
        problem.queryLen = problem.keyLen = shape.queryLen;
        problem.headDim = shape.headDim;
        return problem;
    }

    static std::string axisTitle(const Settings& s) {
        const std::string against = s.text("against");
        return against == "seqLen"    ? "sequence length"
               : against == "headDim" ? "head dimension"
                                      : "queries and keys a tile";
    }

    static void begin(Run& run, const std::vector<std::string>& rungs, const Settings& settings,
                      const gpu::AttentionShape& largest, const vgpu::GpuProfile& gpu) {
        Series series;
        series.x = {axisTitle(settings), "", Scale::Log2, {}, {}, {}, false};
        series.y = bytesAxis(Scale::Log10);
        const Axis x = series.x;
        series.curves.push_back(curve("compulsory", "compulsory, f32", "", Provenance::Reference, Curve::Style::Line));
        if (settings.text("against") == "tile")
            series.curves.push_back(standardCurve());
        for (const std::string& rung : rungs) {
            series.curves.push_back(curve(rung, rung, rung, Provenance::Counted, Curve::Style::Points));
            series.curves.push_back(curve(rung + ".formula", "", rung, Provenance::Modelled, Curve::Style::Line));
        }
        run.put({"bytes", "Bytes moved", "counted points on the formulas' curves",
                 "Squares are **counted**: every byte that a thread of the compiled kernel read or wrote. Dashed "
                 "curves are the "
                 "formula of the kernel's loops (**modelled**), the grey line each tensor once (**reference**).",
                 Figure::Place::Main, std::move(series)});
        bars(run, {});
        Series dram;
        dram.x = x;
        dram.y = bytesAxis(Scale::Log10);
        dram.curves.push_back(curve("compulsory", "compulsory, f32", "", Provenance::Reference, Curve::Style::Line));
        run.put({"dram", "Behind the caches", fmt::format("to and from the DRAM of a {}", gpu.name),
                 "**Modelled**: the counted accesses of all blocks, put through an L1 for each block and one L2 of the "
                 "chosen "
                 "GPU, with as many blocks at a time as it holds. What is dirty in the end counts as written.",
                 Figure::Place::Support, std::move(dram)});
        theory(run, largest, static_cast<double>(settings.integer("onChip")) * kibibyte);
        if (run.device() != "vgpu") {
            Table measured;
            measured.columns = {{"kernel", "Kernel", "", false, {}, ""},
                                {"seq_len", "N", "", true, {}, ""},
                                {"head_dim", "d", "", true, {}, ""},
                                {"tile", "Tile", "", true, {}, ""},
                                {"counted", "Asked for", "B", true, Provenance::Counted, ""},
                                {"dram", "DRAM", "B", true, Provenance::Measured, ""},
                                {"dram_modelled", "DRAM, modelled", "B", true, Provenance::Modelled, ""},
                                {"l2", "L2", "B", true, Provenance::Measured, ""},
                                {"l1", "L1", "B", true, Provenance::Measured, ""},
                                {"seconds", "Time", "s", true, Provenance::Measured, "{:.4g}"}};
            run.put(
                {"measured", "By the GPU's own counters", "beside what was counted and modelled",
                 "**Measured** by CUPTI around each launch (docs/gpu-counters.md), all launches of a kernel together.",
                 Figure::Place::Support, std::move(measured)});
        }
        Table table;
        table.columns = {{"kernel", "Kernel", "", false, {}, ""},
                         {"seq_len", "N", "", true, {}, ""},
                         {"head_dim", "d", "", true, {}, ""},
                         {"tile", "Tile", "", true, {}, ""},
                         {"tensor", "Tensor", "", false, {}, ""},
                         {"compulsory", "Compulsory", "B", true, Provenance::Reference, ""},
                         {"algorithmic", "Algorithmic", "B", true, Provenance::Modelled, ""},
                         {"read", "Read", "B", true, Provenance::Counted, ""},
                         {"written", "Written", "B", true, Provenance::Counted, ""},
                         {"sectors", "In 32 B sectors", "B", true, Provenance::Counted, ""},
                         {"dram", "DRAM", "B", true, Provenance::Modelled, ""}};
        run.put({"tensors", "By tensor", "",
                 "Bytes of each tensor. Sectors are what the accesses of whole warps touch, 32 bytes each: fewer bytes "
                 "than were asked for when lanes read the same word, more when they use only part of a sector.",
                 Figure::Place::Support, std::move(table)});
    }

    /// Standard attention by the papers' formula, where no kernel of the plot stands for it.
    static Curve standardCurve() {
        return curve("standard", "standard, 4·(4Nd + 4N²)", "tiled", Provenance::Reference, Curve::Style::Line);
    }

    static void reference(Run& run, const Case& of) {
        Curve c = curve("compulsory", "compulsory, f32", "", Provenance::Reference, Curve::Style::Line);
        c.x = {of.x};
        c.y = {total(gpu::compulsoryTraffic(of.shape, number::Format::F32))};
        run.appendPoint("bytes", c);
        run.appendPoint("dram", c);
        if (of.tile == 0)
            return;
        Curve standard = standardCurve();
        standard.x = {of.x};
        standard.y = {gpu::theoryAt(of.shape, 4, kibibyte).standard};
        run.appendPoint("bytes", standard);
    }

    static Point count(gpu::KernelLibrary& library, const std::string& name, const Case& of, const Settings& settings,
                       std::string_view gpu, MeasuredTraffic* real, Run& run) {
        const gpu::AttentionShape& shape = of.shape;
        const gpu::AttentionRung rung = gpu::attentionRungByName(name);
        gpu::AttentionOptions options;
        options.format = gpu::info(rung).halfInputs ? number::Format::F16 : number::Format::F32;
        options.threads = static_cast<int>(settings.integer("threads"));
        options.gpu = gpu;
        options.tile = of.tile;
        options.cancel = run.cancelToken();
        const AttentionInputs inputs = makeInputs(problemOf(shape), "gaussian", 42, run.cancelToken());
        const gpu::AttentionRun result =
            gpu::attentionForward(library, rung, shape, inputs.q.data(), inputs.k.data(), inputs.v.data(), options);
        Point point{name,
                    of,
                    gpu::compulsoryTraffic(shape, options.format),
                    gpu::algorithmicTraffic(rung, shape, options.format, of.tile ? of.tile : 32),
                    gpu::countedTraffic(result),
                    {},
                    {},
                    {}};
        if (real) {
            const bool before = real->unavailable().empty();
            gpu::AttentionOptions there;
            there.format = options.format;
            there.tile = options.tile;
            there.cancel = options.cancel;
            point.measured = real->measure(rung, shape, inputs, there);
            if (before && !real->unavailable().empty())
                run.log(real->unavailable(), Log::Level::Warning);
        }
        for (const gpu::LaunchRecord& launch : result.launches)
            for (const gpu::BufferTraffic& b : launch.stats.buffers) {
                point.sectorBytes[b.name] += 32.0 * static_cast<double>(b.readSectors + b.writtenSectors);
                point.dram[b.name] += static_cast<double>(b.dramReadBytes + b.dramWrittenBytes);
            }
        return point;
    }

    static void show(Run& run, const Point& point) {
        Curve c = curve(point.rung, point.rung, point.rung, Provenance::Counted, Curve::Style::Points);
        c.x = {point.of.x};
        c.y = {total(point.counted)};
        run.appendPoint("bytes", c);
        Curve formula = curve(point.rung + ".formula", "", point.rung, Provenance::Modelled, Curve::Style::Line);
        formula.x = {point.of.x};
        formula.y = {total(point.algorithmic)};
        run.appendPoint("bytes", formula);
        Curve dram = curve(point.rung, point.rung, point.rung, Provenance::Modelled, Curve::Style::LineAndPoints);
        dram.x = {point.of.x};
        dram.y = {0};
        for (const auto& [tensor, bytes] : point.dram)
            dram.y[0] += bytes;
        run.appendPoint("dram", dram);
        if (point.measured && point.measured->dram) {
            Curve measured =
                curve(point.rung + ".measured", "", point.rung, Provenance::Measured, Curve::Style::Points);
            measured.x = {point.of.x};
            measured.y = {*point.measured->dram};
            run.appendPoint("dram", measured);
        }
        if (point.measured)
            run.appendRow("measured", {point.rung, point.of.shape.queryLen, point.of.shape.headDim, tileCell(point.of),
                                       static_cast<int64_t>(total(point.counted)),
                                       point.measured->dram ? Table::Cell(static_cast<int64_t>(*point.measured->dram))
                                                            : Table::Cell(),
                                       static_cast<int64_t>(dram.y[0]), static_cast<int64_t>(point.measured->l2),
                                       static_cast<int64_t>(point.measured->l1), point.measured->seconds});
        for (const auto& [tensor, counted] : point.counted) {
            const auto value = [&tensor = tensor](const gpu::TensorTraffic& of) -> Table::Cell {
                const auto found = of.find(tensor);
                return found == of.end() ? Table::Cell() : Table::Cell(static_cast<int64_t>(found->second.total()));
            };
            run.appendRow("tensors",
                          {point.rung, point.of.shape.queryLen, point.of.shape.headDim, tileCell(point.of), tensor,
                           value(point.compulsory), value(point.algorithmic), static_cast<int64_t>(counted.read),
                           static_cast<int64_t>(counted.written), static_cast<int64_t>(point.sectorBytes.at(tensor)),
                           static_cast<int64_t>(point.dram.at(tensor))});
        }
    }

    static Table::Cell tileCell(const Case& of) { return of.tile ? Table::Cell(of.tile) : Table::Cell(); }

    /// From which tile on flash1's order moves less than standard attention, as counted.
    static void tileHeadline(Run& run, const std::vector<Point>& points) {
        Metric m;
        m.caption = "no tile of flash1 moves less than standard attention";
        for (const Point& p : points)
            if (p.rung == "flash1" && !m.value && total(p.counted) < gpu::theoryAt(p.of.shape, 4, kibibyte).standard) {
                m.value = p.of.x;
                m.caption = fmt::format("keys a tile: the first with which flash1 moves less than standard, N = {}",
                                        p.of.shape.queryLen);
            }
        m.format = "{:.0f}";
        m.provenance = Provenance::Counted;
        run.put(
            {"countedCrossover", "Counted crossover", "",
             "The smallest tile of this run whose **counted** bytes are below 4·(4Nd + 4N²). The papers' formula says "
             "more than (3·d + 4) / 4 keys; the kernel's four threads a row each read the statistics, which makes it "
             "(3·d + 11) / 4.",
             Figure::Place::Headline, m});
    }

    /// Counted bytes of one shape, the largest at the end, stacked by tensor.
    static void bars(Run& run, std::vector<Point> points) {
        std::vector<double> sizes;
        for (const Point& p : points)
            sizes.push_back(total(p.counted));
        std::sort(sizes.begin(), sizes.end());
        std::string left;
        if (sizes.size() > 1 && sizes.back() > outlier * sizes[sizes.size() - 2])
            std::erase_if(points, [&](const Point& p) {
                if (total(p.counted) != sizes.back())
                    return false;
                left = fmt::format("; {} is left out: {:.0f} times as much as the next", p.rung,
                                   sizes.back() / sizes[sizes.size() - 2]);
                return true;
            });
        Series series;
        series.y = bytesAxis(Scale::Linear);
        series.y.minimum = 0;
        for (const Point& p : points)
            series.x.labels.push_back(p.rung);
        for (const char* tensor : {"Q", "K", "V", "S", "P", "O", "partO", "statistics"}) {
            Curve c = curve(tensor, tensor, std::string("tensor.") + tensor, Provenance::Counted, Curve::Style::Bars);
            double any = 0;
            for (size_t i = 0; i < points.size(); ++i) {
                double bytes = 0;
                for (const auto& [buffer, traffic] : points[i].counted)
                    bytes += shownTensor(buffer) == tensor ? traffic.total() : 0;
                c.x.push_back(static_cast<double>(i));
                c.y.push_back(bytes);
                any += bytes;
            }
            if (any > 0)
                series.curves.push_back(std::move(c));
        }
        std::string subtitle;
        if (!points.empty())
            subtitle = fmt::format("N = {}, headDim {}{}{}", points[0].of.shape.queryLen, points[0].of.shape.headDim,
                                   points[0].of.tile ? fmt::format(", tile {}", points[0].of.tile) : "", left);
        run.put({"bars", "Where the bytes go", subtitle,
                 "**Counted** bytes read and written, stacked by tensor, of the last point of each kernel. flash2-mma "
                 "works in f16, the others in f32.",
                 Figure::Place::Support, std::move(series)});
    }

    /// Tiles as large as the on-chip memory allows: the papers' formulas.
    static void theory(Run& run, const gpu::AttentionShape& shape, double onChip) {
        Series series;
        series.x = {"on-chip memory for a tile", "B", Scale::Log2, {}, {}, {}, false};
        series.x.title = "on-chip memory for a tile, bytes";
        series.y = bytesAxis(Scale::Log10);
        const std::pair<const char*, double gpu::OnChipTheory::*> kinds[] = {
            {"standard", &gpu::OnChipTheory::standard},
            {"flash1", &gpu::OnChipTheory::flash1},
            {"flash2", &gpu::OnChipTheory::flash2},
            {"compulsory", &gpu::OnChipTheory::compulsory}};
        for (const auto& [name, member] : kinds) {
            Curve c = curve(name, name, name == std::string("compulsory") ? "" : name, Provenance::Modelled,
                            Curve::Style::Line);
            for (double size = 2 * kibibyte; size <= 256 * kibibyte; size *= std::sqrt(std::sqrt(2.0))) {
                c.x.push_back(size);
                c.y.push_back(gpu::theoryAt(shape, 4, size).*member);
            }
            series.curves.push_back(std::move(c));
            if (name == std::string("compulsory"))
                continue;
            Curve here = curve(name + std::string(".here"), "", name, Provenance::Modelled, Curve::Style::Points);
            here.x = {onChip};
            here.y = {gpu::theoryAt(shape, 4, onChip).*member};
            series.curves.push_back(std::move(here));
        }
        run.put({"onChip", "If tiles filled the chip",
                 fmt::format("N = {}, headDim {}, f32; circles: {:.0f} KiB", shape.queryLen, shape.headDim,
                             onChip / kibibyte),
                 "**Modelled** by the papers' formulas (Dao et al. 2022, theorem 2; Dao 2023) with tiles of M / (4·d) "
                 "rows. Below (3·d + 4) / 4 keys a tile, "
                 "FlashAttention-1's order moves more than standard attention: it rewrites O for every tile of keys.",
                 Figure::Place::Support, std::move(series)});
        const double keys = (3 * static_cast<double>(shape.headDim) + 4) / 4;
        Metric crossover;
        crossover.value = 4 * 4 * static_cast<double>(shape.headDim) * (std::floor(keys) + 1);
        crossover.unit = "B";
        crossover.caption =
            fmt::format("on chip from which flash1's order beats standard: tiles of {:.0f} keys", std::floor(keys) + 1);
        crossover.provenance = Provenance::Modelled;
        run.put({"crossover", "Crossover", "",
                 "4·d·Bc elements of four bytes for the smallest tile with Bc > (3·d + 4) / 4.",
                 Figure::Place::Headline, crossover});
    }

    static void headlines(Run& run, const std::vector<Point>& points) {
        const auto bytesOf = [&](const std::string& rung) {
            const auto found =
                std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.rung == rung; });
            return found == points.end() ? 0.0 : total(found->counted);
        };
        const auto ratio = [&](const char* id, const char* title, const std::string& more, const std::string& less) {
            if (bytesOf(more) == 0 || bytesOf(less) == 0)
                return;
            Metric m;
            m.value = bytesOf(more) / bytesOf(less);
            m.unit = "×";
            m.format = "{:.1f}";
            m.caption = fmt::format("{} over {} in bytes, N = {}", more, less, points.front().of.shape.queryLen);
            m.provenance = Provenance::Counted;
            run.put({id, title, "", "Counted bytes of both kernels, divided.", Figure::Place::Headline, m});
        };
        ratio("tiledOverFlash2", "Tiled ÷ flash2", "tiled", "flash2");
        ratio("flash1OverFlash2", "flash1 ÷ flash2", "flash1", "flash2");
        int64_t differences = 0, compared = 0;
        for (const Point& p : points)
            for (const auto& [tensor, t] : p.algorithmic) {
                ++compared;
                differences += !p.counted.contains(tensor) || !(p.counted.at(tensor) == t);
            }
        Metric agreement;
        agreement.value = static_cast<double>(differences);
        agreement.format = "{:.0f}";
        agreement.caption = fmt::format("of {} tensors whose counted bytes are not the formula's", compared);
        agreement.provenance = Provenance::Counted;
        run.put({"agreement", "Differences", "", "Counted and algorithmic bytes of each tensor, compared to the byte.",
                 Figure::Place::Headline, agreement});
    }
};

} // namespace

std::unique_ptr<lab::Experiment> makeTraffic() { return std::make_unique<TrafficExperiment>(); }

} // namespace warplight::labs
