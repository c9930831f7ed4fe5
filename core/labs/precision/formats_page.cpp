// SPDX-License-Identifier: GPL-3.0-or-later
// One number in every format: its bits, what is stored, its neighbours; and the range and spacing of all formats.
#include "core/labs/precision/precision_lab.h"
#include "core/precision/stored.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::precision {
namespace {

using namespace lab;
using number::FloatFormat;
using warplight::precision::Stored;

std::string text(double x) { return fmt::format("{:.9g}", x); }

constexpr int lowest = -150, highest = 128; ///< exponents in the picture

/// Of the stored value, as a table shows it: numbers as such, what is none in words.
Table::Cell cell(double x) {
    return std::isfinite(x) ? Table::Cell(x) : Table::Cell(std::string(std::isnan(x) ? "NaN" : x > 0 ? "∞" : "−∞"));
}

class Formats : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "precision.formats";
        d.lab = "Precision";
        d.title = "Formats";
        d.sentence = "A number as every floating-point format stores it, bit by bit, with its neighbours.";
        d.question = "What is left of my number in FP16, BF16 or FP8, and how far is it from overflow and from zero?";
        d.about =
            "A number is (−1)^sign · 2^(exponent − bias) · 1.fraction; with exponent 0 it is subnormal: 0.fraction at "
            "the lowest exponent. The spacing of numbers doubles at every power of two, so their *relative* spacing "
            "stays between 2^−m and 2^−(m+1) for m bits of fraction, and grows without bound below the normal "
            "range.\n\n"
            "E4M3 has no infinity: what overflows becomes NaN, or 448 when it saturates. The 6- and 4-bit formats have "
            "neither infinity nor NaN. Limits and codes: IEEE 754, OCP 8-bit Floating Point 1.0, OCP Microscaling 1.0.";
        d.devices = {"cpu"};
        d.colours = formatColours();
        Parameter shift = Parameter::integer("shift", "Times 2 to the", 0, -160, 160,
                                             "Moves the number through the ranges: try 16 for overflow in FP16.");
        shift.sliderStep = 1;
        d.parameters = {
            Parameter::text("value", "Number", "0.1", "0.1, 1e-8, 0x1p-24, inf, nan."), shift,
            Parameter::choice(
                "rounding", "Rounding", "nearest",
                {{"nearest", "to nearest, ties to even", "What GPUs do unless told otherwise."},
                 {"zero", "towards zero", "Cuts the digits off."},
                 {"up", "up", "Towards +∞."},
                 {"down", "down", "Towards −∞."},
                 {"stochastic", "by chance", "Up as often as the number lies above the lower neighbour."}},
                "Which neighbour a number becomes that a format does not have."),
            Parameter::real("dice", "Chance", 0.5, 0, 0.999999, "Below it, a stochastic rounding goes away from zero."),
            Parameter::flag("saturate", "Saturate", false,
                            "Beyond the range to the largest number instead of infinity.")};
        d.parameters[3].shownWhen = {when("rounding", {"stochastic"})};
        return d;
    }

    double estimatedSeconds(const Settings&) const override { return 0.01; }
    MemoryNeed neededMemory(const Settings&, const std::string& /*device*/) const override { return {}; }

    void run(const Settings& settings, Run& run) override {
        const double value = std::ldexp(warplight::precision::numberFrom(settings.text("value"), "value"),
                                        static_cast<int>(settings.integer("shift")));
        std::vector<Stored> all;
        for (const FloatFormat& format : number::floatFormats())
            all.push_back(warplight::precision::stored(
                value, format, warplight::precision::roundingByName(settings.text("rounding")),
                settings.flag("saturate") ? number::Beyond::Saturate : number::Beyond::Infinity,
                settings.real("dice")));
        for (const Stored& s : all)
            if (const std::string id(s.format->id); id == "f16" || id == "bf16" || id == "e4m3" || id == "e5m2")
                headline(s, run);
        bits(all, value, settings, run);
        precisions(all, value, run);
        table(all, run);
    }

  private:
    static void headline(const Stored& s, Run& run) {
        Metric m;
        if (std::isfinite(s.value))
            m.value = s.value;
        m.format = "{:.6g}";
        m.caption = fmt::format("in {}: {}", s.format->title, warplight::precision::nameOf(s.state));
        m.provenance = Provenance::Counted;
        run.put({std::string(s.format->id), std::string(s.format->title), "",
                 "What the format stores, exactly: **counted** in its own bits.", Figure::Place::Headline,
                 std::move(m)});
    }

    /// The same page with the number that a format's code becomes when one of its bits is turned over.
    static Link flipped(const Stored& s, int place, const Settings& settings) {
        Link link{"Turn the bit over", "precision.formats", {}};
        const double value = number::decode(s.code ^ uint64_t{1} << place, *s.format);
        link.settings = {{"value", std::isnan(value) ? "nan" : fmt::format("{}", value)},
                         {"shift", "0"},
                         {"rounding", settings.text("rounding")},
                         {"saturate", settings.flag("saturate") ? "true" : "false"},
                         {"dice", fmt::format("{}", settings.real("dice"))}};
        return link;
    }

    /// A row of cells a format, the binary point of the fraction one below the other.
    static void bits(const std::vector<Stored>& all, double value, const Settings& settings, Run& run) {
        constexpr double left = 7, exponents = 11, fractionAt = left + 1 + exponents + 1, shown = 23;
        Steps scene;
        scene.width = fractionAt + shown + 13;
        scene.height = static_cast<double>(all.size()) * 1.5 + 1;
        Steps::Step& step = scene.steps.emplace_back();
        step.caption = fmt::format("{} in {} formats: sign, exponent, fraction", text(value), all.size());
        double y = 1;
        for (const Stored& s : all) {
            const FloatFormat& f = *s.format;
            step.labels.push_back(
                {left - 0.5, y + 0.5, std::string(f.title), Steps::Label::Align::Right, false, false, {}});
            const auto cell = [&](double x, int place, const char* key) { // place: of the bit, 0 the lowest
                const uint64_t bit = s.code >> place & 1;
                Steps::Cell c;
                c.link = static_cast<int64_t>(step.links.size());
                step.links.push_back(flipped(s, place, settings));
                c.x = x, c.y = y, c.width = 0.92, c.height = 1;
                c.text = bit ? "1" : "0";
                c.colourKey = key;
                c.strength = bit ? 0.9 : 0.25;
                step.cells.push_back(std::move(c));
            };
            cell(left, f.exponentBits + f.fractionBits, "sign");
            for (int i = 0; i < f.exponentBits; ++i)
                cell(left + 1 + exponents - f.exponentBits + i, f.fractionBits + f.exponentBits - 1 - i, "exponent");
            const int drawn = std::min(f.fractionBits, static_cast<int>(shown));
            for (int i = 0; i < drawn; ++i)
                cell(fractionAt - 1 + i, f.fractionBits - 1 - i, "fraction");
            step.labels.push_back({fractionAt - 0.5 + drawn,
                                   y + 0.5,
                                   fmt::format("{}{}", drawn < f.fractionBits ? "… " : "", valueText(s)),
                                   Steps::Label::Align::Left,
                                   false,
                                   true,
                                   {}});
            y += 1.5;
        }
        run.put({"bits", "Bits", text(value),
                 "The bits as they are stored, highest first. A click on one turns it over: the number becomes what "
                 "the format has "
                 "then. **Counted.**",
                 Figure::Place::Main, std::move(scene)});
    }

    static std::string valueText(const Stored& s) {
        const std::string stored = std::isfinite(s.value) ? text(s.value)
                                   : std::isnan(s.value)  ? "NaN"
                                   : s.value > 0          ? "∞"
                                                          : "−∞";
        return s.state == Stored::State::Exact ? stored
                                               : fmt::format("{}, {}", stored, warplight::precision::nameOf(s.state));
    }

    /// Significant bits of numbers of each size, from the least to the largest of each format.
    static void precisions(const std::vector<Stored>& all, double value, Run& run) {
        Series series;
        series.x = {"exponent of the number: ⌊log₂ |x|⌋", "", Scale::Linear, lowest, highest, {}, false};
        series.y = {"significant bits", "", Scale::Linear, 0.0, 26.0, {}, false};
        for (const Stored& s : all) {
            const FloatFormat& f = *s.format;
            if (f.id == "f64")
                continue;
            Curve c;
            c.id = c.colourKey = std::string(f.id);
            c.label = std::string(f.title);
            c.style = Curve::Style::Line;
            c.provenance = Provenance::Reference;
            for (int e = f.lowestExponent() - f.fractionBits; e <= std::ilogb(f.largest()); ++e) {
                c.x.push_back(e);
                c.y.push_back(std::min(f.fractionBits + 1, e - (f.lowestExponent() - f.fractionBits) + 1));
            }
            series.curves.push_back(std::move(c));
        }
        if (const double size = std::fabs(value); size >= std::ldexp(1.0, lowest) && std::isfinite(size)) {
            Curve here;
            here.id = here.colourKey = "value";
            here.label = text(size);
            here.style = Curve::Style::Line;
            here.provenance = Provenance::Reference;
            here.x = {std::log2(size), std::log2(size)};
            here.y = {0, 26};
            series.curves.push_back(std::move(here));
        }
        run.put({"precision", "Range and precision", "of every format",
                 "How many bits of a number a format keeps, by its size: a curve begins at the least subnormal number "
                 "and ends at the largest; where it rises the numbers are subnormal, and each halving loses a bit. "
                 "**Reference**: from the formats' definitions. The upright line is the number. FP64 is beyond the "
                 "picture: 53 bits from 2^−1022 to 2^1023.",
                 Figure::Place::Main, std::move(series)});
    }

    static void table(const std::vector<Stored>& all, Run& run) {
        Table table;
        table.columns = {{"format", "Format", "", false, {}, ""},
                         {"code", "Code", "", false, {}, ""},
                         {"state", "Became", "", false, {}, ""},
                         {"stored", "Stored", "", true, Provenance::Counted, "{:.9g}"},
                         {"error", "Relative error", "", true, Provenance::Counted, "{:.3g}"},
                         {"below", "Next below", "", true, Provenance::Counted, "{:.9g}"},
                         {"above", "Next above", "", true, Provenance::Counted, "{:.9g}"},
                         {"largest", "Largest", "", true, Provenance::Reference, "{:.6g}"},
                         {"least", "Least normal", "", true, Provenance::Reference, "{:.4g}"}};
        for (const Stored& s : all)
            table.rows.push_back({std::string(s.format->title),
                                  fmt::format("0x{:0{}x}", s.code, (s.format->bits() + 3) / 4),
                                  warplight::precision::nameOf(s.state), cell(s.value),
                                  std::isnan(s.relativeError) ? Table::Cell() : Table::Cell(s.relativeError),
                                  cell(s.below), cell(s.above), s.format->largest(), s.format->leastNormal()});
        run.put({"formats", "In every format", "", "Codes and numbers are exact.", Figure::Place::Support,
                 std::move(table)});
    }
};

} // namespace

std::map<std::string, int64_t> formatColours() {
    return {{"f64", 12}, {"f32", 4},  {"tf32", 5},  {"f16", 0},  {"bf16", 1},     {"e5m2", 2},     {"e4m3", 3},
            {"e3m2", 6}, {"e2m3", 8}, {"e2m1", 10}, {"sign", 3}, {"exponent", 0}, {"fraction", 2}, {"value", 7}};
}

std::unique_ptr<Experiment> makeFormats() { return std::make_unique<Formats>(); }

} // namespace warplight::labs::precision
