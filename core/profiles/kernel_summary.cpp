#include "core/profiles/kernel_summary.h"

#include "core/profiles/kernel_names.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <tuple>

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

void share(std::vector<KernelSummary>& list) {
    const double all = std::accumulate(list.begin(), list.end(), 0.0, [](double sum, const KernelSummary& s) {
        return sum + static_cast<double>(s.total);
    });
    for (KernelSummary& summary : list)
        summary.share = all > 0 ? static_cast<double>(summary.total) / all : 0;
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.total > b.total; });
}

template <class Chosen>
std::vector<KernelSummary> summarise(const Profile& profile, Chosen chosen) {
    std::map<std::pair<uint32_t, KernelRecord::Kind>, std::vector<const KernelRecord*>> groups;
    for (const KernelRecord& record : profile.records)
        if (chosen(record))
            groups[{record.name, record.kind}].push_back(&record);
    std::vector<KernelSummary> list;
    std::vector<int64_t> times;
    for (const auto& [key, records] : groups) {
        KernelSummary s;
        std::tie(s.name, s.kind) = key;
        s.launches = static_cast<int64_t>(records.size());
        times.clear();
        double occupancy = 0;
        int64_t occupied = 0;
        for (const KernelRecord* record : records) {
            times.push_back(record->duration);
            s.total += record->duration;
            const Figures* figures = profile.figuresOf(*record);
            const auto bytes = record->bytes >= 0 ? std::optional(record->bytes)
                               : figures          ? figures->dramTotal()
                                                  : std::nullopt;
            if (bytes && record->duration > 0) {
                ++s.measured;
                s.bytes += *bytes;
                s.bytesTime += record->duration;
                if (const auto flops = figures ? figures->flops() : std::nullopt) {
                    ++s.counted;
                    s.flops += *flops;
                    s.flopsBytes += *bytes;
                    s.flopsTime += record->duration;
                }
            }
            if (figures && figures->occupancy) {
                occupancy += *figures->occupancy;
                ++occupied;
            }
        }
        if (occupied)
            s.occupancy = occupancy / static_cast<double>(occupied);
        const auto [least, most] = std::minmax_element(times.begin(), times.end());
        s.minimum = static_cast<double>(*least);
        s.maximum = static_cast<double>(*most);
        s.median = medianOf(times);
        s.mean = static_cast<double>(s.total) / static_cast<double>(s.launches);
        list.push_back(s);
    }
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

std::vector<KernelSummary> summariseKernels(const Profile& profile) {
    auto list = summarise(profile, [](const KernelRecord& r) { return r.kind == KernelRecord::Kind::Kernel; });
    if (profile.records.empty()) {
        std::map<uint32_t, size_t> places; // rows of one kernel with several grids
        for (const KernelTotals& totals : profile.totals) {
            const auto [place, fresh] = places.try_emplace(totals.name, list.size());
            if (fresh) {
                KernelSummary s;
                s.name = totals.name;
                s.median = totals.median;
                s.minimum = totals.minimum;
                s.maximum = totals.maximum;
                list.push_back(s);
            }
            KernelSummary& s = list[place->second];
            s.launches += totals.launches;
            s.total += totals.total;
            s.mean = static_cast<double>(s.total) / static_cast<double>(s.launches);
            if (fresh)
                continue;
            s.median.reset(); // medians of parts do not make one of the whole
            s.minimum =
                s.minimum && totals.minimum ? std::optional(std::min(*s.minimum, *totals.minimum)) : std::nullopt;
            s.maximum =
                s.maximum && totals.maximum ? std::optional(std::max(*s.maximum, *totals.maximum)) : std::nullopt;
        }
    }
    share(list);
    return list;
}

std::vector<KernelSummary> summariseCopies(const Profile& profile) {
    auto list = summarise(profile, [](const KernelRecord& r) { return r.kind != KernelRecord::Kind::Kernel; });
    share(list);
    return list;
}

bool isCollective(const Profile& profile, const KernelRecord& record) {
    if (record.kind != KernelRecord::Kind::Kernel)
        return false;
    const std::string_view name = profile.nameOf(record);
    return record.collective >= 0 || name.starts_with("nccl") || name.find(" nccl") != name.npos;
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
    using Key = std::tuple<std::string, std::string, int64_t, int64_t>;
    std::map<Key, std::vector<int64_t>> groups;
    for (const KernelRecord& record : profile.records) {
        if (!isCollective(profile, record))
            continue;
        if (const Collective* c = profile.collectiveOf(record))
            groups[{c->name, c->dtype, std::max(c->elementsIn, c->elementsOut), c->ranks}].push_back(record.duration);
        else
            groups[{std::string(baseName(profile.nameOf(record))), "", -1, -1}].push_back(record.duration);
    }
    std::vector<CollectiveSummary> list;
    for (auto& [key, times] : groups) {
        CollectiveSummary s;
        std::tie(s.name, s.dtype, s.elements, s.ranks) = key;
        s.calls = static_cast<int64_t>(times.size());
        s.total = std::accumulate(times.begin(), times.end(), int64_t{0});
        s.minimum = static_cast<double>(*std::min_element(times.begin(), times.end()));
        s.median = medianOf(times);
        if (const auto size = bytesOfType(s.dtype); size && s.elements >= 0) {
            s.bytes = static_cast<double>(s.elements) * static_cast<double>(*size);
            if (s.minimum > 0) {
                s.algorithmBandwidth = *s.bytes / (s.minimum * 1e-9);
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
    std::map<int32_t, Device> devices;
    for (const KernelRecord& record : profile.records) {
        if (!record.timed())
            continue;
        Device& device = devices[record.device];
        const Interval interval{record.start, record.end()};
        device.all.push_back(interval);
        if (isCollective(profile, record))
            device.collectives.push_back(interval);
        else if (record.kind == KernelRecord::Kind::Kernel)
            device.kernels.push_back(interval);
    }
    Overlap overlap;
    for (auto& [index, device] : devices) {
        const auto collectives = merged(std::move(device.collectives)), kernels = merged(std::move(device.kernels)),
                   all = merged(std::move(device.all));
        const int64_t communication = lengthOf(collectives);
        overlap.communication += communication;
        overlap.exposed += communication - commonLength(collectives, kernels);
        overlap.busy += lengthOf(all);
        overlap.span += all.back().second - all.front().first;
    }
    return overlap;
}

} // namespace warplight::profiles
