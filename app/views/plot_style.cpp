#include "app/views/plot_style.h"

#include "app/views/theme.h"

#include <algorithm>
#include <cmath>

namespace warplight::app {
namespace {

/// 256, 1k, 64k for powers of two; 1 µ, 10 m, 1, 1 k ... for the others.
class HumanTicker : public QCPAxisTicker {
  public:
    explicit HumanTicker(const lab::Axis& axis) : scale(axis.scale), unit(QString::fromStdString(axis.unit)) {}

  protected:
    QVector<double> createTickVector(double, const QCPRange& range) override {
        QVector<double> ticks;
        if (scale == lab::Scale::Linear || range.lower <= 0)
            return QCPAxisTicker::createTickVector(getTickStep(range), range);
        const double base = scale == lab::Scale::Log2 || unit == "B" ? 2 : 10; // bytes are told in binary prefixes
        const int first = static_cast<int>(std::floor(std::log(range.lower) / std::log(base)));
        const int last = static_cast<int>(std::ceil(std::log(range.upper) / std::log(base)));
        const int step = std::max(1, (last - first + 7) / 8);
        for (int power = first; power <= last; power += step)
            ticks.append(std::pow(base, power));
        return ticks;
    }
    double getTickStep(const QCPRange& range) override {
        return unit == "B" && scale == lab::Scale::Linear ? std::exp2(std::ceil(std::log2(range.size() / 6)))
                                                          : QCPAxisTicker::getTickStep(range);
    }
    QVector<double> createSubTickVector(int, const QVector<double>&) override { return {}; }
    QString getTickLabel(double tick, const QLocale&, QChar, int) override {
        if (scale == lab::Scale::Log2) {
            const double k = tick / 1024;
            return k >= 1024 ? QString::number(k / 1024) + "M"
                   : k >= 1  ? QString::number(k) + "k"
                             : QString::number(tick);
        }
        return unit.isEmpty() ? QString::number(tick, 'g', 4) : numberText(tick, unit);
    }

  private:
    lab::Scale scale;
    QString unit;
};

} // namespace

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
        const auto names = QSharedPointer<QCPAxisTickerText>::create();
        for (size_t i = 0; i < description.labels.size(); ++i)
            names->addTick(static_cast<double>(i), QString::fromStdString(description.labels[i]));
        axis.setTicker(names);
    }
    axis.setRangeReversed(description.reversed);
}

} // namespace warplight::app
