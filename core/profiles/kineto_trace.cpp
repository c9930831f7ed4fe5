// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/kineto_trace.h"

#include "core/error.h"
#include "core/profiles/gpu_numbers.h"
#include "core/profiles/json_scanner.h"
#include "core/profiles/kineto_event.h"
#include "core/profiles/local_number.h"
#include "core/profiles/profiler_metrics.h"
#include "core/profiles/text.h"
#include "core/text/counted.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::profiles {
namespace {

constexpr int nsDigits = 3;                   ///< ts and dur are microseconds, whatever displayTimeUnit says
constexpr int64_t longest = int64_t{1} << 61; ///< of a time: the sum of three fits

/// What Kineto calls the one range that it measures the whole session in, unless it is asked for one for each kernel
/// (libkineto, CuptiRangeProfiler.cpp).
constexpr std::string_view sessionRange = "__profile__";

void add(std::optional<double>& sum, std::optional<double> value) {
    if (value)
        sum = sum.value_or(0) + *value;
}

class Reader {
  public:
    Reader(ByteSource& from, const Reading& r) : source(from), json(from), reading(r), names(profile.names) {
        profile.tool = "PyTorch";
        profile.source = r.name;
    }

    Profile read() {
        try {
            document();
        } catch (const JsonDamage& damage) {
            if (!sawEvents)
                throw InputError(fmt::format("{}: byte {} is not what a trace has there, expected {} of a Chrome or "
                                             "PyTorch trace",
                                             reading.name, damage.offset, damage.expected));
            cut = damage.offset;
        }
        if (!sawEvents)
            throw InputError(fmt::format("{}: holds no traceEvents, expected a Chrome or PyTorch trace{}", reading.name,
                                         answer.empty() ? ""
                                                        : fmt::format("; it holds the message \"{}\", as servers "
                                                                      "answer when a download fails",
                                                                      shortened(asUtf8(answer), 200))));
        finish();
        return std::move(profile);
    }

  private:
    void document() {
        if (json.accept('[')) { // a bare list of events
            events();
            return;
        }
        json.expect('{');
        while (json.nextKey(key)) {
            if (key == "traceEvents") {
                json.expect('[');
                events();
            } else if (key == "baseTimeNanoseconds") {
                json.readScalar(text);
                base = scaledInteger(text, 0).value_or(0);
            } else if (key == "deviceProperties" && json.peek() == '[') {
                devices();
            } else if (key == "message" || key == "error" || key == "detail") {
                serversAnswer();
            } else {
                json.skipValue();
            }
        }
    }

    /// The text of {"message": "Not Found"} or {"error": {"code": 404, "message": "Not Found"}}.
    void serversAnswer() {
        if (json.peek() == '"') {
            json.readString(answer);
        } else if (json.accept('{')) {
            while (json.nextKey(key))
                key == "message" && json.peek() == '"' ? json.readString(answer) : json.skipValue();
        } else {
            json.skipValue();
        }
    }

    void devices() {
        json.expect('[');
        while (json.nextElement()) {
            if (json.peek() != '{') {
                json.skipValue();
                continue;
            }
            json.expect('{');
            while (json.nextKey(key))
                if (key == "name" && json.peek() == '"') {
                    json.readString(text);
                    text = asUtf8(text);
                    otherGpus = otherGpus || (!profile.gpu.empty() && profile.gpu != text);
                    if (profile.gpu.empty())
                        profile.gpu = text;
                } else {
                    json.skipValue();
                }
        }
    }

    void events() {
        sawEvents = true;
        try {
            while (json.nextElement())
                element();
            return;
        } catch (const JsonDamage& damage) {
            if (damage.atEnd)
                throw;
            if (damagedEvents++ == 0)
                firstDamage = damage.offset;
        }
        // Behind damage: Kineto begins every event with its phase.
        while (json.seek("\"ph\"")) {
            try {
                event.clear();
                json.expect(':');
                member("ph");
                rest();
                while (json.nextElement())
                    element();
                return;
            } catch (const JsonDamage& damage) {
                if (damage.atEnd)
                    throw;
                ++damagedEvents;
            }
        }
        cut = json.offset();
    }

