// SPDX-License-Identifier: GPL-3.0-or-later
// What is done with a mouse and a keyboard.
#include "tests/app/random_use/events.h"

#include "tests/app/random_use/hostile_texts.h"
#include "tests/app/random_use/targets.h"

#include "app/shell/main_window.h"

#include <array>
#include <memory>

namespace warplight::app {
namespace {

/// A widget and a point on it, drawn before it is known what the window shows.
struct Place {
    double which, across, down;
    QPointer<QWidget> on;

    explicit Place(Dice& dice) : which(dice.share()), across(dice.share()), down(dice.share()) {}
    void choose(const QList<QWidget*>& among) {
        on = among.isEmpty() ? nullptr : among[static_cast<qsizetype>(which * static_cast<double>(among.size()))];
    }
    void chooseFrom(QWidget* window, bool control) {
        choose(control ? controlsOf(*window) : QList<QWidget*>{window});
        if (!on)
            on = window;
    }
    QPoint at() const { return pointIn(*on, across, down); }
};

Qt::KeyboardModifiers someModifiers(Dice& dice) {
    constexpr std::array all{Qt::NoModifier, Qt::NoModifier,    Qt::NoModifier,      Qt::NoModifier,
                             Qt::NoModifier, Qt::ShiftModifier, Qt::ControlModifier, Qt::AltModifier};
    return dice.of(all);
}

void click(Event& event, Room& room, const std::shared_ptr<Place>& place, Qt::MouseButton button,
           Qt::KeyboardModifiers keys = {}) {
    event.then([place, &room] {
        if (place->on)
            room.hands.move(place->on, place->at());
    });
    event.then([=, &room] {
        if (place->on)
            room.hands.press(place->on, place->at(), button, keys);
    });
    event.then([=, &room] {
        if (place->on)
            room.hands.release(place->on, place->at(), button, keys);
    });
}

Event drag(Dice& dice, Room& room, const std::shared_ptr<Place>& place, bool control) {
    Event event{"drag", {}};
    event.then([=, &room] {
        place->chooseFrom(windowInFront(*room.window), control);
        room.hands.press(place->on, place->at(), Qt::LeftButton);
    });
    for (int i = dice.between(1, 8); i > 0; --i)
        event.then([=, across = dice.share() * 1.4 - 0.2, down = dice.share() * 1.4 - 0.2, &room] {
            place->across = across;
            place->down = down;
            if (place->on)
                room.hands.move(place->on, place->at());
        });
    event.then([=, &room] { // also if its widget has gone: nobody holds a button for ever
        QWidget* on = place->on ? place->on.data() : room.window.data();
        room.hands.release(on, pointIn(*on, place->across, place->down), Qt::LeftButton);
    });
    return event;
}

/// Keys that move, choose and open, and those of the window's commands. Quit is asked for elsewhere, and less often.
constexpr std::array plainKeys{
    Qt::Key_Tab,    Qt::Key_Backtab,   Qt::Key_Up,     Qt::Key_Down,     Qt::Key_Left,   Qt::Key_Right,  Qt::Key_Home,
    Qt::Key_End,    Qt::Key_Space,     Qt::Key_Return, Qt::Key_PageDown, Qt::Key_PageUp, Qt::Key_Escape, Qt::Key_Enter,
    Qt::Key_Delete, Qt::Key_Backspace, Qt::Key_Plus,   Qt::Key_Minus,    Qt::Key_0,      Qt::Key_Menu,   Qt::Key_F2,
    Qt::Key_F4,     Qt::Key_F10,       Qt::Key_Insert, Qt::Key_Tab,      Qt::Key_Tab,    Qt::Key_Down,   Qt::Key_Right};
constexpr std::array commands{QKeyCombination(Qt::CTRL, Qt::Key_R),
                              QKeyCombination(Qt::CTRL, Qt::Key_R),
                              QKeyCombination(Qt::CTRL, Qt::Key_R),
                              QKeyCombination(Qt::NoModifier, Qt::Key_Escape),
                              QKeyCombination(Qt::CTRL, Qt::Key_D),
                              QKeyCombination(Qt::CTRL, Qt::Key_O),
                              QKeyCombination(Qt::CTRL, Qt::Key_S),
                              QKeyCombination(Qt::CTRL, Qt::Key_E),
                              QKeyCombination(Qt::CTRL, Qt::Key_T),
                              QKeyCombination(Qt::CTRL, Qt::Key_K),
                              QKeyCombination(Qt::CTRL, Qt::Key_K),
                              QKeyCombination(Qt::NoModifier, Qt::Key_F11),
                              QKeyCombination(Qt::NoModifier, Qt::Key_F5),
                              QKeyCombination(Qt::CTRL | Qt::SHIFT, Qt::Key_F),
                              QKeyCombination(Qt::CTRL, Qt::Key_C),
                              QKeyCombination(Qt::CTRL, Qt::Key_V),
                              QKeyCombination(Qt::CTRL, Qt::Key_X),
                              QKeyCombination(Qt::CTRL, Qt::Key_A),
                              QKeyCombination(Qt::CTRL, Qt::Key_Z),
                              QKeyCombination(Qt::CTRL, Qt::Key_Return),
                              QKeyCombination(Qt::CTRL | Qt::SHIFT, Qt::Key_Z),
                              QKeyCombination(Qt::SHIFT, Qt::Key_F10),
                              QKeyCombination(Qt::ALT, Qt::Key_Down)};

} // namespace

Event pointerEvent(Dice& dice, Room& room) {
    enum { Left, Right, Double, Middle, Hover, Wheel, Drag };
    constexpr std::array<double, 7> weights{40, 14, 6, 1, 8, 14, 12};
    const auto place = std::make_shared<Place>(dice);
    const bool control = dice.chance(0.8);
    const size_t kind = dice.weighted(weights);
    if (kind == Drag)
        return drag(dice, room, place, control);
    constexpr std::array names{"click", "right click", "double click", "middle click", "hover", "wheel"};
    Event event{names[kind], {}};
    event.then([=, &room] { place->chooseFrom(windowInFront(*room.window), control); });
    const Qt::KeyboardModifiers keys = someModifiers(dice);
    switch (kind) {
    case Left:
        click(event, room, place, Qt::LeftButton, keys);
        break;
    case Right:
        click(event, room, place, Qt::RightButton, keys);
        break;
    case Middle:
        click(event, room, place, Qt::MiddleButton, keys);
        break;
    case Double:
        click(event, room, place, Qt::LeftButton, keys);
        event.then([&room] { room.hands.hurry(); });
        click(event, room, place, Qt::LeftButton, keys);
        break;
    case Hover:
        for (int i = dice.between(1, 6); i > 0; --i)
            event.then([=, across = dice.share(), down = dice.share(), &room] {
                if (place->on)
                    room.hands.move(place->on, pointIn(*place->on, across, down));
            });
        break;
    default:
        for (int i = dice.between(1, 6); i > 0; --i)
            event.then([=, angle = dice.between(-4, 4) * 120, sideways = dice.chance(0.2), &room] {
                if (place->on)
                    room.hands.wheel(place->on, place->at(), sideways ? QPoint(angle, 0) : QPoint(0, angle), keys);
            });
    }
    return event;
}

Event keyboardEvent(Dice& dice, Room& room) {
    const size_t kind = dice.below(10);
    Event event{kind < 5 ? "keys" : kind < 8 ? "command" : "letters", {}};
    if (kind < 5) {
        for (int i = dice.between(1, 6); i > 0; --i)
            event.then([key = dice.of(plainKeys), keys = someModifiers(dice), &room] {
                room.hands.key(key, key == Qt::Key_F4 ? Qt::KeyboardModifiers() : keys,
                               key == Qt::Key_Space ? " " : QString());
            });
    } else if (kind < 8) {
        event.then([combination = dice.of(commands), &room] {
            room.hands.key(combination.key(), combination.keyboardModifiers());
        });
    } else {
        for (int i = dice.between(1, 8); i > 0; --i)
            event.then([letter = static_cast<char>(dice.between(' ', '~')), &room] {
                room.hands.key(static_cast<Qt::Key>(QChar(letter).toUpper().unicode()), {},
                               QString(QChar::fromLatin1(letter)));
            });
    }
    return event;
}

Event textEvent(Dice& dice, Room& room) {
    Event event{"text in a field", {}};
    const auto place = std::make_shared<Place>(dice);
    event.then([=, &room] {
        place->choose(textFieldsOf(*windowInFront(*room.window)));
        if (place->on)
            bringIntoView(*place->on);
    });
    click(event, room, place, Qt::LeftButton);
    if (dice.chance(0.8))
        event.then([&room] { room.hands.key(Qt::Key_A, Qt::ControlModifier); });
    const QString text = hostileText(dice);
    constexpr int mostKeys = 30; // more are pasted or come from an input method
    const size_t way = dice.below(3);
    if (way == 0 && text.size() <= mostKeys) {
        for (const QChar c : text)
            event.then([c, &room] { room.hands.key(static_cast<Qt::Key>(c.toUpper().unicode()), {}, QString(c)); });
    } else if (way == 1) {
        event.then([text, &room] { room.hands.write(text); });
    } else {
        event.then([text, &room] { room.hands.setClipboard(text); });
        event.then([&room] { room.hands.key(Qt::Key_V, Qt::ControlModifier); });
    }
    constexpr std::array ends{Qt::Key_Return, Qt::Key_Tab, Qt::Key_Down, Qt::Key_Escape};
    if (dice.chance(0.5))
        event.then([key = dice.of(ends), &room] { room.hands.key(key); });
    return event;
}

Event dialogEvent(Dice& dice, Room& room) {
    const auto place = std::make_shared<Place>(dice);
    Event event{dice.chance(0.4) ? "open a dialog" : "answer a dialog", {}};
    if (event.text[0] == 'o') {
        event.then([=, &room] {
            place->choose(openersOf(*windowInFront(*room.window)));
            if (place->on)
                bringIntoView(*place->on);
        });
        click(event, room, place, Qt::LeftButton);
        return event;
    }
    constexpr std::array keys{Qt::Key_Return, Qt::Key_Escape, Qt::Key_Escape};
    for (int i = dice.between(0, 4); i > 0; --i) // a menu's entries, a dialog's fields
        event.then([key = dice.chance(0.5) ? Qt::Key_Down : Qt::Key_Tab, &room] { room.hands.key(key); });
    event.then([key = dice.of(keys), &room] { room.hands.key(key); });
    return event;
}

} // namespace warplight::app
