// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/focus_ring.h"

#include "app/views/theme.h"

#include <QApplication>
#include <QFocusEvent>
#include <QKeyEvent>
#include <QPainter>

namespace warplight::app {
namespace {

constexpr double thickness = 2, radius = 6;

class Ring : public QWidget {
  public:
    explicit Ring(QWidget* on) : QWidget(on) {
        setObjectName("focusRing");
        setAttribute(Qt::WA_TransparentForMouseEvents);
        setAttribute(Qt::WA_NoSystemBackground);
        setFocusPolicy(Qt::NoFocus);
        setGeometry(on->rect());
        show();
        raise();
    }

  protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const QRectF inside = QRectF(rect()).adjusted(thickness, thickness, -thickness, -thickness);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(Theme::current().panel, thickness)); // seen on a ground of the accent's colour as well
        painter.drawRoundedRect(inside, radius, radius);
        painter.setPen(QPen(Theme::current().accent, thickness));
        const double half = thickness / 2;
        painter.drawRoundedRect(QRectF(rect()).adjusted(half, half, -half, -half), radius, radius);
    }
};

} // namespace

void FocusRing::install() {
    static QPointer<FocusRing> installed;
    if (installed)
        return;
    installed = new FocusRing(qApp);
    qApp->installEventFilter(installed);
}

void FocusRing::show(QWidget* on) {
    if (ring && ring->parentWidget() == on)
        return;
    hide();
    if (!on->isWindow())
        ring = new Ring(on);
}

void FocusRing::hide() {
    if (ring) {
        ring->hide();
        ring->deleteLater();
        ring = nullptr;
    }
}

bool FocusRing::eventFilter(QObject* object, QEvent* event) {
    switch (event->type()) {
    case QEvent::KeyPress:
        if (const int key = static_cast<QKeyEvent*>(event)->key(); key == Qt::Key_Tab || key == Qt::Key_Backtab) {
            byKeyboard = true;
            if (auto* focus = QApplication::focusWidget())
                show(focus); // also where there is nothing else to go to
        }
        break;
    case QEvent::MouseButtonPress:
        byKeyboard = false;
        hide();
        break;
    case QEvent::FocusIn:
        if (auto* widget = qobject_cast<QWidget*>(object)) {
            const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
            byKeyboard |= reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason;
            if (byKeyboard && widget == QApplication::focusWidget())
                show(widget);
        }
        break;
    case QEvent::FocusOut:
        if (ring && object == ring->parentWidget())
            hide();
        break;
    case QEvent::Resize:
        if (ring && object == ring->parentWidget())
            ring->setGeometry(ring->parentWidget()->rect());
        break;
    case QEvent::ChildAdded: // a view's parts may come later
        if (ring && object == ring->parentWidget())
            ring->raise();
        break;
    default:
        break;
    }
    return QObject::eventFilter(object, event);
}

} // namespace warplight::app