    void element() {
        ++count;
        if (json.peek() != '{') {
            json.skipValue();
            return;
        }
        json.expect('{');
        event.clear();
        rest();
    }

    /// What follows in an object whose opening brace, and perhaps first member, has been read.
    void rest() {
        while (json.nextKey(key))
            member(key);
        keep();
    }

    void member(std::string_view name) {
        if (name == "ph") {
            json.readScalar(text);
            event.phase = text.empty() ? 0 : text[0];
        } else if (name == "cat") {
            scalarOrSkip(event.category);
        } else if (name == "name" && json.peek() == '"') {
            wantedOf(event) == KinetoWanted::No ? json.skipValue() : json.readString(event.name);
        } else if (name == "ts") {
            event.start = time();
        } else if (name == "dur") {
            event.duration = time();
        } else if (name == "pid") {
            scalarOrSkip(event.process);
        } else if (name == "tid") {
            event.stream = integer();
        } else if (name == "args" && wantedOf(event) != KinetoWanted::No && json.peek() == '{') {
            arguments();
        } else {
            json.skipValue();
        }
    }

    void scalarOrSkip(std::string& into) {
        const char c = json.peek();
        if (c == '{' || c == '[')
            json.skipValue();
        else
            json.readScalar(into);
    }
    std::optional<int64_t> time() {
        text.clear();
        scalarOrSkip(text);
        const auto value = scaledInteger(text, nsDigits);
        return value && *value > -longest && *value < longest ? value : std::nullopt;
    }
    std::optional<int64_t> integer() {
        text.clear();
        scalarOrSkip(text);
        return plainInteger(text);
    }
    std::optional<double> number() {
        text.clear();
        scalarOrSkip(text);
        return plainNumber(text);
    }

    void arguments() {
        json.expect('{');
        KernelRecord& record = event.record;
        while (json.nextKey(key)) {
            if (key == "grid" || key == "block") {
                extent(key == "grid" ? record.grid : record.block);
            } else if (key == "registers per thread") {
                const auto value = integer();
                record.registers = value && *value >= 0 && *value < 1 << 20 ? static_cast<int32_t>(*value) : -1;
            } else if (key == "shared memory") {
                record.sharedBytes = std::max<int64_t>(integer().value_or(-1), -1);
            } else if (key == "device") {
                event.device = integer();
            } else if (key == "stream") {
                if (const auto value = integer())
                    event.stream = value;
            } else if (key == "bytes" || key == "Bytes") {
                const auto value = number();
                record.bytes = value && *value >= 0 ? *value : -1;
            } else if (key == "Collective name") {
                scalarOrSkip(event.collective.name);
                event.hasCollective = true;
            } else if (key == "In msg nelems") {
                event.collective.elementsIn = integer().value_or(-1);
            } else if (key == "Out msg nelems") {
                event.collective.elementsOut = integer().value_or(-1);
            } else if (key == "Group size") {
                event.collective.ranks = integer().value_or(-1);
            } else if (key == "dtype") {
                scalarOrSkip(event.collective.dtype);
            } else if (const auto metric = key.find("__") != std::string::npos ? metricOf(key, "") : std::nullopt) {
                if (const auto value = number())
                    event.metrics.set(*metric, *value * baseFactor(*metric));
            } else {
                json.skipValue();
            }
        }
    }

    /// CUPTI writes plain numbers in its base units.
    static double baseFactor(const MetricName& metric) {
        const Unit::Dimension dimension = metric.dimension();
        return dimension == Unit::Dimension::Time ? 1e-9 : dimension == Unit::Dimension::Share ? 0.01 : 1;
    }

    void extent(Extent& axes) {
        if (json.peek() != '[') {
            json.skipValue();
            return;
        }
        json.expect('[');
        for (size_t i = 0; json.nextElement(); ++i) {
            const auto value = integer();
            if (i < 3)
                axes[i] = extentFrom(value.value_or(0));
        }
    }

