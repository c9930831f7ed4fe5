// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/steps_view.h"

#include "app/views/pen_stroke.h"
#include "app/views/scene_motion.h"
#include "app/views/scene_paint.h"
#include "app/views/theme.h"

#include <QBoxLayout>
#include <QEasingCurve>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>
#include <QToolTip>
#include <QVBoxLayout>
#include <cstdint>
#include <utility>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>

namespace warplight::app {
namespace {

constexpr int playInterval = 1400; // ms a step: time to read its sentence's number
constexpr int motionTime = 280;    // ms

/// What a canvas asks about its scene.
struct Sight {
    std::function<void(QPainter&, const QRectF&)> paint;
    std::function<QString(const QRectF&, const QPointF&)> tip;
    std::function<const lab::Link*(const QRectF&, const QPointF&)> link;
    std::function<std::optional<DrawingSheet>(const QRectF&, const QPointF&)> sheet;
    std::function<void(const lab::Link&)> follow;
};

class Canvas : public QWidget {
  public:
    Canvas(QWidget* parent, Sight sight) : QWidget(parent), sight(std::move(sight)) {
        setMinimumSize(220, 160);
        setMouseTracking(true);
    }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        sight.paint(painter, rect());
        if (stroke)
            stroke->paint(painter);
    }

    bool event(QEvent* event) override {
        if (event->type() != QEvent::ToolTip)
            return QWidget::event(event);
        const auto* help = static_cast<QHelpEvent*>(event);
        QToolTip::showText(help->globalPos(), sight.tip(rect(), help->pos()), this);
        return true;
    }

    void mouseMoveEvent(QMouseEvent* event) override {
        if (stroke) {
            stroke->moveTo(event->position());
            return update();
        }
        setCursor(sight.link(rect(), event->position())    ? Qt::PointingHandCursor
                  : sight.sheet(rect(), event->position()) ? Qt::CrossCursor
                                                           : Qt::ArrowCursor);
        event->ignore();
    }
    void mousePressEvent(QMouseEvent* event) override {
        pressed = event->button() == Qt::LeftButton ? sight.link(rect(), event->position()) : nullptr;
        if (pressed)
            return;
        if (event->button() == Qt::LeftButton)
            if (auto sheet = sight.sheet(rect(), event->position()))
                stroke.emplace(std::move(*sheet), event->position());
        if (!stroke)
            event->ignore();
    }
    void mouseReleaseEvent(QMouseEvent* event) override {
        if (const auto drawn = std::exchange(stroke, std::nullopt)) {
            update();
            if (drawn->counts())
                sight.follow(drawn->link());
            return;
        }
        const lab::Link* released = sight.link(rect(), event->position());
        if (released && released == std::exchange(pressed, nullptr))
            sight.follow(lab::Link(*released)); // the scene may go away meanwhile
    }

  private:
    Sight sight;
    const lab::Link* pressed = nullptr; ///< only compared
    std::optional<PenStroke> stroke;
};

/// Few facts stand in a line below the scene, many beside it.
constexpr size_t mostInLine = 9;

QString factsLine(const lab::Steps::Step& step) {
    QString html;
    for (const auto& fact : step.facts)
        html += QString("%1<span style='color:%2'>%3</span>&nbsp;%4")
                    .arg(html.isEmpty() ? "" : " &nbsp; ", Theme::current().muted.name(),
                         QString::fromStdString(fact.title).toHtmlEscaped().replace(' ', "&nbsp;"),
                         QString::fromStdString(fact.text).toHtmlEscaped().replace(' ', "&nbsp;"));
    return html;
}

QString factsColumn(const lab::Steps::Step& step) {
    QStringList lines;
    for (const auto& fact : step.facts)
        lines << QString("%1  %2").arg(QString::fromStdString(fact.title),
                                       QString::fromStdString(fact.text).replace(" · ", "\n        "));
    return lines.join('\n');
}

} // namespace

