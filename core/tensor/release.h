// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace warplight {

/// Ends what it holds on another thread. The system takes some 100 ms to take back a gigabyte: too long for who has
/// asked a run to stop.
void releaseBeside(std::shared_ptr<void> owner);

/// Until all that was given to releaseBeside() is gone: its memory counts as free from then on. Throws Cancelled.
void waitUntilReleased(const std::atomic<bool>* cancel);

/// When an exception leaves the scope, a large thing in it is released beside. For one declared just before.
template <class Large>
class ReleasesBeside {
  public:
    explicit ReleasesBeside(Large& large) : large(large), exceptions(std::uncaught_exceptions()) {}
    ReleasesBeside(const ReleasesBeside&) = delete;
    ReleasesBeside& operator=(const ReleasesBeside&) = delete;
    ~ReleasesBeside() {
        if (std::uncaught_exceptions() > exceptions)
            releaseBeside(std::make_shared<Large>(std::move(large)));
    }

  private:
    Large& large;
    int exceptions;
};

} // namespace warplight
