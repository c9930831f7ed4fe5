// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/kernel_summary.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

namespace warplight::profiles {
namespace {

double medianOf(std::vector<int64_t>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2)
        return static_cast<double>(*middle);
    const auto below = std::max_element(values.begin(), middle);
    return (static_cast<double>(*below) + static_cast<double>(*middle)) / 2;
}

constexpr double ns = 1e-9;

/// The sum of times above 0, at most what fits: a file may hold any number.
int64_t plus(int64_t a, int64_t b) {
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

/// Adds what is known of some launches that took `seconds` together; 0 = not told, or too short for the clock.
void add(KernelSummary& s, int64_t launches, std::optional<double> bytes, std::optional<double> flops, double seconds) {
    if (bytes) {
        s.measured += launches;
        s.bytes += *bytes;
    }
    if (flops) {
        s.counted += launches;
        s.flops += *flops;
    }
    const auto both = [](Quotient& quotient, double above, double below) {
        quotient.above += above;
        quotient.below += below;
    };
    if (bytes && seconds > 0)
        both(s.bandwidth, *bytes, seconds);
    if (flops && seconds > 0)
        both(s.rate, *flops, seconds);
    if (bytes && flops && *bytes > 0)
        both(s.intensity, *flops, *bytes);
}

/// A mean over launches that tell it.
struct Mean {
    double sum = 0;
    int64_t count = 0;
    void add(std::optional<double> value, int64_t launches = 1) {
        if (value) {
            sum += *value * static_cast<double>(launches);
            count += launches;
        }
    }
    std::optional<double> value() const {
        return count ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
    }
};

struct Group {
    std::vector<const KernelRecord*> records;
    std::vector<const KernelTotals*> totals;
};

std::optional<double> least(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::optional(std::min(*a, *b)) : std::nullopt;
}
std::optional<double> most(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::optional(std::max(*a, *b)) : std::nullopt;
}

void addRecords(KernelSummary& s, Mean& occupancy, const Group& group, const Profile& profile) {
    std::vector<int64_t> times;
    for (const KernelRecord* record : group.records) {
        ++s.launches;
        if (record->lasts()) {
            times.push_back(record->duration);
            s.total = plus(s.total, record->duration);
        }
        const Figures* figures = profile.figuresOf(*record);
        const auto bytes = record->bytes >= 0 ? std::optional(record->bytes)
                           : figures          ? figures->dramTotal()
                                              : std::nullopt;
        add(s, 1, bytes, figures ? figures->flops() : std::nullopt,
            record->lasts() ? static_cast<double>(record->duration) * ns : 0);
        occupancy.add(figures ? figures->occupancy : std::nullopt);
    }
    if (times.empty())
        return;
    s.timed = static_cast<int64_t>(times.size());
    const auto [shortest, longest] = std::minmax_element(times.begin(), times.end());
    s.minimum = static_cast<double>(*shortest);
    s.maximum = static_cast<double>(*longest);
    s.median = medianOf(times);
}

void addTotals(KernelSummary& s, Mean& occupancy, const KernelTotals& totals, const Profile& profile) {
    const bool first = s.timed == 0;
    s.launches += totals.launches;
    if (totals.total) {
        s.timed += totals.launches;
        s.total = plus(s.total, *totals.total);
        s.median = first ? totals.median : std::nullopt; // medians of parts do not make one of the whole
        s.minimum = first ? totals.minimum : least(s.minimum, totals.minimum);
        s.maximum = first ? totals.maximum : most(s.maximum, totals.maximum);
    }
    const Figures* figures = profile.figuresOf(totals);
    const auto ofAll = [&](std::optional<double> mean) {
        return mean ? std::optional(*mean * static_cast<double>(totals.launches)) : std::nullopt;
    };
    const auto bytes = totals.bytes >= 0 ? std::optional(totals.bytes)
                       : figures         ? ofAll(figures->dramTotal())
                                         : std::nullopt;
    add(s, totals.launches, bytes, figures ? ofAll(figures->flops()) : std::nullopt,
        static_cast<double>(totals.total.value_or(0)) * ns);
    occupancy.add(figures ? figures->occupancy : std::nullopt, totals.launches);
}

/// Kernels, or copies and fills; those with the most time first.
std::vector<KernelSummary> summarise(const Profile& profile, bool kernels) {
    std::map<std::pair<uint32_t, KernelRecord::Kind>, Group> groups;
    const auto wanted = [&](KernelRecord::Kind kind) { return (kind == KernelRecord::Kind::Kernel) == kernels; };
    for (const KernelRecord& record : profile.records)
        if (wanted(record.kind))
            groups[{record.name, record.kind}].records.push_back(&record);
    for (const KernelTotals& totals : profile.totals)
        if (wanted(totals.kind))
            groups[{totals.name, totals.kind}].totals.push_back(&totals);
    std::vector<KernelSummary> list;
    double all = 0;
    for (const auto& [key, group] : groups) {
        KernelSummary s;
        std::tie(s.name, s.kind) = key;
        Mean occupancy;
        addRecords(s, occupancy, group, profile);
        for (const KernelTotals* totals : group.totals)
            addTotals(s, occupancy, *totals, profile);
        if (s.timed)
            s.mean = static_cast<double>(s.total) / static_cast<double>(s.timed);
        if (group.records.empty() && group.totals.size() == 1 && group.totals[0]->mean)
            s.mean = group.totals[0]->mean; // as the file says it
        s.occupancy = occupancy.value();
        all += static_cast<double>(s.total);
        list.push_back(s);
    }
    for (KernelSummary& summary : list)
        if (summary.timed && all > 0)
            summary.share = static_cast<double>(summary.total) / all;
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
        return a.total != b.total ? a.total > b.total : a.launches > b.launches;
    });
    return list;
}

