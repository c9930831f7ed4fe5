// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/plot_style.h"

#include "app/views/theme.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

namespace warplight::app {
namespace {

constexpr double labelGap = 10;                    ///< pixels between labels side by side
constexpr double usualLeft = 90, usualBottom = 50; ///< of a plot that has not been laid out yet: room for labels
constexpr double aslant = -32;                     ///< degrees

/// A ticker that knows how long its axis is on the screen.
struct SizedTicker {
    virtual ~SizedTicker() = default;
    /// Returns by how many degrees labels are to be turned.
    virtual double fit(double pixels, bool horizontal, const QCPRange& range, const QFont& font) = 0;
    /// What the axis is of is counted: there is nothing between whole numbers.
    virtual void countWhole(bool) {}
};

/// 256, 1k, 64k for powers of two; 1 µ, 10 m, 1, 1 k ... for the others; KiB, MiB for bytes.
class HumanTicker : public QCPAxisTicker, public SizedTicker {
  public:
    explicit HumanTicker(const lab::Axis& axis) : scale(axis.scale), unit(QString::fromStdString(axis.unit)) {}

    double fit(double length, bool isHorizontal, const QCPRange&, const QFont& labels) override {
        pixels = length;
        horizontal = isHorizontal;
        font = labels;
        return 0;
    }
    void countWhole(bool on) override { whole = on; }

  protected:
    QVector<double> createTickVector(double, const QCPRange& range) override {
        QVector<double> ticks = allTicks(range);
        while (ticks.size() > 2 && touch(ticks, range))
            for (qsizetype i = ticks.size() % 2 == 0 ? ticks.size() - 1 : ticks.size() - 2; i > 0; i -= 2)
                ticks.remove(i);
        return ticks;
    }
    QVector<double> allTicks(const QCPRange& range) {
        QVector<double> ticks;
        if (scale == lab::Scale::Linear || range.lower <= 0)
            return QCPAxisTicker::createTickVector(getTickStep(range), range);
        const double base = scale == lab::Scale::Log2 || unit == "B" ? 2 : 10; // bytes are told in binary prefixes
        constexpr double nearly = 1e-9; // a power that the range begins or ends with is one of its
        const int first = static_cast<int>(std::ceil(std::log(range.lower) / std::log(base) - nearly));
        const int last = static_cast<int>(std::floor(std::log(range.upper) / std::log(base) + nearly));
        const int step = std::max(1, (last - first + 7) / 8);
        const bool narrow = base == 10 && range.upper < 200 * range.lower; // a decade or two
        for (int power = narrow ? first - 1 : first; power <= last; power += step)
            for (const int factor : {1, 2, 5})
                if (const double tick = factor * std::pow(base, power);
                    (factor == 1 && power >= first) || (narrow && tick >= range.lower && tick <= range.upper))
                    ticks.append(tick);
        const auto inside = std::count_if(ticks.begin(), ticks.end(), [&](double tick) {
            return tick >= range.lower * (1 - nearly) && tick <= range.upper * (1 + nearly);
        });
        // Within so little there are no powers, and a logarithm is nearly straight.
        return inside >= 2 ? ticks : QCPAxisTicker::createTickVector(getTickStep(range), range);
    }
    double getTickStep(const QCPRange& range) override {
        return unit == "B" && scale == lab::Scale::Linear ? std::exp2(std::ceil(std::log2(range.size() / 6)))
               : whole                                    ? wholeStep(QCPAxisTicker::getTickStep(range))
                                                          : QCPAxisTicker::getTickStep(range);
    }
    QVector<double> createSubTickVector(int, const QVector<double>&) override { return {}; }
    QString getTickLabel(double tick, const QLocale&, QChar, int) override {
        if (scale == lab::Scale::Log2 && unit != "B") {
            constexpr const char* prefixes[] = {"", "k", "M", "G", "T"};
            size_t prefix = 0;
            for (; tick >= 1024 && prefix + 1 < std::size(prefixes); ++prefix)
                tick /= 1024;
            return QString::number(tick) + prefixes[prefix];
        }
        return unit.isEmpty() ? plainNumber(tick) : numberText(tick, unit);
    }

  private:
    /// 2.5 becomes 5, 0.1 becomes 1.
    static double wholeStep(double step) {
        return step == std::floor(step) ? step : std::max(1.0, std::floor(2 * step));
    }

    bool touch(const QVector<double>& ticks, const QCPRange& range) {
        if (pixels <= 0)
            return false;
        const QFontMetricsF metrics(font);
        const bool log = scale != lab::Scale::Linear && range.lower > 0;
        const auto placeOf = [&](double tick) {
            return pixels * (log ? std::log(tick / range.lower) / std::log(range.upper / range.lower)
                                 : (tick - range.lower) / range.size());
        };
        double end = -1e300;
        for (const double tick : ticks) {
            if (tick < range.lower || tick > range.upper)
                continue;
            const double length = horizontal ? metrics.horizontalAdvance(getTickLabel(tick, {}, 'g', 6)) + labelGap
                                             : metrics.height() + 2;
            if (placeOf(tick) - length / 2 < end)
                return true;
            end = placeOf(tick) + length / 2;
        }
        return false;
    }

    lab::Scale scale;
    QString unit;
    double pixels = 0;
    bool horizontal = true, whole = false;
    QFont font;
};

/// Names at whole numbers.
class NameTicker : public QCPAxisTickerText, public SizedTicker {
  public:
    explicit NameTicker(const std::vector<std::string>& labels) {
        for (size_t i = 0; i < labels.size(); ++i)
            names.append(QString::fromStdString(labels[i]));
        write(names);
    }

