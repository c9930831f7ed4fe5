// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_text.h"
#include "core/profiles/json_scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace warplight::collectives {
namespace {

constexpr double microsecond = 1e-6, gigabyte = 1e9;
constexpr int64_t mostEach = 10'000; ///< threads of a process, GPUs of a thread

class Reader {
  public:
    Reader(profiles::ByteSource& s, const profiles::Reading& r) : source(s), json(s), reading(r) {}

    NcclTests read() {
        run.form = NcclTests::Form::Json;
        run.source = reading.name;
        try {
            whole();
        } catch (const profiles::JsonDamage& damage) {
            if (!damage.atEnd)
                run.warnings.push_back(fmt::format("It is no JSON from byte {} on, where {} was expected; what comes "
                                                   "before is shown.",
                                                   damage.offset, damage.expected));
        }
        if (!sawResults)
            throw InputError(
                fmt::format("{}: JSON without \"results\", expected what nccl-tests writes with -J", reading.name));
        if (run.rows.empty())
            throw InputError(fmt::format("{}: \"results\" is empty, expected one object for each size", reading.name));
        if (!ranks.empty())
            ranks.into(run, threads * gpus);
        run.truncated = !ended;
        if (run.truncated)
            run.warnings.push_back("The run did not come to its end: there is no \"end_time\".");
        if (const std::string damage = source.damage(); !damage.empty())
            run.warnings.push_back(fmt::format("The file is not whole: {}.", damage));
        if (incomplete > 0)
            run.warnings.push_back(incomplete == 1
                                       ? "1 result without a size is left out."
                                       : fmt::format("{} results without a size are left out.", incomplete));
        check.into(run);
        checkNcclValues(run);
        return std::move(run);
    }

  private:
    /// Calls `member` for each key of an object; anything else is passed over.
    template <class F>
    void object(F&& member) {
        if (!json.accept('{')) {
            json.skipValue();
            return;
        }
        for (std::string key; json.nextKey(key);)
            member(key);
    }
    template <class F>
    void list(F&& element) {
        if (!json.accept('[')) {
            json.skipValue();
            return;
        }
        while (json.nextElement())
            element();
    }
    /// The text of a number or string; empty for null, objects and lists.
    const std::string& scalar() {
        text.clear();
        const char next = json.peek();
        if (next == '{' || next == '[')
            json.skipValue();
        else if (next == '"')
            json.readString(text, 4096);
        else
            json.readScalar(text);
        if (next != '"' && text == "null")
            text.clear();
        return text;
    }
    std::optional<int64_t> integer() {
        const std::string& t = scalar();
        const char* at = t.data();
        while (at < t.data() + t.size() && *at == ' ') // "    -1", as printed
            ++at;
        int64_t value = 0;
        const auto got = std::from_chars(at, t.data() + t.size(), value);
        return got.ec == std::errc() && got.ptr == t.data() + t.size() ? std::optional(value) : std::nullopt;
    }
    std::optional<PrintedNumber> number() {
        const std::string& t = scalar();
        return t.empty() ? std::nullopt : printedNumber(t);
    }

    void whole() {
        object([&](const std::string& key) {
            if (key == "results") {
                sawResults = true;
                list([&] {
                    reading.tick(source.fraction());
                    result();
                });
            } else if (key == "config") {
                config();
            } else if (key == "args") {
                bool first = true;
                list([&] { // the program's name; its arguments are not kept
                    if (std::exchange(first, false))
                        ncclNamedTest(scalar(), run.test, run.testName);
                    else
                        json.skipValue();
                });
            } else if (key == "version") {
                if (const auto version = integer())
                    run.version = fmt::format("format {}", *version);
            } else if (key == "nccl_version") {
                const std::string said = scalar(); // a code, or "2.29.3"
                int64_t code = 0;
                std::from_chars(said.data(), said.data() + said.size(), code);
                run.ncclVersion = said.find('.') != said.npos ? said.substr(0, 40) : ncclVersionText(code);
            } else if (key == "out_of_bounds") {
                object([&](const std::string& k) {
                    if (k == "count")
                        run.outOfBounds = integer();
                    else if (k == "okay")
                        run.failed = scalar() == "false";
                    else
                        json.skipValue();
                });
            } else if (key == "average_bus_bandwidth") {
                object([&](const std::string& k) {
                    if (k == "okay")
                        run.bandwidthLow = scalar() == "false";
                    else if (k != "bandwidth")
                        json.skipValue();
                    else if (const auto value = number(); value && value->value >= 0)
                        run.averageBusBandwidth = value->value * gigabyte;
                });
            } else if (key == "errors") {
                list([&] {
                    if (const std::string& error = scalar(); !error.empty() && run.warnings.size() < 8)
                        run.warnings.push_back(fmt::format("NCCL told an error: {}.", error.substr(0, 200)));
                });
            } else if (key == "end_time") {
                ended = !scalar().empty();
            } else {
                json.skipValue(); // "env" above all: it may hold secrets
            }
        });
    }

