#include "app/views/source_layout.h"

#include "app/views/highlight.h"
#include "app/views/theme.h"
#include "core/lab/number_text.h"

#include <QFontMetricsF>
#include <cstdint>
#include <optional>
#include <utility>

#include <algorithm>
#include <cmath>

namespace warplight::app {
namespace {

constexpr int tabWidth = 4;
constexpr double markWidth = 10, columnGap = 12, narrowestColumn = 40, widestColumn = 120;
constexpr double mostForCounters = 0.45; ///< of a pane's width: the code comes first
constexpr double fewestColumns = 34;     ///< characters of text before a pane gives room to more than one counter
constexpr double wideEnough = 50;        ///< characters: a narrower pane tells its numbers on hover only

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
    return data;
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
    const QFontMetricsF mono(monoFont(12)), small(textFont(11));
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
        if (width < wideEnough * layout.charWidth + layout.textLeft)
            layout.numberWidth = 0;
        right -= layout.numberWidth;
        layout.numberLeft = right;
        // Counters give way to the text: those that do not fit are a key away.
        const double besideText = width - layout.textLeft - layout.numberWidth - fewestColumns * layout.charWidth;
        const double most =
            std::clamp(besideText, narrowestColumn + columnGap,
                       std::max(narrowestColumn + columnGap, width * mostForCounters - layout.numberWidth));
        double wanted = 0;
        for (const auto& counter : data.pane.counters)
            wanted = std::max(wanted, small.horizontalAdvance(QString::fromStdString(counter.title)));
        const double fair = std::max(most / counters, std::min(most, narrowestColumn + columnGap));
        const double each = std::clamp(std::min(wanted + columnGap, fair), narrowestColumn, widestColumn);
        const int fit = std::clamp(static_cast<int>(most / each), 1, counters);
        const int first = std::clamp(currentCounter - fit + 1, 0, counters - fit);
        for (int i = fit; i-- > 0;) {
            right -= each;
            layout.columns.insert(layout.columns.begin(), {first + i, right + columnGap / 2, each - columnGap / 2});
        }
    }
    layout.textRight = std::max(layout.textLeft + layout.charWidth, right - 4);
    return layout;
}

} // namespace warplight::app
