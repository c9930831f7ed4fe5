// SPDX-License-Identifier: GPL-3.0-or-later
// What is done to the window as a whole, and what happens around it.
#include "tests/app/random_use/events.h"

#include "tests/app/random_use/hostile_texts.h"
#include "tests/app/random_use/targets.h"

#include "app/shell/main_window.h"
#include "app/shell/navigation.h"

#include <QApplication>
#include <QComboBox>
#include <chrono>

#include <array>

namespace warplight::app {
namespace {

using std::chrono::milliseconds;

void resize(Event& event, Dice& dice, Room& room) {
    constexpr std::array widths{1, 320, 640, 1024, 1280, 1440, 1920, 3840};
    constexpr std::array heights{1, 200, 480, 720, 900, 1080, 2160};
    event.then([width = dice.of(widths), height = dice.of(heights), &room] {
        room.hands.say(QString("resize to %1 x %2").arg(width).arg(height));
        windowInFront(*room.window)->window()->resize(width, height);
    });
}

void changeState(Event& event, Dice& dice, Room& room) {
    event.then([state = dice.below(4), &room] {
        room.hands.say(QString("window state %1").arg(state));
        switch (state) {
        case 0:
            return room.window->showMinimized();
        case 1:
            return room.window->showMaximized();
        case 2:
            return room.window->showFullScreen();
        default:
            return room.window->showNormal();
        }
    });
    event.then([&room] { // from the task bar
        room.window->showNormal();
        room.window->activateWindow();
    });
}

} // namespace

Event windowEvent(Dice& dice, Room& room) {
    enum { Resize, State, Activate, Close, Pause };
    constexpr std::array<double, 5> weights{40, 8, 20, 5, 50};
    constexpr std::array names{"resize", "window state", "activate", "close the window", "pause"};
    const size_t kind = dice.weighted(weights);
    Event event{names[kind], {}};
    switch (kind) {
    case Resize:
        resize(event, dice, room);
        break;
    case State:
        changeState(event, dice, room);
        break;
    case Activate:
        event.then([&room] {
            room.hands.say("activate");
            room.window->activateWindow();
        });
        break;
    case Close:
        event.then([quit = dice.chance(0.5), &room] {
            if (QApplication::activeModalWidget()) // a dialog keeps the window system from closing it
                return;
            if (quit)
                return room.hands.key(Qt::Key_Q, Qt::ControlModifier);
            room.hands.say("close the window");
            room.window->close();
        });
        break;
    default:
        event.steps.push_back([time = milliseconds(dice.between(20, 400)), &room] {
            room.hands.say(QString("pause of %1 ms").arg(time.count()));
            return time;
        });
    }
    return event;
}

Event pageEvent(Dice& dice, Room& room) {
    Event event{"page", {}};
    const double which = dice.share();
    event.then([which, &room] {
        auto* pages = room.window->findChild<Navigation*>();
        QList<QTreeWidgetItem*> lines;
        if (pages)
            for (QTreeWidgetItemIterator item(pages); *item; ++item)
                lines << *item;
        if (lines.isEmpty())
            return;
        QTreeWidgetItem* item = lines[static_cast<int>(which * static_cast<double>(lines.size()))];
        if (!pages->isVisible()) // presentation mode, where the command palette leads to pages
            return room.window->showExperiment(item->data(0, Qt::UserRole).toString());
        if (item->parent() && !item->parent()->isExpanded()) // one line: the first press opens its lab
            item = item->parent();
        pages->scrollToItem(item);
        const QPoint at = pages->visualItemRect(item).center();
        room.hands.press(pages->viewport(), at, Qt::LeftButton);
    });
    event.then([&room] {
        if (auto* pages = room.window->findChild<Navigation*>())
            room.hands.release(pages->viewport(), pages->viewport()->rect().center(), Qt::LeftButton);
    });
    if (dice.chance(0.3))
        event.then([which = dice.share(), &room] {
            auto* device = room.window->findChild<QComboBox*>("device");
            if (!device || device->count() == 0)
                return;
            const int index = static_cast<int>(which * device->count());
            room.hands.say("device " + device->itemText(index));
            room.window->chooseDevice(device->itemData(index).toString());
        });
    if (dice.chance(0.5)) // sometimes long enough for a run, sometimes not
        event.steps.push_back([time = milliseconds(dice.between(50, 700))] { return time; });
    return event;
}

Event fileEvent(Dice& dice, Room& room) {
    const QStringList& files = room.sandbox.files();
    const QString file = dice.of(files);
    enum { Drop, Open, Save, Export, Clipboard };
    constexpr std::array<double, 5> weights{40, 25, 15, 8, 20};
    constexpr std::array names{"drop files", "open a session", "save the session", "export a report", "clipboard"};
    const size_t kind = dice.weighted(weights);
    Event event{names[kind], {}};
    switch (kind) {
    case Drop: {
        QStringList dropped{file};
        while (dice.chance(0.25))
            dropped << dice.of(files);
        event.then([dropped, let = dice.chance(0.9), across = dice.share(), down = dice.share(), &room] {
            QWidget* on = windowInFront(*room.window);
            room.hands.drop(on, pointIn(*on, across, down), dropped, let);
        });
        break;
    }
    case Open: {
        QStringList sessions = files.filter(".warplight");
        sessions << room.sandbox.newFile("mine.warplight");
        event.then([session = dice.of(sessions), &room] {
            if (QApplication::activeModalWidget()) // it would be in the way
                return;
            room.hands.say("open " + session);
            room.window->openSession(session);
        });
        break;
    }
    case Save:
        event.then([&room] {
            if (QApplication::activeModalWidget())
                return;
            room.hands.say("save the session");
            room.window->saveSession(room.sandbox.newFile("mine.warplight"));
        });
        break;
    case Export: {
        constexpr std::array targets{"report.html", "report.pdf", "report", "no/such/folder/report.html"};
        event.then([target = dice.of(targets), &room] {
            if (QApplication::activeModalWidget())
                return;
            room.hands.say(QString("export %1").arg(target));
            room.window->exportReport(room.sandbox.newFile(target));
        });
        break;
    }
    default:
        event.then([text = hostileText(dice), &room] { room.hands.setClipboard(text); });
        event.then([&room] { room.hands.key(Qt::Key_V, Qt::ControlModifier); });
    }
    return event;
}

Event engineEvent(Dice& dice, Room& room) {
    const bool kills = dice.chance(0.5);
    Event event{kills ? "kill the engine" : "stop the engine for a while", {}};
    event.then([kills, events = dice.between(3, 150), &room] {
        room.hands.say(kills ? QString("kill the engine") : QString("stop the engine for %1 events").arg(events));
        if (kills)
            room.troubles.kill();
        else
            room.troubles.stopFor(events);
    });
    return event;
}

Event randomEvent(Dice dice, Room& room) {
    using Kind = Event (*)(Dice&, Room&);
    constexpr std::array<Kind, 8> kinds{pointerEvent, keyboardEvent, textEvent, dialogEvent,
                                        pageEvent,    windowEvent,   fileEvent, engineEvent};
    constexpr std::array<double, 8> weights{40, 18, 9, 14, 5, 7, 5, 0.8};
    return kinds[dice.weighted(weights)](dice, room);
}

} // namespace warplight::app
