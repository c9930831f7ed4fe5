// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/nsys_join.h"

#include "core/profiles/kernel_names.h"
#include "core/profiles/name_parts.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace warplight::profiles {
namespace {

using Kind = KernelRecord::Kind;

/// Tables that tell more come first.
int rankOf(NsysTable kind) {
    switch (kind) {
    case NsysTable::GpuTrace:
        return 0;
    case NsysTable::ExecTrace:
        return 1;
    case NsysTable::KernelSums:
    case NsysTable::CopyTimes:
        return 2;
    case NsysTable::CategorySums:
        return 3;
    case NsysTable::ExecSums:
        return 4;
    default:
        return 5;
    }
}

/// The names that a table tells of. Reports print whole names or, with :base, those of functions alone.
class Told {
  public:
    Told(const NsysEntries& table, const std::vector<std::string>& all)
        : kind(table.kind), byShape(table.byShape), source(table.source), names(all) {
        for (const KernelRecord& record : table.records)
            add(record.kind, record.name);
        for (const KernelTotals& totals : table.totals)
            add(totals.kind, totals.name);
    }

    /// Whether a row of `other` tells what this table tells already.
    bool covers(const NsysEntries& other, Kind of, uint32_t name) const {
        const bool same = source == other.source;
        const bool sameReport = kind == other.kind && byShape == other.byShape;
        if (sameReport ? !same || source.empty() : !same && !source.empty() && !other.source.empty())
            return false; // two recordings
        const std::string_view text = names[name], base = baseName(text);
        return has(whole, of, text) || has(whole, of, withoutNumber(text)) || has(whole, of, base) ||
               (text == base && has(bases, of, base));
    }

  private:
    using Set = std::set<std::pair<Kind, std::string_view>>;
    static bool has(const Set& set, Kind of, std::string_view name) { return set.contains({of, name}); }
    void add(Kind of, uint32_t name) {
        if (seen.emplace(of, name).second) {
            whole.emplace(of, names[name]);
            bases.emplace(of, baseName(names[name]));
        }
    }

    NsysTable kind;
    bool byShape;
    std::string source;
    const std::vector<std::string>& names;
    std::set<std::pair<Kind, uint32_t>> seen;
    Set whole, bases;
};

/// Takes from a list what no table before it tells.
template <class Rows>
void takeNew(Rows& rows, const NsysEntries& table, const std::vector<Told>& before, Rows& into) {
    if (before.empty()) {
        into = std::move(rows);
        return;
    }
    std::map<std::pair<Kind, uint32_t>, bool> known;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(into), [&](const auto& row) {
        const auto [place, fresh] = known.try_emplace({row.kind, row.name}, false);
        if (fresh)
            place->second = std::any_of(before.begin(), before.end(),
                                        [&](const Told& told) { return told.covers(table, row.kind, row.name); });
        return !place->second;
    });
}

/// Gives copies that are summed up their bytes.
void joinSizes(const NsysEntries& sizes, std::vector<KernelTotals>& totals) {
    for (const KernelTotals& size : sizes.totals)
        for (KernelTotals& copies : totals)
            if (copies.name == size.name && copies.kind == size.kind && copies.launches == size.launches &&
                copies.bytes < 0) {
                copies.bytes = size.bytes;
                break;
            }
}

} // namespace

void joinTables(std::vector<NsysEntries> tables, Profile& profile) {
    std::stable_sort(tables.begin(), tables.end(),
                     [](const auto& a, const auto& b) { return rankOf(a.kind) < rankOf(b.kind); });
    std::vector<Told> before;
    for (NsysEntries& table : tables) {
        if (table.kind == NsysTable::CopySizes)
            joinSizes(table, profile.totals);
        Told told(table, profile.names);
        takeNew(table.records, table, before, profile.records);
        takeNew(table.totals, table, before, profile.totals);
        before.push_back(std::move(told));
    }
    std::stable_sort(profile.records.begin(), profile.records.end(), [](const auto& a, const auto& b) {
        return a.start != b.start ? a.start < b.start : a.duration > b.duration;
    });
}

} // namespace warplight::profiles