using Interval = std::pair<int64_t, int64_t>; // from, to

std::vector<Interval> merged(std::vector<Interval> list) {
    std::sort(list.begin(), list.end());
    std::vector<Interval> result;
    for (const Interval& interval : list)
        if (!result.empty() && interval.first <= result.back().second)
            result.back().second = std::max(result.back().second, interval.second);
        else
            result.push_back(interval);
    return result;
}

int64_t lengthOf(const std::vector<Interval>& list) {
    return std::accumulate(list.begin(), list.end(), int64_t{0},
                           [](int64_t sum, const Interval& i) { return sum + i.second - i.first; });
}

int64_t commonLength(const std::vector<Interval>& a, const std::vector<Interval>& b) {
    int64_t sum = 0;
    for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        sum += std::max<int64_t>(0, std::min(a[i].second, b[j].second) - std::max(a[i].first, b[j].first));
        a[i].second < b[j].second ? ++i : ++j;
    }
    return sum;
}

std::string lettersOf(std::string_view text) {
    std::string result;
    for (const char c : text)
        if (std::isalpha(static_cast<unsigned char>(c)))
            result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

} // namespace

std::vector<KernelSummary> summariseKernels(const Profile& profile) { return summarise(profile, true); }

std::vector<KernelSummary> summariseCopies(const Profile& profile) { return summarise(profile, false); }

std::vector<KernelClass> classesOf(const Profile& profile) {
    std::vector<KernelClass> classes;
    for (const std::string& name : profile.names)
        classes.push_back(classOf(name));
    for (const KernelRecord& record : profile.records)
        if (record.kind == KernelRecord::Kind::Kernel && record.collective >= 0)
            classes[record.name] = KernelClass::Collective;
    return classes;
}

