// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/collective_run.h"

#include "core/error.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <stdexcept>
#include <tuple>
#include <vector>

namespace warplight::collectives {
namespace {

double secondsNow() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool overlap(Range a, Range b) { return std::max(a.begin, b.begin) < std::min(a.end, b.end); }

bool isBeingSent(const Step& step, Range range) {
    return std::any_of(step.sends.begin(), step.sends.end(),
                       [&](const Step::Send& send) { return overlap(send.range, range); });
}

/// Memory for what must not yet go into the vector. Kept by the thread from one run to the next: fresh pages cost more
/// than the copy into them.
std::span<std::byte> scratch(size_t bytes) {
    thread_local std::unique_ptr<std::byte[]> memory;
    thread_local size_t size = 0;
    if (size < bytes) {
        memory.reset(); // before the larger one is there
        memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
        size = bytes;
    }
    return {memory.get(), bytes};
}

/// Between two looks at whether the run is cancelled.
constexpr int64_t pieceElements = 1 << 18;

/// One rank on its way through a schedule.
class RankRun {
  public:
    RankRun(const CollectiveCall& call, Transport& transport, std::span<std::byte> vector, RankLog* log,
            const std::atomic<bool>* cancel)
        : call(call),
          transport(transport),
          vector(vector),
          log(log),
          cancel(cancel),
          elementBytes(number::bytes(call.type)) {}

    void run(int64_t index) {
        call.schedule->step(transport.rank(), index, step);
        for (const Step::Send& send : step.sends) {
            if (log)
                log->sent.push_back({index, send.to, secondsNow()});
            transport.send(send.to, index, bytesOf(send.range));
        }
        // A receive that would change what is still being sent, and those after it, wait until it has left.
        size_t direct = 0;
        while (direct < step.receives.size() && !isBeingSent(step.receives[direct].range))
            ++direct;
        for (size_t i = 0; i < direct; ++i)
            receive(index, step.receives[i]);
        if (direct < step.receives.size())
            receiveLater(index, std::span(step.receives).subspan(direct));
        else if (!step.sends.empty())
            transport.finishSends();
    }

    void divideSum() {
        if (call.reduction != Reduction::Average || !call.divides)
            return;
        const int ranks = call.schedule->ranks();
        Range range{0, call.schedule->elements()};
        if (call.schedule->collective() == Collective::ReduceScatter)
            range = chunkRange(range.end, ranks, transport.rank());
        else if (call.schedule->collective() != Collective::Allreduce)
            return;
        forEachPiece(range, [&](Range piece) {
            divide(call.type, bytesOf(piece).data(), piece.size(), static_cast<double>(ranks));
        });
    }

  private:
    std::span<std::byte> bytesOf(Range range) const {
        return vector.subspan(static_cast<size_t>(range.begin * elementBytes),
                              static_cast<size_t>(range.size() * elementBytes));
    }

    bool isBeingSent(Range range) const { return collectives::isBeingSent(step, range); }

    void receive(int64_t index, const Step::Receive& receive) {
        const std::span<std::byte> into = bytesOf(receive.range);
        if (receive.reduce)
            transport.receivePieces(receive.from, index, into.size(),
                                    [&](size_t offset, std::span<const std::byte> piece) {
                                        combine(call.type, call.reduction, into.data() + offset, piece.data(),
                                                static_cast<int64_t>(piece.size()) / elementBytes);
                                    });
        else
            transport.receive(receive.from, index, into);
        note(index, receive);
    }

    void receiveLater(int64_t index, std::span<const Step::Receive> receives) {
        size_t bytes = 0;
        for (const Step::Receive& each : receives)
            bytes += bytesOf(each.range).size();
        const std::span<std::byte> held = scratch(bytes);
        size_t offset = 0;
        for (const Step::Receive& each : receives) {
            const size_t size = bytesOf(each.range).size();
            transport.receive(each.from, index, held.subspan(offset, size));
            note(index, each);
            offset += size;
        }
        transport.finishSends();
        const std::byte* from = held.data();
        for (const Step::Receive& each : receives)
            forEachPiece(each.range, [&](Range piece) {
                const std::span<std::byte> into = bytesOf(piece);
                if (each.reduce)
                    combine(call.type, call.reduction, into.data(), from, piece.size());
                else
                    std::memcpy(into.data(), from, into.size());
                from += into.size();
            });
    }

