// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/cpu/run.h"
#include "core/lab/experiment.h"
#include "core/lab/parameter.h"
#include "core/tensor/tensor.h"
#include "core/workbench/problem.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::workbench {

/// A tensor of an operator. Its name is that of the device buffer and of the option of `compute` ("Q": --q).
struct TensorSpec {
    /// Statistic: an output that is one number a row, as f32 whatever the format. Between: a buffer of some
    /// implementations alone.
    enum class Role { Input, Output, Statistic, Between };
    std::string name;
    Role role = Role::Input;
    std::vector<std::string> extents; ///< names of the problem's numbers, last axis fastest; empty for Between
    int colour = 7;                   ///< slot of the palette (lab::Description::colours)
    std::string shownAs{};            ///< in plots, where several stand for one thing: "statistics"; empty: the name
    std::string doc{};                ///< "Where the log-sum-exp of each row goes"
    bool wanted = true;               ///< `compute` writes it without being asked
    std::optional<number::Format> fixed{}; ///< stored so whatever the problem's format: a mask of blocks as u8

    const std::string& label() const { return shownAs.empty() ? name : shownAs; }
};

using Tensors = std::map<std::string, tensor::Tensor, std::less<>>;

/// One knob of an operator's pages and of `compute`: a dimension or an option.
struct Knob {
    std::string id;                       ///< of the number in the problem: "seqLen"
    std::string symbol;                   ///< in captions and tables: "N"
    std::string axis;                     ///< as the title of an axis: "sequence length"
    std::optional<lab::Parameter> single; ///< its setting where it is not the axis; none: it is `otherwise` then
    double otherwise = 0;
    std::optional<lab::Parameter> sweep; ///< its setting where it is the axis; none: it cannot be
    lab::Scale scale = lab::Scale::Log2;
    double probe = 0; ///< a value at which one call takes no time: 0: none is needed
};

enum class Page { Race, Traffic, Accuracy };

/// What Traffic has seen of one implementation at one point.
struct Seen {
    std::string implementation;
    Problem problem;
    double x = 0; ///< of the knob that is swept
    gpu::TensorTraffic counted;
};

/// What an operator adds to Traffic beyond what every operator has there: theory, a crossover.
struct TrafficExtras {
    std::vector<lab::Parameter> parameters{};
    std::function<void(const lab::Settings&, const Problem& largest, lab::Run&)> begin{};
    std::function<void(const lab::Settings&, const std::vector<Seen>&, lab::Run&)> end{};
};

/// Two kernels whose bytes, divided, are worth a headline.
struct TrafficRatio {
    std::string id, more, less;
};

struct Implementation {
    // Defined once, in operator.cpp, as those of Operator.
    Implementation();
    Implementation(const Implementation&);
    Implementation(Implementation&&) noexcept;
    Implementation& operator=(const Implementation&);
    Implementation& operator=(Implementation&&) noexcept;
    ~Implementation();

