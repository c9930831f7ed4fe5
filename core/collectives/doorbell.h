// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>

namespace warplight::collectives {

/// Where one thread sleeps until somebody may have something for it. Everybody who changes what its owner may be
/// waiting for rings afterwards. Its owner spins briefly, since the others are usually at work already, and then
/// sleeps: more ranks than cores must not burn what those at work need.
class Doorbell {
  public:
    void ring() {
        count.fetch_add(1, std::memory_order_seq_cst);
        if (asleep.load(std::memory_order_seq_cst))
            count.notify_one();
    }

    /// Returns as soon as ready() is true. What ready() reads must have been written before ring().
    template <class Ready>
    void wait(int spins, const Ready& ready) {
        for (int i = 0; i < spins; ++i) {
            if (ready())
                return;
            pause();
        }
        for (;;) {
            const uint32_t seen = count.load(std::memory_order_seq_cst);
            if (ready())
                return;
            asleep.store(true, std::memory_order_seq_cst);
            count.wait(seen, std::memory_order_seq_cst); // returns at once if it has rung since
            asleep.store(false, std::memory_order_seq_cst);
        }
    }

  private:
    /// Leaves the core's units to its other thread for a moment, where there is an instruction for it.
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

    alignas(64) std::atomic<uint32_t> count = 0;
    std::atomic<bool> asleep = false;
};

} // namespace warplight::collectives
