// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/gpu_numbers.h"

#include "core/profiles/text.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <set>

namespace warplight::profiles {
namespace {

constexpr size_t longestOwner = 40;

} // namespace

int32_t GpuNumbers::standIn(std::string_view owner, int32_t number) {
    if (last >= 0) // most records are of the same GPU as the one before
        if (const Gpu& gpu = gpus[static_cast<size_t>(last)]; gpu.owner == owner && gpu.number == number)
            return last;
    const auto [place, fresh] = places.try_emplace({std::string(owner), number}, static_cast<int32_t>(gpus.size()));
    if (fresh)
        gpus.push_back({std::string(owner), number});
    return last = place->second;
}

void GpuNumbers::resolve(Profile& profile) const {
    std::vector<bool> used(gpus.size());
    for (const KernelRecord& record : profile.records)
        used[static_cast<size_t>(record.device)] = true;
    std::map<std::string, size_t> owners; // and their places in the file
    std::set<int32_t> numbers;
    bool shared = false;
    std::vector<size_t> order;
    for (size_t i = 0; i < gpus.size(); ++i)
        if (used[i]) {
            owners.try_emplace(gpus[i].owner, i);
            shared = !numbers.insert(gpus[i].number).second || shared;
            order.push_back(i);
        }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const std::pair left(owners.at(gpus[a].owner), gpus[a].number), right(owners.at(gpus[b].owner), gpus[b].number);
        return left < right;
    });
    std::vector<int32_t> newNumbers(gpus.size());
    int32_t next = 0;
    for (const size_t i : order) {
        const Gpu& gpu = gpus[i];
        newNumbers[i] = shared ? next++ : gpu.number;
        if (owners.size() > 1)
            profile.gpuLabels[newNumbers[i]] =
                gpu.owner.empty()
                    ? fmt::format("GPU {}", gpu.number)
                    : fmt::format("GPU {} of {}", gpu.number, withoutMiddle(asUtf8(gpu.owner), longestOwner));
    }
    for (KernelRecord& record : profile.records)
        record.device = newNumbers[static_cast<size_t>(record.device)];
}

} // namespace warplight::profiles
