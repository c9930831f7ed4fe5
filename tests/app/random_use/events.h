// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/app/random_use/dice.h"
#include "tests/app/random_use/engine_troubles.h"
#include "tests/app/random_use/hands.h"

#include <QPointer>
#include <utility>

#include <chrono>
#include <functional>
#include <vector>

namespace warplight::app {

class MainWindow;

/// Where a random user sits.
struct Room {
    QPointer<MainWindow> window;
    Hands& hands;
    EngineTroubles& troubles;
    const Sandbox& sandbox;
};

/// One input, or something that happens. Returns how long the user then waits.
using Step = std::function<std::chrono::milliseconds()>;

/// What a user does in one go, a drag, say: its steps are handled one after the other by the event loop, whichever
/// dialog or menu has opened meanwhile.
struct Event {
    const char* text; ///< its kind
    std::vector<Step> steps;

    void then(std::function<void()> step) {
        steps.push_back([step = std::move(step)] {
            step();
            return std::chrono::milliseconds(0);
        });
    }
};

/// The same for a seed and a number. Which widget it meets depends on what the window shows by then.
Event randomEvent(Dice dice, Room& room);

// Its kinds, by what they need.
Event pointerEvent(Dice& dice, Room& room);
Event keyboardEvent(Dice& dice, Room& room);
Event textEvent(Dice& dice, Room& room);
Event dialogEvent(Dice& dice, Room& room);
Event pageEvent(Dice& dice, Room& room);
Event windowEvent(Dice& dice, Room& room);
Event fileEvent(Dice& dice, Room& room);
Event engineEvent(Dice& dice, Room& room);

} // namespace warplight::app