    template <class Use>
    void forEachPiece(Range range, const Use& use) const {
        for (int64_t begin = range.begin; begin < range.end; begin += pieceElements) {
            checkCancelled(cancel);
            use({begin, std::min(begin + pieceElements, range.end)});
        }
    }

    void note(int64_t index, const Step::Receive& receive) {
        if (log)
            log->received.push_back({index, receive.from, receive.range, receive.reduce, secondsNow()});
    }

    const CollectiveCall& call;
    Transport& transport;
    std::span<std::byte> vector;
    RankLog* log;
    const std::atomic<bool>* cancel;
    int64_t elementBytes;
    Step step;
};

} // namespace

void runRank(const CollectiveCall& call, Transport& transport, std::span<std::byte> vector, RankLog* log,
             const StepObserver& observe, const std::atomic<bool>* cancel) {
    const Schedule& schedule = *call.schedule;
    const auto expected = static_cast<size_t>(schedule.elements() * number::bytes(call.type));
    if (vector.size() != expected || transport.size() != schedule.ranks())
        throw std::logic_error(fmt::format("{} bytes over {} ranks do not fit a schedule of {} bytes over {} ranks",
                                           vector.size(), transport.size(), expected, schedule.ranks()));
    RankRun run(call, transport, vector, log, cancel);
    if (log)
        log->start = secondsNow();
    for (int64_t index = 0; index < schedule.steps(); ++index) {
        checkCancelled(cancel);
        run.run(index);
        if (observe)
            observe(transport.rank(), index, vector);
    }
    run.divideSum();
    if (log)
        log->end = secondsNow();
}

int64_t heldBytes(const Schedule& schedule, number::Format type) {
    int64_t all = 0;
    Step step;
    for (int rank = 0; rank < schedule.ranks(); ++rank) {
        int64_t most = 0;
        for (int64_t index = 0; index < schedule.steps(); ++index) {
            schedule.step(rank, index, step);
            int64_t held = 0;
            for (const Step::Receive& receive : step.receives) // the first that waits, and those after it
                held += held > 0 || isBeingSent(step, receive.range) ? receive.range.size() : 0;
            most = std::max(most, held);
        }
        all += most * number::bytes(type);
    }
    return all;
}

MessageLog joinLogs(const Schedule& schedule, number::Format type, const std::vector<RankLog>& logs) {
    MessageLog joined;
    joined.ranks = schedule.ranks();
    joined.elements = schedule.elements();
    joined.elementBytes = number::bytes(type);
    joined.chunkBorders = schedule.chunkBorders();
    if (logs.empty())
        return joined;

    double first = logs.front().start, last = logs.front().end;
    std::vector<std::vector<RankLog::Sent>> sent; // [rank], ordered by step and receiver
    const auto before = [](const RankLog::Sent& a, const RankLog::Sent& b) {
        return std::tie(a.step, a.to) < std::tie(b.step, b.to);
    };
    for (const RankLog& log : logs) {
        first = std::min(first, log.start);
        last = std::max(last, log.end);
        sent.push_back(log.sent);
        std::sort(sent.back().begin(), sent.back().end(), before);
    }
    joined.seconds = last - first;
    for (size_t index = 0; index < logs.size(); ++index) {
        const auto rank = static_cast<int32_t>(index);
        for (const RankLog::Received& received : logs[index].received) {
            const auto source = static_cast<size_t>(received.from);
            const RankLog::Sent wanted{received.step, rank, 0};
            const RankLog::Sent* found = nullptr;
            if (source < sent.size()) {
                const auto place = std::lower_bound(sent[source].begin(), sent[source].end(), wanted, before);
                if (place != sent[source].end() && !before(wanted, *place))
                    found = &*place;
            }
            if (!found)
                throw std::logic_error(fmt::format("rank {} received a message in step {} that rank {} never sent",
                                                   rank, received.step, received.from));
            joined.messages.push_back({received.from, rank, received.step, received.range, received.reduce,
                                       received.range.size() * joined.elementBytes, found->start - first,
                                       received.end - first});
        }
    }
    std::sort(joined.messages.begin(), joined.messages.end(), [](const Message& a, const Message& b) {
        return std::tie(a.step, a.source, a.destination) < std::tie(b.step, b.source, b.destination);
    });
    return joined;
}

} // namespace warplight::collectives