    /// Stands for the GPU of the event. The pid of a kernel is the number of its GPU, which args tell too; anything
    /// else was made of it when the traces of several ranks became one.
    int32_t gpu() {
        const auto pid = plainInteger(event.process);
        auto device = event.device ? event.device : pid;
        if (!device)
            device = plainInteger(std::string_view(event.process).substr(event.process.rfind(' ') + 1));
        const auto number = device && *device >= 0 && *device < 4096 ? static_cast<int32_t>(*device) : 0;
        if (event.process.empty() || (pid && pid == device))
            return gpus.standIn("", number);
        return gpus.standIn(pid ? "process " + event.process : std::string(ownerOf(event.process, number)), number);
    }

    void keep() {
        if (event.phase == 'B' || event.phase == 'b') {
            const KinetoWanted begun = wantedOf(std::string_view(event.category));
            pairs += begun == KinetoWanted::Kernel || begun == KinetoWanted::Copy || begun == KinetoWanted::Fill;
        }
        if (event.phase != 'X')
            return;
        if (!event.category.empty()) {
            if (profile.categories.size() < 1000 || profile.categories.contains(event.category)) {
                Category& category = profile.categories[event.category];
                ++category.events;
                if (const int64_t time = event.duration.value_or(0); time > 0 && category.time < longest)
                    category.time += time;
            }
        }
        const KinetoWanted wanted = wantedOf(event);
        if (wanted == KinetoWanted::No || wanted == KinetoWanted::Unknown)
            return;
        if (wanted == KinetoWanted::Range && event.name == sessionRange) {
            const Figures figures = event.metrics.figures();
            ++sessions;
            add(sessionBytes, figures.dramTotal());
            add(sessionFlops, figures.flops());
            return;
        }
        KernelRecord record = event.record;
        record.kind = wanted == KinetoWanted::Copy   ? KernelRecord::Kind::Copy
                      : wanted == KinetoWanted::Fill ? KernelRecord::Kind::Fill
                                                     : KernelRecord::Kind::Kernel;
        record.name = names.index(event.name);
        if (wanted == KinetoWanted::Range) { // Kineto's times of ranges are shares of the session, not measured
            if (const auto seconds = event.metrics.seconds(); seconds && *seconds >= 0 && *seconds < 2e9)
                record.duration = std::llround(*seconds * 1e9);
            untimedRanges += !record.lasts();
        } else {
            record.start = event.start && *event.start > -(longest / 2) ? *event.start : KernelRecord::unknown;
            record.duration = event.duration && *event.duration >= 0 ? *event.duration : KernelRecord::unknown;
            untimed += !record.timed();
        }
        record.device = gpu();
        record.stream = event.stream.value_or(-1);
        if (event.hasCollective) {
            record.collective = static_cast<int32_t>(profile.collectives.size());
            event.collective.name = asUtf8(event.collective.name);
            event.collective.dtype = asUtf8(event.collective.dtype);
            profile.collectives.push_back(event.collective);
        }
        if (const Figures figures = event.metrics.figures(); figures != Figures()) {
            record.figures = static_cast<int32_t>(profile.figures.size());
            profile.figures.push_back(figures);
        }
        (wanted == KinetoWanted::Range ? ranges : profile.records).push_back(record);
    }

