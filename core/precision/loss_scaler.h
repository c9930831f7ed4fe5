// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace warplight::precision {

/// From here on a number is infinite in f16: the largest, 65504, and half the distance to what would be next.
inline constexpr double f16Overflow = 65520;

/// Whether the largest |gradient| of a step times the scale is no finite f16.
inline bool overflowsF16(double largest, double scale) { return !(largest * scale < f16Overflow); }

/// How a dynamic loss scaler moves its scale. The first four are those of torch.amp.GradScaler; a growth and a backoff
/// of 1 are a static scale.
struct ScalerRules {
    double initial = 65536;
    double growth = 2;       ///< factor after `interval` clean steps in a row
    double backoff = 0.5;    ///< factor after a step that was skipped
    int64_t interval = 2000; ///< steps
    /// From which skipped step on the scale falls, counted anew when it grows: 2 forgives the first (DeepSpeed's
    /// hysteresis without consecutive_hysteresis, Megatron's --hysteresis).
    int64_t hysteresis = 1;
    double minimum = 0, maximum = std::numeric_limits<double>::infinity(); ///< of the scale
};

/// Throws InputError naming the first of them that is out of its range.
void checkRules(const ScalerRules& rules);

/// The rules that frameworks begin with.
struct NamedRules {
    std::string_view id, title;
    ScalerRules rules;
};
/// pytorch, apex, deepspeed, megatron, mindspore.
const std::vector<NamedRules>& knownRules();

/// What a scaler remembers: all that a run needs to go on with it.
struct ScalerState {
    float scale = 1;
    int64_t clean = 0;     ///< steps
    int64_t forgiving = 1; ///< of the hysteresis, what is left

    bool operator==(const ScalerState&) const = default;
};

/// The state between steps. The scale is an f32, as PyTorch's is: `growth` and `backoff` multiply it in f64 and the
/// product is rounded, and where that would be infinite it stays (torch._amp_update_scale_).
class LossScaler {
  public:
    explicit LossScaler(const ScalerRules& rules);
    double scale() const { return current; }
    int64_t cleanSteps() const { return clean; } ///< in a row since the scale last changed or a step was skipped
    /// Ends a step: `overflowed` when its scaled gradients were not finite, and it was skipped.
    void update(bool overflowed);
    ScalerState state() const { return {current, clean, forgiving}; }
    /// Goes on from a state that a scaler of the same rules had.
    void restore(const ScalerState& state);

  private:
    ScalerRules rules;
    float current;
    int64_t clean = 0, forgiving;
};

} // namespace warplight::precision
