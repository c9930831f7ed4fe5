// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/page_layout.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace warplight::app {
namespace {

using Place = lab::Figure::Place;
using Members = std::vector<size_t>;

constexpr double leastFilled = 0.62; ///< of a card: what has less in it does not share a row with what is higher
constexpr int narrowestSide = 300;   ///< of the column beside a main figure
constexpr double mostBeside = 0.36;  ///< of the page: the details of a figure that makes use of any width
constexpr double mostHigher = 1.25;  ///< a main figure becomes, so that the column beside it is not half empty
constexpr int alone = 90;            ///< what a figure alone in its row costs, in pixels of height
constexpr size_t mostInRow = 4;
constexpr int any = std::numeric_limits<int>::max();

/// Figures side by side, or a main figure with a column of others beside it.
struct Row {
    Members members;
    std::vector<int> widths;
    int height = 0, most = any; ///< more than `most` leaves cards empty
    Members side;               ///< in a column right of the members
};

/// Equal widths, but for those that need more or make use of less; what these leave is the others'.
std::vector<int> shareWidth(int width, const std::vector<int>& least, const std::vector<int>& most) {
    const size_t count = least.size();
    std::vector<int> result(count, 0);
    std::vector<bool> settled(count, false);
    int left = width - figureGap * static_cast<int>(count - 1);
    for (size_t open = count; open > 0;) {
        const int share = left / static_cast<int>(open);
        const auto settle = [&](bool wanting) {
            for (size_t i = 0; i < count; ++i) {
                const int bound = wanting ? least[i] : most[i];
                if (settled[i] || (wanting ? bound <= share : bound >= share))
                    continue;
                result[i] = bound;
                settled[i] = true;
                left -= bound;
                --open;
                return true;
            }
            return false;
        };
        if (settle(true) || settle(false))
            continue;
        for (size_t i = 0; i < count; ++i)
            if (!settled[i]) {
                const int mine = left / static_cast<int>(open--);
                result[i] = mine;
                left -= mine;
            }
    }
    for (size_t i = 0; left > 0 && i < count; ++i) { // nobody makes use of it: a row has no hole
        const int more = left / static_cast<int>(count - i);
        result[i] += more;
        left -= more;
    }
    return result;
}

class Placing {
  public:
    Placing(const std::vector<FigureNeed>& figures, int width) : figures(figures), width(width) {}

    PlacedFigures place(int available) {
        makeRows();
        stretch(available);
        PlacedFigures placed;
        placed.cards.resize(figures.size());
        int y = 0;
        for (const Row& row : rows) {
            int x = 0;
            for (size_t i = 0; i < row.members.size(); ++i) {
                placed.cards[row.members[i]] = QRect(x, y, row.widths[i], row.height);
                x += row.widths[i] + figureGap;
            }
            placeSide(row, QRect(x, y, width - x, row.height), placed);
            y += row.height + figureGap;
        }
        placed.height = std::max(0, y - figureGap);
        return placed;
    }

  private:
    int heightAt(size_t figure, int wide) const { return figures[figure].height(wide); }
    int fullAt(size_t figure, int wide) const {
        const int full = figures[figure].fullHeight(wide);
        return full > 0 ? full : any;
    }
    int leastOf(size_t figure) const { return std::min(figures[figure].width, width); }

    /// Nothing if these cannot stand side by side.
    std::vector<Row> rowOf(const Members& members) const {
        Row row{members, {}, 0, any, {}};
        std::vector<int> least, most;
        int needed = figureGap * static_cast<int>(members.size() - 1);
        for (const size_t i : members) {
            least.push_back(leastOf(i));
            needed += least.back();
            const auto& fullWidth = figures[i].fullWidth;
            most.push_back(fullWidth ? std::max(fullWidth(heightAt(i, width)), least.back()) : any);
        }
        if (needed > width)
            return {};
        row.widths = shareWidth(width, least, most);
        for (size_t i = 0; i < members.size(); ++i)
            row.height = std::max(row.height, heightAt(members[i], row.widths[i]));
        int highest = 0;
        for (size_t i = 0; i < members.size(); ++i) {
            const int full = fullAt(members[i], row.widths[i]);
            highest = std::max(highest, full);
            if (full == any)
                continue;
            const int filled = members.size() == 1 ? full : static_cast<int>(full / leastFilled);
            if (filled < row.height)
                return {};
            row.most = std::min(row.most, filled);
        }
        row.most = std::min(row.most, highest);
        return {row};
    }

    void makeRows() {
        Members mains, details, supports;
        for (size_t i = 0; i < figures.size(); ++i)
            (figures[i].place == Place::Main     ? mains
             : figures[i].place == Place::Detail ? details
                                                 : supports)
                .push_back(i);
        for (const size_t main : mains) {
            // Details are beside what they are of; a figure that keeps its shape takes others beside it as well.
            Members& beside = details.empty() && figures[main].fullWidth ? supports : details;
            if (!addWithSide(main, beside))
                add({main});
        }
        details.insert(details.end(), supports.begin(), supports.end());
        addRows(details);
    }

    void add(const Members& members) {
        const auto row = rowOf(members);
        rows.insert(rows.end(), row.begin(), row.end());
    }

