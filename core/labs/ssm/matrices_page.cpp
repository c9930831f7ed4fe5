// SPDX-License-Identifier: GPL-3.0-or-later
// HiPPO's matrices and what they remember; S4's kernels, by several roads and in several types.
#include "core/error.h"
#include "core/labs/ssm/matrices_figures.h"
#include "core/labs/ssm/ssm_pages.h"
#include "core/tensor/random.h"
#include "core/workbench/knobs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::ssm {
namespace {

using namespace lab;
using warplight::ssm::Measure;
using warplight::ssm::Rule;
using warplight::ssm::S4Kind;
using workbench::optionsOf;

/// Without forward Euler, under which most of these layers grow without end.
std::vector<Parameter::Option> stableRules() {
    std::vector<Parameter::Option> options = optionsOf(warplight::ssm::rules());
    std::erase_if(options, [](const Parameter::Option& o) { return o.id == "forward-euler"; });
    return options;
}

std::vector<double> normals(int64_t count, uint64_t seed, uint64_t stream, float deviation) {
    std::vector<float> x(static_cast<size_t>(count));
    tensor::fillGaussian(x, seed, stream, deviation);
    return {x.begin(), x.end()};
}

class Matrices : public Experiment {
  public:
    Description describe() const override {
        Description d;
        d.id = "ssm.matrices";
        d.lab = "State space models";
        d.title = "Matrices and kernels";
        d.sentence = "A and B of each measure, the functions they remember with, and what S4 makes of them: a kernel.";
        d.question = "What does a matrix remember, and do recurrence and convolution give the same after 10⁵ steps?";
        d.about =
            "x' = Ax + Bu keeps coefficients of the past; a **measure** says of which part of it. Without a clock the "
            "same system is a convolution, **K_l = C Āˡ B̄**: S4 takes the matrix of LegS, S4D a diagonal. The kernel "
            "is made by direct powers, by its **generating function** at the roots of unity, or by **DPLR**: LegS is a "
            "diagonal less a product of rank one, so that each root takes four sums. Trained layers run as a "
            "convolution, generation as a recurrence: they should agree, in the type that the state is kept in.";
        d.devices = {"cpu"};
        d.colours = {{"b", 0},        {"basis0", 0},  {"basis1", 1},   {"basis2", 2},  {"basis3", 3},  {"basis4", 5},
                     {"basis5", 8},   {"s4-legs", 0}, {"s4d-legs", 1}, {"s4d-lin", 2}, {"s4d-inv", 3}, {"s4d-real", 8},
                     {"s4.fft32", 6}, {"f64", 12},    {"f32", 4},      {"f16", 0},     {"bf16", 1}};
        Parameter n = Parameter::integer("n", "State size N", 64, 2, 256, "Even: S4D's states are conjugate pairs.");
        n.sliderStep = 2;
        Parameter theta = Parameter::real("theta", "Window θ", 1, 0.01, 100, "Of LagT the time in which it fades.");
        theta.shownWhen = {unless("measure", {"legs"})};
        Parameter length = Parameter::integer("length", "Length of the kernel", 2048, 16, 16384, "Steps.");
        length.powersOfTwo = true;
        Parameter step = Parameter::real("step", "Step Δ", 0.002, 0.0001, 1, "Of S4 and S4D.");
        step.sliderStep = 0.001;
        d.parameters = {
            Parameter::choice("measure", "Measure", "legs", optionsOf(warplight::ssm::measures()), "Of A and B."),
            n,
            theta,
            Parameter::choices("kinds", "Layers", {"s4-legs", "s4d-legs", "s4d-lin"},
                               optionsOf(warplight::ssm::s4Kinds()), "The first one drifts."),
            Parameter::choice("rule", "Rule", "bilinear", stableRules(), "How A becomes Ā."),
            step,
            length,
            Parameter::choice("weights", "Output weights", "falling",
                              {{"falling", "falling off", "1 / (n + 1)²: slow states count most"},
                               {"ones", "ones", "every state counts alike"},
                               {"normal", "normal numbers", "of deviation 1 / √N, as layers begin"}},
                              "C, of S4D's complex numbers the real part."),
            Parameter::integer("steps", "Steps that drift", 100000, 256, 1000000, "Of the recurrence."),
            Parameter::integer("seed", "Seed", 42, 0, 1e15, "Of C and of the noise that goes in.")};
        return d;
    }

