// SPDX-License-Identifier: GPL-3.0-or-later
// Casts and AdamW, every implementation of the operators, on each instruction set and on the virtual GPU: against
// PyTorch, ml_dtypes and NumPy (tests/oracles/precision), and number by number at every boundary of the formats.
#include "core/cpu/target.h"
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/labs/precision/training_operators.h"
#include "gpu/number/float_format.h"
#include "gpu/ops/kernel_library.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::workbench;
using number::Format;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity(), notANumber = std::numeric_limits<float>::quiet_NaN();

std::vector<float> oracle(const std::string& file, const std::string& name) {
    return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/precision/" + file + ".npz:" + name).values;
}

bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : a == b; }

const number::FloatFormat& layout(Format format) { return number::floatFormat(number::name(format)); }

/// Numbers of a format, those half way between neighbours, and those beside these, of both signs.
std::vector<float> boundariesOf(Format format) {
    const number::FloatFormat& f = layout(format);
    std::vector<float> all{0, -0.0f, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()};
    const auto codes = static_cast<uint64_t>(f.largestCode());
    for (uint64_t code = 0; code <= codes; ++code) {
        const double here = number::decode(code, f), half = here + number::spacing(here, f) / 2;
        for (const double x : {here, half}) {
            const auto at = static_cast<float>(x);
            for (const float near : {at, std::nextafter(at, 0.0f), std::nextafter(at, infinity)}) {
                all.push_back(near);
                all.push_back(-near);
            }
        }
    }
    return all;
}

} // namespace

class TrainingOperatorsTest : public QObject {
    Q_OBJECT
    const Operator castOp = labs::precision::castOperator(), adamwOp = labs::precision::adamwOperator();
    std::unique_ptr<gpu::Device> device = devices::openGpu("vgpu");
    gpu::KernelLibrary library{*device};

    static void addRows(const Operator& op) {
        QTest::addColumn<QString>("implementation");
        QTest::addColumn<QString>("target"); // empty: on the virtual GPU
        for (const Implementation& i : op.ladder) {
            if (i.id == "reference")
                continue;
            const auto targets = i.onGpuDevice() ? std::vector<std::string>{""} : cpu::supportedTargets();
            for (const std::string& target : targets)
                QTest::addRow("%s, %s", i.id.c_str(), target.empty() ? "virtual GPU" : target.c_str())
                    << QString::fromStdString(i.id) << QString::fromStdString(target);
        }
    }
    /// The implementation of the row, with its instruction set in force.
    static const Implementation& chosen(const Operator& op) {
        QFETCH(QString, implementation);
        QFETCH(QString, target);
        cpu::useTarget(target.toStdString());
        return op.implementation(implementation.toStdString(),
                                 target.isEmpty() ? Implementation::Device::Gpu : Implementation::Device::Cpu);
    }
    void run(const Implementation& i, const Problem& problem, Tensors& tensors, int threads = 2) {
        if (i.onGpuDevice()) {
            gpu::LaunchOptions options;
            options.checks = true;
            for (const gpu::LaunchRecord& launch : i.onGpu(problem, tensors, library, options).launches)
                for (const gpu::Finding& finding : launch.stats.findings)
                    if (!finding.note)
                        QTest::qFail(finding.message.c_str(), __FILE__, __LINE__);
        } else
            i.onCpu(problem, tensors, {threads, nullptr});
    }

    /// y, and whether found was set.
    std::pair<std::vector<float>, bool> cast(const Implementation& i, const std::vector<float>& x, int power) {
        Problem problem{{{"count", static_cast<double>(x.size())}, {"power", power}}, Format::F32};
        castOp.complete(problem);
        Tensors tensors = castOp.allocate(problem, nullptr);
        tensors.at("x").values = x;
        run(i, problem, tensors);
        return {tensors.at("y").values, tensors.at("found").values.at(0) != 0};
    }

  private slots:
    void cleanup() { cpu::useTarget(""); }

    void castsRoundAtEveryBoundary_data() { addRows(castOp); }
    void castsRoundAtEveryBoundary() {
        const Implementation& i = chosen(castOp);
        const Format to = *i.makes;
        const auto beyond = number::bytes(to) == 1 ? number::Beyond::Saturate : number::Beyond::Infinity;
        const std::vector<float> x = boundariesOf(to);
        for (const int power : {0, 12}) {
            const auto [y, found] = cast(i, x, power);
            bool anyInfinite = false;
            for (size_t at = 0; at < x.size(); ++at) {
                const double want = number::rounded(static_cast<double>(std::ldexp(x[at], -power)), layout(to),
                                                    number::Rounding::NearestEven, beyond);
                if (y[at] != static_cast<float>(want) || std::signbit(y[at]) != std::signbit(x[at]))
                    QFAIL(qPrintable(
                        QString("%1 became %2").arg(static_cast<double>(x[at])).arg(static_cast<double>(y[at]))));
                anyInfinite = anyInfinite || std::isinf(want);
            }
            QCOMPARE(found, anyInfinite);
        }
    }