    void finish() {
        auto& warnings = profile.warnings;
        const bool kernels = std::any_of(profile.records.begin(), profile.records.end(),
                                         [](const KernelRecord& r) { return r.kind == KernelRecord::Kind::Kernel; });
        if (!ranges.empty() && !kernels) { // kernels by name with their counters
            profile.records.insert(profile.records.end(), ranges.begin(), ranges.end());
            if (untimedRanges)
                warnings.push_back(fmt::format(
                    "{} without a measured time: a trace deals the session's time out evenly among them, so that their "
                    "counters are shown, but no times, shares and rates.",
                    counted(untimedRanges, "profiler range")));
        } else if (!ranges.empty()) {
            warnings.push_back(fmt::format("Left out, since the kernels themselves are there: {}.",
                                           counted(static_cast<int64_t>(ranges.size()), "profiler range")));
        }
        refuseIfInVain();
        if (sessions)
            warnings.push_back(fmt::format("Left out, since it is of no kernel: {}.", sessionWords()));
        if (pairs)
            warnings.push_back(fmt::format("Left out: {}; complete ones (ph X with dur) are read.", pairWords()));
        gpus.resolve(profile);
        for (KernelRecord& record : profile.records)
            if (record.start != KernelRecord::unknown)
                record.start += base >= 0 && base < longest ? base : 0;
        std::stable_sort(profile.records.begin(), profile.records.end(), [](const auto& a, const auto& b) {
            return a.start != b.start ? a.start < b.start : a.duration > b.duration;
        });
        if (const std::string damage = source.damage(); !damage.empty())
            warnings.push_back(
                fmt::format("{}: what comes before that is shown, {}.", capital(damage), counted(count, "event")));
        else if (cut >= 0)
            warnings.push_back(fmt::format("The trace ends early, at byte {}: what comes before that is shown, {}.",
                                           cut, counted(count, "event")));
        if (damagedEvents)
            warnings.push_back(fmt::format(
                "{} left out, the first at byte {}.",
                counted(damagedEvents, "place is no JSON and is", "places are no JSON and are"), firstDamage));
        if (untimed)
            warnings.push_back(fmt::format("{} no start or no duration: listed, but in no time or rate.",
                                           counted(untimed, "event of a GPU has", "events of GPUs have")));
        if (otherGpus)
            warnings.push_back("The trace names several kinds of GPU; the first is shown.");
        if (profile.records.empty())
            warnings.push_back("The trace holds no GPU kernel: was ProfilerActivity.CUDA among the activities?");
    }

    std::string sessionWords() const {
        std::string counters;
        if (sessionBytes)
            counters += fmt::format(", {:.0f} bytes from and to DRAM", *sessionBytes);
        if (sessionFlops)
            counters += fmt::format(", {:.0f} FLOPs", *sessionFlops);
        return fmt::format("the range {}, which holds the counters of the whole session{}; with "
                           "profiler_measure_per_kernel=True each kernel has its own",
                           sessionRange, counters);
    }
    std::string pairWords() const {
        return counted(pairs, "event of a GPU as a pair of beginning and end (ph B and E)",
                       "events of GPUs as pairs of beginning and end (ph B and E)");
    }
    /// Says why there is no kernel where work of a GPU is there in a form that is not read.
    void refuseIfInVain() const {
        if (!profile.records.empty())
            return;
        if (pairs)
            throw InputError(fmt::format("{}: holds no GPU kernel but {}, expected complete ones (ph X with dur)",
                                         reading.name, pairWords()));
        if (sessions)
            throw InputError(fmt::format("{}: holds no GPU kernel but {}", reading.name, sessionWords()));
    }

    static std::string capital(std::string text) {
        if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
            text[0] = static_cast<char>(text[0] - 32);
        return text;
    }

    ByteSource& source;
    JsonScanner json;
    const Reading& reading;
    Profile profile;
    Names names;
    std::vector<KernelRecord> ranges;
    GpuNumbers gpus;
    KinetoEvent event;
    std::string key, text;
    std::string answer; ///< of a server, instead of a trace
    bool sawEvents = false, otherGpus = false;
    int64_t base = 0, count = 0, cut = -1, damagedEvents = 0, firstDamage = 0, untimed = 0, untimedRanges = 0;
    int64_t pairs = 0;    ///< events of GPUs that begin and end apart
    int64_t sessions = 0; ///< ranges over all kernels
    std::optional<double> sessionBytes, sessionFlops;
};

} // namespace

Profile readKinetoTrace(ByteSource& source, const Reading& reading) { return Reader(source, reading).read(); }

} // namespace warplight::profiles