    double fit(double pixels, bool horizontal, const QCPRange& range, const QFont& font) override {
        const QFontMetricsF metrics(font);
        const double room = pixels / std::max(range.size(), 1e-9) - labelGap;
        const auto widest = [&](const QStringList& texts) {
            double width = 0;
            for (const QString& text : texts)
                for (const QString& line : text.split('\n'))
                    width = std::max(width, metrics.horizontalAdvance(line));
            return width;
        };
        if (!horizontal || widest(names) <= room) {
            write(names);
            return 0;
        }
        QStringList broken;
        for (const QString& name : names)
            broken << inTwoLines(name);
        const bool fits = widest(broken) <= room;
        write(fits ? broken : names);
        return fits ? 0 : aslant;
    }

  private:
    void write(const QStringList& texts) {
        clear();
        for (qsizetype i = 0; i < texts.size(); ++i)
            addTick(static_cast<double>(i), texts[i]);
    }
    /// Broken behind a hyphen or at a space, so that the longer line is as short as can be.
    static QString inTwoLines(const QString& name) {
        qsizetype at = -1;
        for (qsizetype i = 1; i + 1 < name.size(); ++i)
            if ((name[i] == '-' || name[i] == ' ' || name[i] == '_') &&
                (at < 0 || std::abs(2 * i - name.size()) < std::abs(2 * at - name.size())))
                at = i;
        return at < 0 ? name : name.left(name[at] == ' ' ? at : at + 1) + '\n' + name.mid(at + 1);
    }

    QStringList names;
};

} // namespace

QString plainNumber(double value, int digits) {
    const double least = std::pow(10.0, std::min(digits, 3)), most = 1e6; // there an exponent is longer than digits
    const double size = std::fabs(value);
    if (size < least || size >= most)
        return QString::number(value, 'g', digits);
    const double step = std::pow(10.0, std::floor(std::log10(size)) + 1 - digits);
    return QString::number(step > 1 ? std::round(value / step) * step : value, 'f', 0);
}

void stylePlot(QCustomPlot& plot) {
    plot.setAttribute(Qt::WA_NoMousePropagation, false); // a right click is the card's
    plot.setPlottingHint(QCP::phFastPolylines);          // a jagged curve of 1,000 points takes seconds otherwise
    const Theme& theme = Theme::current();
    plot.setBackground(Qt::NoBrush);
    plot.axisRect()->setBackground(Qt::NoBrush);
    for (QCPAxis* axis : {plot.xAxis, plot.yAxis}) {
        axis->setBasePen(QPen(theme.line));
        axis->setTickPen(Qt::NoPen);
        axis->setSubTickPen(Qt::NoPen);
        axis->setTickLabelColor(theme.muted);
        axis->setLabelColor(theme.muted);
        axis->setTickLabelFont(textFont(11));
        axis->setLabelFont(textFont(11));
        axis->grid()->setPen(QPen(theme.line, 1));
        axis->grid()->setZeroLinePen(QPen(theme.line, 1));
        axis->setLabelPadding(4);
    }
}

void setUpAxis(QCPAxis& axis, const lab::Axis& description) {
    axis.setLabel(QString::fromStdString(description.title));
    axis.setScaleType(description.scale == lab::Scale::Linear ? QCPAxis::stLinear : QCPAxis::stLogarithmic);
    if (description.labels.empty()) {
        axis.setTicker(QSharedPointer<HumanTicker>::create(description));
    } else {
        axis.setTicker(QSharedPointer<NameTicker>::create(description.labels));
    }
    axis.setRangeReversed(description.reversed);
}

void countWhole(QCPAxis& axis, bool whole) {
    if (const auto ticker = qSharedPointerDynamicCast<SizedTicker>(axis.ticker()))
        ticker->countWhole(whole);
}

void fitTicks(QCustomPlot& plot, const QSizeF& size) {
    const QMargins margins = plot.axisRect()->margins();
    const double left = margins.left() > 0 ? margins.left() + margins.right() : usualLeft;
    const double below = margins.bottom() > 0 ? margins.bottom() + margins.top() : usualBottom;
    for (QCPAxis* axis : {plot.xAxis, plot.yAxis})
        if (const auto ticker = qSharedPointerDynamicCast<SizedTicker>(axis->ticker())) {
            const bool horizontal = axis == plot.xAxis;
            axis->setTickLabelRotation(
                ticker->fit(std::max(1.0, horizontal ? size.width() - left : size.height() - below), horizontal,
                            axis->range(), axis->tickLabelFont()));
        }
}

void keepTicksApart(QCustomPlot& plot) {
    QObject::connect(&plot, &QCustomPlot::beforeReplot, &plot, [&plot] { fitTicks(plot, plot.viewport().size()); });
}

void showEmptiness(QCustomPlot& plot, bool empty, const QString& sentence) {
    constexpr const char* name = "emptiness";
    for (QCPAxis* axis : {plot.xAxis, plot.yAxis}) {
        axis->setTickLabels(!empty);
        axis->grid()->setVisible(!empty);
    }
    for (int i = plot.itemCount(); i-- > 0;)
        if (plot.item(i)->objectName() == name)
            plot.removeItem(i);
    if (!empty)
        return;
    auto* text = new QCPItemText(&plot);
    text->setObjectName(name);
    text->position->setType(QCPItemPosition::ptAxisRectRatio);
    text->position->setCoords(0.5, 0.5);
    text->setFont(textFont());
    text->setColor(Theme::current().muted);
    text->setText(sentence);
}

} // namespace warplight::app