std::optional<int64_t> bytesOfType(std::string_view dtype) {
    static const std::map<std::string, int64_t, std::less<>> sizes = {
        {"float", 4},  {"float32", 4}, {"half", 2},          {"float16", 2},     {"bfloat16", 2},
        {"double", 8}, {"float64", 8}, {"int", 4},           {"int32", 4},       {"long", 8},
        {"int64", 8},  {"short", 2},   {"byte", 1},          {"uint8", 1},       {"char", 1},
        {"int8", 1},   {"bool", 1},    {"float8_e4m3fn", 1}, {"float8_e5m2", 1}, {"complexfloat", 8}};
    std::string name(dtype.starts_with("torch.") ? dtype.substr(6) : dtype);
    for (char& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto found = sizes.find(name);
    return found == sizes.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> busFactor(std::string_view collective, int64_t ranks) {
    if (ranks < 1)
        return {};
    const std::string name = lettersOf(collective);
    const double n = static_cast<double>(ranks);
    const auto has = [&](std::string_view word) { return name.find(word) != std::string::npos; };
    if (has("allreduce"))
        return 2 * (n - 1) / n;
    if (has("reducescatter") || has("allgather") || has("alltoall"))
        return (n - 1) / n;
    if (has("broadcast") || has("reduce") || has("send") || has("recv"))
        return 1;
    return {};
}

std::vector<CollectiveSummary> summariseCollectives(const Profile& profile) {
    const std::vector<KernelClass> classes = classesOf(profile);
    const auto isCollective = [&](const auto& launches) {
        return launches.kind == KernelRecord::Kind::Kernel && classes[launches.name] == KernelClass::Collective;
    };
    using Key = std::tuple<std::string, std::string, int64_t, int64_t>;
    struct Calls {
        int64_t count = 0;
        std::optional<int64_t> total; ///< ns
        std::vector<int64_t> times;
    };
    std::map<Key, Calls> groups;
    const auto byName = [&](uint32_t name) { return Key{shortName(profile.names[name]), "", -1, -1}; };
    for (const KernelRecord& record : profile.records) {
        if (!isCollective(record))
            continue;
        const Collective* c = profile.collectiveOf(record);
        Calls& calls =
            groups[c ? Key{c->name, c->dtype, std::max(c->elementsIn, c->elementsOut), c->ranks} : byName(record.name)];
        ++calls.count;
        if (record.lasts()) {
            calls.times.push_back(record.duration);
            calls.total = plus(calls.total.value_or(0), record.duration);
        }
    }
    for (const KernelTotals& totals : profile.totals)
        if (isCollective(totals)) {
            Calls& calls = groups[byName(totals.name)];
            calls.count += totals.launches;
            if (totals.total)
                calls.total = plus(calls.total.value_or(0), *totals.total);
        }
    std::vector<CollectiveSummary> list;
    for (auto& [key, calls] : groups) {
        CollectiveSummary s;
        std::tie(s.name, s.dtype, s.elements, s.ranks) = key;
        s.calls = calls.count;
        s.total = calls.total;
        if (!calls.times.empty()) {
            s.minimum = static_cast<double>(*std::min_element(calls.times.begin(), calls.times.end()));
            s.median = medianOf(calls.times);
        }
        if (const auto size = bytesOfType(s.dtype); size && s.elements >= 0) {
            s.bytes = static_cast<double>(s.elements) * static_cast<double>(*size);
            if (s.minimum.value_or(0) > 0) {
                s.algorithmBandwidth = *s.bytes / (*s.minimum * ns);
                if (const auto factor = busFactor(s.name, s.ranks))
                    s.busBandwidth = *s.algorithmBandwidth * *factor;
            }
        }
        list.push_back(std::move(s));
    }
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.total > b.total; });
    return list;
}

Overlap overlapOf(const Profile& profile) {
    struct Device {
        std::vector<Interval> collectives, kernels, all;
    };
    const std::vector<KernelClass> classes = classesOf(profile);
    std::map<int32_t, Device> devices;
    for (const KernelRecord& record : profile.records) {
        if (!record.timed())
            continue;
        Device& device = devices[record.device];
        const Interval interval{record.start, record.end()};
        device.all.push_back(interval);
        if (record.kind == KernelRecord::Kind::Kernel)
            (classes[record.name] == KernelClass::Collective ? device.collectives : device.kernels).push_back(interval);
    }
    Overlap overlap;
    for (auto& [index, device] : devices) {
        const auto collectives = merged(std::move(device.collectives)), kernels = merged(std::move(device.kernels)),
                   all = merged(std::move(device.all));
        const int64_t communication = lengthOf(collectives);
        overlap.communication = plus(overlap.communication, communication);
        overlap.exposed = plus(overlap.exposed, communication - commonLength(collectives, kernels));
        overlap.busy = plus(overlap.busy, lengthOf(all));
        overlap.span = plus(overlap.span, all.back().second - all.front().first);
    }
    return overlap;
}

} // namespace warplight::profiles