    double estimatedSeconds(const Settings& s) const override {
        const auto n = static_cast<double>(s.integer("n")), length = static_cast<double>(s.integer("length")),
                   steps = static_cast<double>(s.integer("steps"));
        const bool isDense = !s.choices("kinds").empty() && s.choices("kinds").front() == "s4-legs";
        return 0.1 + 2e-9 * (n * n * n * 60 + n * n * (400 + length)) +
               5e-10 * std::min(solveFlops(s.integer("n"), s.integer("length")), solvesInReach) +
               steps * (isDense ? n * n * 2.5e-9 + n * 5e-8 : n * 5e-8);
    }

    MemoryNeed neededMemory(const Settings& s, const std::string&) const override {
        const int64_t n = s.integer("n"), kinds = static_cast<int64_t>(s.choices("kinds").size());
        return {(int64_t{4} << 20) + n * n * 160 + s.integer("length") * (200 + 100 * kinds) + s.integer("steps") * 130,
                0, fmt::format("A state of {} for {} steps", n, s.integer("steps")), "steps or n"};
    }

    void run(const Settings& settings, Run& run) override {
        const int64_t n = settings.integer("n");
        if (n % 2 != 0)
            throw InputError(fmt::format("n: {}, expected an even number: states of S4D and FouT are pairs", n));
        const Measure measure = warplight::ssm::measureByName(settings.text("measure"));
        const double theta = settings.real("theta");
        const warplight::ssm::System system = warplight::ssm::hippo(measure, n, theta);
        putMatrices(run, measure, system);
        putBasis(run, measure, system, theta);
        run.progress(0.1, "kernels");
        const std::vector<NamedLayer> layers = layersOf(settings, run);
        if (layers.empty())
            throw InputError("kinds: none is chosen, expected at least one");
        putKernels(run, layers, settings.integer("length"), settings.real("step"));
        for (const NamedLayer& named : layers)
            if (named.layer.isDense()) {
                run.progress(0.2, "roads to the kernel");
                putRoads(run, named.layer, settings.integer("length"));
            }
        const auto seed = static_cast<uint64_t>(settings.integer("seed"));
        putDrift(run, layers.front(), normals(settings.integer("steps"), seed, 1, 1));
    }

  private:
    /// C: of a diagonal, real and imaginary part in turn.
    static std::vector<double> weightsOf(const Settings& s, bool isDiagonal) {
        const int64_t n = s.integer("n");
        if (s.text("weights") == "normal")
            return normals(n, static_cast<uint64_t>(s.integer("seed")), 0,
                           static_cast<float>(1 / std::sqrt(static_cast<double>(n))));
        std::vector<double> c(static_cast<size_t>(n));
        const size_t stride = isDiagonal ? 2 : 1;
        for (size_t i = 0; i < c.size(); i += stride)
            c[i] = s.text("weights") == "ones" ? 1 : std::pow(static_cast<double>(i / stride + 1), -2);
        return c;
    }

    static std::vector<NamedLayer> layersOf(const Settings& s, Run& run) {
        const int64_t n = s.integer("n");
        const std::vector<double> c = weightsOf(s, false), pairs = weightsOf(s, true);
        std::vector<NamedLayer> layers;
        for (const std::string& name : s.choices("kinds")) {
            run.checkCancelled();
            const S4Kind kind = warplight::ssm::s4KindByName(name);
            const auto weights = kind == S4Kind::LegS           ? c
                                 : kind == S4Kind::DiagonalLegS ? warplight::ssm::diagonalWeights(c)
                                                                : pairs;
            layers.push_back(
                {name, std::string(warplight::ssm::s4Kinds()[static_cast<size_t>(kind)].title),
                 makeS4Layer(kind, n, warplight::ssm::ruleByName(s.text("rule")), s.real("step"), weights)});
        }
        return layers;
    }
};

} // namespace

std::unique_ptr<Experiment> makeMatrices() { return std::make_unique<Matrices>(); }

} // namespace warplight::labs::ssm
