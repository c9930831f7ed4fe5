#include "app/views/steps_view.h"

#include "app/views/theme.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPainterPath>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <cstdint>
#include <tuple>
#include <utility>

#include <algorithm>
#include <cmath>
#include <functional>

namespace warplight::app {
namespace {

constexpr int playInterval = 900; // ms a step: time to read its sentence's number

class Canvas : public QWidget {
  public:
    Canvas(QWidget* parent, std::function<void(QPainter&, const QRectF&)> paint)
        : QWidget(parent), paint(std::move(paint)) {
        setMinimumSize(220, 160);
    }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        paint(painter, rect());
    }

  private:
    std::function<void(QPainter&, const QRectF&)> paint;
};

QColor fillOf(lab::Steps::CellState state, const Theme& theme) {
    switch (state) {
    case lab::Steps::CellState::Current:
        return theme.accent;
    case lab::Steps::CellState::Done:
        return QColor::fromRgbF(theme.accent.redF(), theme.accent.greenF(), theme.accent.blueF(), 0.3f);
    case lab::Steps::CellState::Highlight:
        return theme.warning;
    case lab::Steps::CellState::Card:
    case lab::Steps::CellState::Marked:
        return theme.panel;
    default:
        return theme.ground;
    }
}

void paintCell(QPainter& painter, const QRectF& box, const lab::Steps::Cell& cell) {
    const Theme& theme = Theme::current();
    const bool marked = cell.state == lab::Steps::CellState::Marked;
    const double radius = std::min({4.0, box.width() / 4, box.height() / 4});
    painter.setPen(cell.colourKey.empty() ? QPen(marked ? theme.accent : theme.line, marked ? 2 : 1) : QPen(Qt::NoPen));
    painter.setBrush(!cell.colourKey.empty() ? theme.series(QString::fromStdString(cell.colourKey))
                     : cell.value            ? Theme::viridis(*cell.value)
                                             : fillOf(cell.state, theme));
    painter.drawRoundedRect(box, radius, radius);
    if (cell.state == lab::Steps::CellState::Skipped) {
        painter.setBrush(QBrush(theme.line, Qt::BDiagPattern));
        painter.drawRoundedRect(box, radius, radius);
    }
    painter.setPen(cell.state == lab::Steps::CellState::Current ? theme.accentInk : theme.ink);
    painter.drawText(box, Qt::AlignCenter, QString::fromStdString(cell.text));
}

constexpr size_t mostHeads = 16; ///< more arrows than that have none: they would hide each other

/// A bow through `bend` on the way.
void paintArrow(QPainter& painter, const QPointF& from, const QPointF& bend, const QPointF& to, bool head) {
    const QColor colour = Theme::current().accent;
    const QPointF handle = 2 * bend - (from + to) / 2; // so that the middle of the curve is `bend`
    QPainterPath path(from);
    path.quadTo(handle, to);
    painter.setPen(QPen(colour, 2));
    painter.setBrush(Qt::NoBrush);
    painter.drawPath(path);
    const QPointF back = to == handle ? from : handle;
    const double length = std::hypot(to.x() - back.x(), to.y() - back.y());
    if (length < 1 || !head)
        return;
    const QPointF along = (to - back) / length, across(-along.y(), along.x());
    painter.setPen(Qt::NoPen);
    painter.setBrush(colour);
    painter.drawPolygon(QPolygonF{to, to - 9 * along + 4 * across, to - 9 * along - 4 * across});
}

} // namespace

StepsView::StepsView(QWidget* parent)
    : FigureView(parent),
      canvas(new Canvas(this, [this](QPainter& p, const QRectF& area) { paintScene(p, area); })),
      captionLabel(new QLabel(this)),
      facts(new QLabel(this)),
      position(new QLabel(this)),
      scrub(new QSlider(Qt::Horizontal, this)),
      play(new QToolButton(this)) {
    setFocusPolicy(Qt::StrongFocus);
    captionLabel->setWordWrap(true);
    captionLabel->setFont(textFont(15, QFont::Medium));
    facts->setFont(monoFont(11.5));
    facts->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    facts->setTextInteractionFlags(Qt::TextSelectableByMouse);
    position->setFont(monoFont());
    scrub->setFocusPolicy(Qt::NoFocus);
    auto* controls = new QHBoxLayout;
    const auto addButton = [&](QToolButton* button, const QString& text, const QString& tip, auto&& action) {
        button->setObjectName("bar");
        button->setText(text);
        button->setToolTip(tip);
        button->setAccessibleName(tip);
        button->setFocusPolicy(Qt::TabFocus);
        connect(button, &QToolButton::clicked, this, action);
        controls->addWidget(button);
    };
    addButton(new QToolButton(this), "|◀", tr("First step (Home)"), [this] { showStep(0); });
    addButton(new QToolButton(this), "◀", tr("Step back (←)"), [this] { showStep(current - 1); });
    addButton(play, "▶", tr("Play or pause (space)"), [this] { togglePlay(); });
    addButton(new QToolButton(this), "▷", tr("Next step (→)"), [this] { showStep(current + 1); });
    addButton(new QToolButton(this), "▶|", tr("Last step (End)"),
              [this] { showStep(static_cast<int>(steps.steps.size()) - 1); });
    controls->addWidget(scrub, 1);
    controls->addWidget(position);
    auto* middle = new QHBoxLayout;
    middle->addWidget(canvas, 3);
    middle->addWidget(facts, 2);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(captionLabel);
    layout->addLayout(middle, 1);
    layout->addLayout(controls);
    connect(scrub, &QSlider::valueChanged, this, &StepsView::showStep);
    timer.setInterval(playInterval);
    connect(&timer, &QTimer::timeout, this, [this] {
        if (current + 1 >= static_cast<int>(steps.steps.size()))
            togglePlay();
        else
            showStep(current + 1);
    });
}