StepsView::StepsView(QWidget* parent)
    : FigureView(parent),
      canvas(new Canvas(this, {[this](QPainter& p, const QRectF& area) { paintCurrent(p, area, 0.85); },
                               [this](const QRectF& area, const QPointF& point) {
                                   return steps.steps.empty() ? QString() : sceneTip(area, steps, currentStep(), point);
                               },
                               [this](const QRectF& area, const QPointF& point) {
                                   return steps.steps.empty() ? nullptr : sceneLink(area, steps, currentStep(), point);
                               },
                               [this](const QRectF& area, const QPointF& point) {
                                   return steps.steps.empty() ? std::nullopt
                                                              : sceneSheet(area, steps, currentStep(), point);
                               },
                               [this](const lab::Link& link) { emit linkActivated(link); }})),
      middle(new QBoxLayout(QBoxLayout::TopToBottom)),
      captionLabel(new QLabel(this)),
      facts(new QLabel(this)),
      position(new QLabel(this)),
      player(new QWidget(this)),
      scrub(new QSlider(Qt::Horizontal, player)),
      play(new QToolButton(player)) {
    setFocusPolicy(Qt::StrongFocus);
    captionLabel->setWordWrap(true);
    captionLabel->setFont(textFont(15, QFont::Medium));
    facts->setFont(monoFont(11.5));
    facts->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    facts->setTextInteractionFlags(Qt::TextSelectableByMouse);
    position->setFont(monoFont());
    scrub->setFocusPolicy(Qt::NoFocus);
    auto* controls = new QHBoxLayout(player);
    controls->setContentsMargins(0, 0, 0, 0);
    const auto addButton = [&](QToolButton* button, const QString& text, const QString& tip, auto&& action) {
        button->setObjectName("bar");
        button->setText(text);
        button->setToolTip(tip);
        button->setAccessibleName(tip);
        button->setFocusPolicy(Qt::TabFocus);
        connect(button, &QToolButton::clicked, this, action);
        controls->addWidget(button);
    };
    addButton(new QToolButton(player), "|◀", tr("First step (Home)"), [this] { takeKey(Qt::Key_Home); });
    addButton(new QToolButton(player), "◀", tr("Step back (←)"), [this] { takeKey(Qt::Key_Left); });
    addButton(play, "▶", tr("Play or pause (space)"), [this] { togglePlay(); });
    addButton(new QToolButton(player), "▷", tr("Next step (→)"), [this] { takeKey(Qt::Key_Right); });
    addButton(new QToolButton(player), "▶|", tr("Last step (End)"), [this] { takeKey(Qt::Key_End); });
    controls->addWidget(scrub, 1);
    controls->addWidget(position);
    middle->addWidget(canvas, 3);
    middle->addWidget(facts);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(captionLabel);
    layout->addLayout(middle, 1);
    layout->addWidget(player);
    connect(scrub, &QSlider::valueChanged, this, &StepsView::showStep);
    motion.setDuration(motionTime);
    motion.setStartValue(0.0);
    motion.setEndValue(1.0);
    motion.setEasingCurve(QEasingCurve::InOutCubic);
    connect(&motion, &QVariantAnimation::valueChanged, canvas, qOverload<>(&QWidget::update));
    connect(&timer, &QTimer::timeout, this, [this] {
        if (current >= last())
            togglePlay();
        else // what follows quickly needs no motion between
            takeKey(Qt::Key_Right, timer.interval() < 2 * motionTime);
    });
}

const lab::Steps::Step& StepsView::currentStep() const { return steps.steps[static_cast<size_t>(current)]; }

int StepsView::last() const { return std::max(0, static_cast<int>(steps.steps.size()) - 1); }

void StepsView::setFigure(const lab::Figure& figure) {
    steps = std::get<lab::Steps>(figure.content);
    {
        const QSignalBlocker quiet(scrub);
        scrub->setMaximum(last());
    }
    timer.setInterval(steps.stepTime > 0 ? static_cast<int>(1000 * steps.stepTime) : playInterval);
    player->setVisible(steps.steps.size() > 1); // a picture of one step is no film
    reserveCaption();
    go(touched ? current : static_cast<int>(std::min<int64_t>(steps.opensAt, last())));
}

QString StepsView::caption() const { return captionLabel->text(); }

void StepsView::showStep(int step) {
    touched = true;
    go(step);
}

void StepsView::go(int step, bool moves) {
    before = std::exchange(current, std::clamp(step, 0, last()));
    const QSignalBlocker quiet(scrub);
    scrub->setValue(current);
    motion.stop();
    if (moves && motionWanted() && isVisible() && std::abs(current - before) == 1)
        motion.start();
    showCurrent();
}

void StepsView::togglePlay() {
    if (timer.isActive()) {
        timer.stop();
    } else if (!steps.steps.empty()) {
        if (current == last())
            showStep(0);
        timer.start();
    }
    play->setText(timer.isActive() ? "||" : "▶");
}

