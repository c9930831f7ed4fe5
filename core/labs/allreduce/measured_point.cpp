// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/measured_point.h"

#include "core/tensor/pieces.h"
#include "core/tensor/release.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace warplight::labs::allreduce {
namespace {

constexpr int64_t period = 5; ///< elements repeat: rank r holds (i + r) mod 5 - 2
constexpr int leastRepetitions = 3, mostRepetitions = 2000;

double countingElement(int rank, int64_t index) { return static_cast<double>((index + rank) % period - 2); }

double at(const std::vector<double>& sorted, double share) {
    return sorted[static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

/// Elements of a range that differ from what repeats there; averages may be off by one in the last place.
int64_t countWrong(const CollectiveJob& job, std::span<const std::byte> vector, collectives::Range range,
                   const std::array<double, period>& wanted, const std::atomic<bool>* cancel) {
    const auto bytes = static_cast<size_t>(number::bytes(job.type));
    std::array<std::array<std::byte, 8>, period> bits{};
    for (size_t i = 0; i < wanted.size(); ++i)
        setElement(job.type, bits[i], 0, wanted[i]);
    int64_t wrong = 0;
    constexpr int64_t look = 1 << 18;
    for (int64_t i = range.begin; i < range.end; ++i) {
        if (i % look == 0)
            checkCancelled(cancel);
        const auto phase = static_cast<size_t>(i % period);
        if (std::memcmp(vector.data() + static_cast<size_t>(i) * bytes, bits[phase].data(), bytes) == 0)
            continue;
        const double allowed =
            job.reduction == collectives::Reduction::Average ? unitInLastPlace(job.type, wanted[phase]) : 0; // -0 is 0
        wrong += std::fabs(elementAt(job.type, vector, i) - wanted[phase]) <= allowed ? 0 : 1;
    }
    return wrong;
}

/// Of what the collective promises this rank; other elements may be anything.
int64_t countWrong(const CollectiveJob& job, int rank, std::span<const std::byte> vector,
                   const std::atomic<bool>* cancel) {
    const auto repeating = [](auto&& valueAt) {
        std::array<double, period> values{};
        for (int64_t i = 0; i < period; ++i)
            values[static_cast<size_t>(i)] = valueAt(i);
        return values;
    };
    const auto combined = repeating([&](int64_t i) { return countingResult(job.reduction, job.ranks, i); });
    const auto of = [&](int source) { return repeating([&](int64_t i) { return countingElement(source, i); }); };
    const collectives::Range all{0, job.elements};
    int64_t wrong = 0;
    switch (job.collective) {
    case collectives::Collective::Allreduce:
        return countWrong(job, vector, all, combined, cancel);
    case collectives::Collective::ReduceScatter:
        return countWrong(job, vector, collectives::chunkRange(job.elements, job.ranks, rank), combined, cancel);
    case collectives::Collective::AllGather:
        for (int source = 0; source < job.ranks; ++source)
            wrong +=
                countWrong(job, vector, collectives::chunkRange(job.elements, job.ranks, source), of(source), cancel);
        return wrong;
    case collectives::Collective::Broadcast:
        return countWrong(job, vector, all, of(0), cancel);
    }
    return wrong;
}

} // namespace

RankVectors countingVectors(number::Format type, int ranks, int64_t elements, const std::atomic<bool>* cancel) {
    const auto bytes = static_cast<size_t>(number::bytes(type));
    RankVectors vectors(static_cast<size_t>(ranks));
    const ReleasesBeside release(vectors);
    for (int rank = 0; rank < ranks; ++rank) {
        auto& vector = vectors[static_cast<size_t>(rank)];
        growTo(vector, static_cast<size_t>(elements) * bytes, cancel);
        for (int64_t i = 0; i < std::min(elements, period); ++i)
            setElement(type, vector, i, countingElement(rank, i));
        for (size_t done = static_cast<size_t>(std::min(elements, period)) * bytes; done < vector.size();) {
            const size_t whole = done / (period * bytes) * (period * bytes); // doubles what is there
            const size_t more = std::min({std::max(whole, period * bytes), vector.size() - done,
                                          pieceBytes / (period * bytes) * (period * bytes)});
            checkCancelled(cancel);
            std::memcpy(vector.data() + done, vector.data(), more);
            done += more;
        }
    }
    return vectors;
}

double countingResult(collectives::Reduction reduction, int ranks, int64_t index) {
    double sum = 0, most = countingElement(0, index);
    for (int rank = 0; rank < ranks; ++rank) {
        sum += countingElement(rank, index);
        most = std::max(most, countingElement(rank, index));
    }
    return reduction == collectives::Reduction::Max   ? most
           : reduction == collectives::Reduction::Sum ? sum
                                                      : sum / ranks;
}

MeasuredPoint measurePoint(Carrier& carrier, const CollectiveJob& job, double budget, const std::atomic<bool>* cancel) {
    RankVectors inputs = countingVectors(job.type, job.ranks, job.elements, cancel);
    const ReleasesBeside release(inputs);
    collectives::RunOptions options;
    options.cancel = cancel;
    options.warmups = 1;
    const double first = carrier.run(job, inputs, options).seconds.at(0);
    options.repetitions =
        static_cast<int>(std::clamp(budget / std::max(first, 1e-7), double{leastRepetitions}, double{mostRepetitions}));
    collectives::RunOutcome outcome = carrier.run(job, inputs, options);
    const ReleasesBeside releaseResults(outcome);
    std::vector<double> seconds = outcome.seconds;
    std::sort(seconds.begin(), seconds.end());
    MeasuredPoint point{at(seconds, 0.5), at(seconds, 0.1), at(seconds, 0.9), options.repetitions, 0};
    for (int rank = 0; rank < job.ranks; ++rank)
        point.wrong += countWrong(job, rank, outcome.results.at(static_cast<size_t>(rank)), cancel);
    return point;
}

} // namespace warplight::labs::allreduce