    std::string id, title, improves;
    enum class Device { Cpu, Gpu } device = Device::Cpu;
    std::vector<number::Format> formats{number::Format::F32}; ///< that its kernels take; the first is raced
    std::optional<number::Format> makes{}; ///< what its outputs are rounded to, where it says so itself
    bool chosen = true;                    ///< on the pages, at first
    bool judged = false;                   ///< on Accuracy at first, though it is not chosen
    bool library = false;                  ///< by the GPU vendor's library: where there is none it is left out
    bool transforms = false;               ///< which is that of Fourier transforms, not that of matrix products
    int architecture = 0;                  ///< compute capability that its kernels need on a GPU, 89: 8.9
    bool wideUnits = false; ///< its arithmetic units do more than an f32 fused multiply-add: no share of that peak
    int colour = 7;         ///< slot of the palette
    /// Why it cannot do a problem, as a clause ("it has tiles of its own"); empty: it can.
    std::function<std::string(const Problem&)> whyNot{};
    /// How far its own rounding of inputs and sums may put it off, beyond what the tensors are stored as and f32
    /// rounds, relative to the largest output that inputs without their signs give; none: no further.
    std::function<double(const Problem&)> roundoff{};
    /// Kinds of inputs that it gives infinities or NaN for where there are numbers, and why ("e^x is infinite
    /// above 88.7").
    std::map<std::string, std::string, std::less<>> breaksOn{};
    /// Bytes it holds at most beyond the tensors; on a GPU all device memory. INT64_MAX on overflow.
    std::function<int64_t(const Problem&, int threads)> heldBytes{};
    std::function<int64_t(const Problem&)> sharedBytes{}; ///< of a block, where that depends on the problem
    std::string held{};                                   ///< what most of them are: "S and P"
    /// What its loops ask memory for, by tensor; none: nobody has derived it, and pages say so.
    std::function<gpu::TensorTraffic(const Problem&)> bytes{};
    /// Floating-point operations that it does itself, where these are not about the operator's useful ones: a Race goes
    /// by them when it asks how long a call will take.
    std::function<double(const Problem&)> flops{};
    /// Computes outputs from inputs, all of them in `tensors`; returns the bytes it held beyond them (measured).
    std::function<int64_t(const Problem&, Tensors&, const cpu::RunOptions&)> onCpu{};
    std::function<gpu::Launched(const Problem&, Tensors&, gpu::KernelLibrary&, const gpu::LaunchOptions&)> onGpu{};

    /// What its kernels are given for tensors stored in this format: the same, f32 (which holds it), or nothing.
    std::optional<number::Format> kernelFormat(number::Format stored) const;
    bool onGpuDevice() const { return device == Device::Gpu; }
};

/// The beginning of a description: who it is and where it runs.
Implementation implementationOf(std::string_view id, std::string_view title, std::string_view improves,
                                Implementation::Device device, int colour);
/// Why an implementation does not run on a GPU of a compute capability and a name, as a clause; empty: it does.
std::string whyNotOn(const Implementation& i, std::optional<int> architecture, std::string_view gpu);
/// Whether the device has the library that an implementation needs, if it needs one.
bool libraryIsThere(const Implementation& i, gpu::Device& device);
/// For Implementation::whyNot: what a check of a shape throws as InputError; empty when it passes.
std::string refusalOf(const std::function<void()>& check);

/// A user's tensors as a problem, and the way back.
struct Arranged {
    Problem problem;
    /// An output in the shape and layout that the user's inputs had.
    std::function<tensor::Tensor(const std::string& name, tensor::Tensor)> out;
};

/// How a user's tensors become a problem: for operators whose tensors come in several ranks and layouts.
struct Arrangement {
    std::vector<std::string> layouts; ///< "BHND", "BNHD": the first if none is given
    /// Brings `given` (by tensor; `origin` names each for messages) into the shapes of the specs. Throws InputError.
    std::function<Arranged(Tensors& given, const std::map<std::string, std::string>& origin, const std::string& layout)>
        in;
};

/// What an operator computes, and every way it can be computed. The pages, the command line and the table of tests are
/// made from it alone.
struct Operator {
    Operator();
    Operator(const Operator&);
    Operator(Operator&&) noexcept;
    Operator& operator=(const Operator&);
    Operator& operator=(Operator&&) noexcept;
    ~Operator();

