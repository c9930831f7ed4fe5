// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/source_layout.h"

#include "app/views/highlight.h"
#include "app/views/theme.h"
#include "core/lab/number_text.h"

#include <QFontMetricsF>
#include <QObject>
#include <cstdint>
#include <optional>
#include <utility>

#include <algorithm>
#include <cmath>

namespace warplight::app {
namespace {

constexpr int tabWidth = 4;
constexpr double markWidth = 10, columnGap = 14, narrowestColumn = 40;
constexpr double mostForCounters = 0.45; ///< of a pane's width: the code comes first
constexpr double readable = 56;          ///< characters of text before a pane gives room to more than one counter
constexpr double ratioColumns = 7;       ///< "12.34×"
constexpr double wideEnough = 48; ///< characters: a pane with less code than that tells its numbers on hover only

} // namespace

PaneData PaneData::of(lab::Source::Pane pane, QHash<QString, int>& colours) {
    PaneData data;
    data.pane = std::move(pane);
    const size_t counters = data.pane.counters.size();
    data.maxima.resize(counters);
    data.hottest.assign(counters, -1);
    data.inComment.reserve(data.pane.lines.size());
    for (const auto& counter : data.pane.counters) {
        const QString id = QString::fromStdString(counter.id);
        if (!colours.contains(id))
            colours[id] = static_cast<int>(colours.size());
        data.colours.push_back(colours[id]);
    }
    bool inComment = false;
    for (int i = 0; i < data.lineCount(); ++i) {
        const auto& line = data.line(i);
        data.inComment.push_back(inComment);
        const QString text = data.text(i);
        if (inComment || text.contains("/*"))
            highlight(text, data.pane.language, inComment);
        data.longest = std::max(data.longest, text.size());
        data.remarks += !line.remark.empty();
        for (size_t c = 0; c < line.counts.size(); ++c)
            if (const double count = line.counts[c].value_or(0); count > data.maxima[c]) {
                data.maxima[c] = count;
                data.hottest[c] = i;
            }
    }
    data.scales = data.maxima;
    return data;
}

void PaneData::pin(std::optional<PinnedPane> other) {
    pinned = std::move(other);
    scales = maxima;
    if (!isCompared())
        return;
    for (size_t c = 0; c < scales.size(); ++c)
        if (const int theirs = pinned->counterOf[c]; theirs >= 0)
            for (const auto& each : pinned->pane.lines)
                if (static_cast<size_t>(theirs) < each.counts.size())
                    scales[c] = std::max(scales[c], each.counts[static_cast<size_t>(theirs)].value_or(0));
}

std::optional<double> PaneData::pinnedCount(int index, int counter) const {
    const int was = isCompared() ? pinned->lineOf[static_cast<size_t>(index)] : -1;
    const int theirs = was < 0 || counter < 0 ? -1 : pinned->counterOf[static_cast<size_t>(counter)];
    if (theirs < 0)
        return {};
    const auto& counts = pinned->pane.lines[static_cast<size_t>(was)].counts;
    return static_cast<size_t>(theirs) < counts.size() ? counts[static_cast<size_t>(theirs)] : std::nullopt;
}

QString PaneData::ratioText(int index, int counter) const {
    const auto value = count(index, counter), before = pinnedCount(index, counter);
    if (!isCompared() || !(value || before))
        return {};
    if (pinned->lineOf[static_cast<size_t>(index)] < 0)
        return QObject::tr("new");
    if (!value || !before || *before == 0)
        return value == before ? "=" : "≠";
    constexpr double most = 1000;
    const double ratio = *value / *before;
    return ratio == 1     ? "="
           : ratio > most ? QString(">%1×").arg(most)
                          : QString("%1×").arg(ratio, 0, 'f', ratio < 10 ? 2 : 0);
}

int PaneData::gravestRemark() const {
    int found = -1;
    for (int i = 0; i < lineCount(); ++i)
        if (!line(i).remark.empty() && (found < 0 || line(i).severity > line(found).severity))
            found = i;
    return found;
}

QString counterNote(const lab::Source::Counter& counter) {
    const QString badge = badgeText(counter.provenance);
    return counter.unit.empty() ? badge : QString::fromStdString(counter.unit) + " · " + badge;
}

QString PaneData::text(int index) const {
    QString text = QString::fromStdString(line(index).text);
    for (qsizetype tab; (tab = text.indexOf('\t')) >= 0;)
        text.replace(tab, 1, QString(tabWidth - tab % tabWidth, ' '));
    return text;
}

std::optional<double> PaneData::count(int index, int counter) const {
    const auto& counts = line(index).counts;
    return counter >= 0 && static_cast<size_t>(counter) < counts.size() ? counts[static_cast<size_t>(counter)]
                                                                        : std::nullopt;
}

QString PaneData::countText(int index, int counter) const {
    const auto value = count(index, counter);
    if (!value)
        return "–";
    const auto& described = pane.counters[static_cast<size_t>(counter)];
    return QString::fromStdString(lab::countText(*value, described.unit, described.format));
}

std::vector<int> PaneData::ranking(int counter) const {
    std::vector<int> lines;
    for (int i = 0; i < lineCount(); ++i)
        if (count(i, counter).value_or(0) > 0)
            lines.push_back(i);
    std::stable_sort(lines.begin(), lines.end(), [&](int a, int b) { return *count(a, counter) > *count(b, counter); });
    return lines;
}

int PaneData::nextRemark(int from, int step) const {
    for (int i = 1; i <= lineCount(); ++i) // around the end, back to the line itself
        if (const int at = ((from + step * i) % lineCount() + lineCount()) % lineCount(); !line(at).remark.empty())
            return at;
    return -1;
}

SourceLayout SourceLayout::of(const PaneData& data, double width, int currentCounter) {
    const QFontMetricsF mono(monoFont(12)), small(textFont(11)), strong(textFont(11, QFont::DemiBold)),
        smallest(textFont(10));
    SourceLayout layout{};
    layout.charWidth = mono.horizontalAdvance('0');
    layout.rowHeight = std::ceil(mono.height() + 4);
    layout.headHeight = std::ceil(2 * small.height() + 12);
    const int64_t last = data.pane.lines.empty() ? 0 : data.pane.lines.back().number;
    layout.textLeft = markWidth + layout.charWidth * (static_cast<double>(QString::number(last).size()) + 1) + 8;
    const int counters = static_cast<int>(data.pane.counters.size());
    double right = width - 6;
    if (counters > 0) {
        constexpr double fewestDigits = 8; // "1023 KiB": a smaller number can be the longer text
        const int hottest = data.hottest[static_cast<size_t>(currentCounter)];
        if (hottest >= 0)
            layout.numberWidth = mono.horizontalAdvance(data.countText(hottest, currentCounter)) + layout.charWidth;
        layout.numberWidth = std::max(layout.numberWidth, fewestDigits * layout.charWidth);
        // Titles are whole. Counters give way to the text: those that do not fit are a key away.
        std::vector<double> wanted;
        for (const auto& counter : data.pane.counters)
            wanted.push_back(std::ceil(
                columnGap + std::max({narrowestColumn, strong.horizontalAdvance(QString::fromStdString(counter.title)),
                                      smallest.horizontalAdvance(counterNote(counter))})));
        if (width - layout.textLeft - layout.numberWidth - wanted[static_cast<size_t>(currentCounter)] <
            wideEnough * layout.charWidth)
            layout.numberWidth = 0;
        if (data.isCompared()) // what a comparison is about stands there in any case
            layout.ratioWidth = ratioColumns * layout.charWidth;
        right -= layout.numberWidth + layout.ratioWidth;
        layout.numberLeft = right;
        const double besideText = right - layout.textLeft - readable * layout.charWidth;
        double free = std::min(besideText, width * mostForCounters - layout.numberWidth);
        int first = std::clamp(currentCounter, 0, counters - 1), last = first;
        free -= wanted[static_cast<size_t>(first)];
        while (first > 0 && free >= wanted[static_cast<size_t>(first - 1)])
            free -= wanted[static_cast<size_t>(--first)];
        while (last + 1 < counters && free >= wanted[static_cast<size_t>(last + 1)])
            free -= wanted[static_cast<size_t>(++last)];
        for (int i = last; i >= first; --i) {
            const double each = wanted[static_cast<size_t>(i)];
            right -= each;
            layout.columns.insert(layout.columns.begin(), {i, right + columnGap / 2, each - columnGap / 2});
        }
    }
    layout.textRight = std::max(layout.textLeft + layout.charWidth, right - 4);
    return layout;
}

} // namespace warplight::app