    void config() {
        object([&](const std::string& key) {
            if (key == "nthreads")
                threads = std::clamp<int64_t>(integer().value_or(1), 1, mostEach);
            else if (key == "ngpus")
                gpus = std::clamp<int64_t>(integer().value_or(1), 1, mostEach);
            else if (key == "devices")
                list([&] { device(); });
            else
                json.skipValue();
        });
    }

    /// One for each process, which has threads × gpus ranks; the others of its GPUs are not listed.
    void device() {
        int64_t rank = -1, group = 0;
        std::string host, info;
        object([&](const std::string& key) {
            if (key == "rank")
                rank = integer().value_or(-1);
            else if (key == "group")
                group = integer().value_or(0);
            else if (key == "hostname")
                host = scalar().substr(0, 256);
            else if (key == "device_info")
                info = scalar().substr(0, 80);
            else
                json.skipValue();
        });
        if (rank >= 0)
            ranks.add(group, rank, std::move(host), info);
    }

    void result() {
        NcclRow row;
        PrintedTiming outSteps, inSteps;
        bool sized = false;
        object([&](const std::string& key) {
            if (key == "size") {
                const auto size = integer();
                sized = size && *size >= 0;
                row.bytes = sized ? *size : 0;
            } else if (key == "count") {
                row.count = std::max<int64_t>(integer().value_or(0), 0);
            } else if (key == "type") {
                row.type = scalar().substr(0, 40);
            } else if (key == "redop") {
                row.redop = scalar().substr(0, 40);
            } else if (key == "root") {
                if (const auto root = integer(); root && *root >= 0 && *root < mostRanks)
                    row.root = static_cast<int>(*root);
            } else if (key == "actual_iterations") {
                row.iterations = integer();
            } else if (key == "out_of_place") {
                timing(row.outOfPlace, outSteps);
            } else if (key == "in_place") {
                timing(row.inPlace, inSteps);
            } else if (key == "out_of_place_per_iter") {
                spread(row.outOfPlace);
            } else if (key == "in_place_per_iter") {
                spread(row.inPlace);
            } else {
                json.skipValue();
            }
        });
        if (!sized) {
            ++incomplete;
            return;
        }
        const std::string where = fmt::format("result {}", run.rows.size() + 1);
        if (row.outOfPlace)
            check.add(row.bytes, *row.outOfPlace, outSteps, where);
        if (row.inPlace)
            check.add(row.bytes, *row.inPlace, inSteps, where);
        run.rows.push_back(std::move(row));
    }

    void timing(std::optional<NcclTiming>& slot, PrintedTiming& steps) {
        if (json.peek() != '{') { // null: this half was not run
            json.skipValue();
            return;
        }
        NcclTiming made;
        bool timed = false;
        const auto take = [&](double& value, double& step, double unit) {
            const auto n = number();
            if (!n)
                return false;
            value = n->value * unit, step = n->halfStep * unit;
            return value >= 0; // not NaN either
        };
        object([&](const std::string& key) {
            if (key == "time" || key == "cpu_time") {
                timed = take(made.seconds, steps.seconds, microsecond);
                made.cpuTime = key == "cpu_time";
            } else if (key == "alg_bw") {
                take(made.algbw, steps.algbw, gigabyte);
            } else if (key == "bus_bw") {
                take(made.busbw, steps.busbw, gigabyte);
            } else if (key == "nwrong") {
                if (const auto n = number(); n && n->value >= 0 && n->value < 9e18)
                    made.wrong = std::llround(n->value);
            } else {
                json.skipValue();
            }
        });
        if (timed)
            slot = slot ? NcclTiming{made.seconds, made.cpuTime, made.algbw,   made.busbw,
                                     made.wrong,   {},           slot->spread, false}
                        : made;
    }

    void spread(std::optional<NcclTiming>& slot) {
        if (json.peek() != '{') {
            json.skipValue();
            return;
        }
        NcclSpread made;
        object([&](const std::string& key) {
            double* const to = key == "min_us"   ? &made.min
                               : key == "max_us" ? &made.max
                               : key == "p99_us" ? &made.p99
                               : key == "cv_pct" ? &made.variation
                                                 : nullptr;
            if (!to)
                json.skipValue();
            else if (const auto n = number())
                *to = n->value * (to == &made.variation ? 1e-2 : microsecond);
        });
        if (slot)
            slot->spread = made;
    }

    profiles::ByteSource& source;
    profiles::JsonScanner json;
    const profiles::Reading& reading;
    NcclTests run;
    RankCount ranks;
    BandwidthCheck check;
    std::string text;
    int64_t threads = 1, gpus = 1, incomplete = 0;
    bool sawResults = false, ended = false;
};

} // namespace

NcclTests readNcclJson(profiles::ByteSource& source, const profiles::Reading& reading) {
    return Reader(source, reading).read();
}

} // namespace warplight::collectives