    std::string id;        ///< "attention": of `compute`, and before the dot of its pages
    std::string lab;       ///< "Attention"
    std::string title;     ///< "Attention"
    std::string page;      ///< before the names of its pages: "Backward" gives "Backward race"; empty: none
    std::string formula;   ///< "O = softmax(scale · Q Kᵀ + mask) V"
    std::string flopsText; ///< "4·N²·d per head, about half when causal"
    std::map<Page, std::string> sentences, questions, abouts; ///< of its pages; what is missing is made from the rest
    std::function<std::vector<Knob>(Page)> knobs;             ///< the first that can be an axis is the axis at first
    std::vector<TensorSpec> tensors;
    std::vector<lab::Parameter::Option> inputKinds; ///< friendly and hostile numbers; the first is raced
    /// Numbers that follow from those of the knobs; throws InputError for a problem that does not exist.
    std::function<void(Problem&)> complete{};
    /// Inputs of the problem's shapes, all there and zero, filled. The kind is one of `inputKinds`.
    std::function<void(const Problem&, const std::string& kind, uint64_t seed, Tensors&, const std::atomic<bool>*)>
        fill;
    /// Inputs that follow from others (O and log-sum-exp of a backward pass), computed; called after those are rounded.
    std::function<void(const Problem&, Tensors&, const cpu::RunOptions&)> derive{};
    /// What a kind of inputs demands of the problem's shape.
    std::function<void(const std::string& kind, Problem&)> reshape{};
    /// Computed in f64, rounded to f32 once.
    std::function<void(const Problem&, Tensors&, const cpu::RunOptions&)> reference;
    std::function<double(const Problem&)> usefulFlops;
    /// Where any implementation has to move less than each tensor once; none: that.
    std::function<gpu::TensorTraffic(const Problem&)> compulsoryBytes{};
    std::function<std::string(const Problem&)> inWords; ///< "N = 512 with 2 heads of 64 features"
    std::vector<lab::Parameter> options;       ///< flags and numbers of `compute`: what the tensors' shapes do not say
    std::string lower;                         ///< what makes it smaller: "seqLen, heads or headDim"
    std::string rungOption = "implementation"; ///< of `compute`: which of the ladder: "form" where that is the word
    std::vector<Implementation> ladder;
    std::string gradientOf; ///< the operator whose gradients these are: dX of its tensor X, for the loss Σ dO ∘ O
    std::string baseline;   ///< the implementation that others are compared with
    std::string frugal;     ///< one whose memory is worth a headline
    std::string theory{};   ///< said beside a crossover that was found: "operations alone meet at N = d"
    TrafficExtras trafficExtras;
    std::vector<TrafficRatio> trafficRatios;
    std::optional<Arrangement> arrangement;
    /// Where the worst element of a tensor can be looked at; none: beside the table of errors.
    std::function<std::optional<lab::Link>(const lab::Settings&, const Problem&, const std::string& tensor,
                                           int64_t row)>
        worst{};

    const TensorSpec* tensor(std::string_view name) const;
    /// Throws InputError that lists the names.
    const Implementation& implementation(std::string_view id, Implementation::Device device) const;
    const Implementation* find(std::string_view id) const;
    std::vector<const Implementation*> onDevice(Implementation::Device device) const;
    /// What a tensor of this problem is stored as.
    static number::Format formatOf(const TensorSpec& spec, const Problem& problem);
    /// All tensors but those between, zero.
    Tensors allocate(const Problem& problem, const std::atomic<bool>* cancel) const;
    int64_t tensorBytes(const Problem& problem) const; ///< of these, in f32; INT64_MAX on overflow
    /// What an implementation of it does on a problem: its own FLOPs, or the useful ones.
    double workOf(const Implementation& i, const Problem& problem) const {
        return i.flops ? i.flops(problem) : usefulFlops(problem);
    }
    /// What any implementation has to move: each input read once, each output written once.
    gpu::TensorTraffic compulsory(const Problem& problem) const;
};

/// Colours of implementations and tensors, as a Description has them.
std::map<std::string, int64_t> coloursOf(const Operator& op);

/// Extents of a tensor of a problem.
std::vector<int64_t> shapeOf(const TensorSpec& spec, const Problem& problem);
/// Operator::compulsory of some tensors.
gpu::TensorTraffic compulsoryTraffic(const std::vector<TensorSpec>& tensors, const Problem& problem);

/// All operators, in the order of registration. Pages, `compute`, `list operators` and the table of tests go by it.
class Operators {
  public:
    std::shared_ptr<const Operator> add(Operator op);
    const std::vector<std::shared_ptr<const Operator>>& list() const { return all; }
    const Operator& find(std::string_view id) const; ///< throws InputError that lists the names

  private:
    std::vector<std::shared_ptr<const Operator>> all;
};

} // namespace warplight::workbench