void StepsView::setFigure(const lab::Figure& figure) {
    steps = std::get<lab::Steps>(figure.content);
    const int last = std::max(0, static_cast<int>(steps.steps.size()) - 1);
    {
        const QSignalBlocker quiet(scrub);
        scrub->setMaximum(last);
    }
    go(touched ? current : static_cast<int>(std::min<int64_t>(steps.opensAt, last)));
}

QString StepsView::caption() const { return captionLabel->text(); }

void StepsView::showStep(int step) {
    touched = true;
    go(step);
}

void StepsView::go(int step) {
    current = std::clamp(step, 0, std::max(0, static_cast<int>(steps.steps.size()) - 1));
    const QSignalBlocker quiet(scrub);
    scrub->setValue(current);
    showCurrent();
}

void StepsView::togglePlay() {
    if (timer.isActive()) {
        timer.stop();
    } else if (!steps.steps.empty()) {
        if (current + 1 == static_cast<int>(steps.steps.size()))
            showStep(0);
        timer.start();
    }
    play->setText(timer.isActive() ? "||" : "▶");
}

void StepsView::showCurrent() {
    const bool any = current < static_cast<int>(steps.steps.size());
    captionLabel->setText(any ? QString::fromStdString(steps.steps[static_cast<size_t>(current)].caption)
                              : tr("No step yet."));
    QStringList lines;
    if (any)
        for (const auto& fact : steps.steps[static_cast<size_t>(current)].facts)
            lines << QString("%1  %2").arg(QString::fromStdString(fact.title),
                                           QString::fromStdString(fact.text).replace(" · ", "\n        "));
    facts->setText(lines.join('\n'));
    facts->setVisible(!lines.isEmpty()); // without facts the scene has all the width
    position->setText(tr("%1 / %2").arg(any ? current + 1 : 0).arg(steps.steps.size()));
    canvas->update();
}

void StepsView::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
    case Qt::Key_Space:
        return togglePlay();
    case Qt::Key_Left:
        return showStep(current - 1);
    case Qt::Key_Right:
        return showStep(current + 1);
    case Qt::Key_Home:
        return showStep(0);
    case Qt::Key_End:
        return showStep(static_cast<int>(steps.steps.size()) - 1);
    default:
        FigureView::keyPressEvent(event);
    }
}

void StepsView::paintScene(QPainter& painter, const QRectF& area) const {
    if (current >= static_cast<int>(steps.steps.size()))
        return;
    const Theme& theme = Theme::current();
    const auto& step = steps.steps[static_cast<size_t>(current)];
    double unitX = area.width() / steps.width, unitY = area.height() / steps.height;
    if (!steps.stretches)
        unitX = unitY = std::min(unitX, unitY);
    const auto at = [&](double x, double y) { return QPointF(area.left() + x * unitX, area.top() + y * unitY); };
    for (const auto& cell : step.cells)
        paintCell(painter, QRectF(at(cell.x, cell.y), QSizeF(cell.width * unitX, cell.height * unitY)), cell);
    for (const auto& arrow : step.arrows) {
        const QPointF from = at(arrow.fromX, arrow.fromY), to = at(arrow.toX, arrow.toY);
        const double length = std::hypot(arrow.toX - arrow.fromX, arrow.toY - arrow.fromY);
        const double aside = length > 0 ? arrow.bow / length : 0; // to the left of its direction, y grows downwards
        const QPointF middle = at((arrow.fromX + arrow.toX) / 2 + aside * (arrow.toY - arrow.fromY),
                                  (arrow.fromY + arrow.toY) / 2 - aside * (arrow.toX - arrow.fromX));
        paintArrow(painter, from, middle, to, step.arrows.size() <= mostHeads);
    }
    for (const auto& label : step.labels) {
        painter.setFont(label.mono ? monoFont(11) : textFont(12, label.strong ? QFont::DemiBold : QFont::Normal));
        painter.setPen(label.strong ? theme.ink : theme.muted);
        const QPointF point = at(label.x, label.y);
        const double width = 600;
        const double left = label.align == lab::Steps::Label::Align::Left    ? 0
                            : label.align == lab::Steps::Label::Align::Right ? width
                                                                             : width / 2;
        const auto flag = label.align == lab::Steps::Label::Align::Left    ? Qt::AlignLeft
                          : label.align == lab::Steps::Label::Align::Right ? Qt::AlignRight
                                                                           : Qt::AlignHCenter;
        painter.drawText(QRectF(point.x() - left, point.y() - 10, width, 20), static_cast<int>(flag | Qt::AlignVCenter),
                         QString::fromStdString(label.text));
    }
}

void StepsView::render(QPainter& painter, const QRectF& area) const {
    painter.setFont(textFont(14, QFont::Medium));
    painter.setPen(Theme::current().ink);
    painter.drawText(area, Qt::AlignTop | Qt::AlignLeft | Qt::TextWordWrap, captionLabel->text());
    paintScene(painter, area.adjusted(0, 40, 0, 0));
}

} // namespace warplight::app