    /// The main figure left, as many of `others` as its height has room for right of it: those are taken out.
    bool addWithSide(size_t main, Members& others) {
        if (others.empty())
            return false;
        const int spare = width - figureGap - leastOf(main);
        const int widest = width - figureGap - std::clamp(static_cast<int>(width * mostBeside), narrowestSide, 420);
        int own = widest;
        if (figures[main].fullWidth)
            own = std::min(own, std::max(leastOf(main), figures[main].fullWidth(heightAt(main, width))));
        if (spare < narrowestSide || own < leastOf(main))
            return false;
        Row row = rowWithSide(main, own, others);
        if (figures[main].fullWidth) // the column has made the row higher: as much wider
            if (const int wider = std::min(widest, figures[main].fullWidth(row.height)); wider > own)
                if (Row more = rowWithSide(main, wider, others); more.side.size() == row.side.size())
                    row = std::move(more);
        if (row.side.empty())
            return false;
        others.erase(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(row.side.size()));
        rows.push_back(std::move(row));
        return true;
    }

    Row rowWithSide(size_t main, int own, const Members& others) const {
        Row row{{main}, {own}, std::min(heightAt(main, own), fullAt(main, own)), any, {}};
        const int beside = width - own - figureGap;
        int used = 0;
        for (const size_t other : others) {
            const int more = heightAt(other, beside) + (used > 0 ? figureGap : 0);
            const bool hole = used < leastFilled * row.height;
            if (leastOf(other) > beside || (used > 0 && used + more > row.height * (hole ? mostHigher : 1.0)))
                break;
            used += more;
            row.side.push_back(other);
        }
        row.height = std::max(row.height, used);
        row.most = std::max(row.height, fullAt(main, own));
        return row;
    }

    /// The column fills the height as far as its figures make use of it.
    void placeSide(const Row& row, const QRect& room, PlacedFigures& placed) const {
        int left = room.height() - figureGap * (static_cast<int>(row.side.size()) - 1);
        std::vector<int> heights;
        for (const size_t i : row.side) {
            heights.push_back(heightAt(i, room.width()));
            left -= heights.back();
        }
        share(left, heights, [&](size_t i) { return fullAt(row.side[i], room.width()); });
        int y = room.top();
        for (size_t i = 0; i < row.side.size(); ++i) {
            placed.cards[row.side[i]] = QRect(room.left(), y, room.width(), heights[i]);
            y += heights[i] + figureGap;
        }
    }

    /// In as few and even rows as they can be read in; their order stays.
    void addRows(const Members& members) {
        const size_t count = members.size();
        struct Best {
            long cost = 0;
            size_t from = 0;
            std::vector<Row> row{};
        };
        std::vector<Best> best(count + 1);
        for (size_t end = 1; end <= count; ++end) {
            best[end].cost = std::numeric_limits<long>::max();
            for (size_t from = end; from-- > 0;) {
                auto row = rowOf(Members(members.begin() + static_cast<std::ptrdiff_t>(from),
                                         members.begin() + static_cast<std::ptrdiff_t>(end)));
                const size_t many = end - from;
                if (many > mostInRow)
                    break;
                if (row.empty())
                    continue; // a longer row may be even where a shorter one is not
                const size_t first = members[from];
                const bool lonely = many == 1 && (row[0].most == any || figures[first].fullWidth ||
                                                  2 * leastOf(first) + figureGap <= width);
                const long cost =
                    best[from].cost + row[0].height + figureGap + (lonely ? alone : 0) + static_cast<long>(many * many);
                if (cost < best[end].cost)
                    best[end] = {cost, from, std::move(row)};
            }
        }
        std::vector<Row> found;
        for (size_t end = count; end > 0; end = best[end].from)
            found.insert(found.begin(), best[end].row.begin(), best[end].row.end());
        rows.insert(rows.end(), found.begin(), found.end());
    }

    /// Gives `left` pixels to those below their most, in proportion to what they have.
    template <class Most>
    static void share(int left, std::vector<int>& heights, Most most) {
        for (bool given = true; given && left > 0;) {
            long growing = 0;
            for (size_t i = 0; i < heights.size(); ++i)
                growing += heights[i] < most(i) ? heights[i] : 0;
            given = false;
            const int round = left;
            for (size_t i = 0; i < heights.size() && growing > 0; ++i) {
                if (heights[i] >= most(i))
                    continue;
                const auto part = static_cast<int>(static_cast<long>(round) * heights[i] / growing);
                const int more = std::min({std::max(part, 1), left, most(i) - heights[i]});
                heights[i] += more;
                left -= more;
                given |= more > 0;
            }
        }
    }

    void stretch(int available) {
        std::vector<int> heights;
        int left = available - figureGap * (static_cast<int>(rows.size()) - 1);
        for (const Row& row : rows) {
            heights.push_back(row.height);
            left -= row.height;
        }
        share(left, heights, [this](size_t i) { return rows[i].most; });
        for (size_t i = 0; i < rows.size(); ++i)
            rows[i].height = heights[i];
    }

    const std::vector<FigureNeed>& figures;
    const int width;
    std::vector<Row> rows;
};

} // namespace

PlacedFigures placeFigures(const std::vector<FigureNeed>& figures, int width, int available) {
    return Placing(figures, width).place(available);
}

} // namespace warplight::app
