// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/ssm/memory.h"

#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace warplight::labs::ssm {

/// A measure and how it is stepped: HiPPO's, or S4's: the matrix of LegS with a step of its own, so that the past is
/// seen through Legendre polynomials of e^(-Δ · age).
struct MemoryKind {
    std::string id, title;
    warplight::ssm::Measure measure;
    bool fixedStep = false;
    std::string name() const { return title.substr(0, title.find(',')); } ///< "LegS"
};
/// LegS, LegT, LMU, LagT, FouT, S4.
std::span<const MemoryKind> memoryKinds();
const MemoryKind& memoryKind(const std::string& id);

struct MemoryOptions {
    int64_t n = 64;
    warplight::ssm::Rule rule = warplight::ssm::Rule::Bilinear;
    double window = 260; ///< samples: the window, or the time in which it fades
    double step = 0.01;  ///< Δ a sample, of S4
};

/// One memory while time runs.
class Remembering {
  public:
    Remembering(const MemoryKind& kind, const MemoryOptions& options);

    const MemoryKind& kind() const { return of; }
    void hear(float sample);
    std::span<const double> coefficients() const;
    int64_t samples() const { return heard; }
    /// How many of the latest samples it claims to know.
    int64_t reach() const;
    /// What it holds for the last `count` samples, the latest first; a sample's age is that of its middle.
    std::vector<double> recall(int64_t count) const;
    std::vector<std::complex<double>> poles() const; ///< of Ā as the next step has it

  private:
    MemoryKind of;
    MemoryOptions options;
    int64_t heard = 0;
    std::optional<warplight::ssm::Memory> memory;   ///< of the measures
    std::vector<double> matrix, input, state, next; ///< of S4: Ā [n, n], lower triangular, B̄, c
};

constexpr double onCircle = 1 + 1e-9; ///< the size of a pole above which it counts as outside

/// What a memory held at one moment.
struct Moment {
    int64_t now = 0; ///< samples heard
    std::vector<double> coefficients;
    std::vector<double> recalled;    ///< of the samples it claims to know, the latest first
    double errorAll = 0;             ///< root mean square over all samples so far, relative to the signal's
    std::optional<double> errorNear; ///< the same over the samples of the window
    std::vector<std::complex<double>> poles;
};

/// The way of one memory through a signal, as far as it has been walked.
class MemoryWalk {
  public:
    /// Told `heard`, judged by `clean`; both outlive the walk.
    MemoryWalk(const MemoryKind& kind, const MemoryOptions& options, std::span<const float> heard,
               std::span<const float> clean);

    /// On to the time when `stop` samples have been heard, and a look back from there.
    Moment walkTo(int64_t stop);

    const MemoryKind& kind() const { return memory.kind(); }
    /// The sample with which it began to hold more than ten times what a stable memory can.
    std::optional<int64_t> divergesAt() const { return diverges; }
    /// Whether a pole was outside the unit circle at any look.
    bool leftCircle() const { return outside; }
    struct ErrorAtAge {
        double age = 0; ///< samples, of the middle
        double error = 0;
    };
    /// Root mean square errors over all looks, relative to the signal's, of at most a hundred ranges of ages.
    std::vector<ErrorAtAge> errorByAge() const;

  private:
    Remembering memory;
    MemoryOptions options;
    std::span<const float> heard, clean;
    double bound = 0;
    std::optional<int64_t> diverges;
    bool outside = false;
    std::vector<double> wrong, was, looks; ///< sums of squares by age, and of how many looks
};

} // namespace warplight::labs::ssm
