// What every schedule promises, checked by following its messages with sets of contributions and nothing else.
#include "core/collectives/message_log.h"
#include "core/error.h"
#include "every_algorithm.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

#include <bit>
#include <map>

using namespace warplight;
using namespace warplight::collectives;
using test::Variant;

namespace {

constexpr int mostRanks = 40; // beyond 32, so that fields of 32 bits would show

using Mask = uint64_t; ///< of ranks

Mask all(int ranks) { return (Mask{1} << ranks) - 1; }

std::vector<Step> stepOf(const Schedule& schedule, int64_t index) {
    std::vector<Step> steps(static_cast<size_t>(schedule.ranks()));
    for (int rank = 0; rank < schedule.ranks(); ++rank)
        schedule.step(rank, index, steps[static_cast<size_t>(rank)]);
    return steps;
}

/// Follows a schedule and says what is wrong with it, or nothing.
class Follower {
  public:
    explicit Follower(const Schedule& schedule)
        : schedule(schedule), borders(schedule.chunkBorders()), held(static_cast<size_t>(schedule.ranks())) {
        for (size_t rank = 0; rank < held.size(); ++rank)
            held[rank].assign(borders.size() - 1, Mask{1} << rank);
    }

    std::string follow() {
        if (borders.front() != 0 || borders.back() != schedule.elements() ||
            !std::is_sorted(borders.begin(), borders.end()))
            return "borders do not go from 0 to the end";
        for (int64_t index = 0; index < schedule.steps(); ++index) {
            const std::string wrong = followStep(index);
            if (!wrong.empty())
                return "step " + std::to_string(index) + ": " + wrong;
        }
        return outcome();
    }
    int64_t sent = 0, received = 0; ///< elements of the busiest rank, after follow()

  private:
    std::string followStep(int64_t index) {
        const std::vector<Step> steps = stepOf(schedule, index);
        const auto before = held;
        std::map<std::pair<int, int>, Range> sends;
        for (size_t rank = 0; rank < steps.size(); ++rank)
            for (const Step::Send& send : steps[rank].sends) {
                if (send.to < 0 || send.to >= schedule.ranks() || send.to == static_cast<int>(rank))
                    return "a message to nobody";
                if (!sends.emplace(std::pair(static_cast<int>(rank), send.to), send.range).second)
                    return "two messages to one rank";
                if (!isOfChunks(send.range))
                    return "a range that is no run of chunks";
                sentBy[static_cast<int>(rank)] += send.range.size();
                sent = std::max(sent, sentBy[static_cast<int>(rank)]);
            }
        for (size_t rank = 0; rank < steps.size(); ++rank)
            for (const Step::Receive& receive : steps[rank].receives) {
                const auto send = sends.find({receive.from, static_cast<int>(rank)});
                if (send == sends.end())
                    return "a message that nobody sends, or the second from one rank";
                if (!(send->second == receive.range))
                    return "sender and receiver mean other ranges";
                sends.erase(send);
                receivedBy[static_cast<int>(rank)] += receive.range.size();
                received = std::max(received, receivedBy[static_cast<int>(rank)]);
                for (size_t c = 0; c + 1 < borders.size(); ++c) {
                    if (borders[c] < receive.range.begin || borders[c + 1] > receive.range.end)
                        continue;
                    const Mask comes = before[static_cast<size_t>(receive.from)][c];
                    Mask& mine = held[rank][c];
                    if (borders[c] < borders[c + 1]) {
                        if (receive.reduce && (mine & comes) != 0)
                            return "a contribution counted twice";
                        if (schedule.collective() == Collective::Allreduce && !receive.reduce && (mine & ~comes) != 0)
                            return "a contribution lost";
                    }
                    mine = receive.reduce ? mine | comes : comes;
                }
            }
        return sends.empty() ? "" : "a message that nobody receives";
    }

    bool isOfChunks(Range range) const {
        return range.begin <= range.end && std::binary_search(borders.begin(), borders.end(), range.begin) &&
               std::binary_search(borders.begin(), borders.end(), range.end);
    }

    std::string outcome() const {
        for (int rank = 0; rank < schedule.ranks(); ++rank)
            for (size_t c = 0; c + 1 < borders.size(); ++c) {
                if (borders[c] == borders[c + 1])
                    continue;
                const Mask mask = held[static_cast<size_t>(rank)][c];
                const int owner = ownerOf(borders[c]);
                const bool right = schedule.collective() == Collective::Allreduce   ? mask == all(schedule.ranks())
                                   : schedule.collective() == Collective::Broadcast ? mask == 1
                                   : schedule.collective() == Collective::AllGather
                                       ? mask == Mask{1} << owner
                                       : owner != rank || mask == all(schedule.ranks());
                if (!right)
                    return "rank " + std::to_string(rank) + " ends without what it should hold";
            }
        return "";
    }

    /// Of p chunks of which the first n mod p have one element more, counted out element by element.
    int ownerOf(int64_t element) const {
        const int64_t n = schedule.elements(), p = schedule.ranks();
        int64_t end = 0;
        for (int owner = 0;; ++owner) {
            end += n / p + (owner < n % p ? 1 : 0);
            if (element < end)
                return owner;
        }
    }

    const Schedule& schedule;
    std::vector<int64_t> borders;
    std::vector<std::vector<Mask>> held; ///< [rank][chunk]
    std::map<int, int64_t> sentBy, receivedBy;
};

} // namespace

class ScheduleTest : public QObject {
    Q_OBJECT

  private slots:
    void messagesPairUpAndEverybodyEndsWithTheWhole_data() {
        QTest::addColumn<int>("variant");
        int index = 0;
        for (const Variant& variant : test::everyVariant())
            QTest::addRow("%s", variant.name.c_str()) << index++;
    }
    void messagesPairUpAndEverybodyEndsWithTheWhole() {
        QFETCH(int, variant);
        const Variant chosen = test::everyVariant()[static_cast<size_t>(variant)];
        for (const Collective collective : chosen.collectives)
            for (int ranks = 1; ranks <= mostRanks; ++ranks)
                for (const int64_t length : test::lengthsFor(ranks)) {
                    const auto schedule = makeSchedule(chosen.algorithm, collective, ranks, length, chosen.options);
                    const std::string wrong = Follower(*schedule).follow();
                    QVERIFY2(wrong.empty(),
                             (std::to_string(ranks) + " ranks, " + std::to_string(length) + " elements, collective " +
                              std::to_string(static_cast<int>(collective)) + ": " + wrong)
                                 .c_str());
                }
    }
};

QTEST_GUILESS_MAIN(ScheduleTest)
#include "schedule_test.moc"