void StepsView::showCurrent() {
    const bool any = current < static_cast<int>(steps.steps.size());
    const lab::Steps::Step none{}, &step = any ? steps.steps[static_cast<size_t>(current)] : none;
    captionLabel->setText(any ? QString::fromStdString(step.caption) : tr("No step yet."));
    showFacts(step);
    position->setText(tr("%1 / %2").arg(any ? current + 1 : 0).arg(steps.steps.size()));
    canvas->update();
}

void StepsView::showFacts(const lab::Steps::Step& step) {
    const bool inLine = step.facts.size() <= mostInLine;
    middle->setDirection(inLine ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    middle->setStretch(1, inLine ? 0 : 2);
    facts->setTextFormat(inLine ? Qt::RichText : Qt::PlainText);
    facts->setWordWrap(inLine);
    facts->setText(inLine ? factsLine(step) : factsColumn(step));
    facts->setVisible(!step.facts.empty()); // without facts the scene has all the room
}

bool StepsView::takeKey(int key, bool repeated) {
    const auto show = [&](int step) {
        touched = true;
        go(step, !repeated);
        return true;
    };
    switch (key) {
    case Qt::Key_Space:
        togglePlay();
        return true;
    case Qt::Key_Left:
    case Qt::Key_PageUp:
        return show(current - 1);
    case Qt::Key_Right:
    case Qt::Key_PageDown:
        return show(current + 1);
    case Qt::Key_Home:
        return show(0);
    case Qt::Key_End:
        return show(last());
    default:
        return false;
    }
}

void StepsView::keyPressEvent(QKeyEvent* event) {
    if (!takeKey(event->key(), event->isAutoRepeat()))
        FigureView::keyPressEvent(event);
}

void StepsView::paintCurrent(QPainter& painter, const QRectF& area, double leastType) const {
    if (current >= static_cast<int>(steps.steps.size()))
        return;
    const auto now = static_cast<size_t>(current), then = static_cast<size_t>(before);
    if (!isMoving() || then >= steps.steps.size())
        return paintScene(painter, area, steps, steps.steps[now], leastType);
    const double share = motion.currentValue().toDouble(); // a step back is the step run backwards
    paintScene(painter, area, steps,
               then < now ? sceneBetween(steps, then, now, share) : sceneBetween(steps, now, then, 1 - share),
               leastType);
}

int StepsView::captionHeight(int width) const {
    const auto longest = std::max_element(steps.steps.begin(), steps.steps.end(), [](const auto& a, const auto& b) {
        return a.caption.size() < b.caption.size();
    });
    return longest == steps.steps.end() ? 0
                                        : captionLabel->fontMetrics()
                                              .boundingRect(QRect(0, 0, std::max(1, width), QWIDGETSIZE_MAX),
                                                            Qt::TextWordWrap, QString::fromStdString(longest->caption))
                                              .height();
}

/// So that the scene below does not jump from step to step.
void StepsView::reserveCaption() { captionLabel->setMinimumHeight(captionHeight(captionLabel->width())); }

/// Of a scene that keeps its shape, in all of the width.
int StepsView::fullHeight(int width) const {
    if (steps.stretches || steps.steps.empty())
        return 0;
    const int scene = std::max(canvas->minimumHeight(), static_cast<int>(width * steps.height / steps.width));
    const int numbers = facts->isHidden() ? 0 : facts->sizeHint().height();
    const int buttons = player->isHidden() ? 0 : play->sizeHint().height();
    return captionHeight(width) + scene + numbers + buttons + 3 * layout()->spacing();
}

void StepsView::resizeEvent(QResizeEvent* event) {
    FigureView::resizeEvent(event);
    layout()->activate();
    reserveCaption();
}

void StepsView::render(QPainter& painter, const QRectF& area) const {
    constexpr double gap = 10;
    painter.setFont(textFont(14, QFont::Medium));
    painter.setPen(Theme::current().ink);
    QRectF used;
    painter.drawText(area, Qt::AlignTop | Qt::AlignLeft | Qt::TextWordWrap, captionLabel->text(), &used);
    renderScene(painter, area.adjusted(0, used.height() + gap, 0, 0));
}

void StepsView::renderScene(QPainter& painter, const QRectF& area) const {
    constexpr double least = 0.4; // a small picture has small type: it is looked at closely, or enlarged
    paintCurrent(painter, area, least);
}

} // namespace warplight::app