    void castsAreThoseOfNumPyAndMlDtypes_data() { addRows(castOp); }
    void castsAreThoseOfNumPyAndMlDtypes() {
        const Implementation& i = chosen(castOp);
        const bool isByte = number::bytes(*i.makes) == 1;
        const std::string file = isByte ? "small_formats" : "rounding", name = number::name(*i.makes);
        const std::vector<float> x = oracle(file, "x"), want = oracle(file, isByte ? name + "_rounded" : name);
        const std::vector<float> y = cast(i, x, 0).first;
        size_t compared = 0;
        for (size_t at = 0; at < x.size(); ++at)
            if (!isByte || static_cast<double>(std::fabs(x[at])) <= layout(*i.makes).largest()) { // which saturate here
                QVERIFY2(same(y[at], want[at]), qPrintable(QString::number(static_cast<double>(x[at]))));
                ++compared;
            }
        QVERIFY(compared > 300);
    }

    void whatIsNotFiniteIsFoundAndKept_data() { addRows(castOp); }
    void whatIsNotFiniteIsFoundAndKept() {
        const Implementation& i = chosen(castOp);
        const bool isByte = number::bytes(*i.makes) == 1;
        for (const size_t count : {size_t{1}, size_t{4}, size_t{7}, size_t{40000}}) {
            std::vector<float> x(count, 3);
            QVERIFY(cast(i, x, 1) == std::pair(std::vector<float>(count, 1.5f), false));
            for (const float poison : {infinity, -infinity, notANumber, 2e5f}) {
                for (const size_t at : {size_t{0}, count / 2, count - 1}) {
                    std::fill(x.begin(), x.end(), 3.0f);
                    x[at] = poison;
                    const auto [y, found] = cast(i, x, 1);
                    if (poison == 2e5f) { // finite, and beyond the range of some
                        QCOMPARE(found, *i.makes == Format::F16);
                        QVERIFY(isByte ? static_cast<double>(y[at]) == layout(*i.makes).largest() : y[at] > 99000);
                        continue;
                    }
                    QVERIFY(found);
                    const bool isNan = std::isnan(poison) || *i.makes == Format::E4M3;
                    QVERIFY(isNan ? std::isnan(y[at]) : y[at] == poison);
                    QCOMPARE(std::count(y.begin(), y.end(), 1.5f), static_cast<std::ptrdiff_t>(count - 1));
                }
            }
        }
    }

    void adamwFollowsPyTorch_data() { addRows(adamwOp); }
    void adamwFollowsPyTorch() {
        constexpr int steps = 6, power = 10;
        const Implementation& i = chosen(adamwOp);
        const std::vector<float> g = oracle("adamw", "g");
        const size_t count = g.size() / steps;
        Problem problem{{{"count", static_cast<double>(count)},
                         {"power", power},
                         {"rate", static_cast<double>(oracle("adamw", "rate").at(0))},
                         {"decay", static_cast<double>(oracle("adamw", "decay").at(0))}},
                        i.formats.front()};
        problem.numbers["rate"] = 3e-3; // which f32 does not hold
        problem.numbers["decay"] = 0.1;
        Tensors tensors = adamwOp.allocate(problem, nullptr);
        tensors.at("w").values = oracle("adamw", "w0");
        std::map<std::string, std::vector<double>> sizes{
            {"w", std::vector<double>(count)}, {"m", std::vector<double>(count)}, {"v", std::vector<double>(count)}};
        for (int step = 1; step <= steps; ++step) {
            problem.numbers["step"] = step;
            const float* gradients = g.data() + static_cast<size_t>(step - 1) * count;
            for (size_t at = 0; at < count; ++at)
                tensors.at("g").values[at] = std::ldexp(gradients[at], power);
            run(i, problem, tensors);
            for (const char* name : {"w", "m", "v"}) {
                const std::vector<float> want = oracle("adamw", name + std::to_string(step));
                std::vector<float>& made = tensors.at(std::string(name) + "New").values;
                for (size_t at = 0; at < count; ++at) {
                    // A few roundings of f32, of whatever went into it.
                    double& size = sizes[name][at];
                    size = std::max({size, static_cast<double>(std::fabs(want[at])), *name == 'w' ? 3e-3 : 0.0});
                    if (*name == 'm')
                        size = std::max(size, static_cast<double>(std::fabs(gradients[at])));
                    const double error = std::fabs(static_cast<double>(made[at]) - static_cast<double>(want[at]));
                    if (!(error <= 4 * step * 0x1p-24 * size))
                        QFAIL(qPrintable(QString("%1[%2] is %3, not %4, at step %5")
                                             .arg(name)
                                             .arg(at)
                                             .arg(static_cast<double>(made[at]))
                                             .arg(static_cast<double>(want[at]))
                                             .arg(step)));
                }
                tensors.at(name).values = made;
            }
        }
        const std::vector<float>&copy = tensors.at("copy").values, &w = tensors.at("w").values;
        for (size_t at = 0; at < count; ++at)
            QCOMPARE(copy[at], number::rounded(w[at], problem.format));
        if (problem.format == Format::F32)
            return;
        const std::vector<float> want = oracle("adamw", number::name(problem.format));
        size_t others = 0; // where the weights' last bits decide
        for (size_t at = 0; at < count; ++at)
            others += copy[at] != want[at];
        QVERIFY2(others <= 3, qPrintable(QString::number(others)));
    }

    void aStepThatIsNoneIsRefused() {
        Problem problem{{{"count", 1}, {"power", 0}, {"rate", 1e-3}, {"decay", 0}, {"step", 0}}, Format::F32};
        Tensors tensors = adamwOp.allocate(problem, nullptr);
        for (const Implementation& i : adamwOp.ladder)
            QVERIFY_THROWS_EXCEPTION(InputError, run(i, problem, tensors));
    }
};

QTEST_GUILESS_MAIN(TrainingOperatorsTest)
#include "training_operators_test.moc"
