// SPDX-License-Identifier: GPL-3.0-or-later
// Every operator, implementation, format and shape: errors against double precision, guard bytes, what the virtual
// GPU's checks find, counted bytes against the formula, bits for any number of threads, cancelling, and gradients
// against differences of what they are gradients of. An operator that
// joins needs its shapes here and nothing else.
//
// WARPLIGHT_TABLE=full takes larger shapes, too; WARPLIGHT_TABLE_DEVICE=cuda:0 runs the GPU's rows there instead of on
// the virtual GPU.
#include "core/devices/gpus.h"
#include "core/error.h"
#include "core/labs/all_labs.h"
#include "core/sparse/pattern.h"
#include "core/tensor/random.h"
#include "core/workbench/runner.h"
#include "gpu/ops/kernel_library.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::workbench;
using number::Format;

namespace {

using Numbers = std::map<std::string, double, std::less<>>;
constexpr size_t guards = 64;
constexpr float guard = -123456.0f;

/// Ragged, empty and whole tiles; grouped heads; with and without a mask.
std::vector<Numbers> shapesOf(const std::string& op, bool full) {
    std::vector<Numbers> shapes;
    if (op == "attention" || op == "attention-backward") {
        shapes = {{{"seqLen", 1}, {"headDim", 8}, {"heads", 1}},
                  {{"seqLen", 70}, {"headDim", 40}, {"heads", 2}, {"causal", 1}},
                  {{"queryLen", 33}, {"keyLen", 65}, {"headDim", 64}, {"queryHeads", 4}, {"keyHeads", 2}},
                  {{"queryLen", 40}, {"keyLen", 20}, {"headDim", 16}, {"causal", 1}}};
        if (full)
            shapes.push_back({{"seqLen", 300}, {"headDim", 128}, {"heads", 2}, {"causal", 1}, {"batch", 2}});
    } else if (op == "block-sparse-attention") {
        for (const double pattern : {0, 1, 2})
            shapes.push_back({{"seqLen", 150},
                              {"headDim", 24},
                              {"heads", 2},
                              {"pattern", pattern},
                              {"density", 40},
                              {"blockSize", 32},
                              {"causal", pattern == 1}});
        shapes.push_back({{"seqLen", 130}, {"headDim", 64}, {"heads", 1}, {"density", 50}, {"blockSize", 64}});
    } else if (op == "linear-attention-backward") {
        for (const double map : {0, 3, 5, 6, 7, 8}) // elu1, exp, cos, taylor2, favor, identity
            shapes.push_back({{"seqLen", 40},
                              {"headDim", 12},
                              {"valueDim", 20},
                              {"heads", 2},
                              {"causal", 1},
                              {"featureMap", map},
                              {"features", 24},
                              {"normalise", map != 8},
                              {"chunk", 16}});
        for (const double map : {0, 4}) // and softmax
            shapes.push_back(
                {{"queryLen", 33}, {"keyLen", 65}, {"headDim", 24}, {"valueDim", 10}, {"featureMap", map}});
        shapes.push_back({{"seqLen", 130}, {"headDim", 64}, {"heads", 1}, {"causal", 1}});
    } else if (op == "linear-attention") {
        const auto rule = [](double which, double map, double normalise) {
            return Numbers{{"seqLen", 70},   {"headDim", 16},          {"heads", 2},
                           {"causal", 1},    {"rule", which},          {"featureMap", map},
                           {"features", 24}, {"normalise", normalise}, {"chunk", 32}};
        };
        for (const double map : {0, 2, 3, 5, 6, 7}) // elu1, relu2, exp, cos, taylor2, favor
            shapes.push_back(rule(0, map, 1));
        for (const double which : {1, 2, 3, 4}) // retention, gla, delta, gated-delta
            shapes.push_back(rule(which, 8, 0));
        shapes.push_back({{"queryLen", 33}, {"keyLen", 65}, {"headDim", 24}, {"valueDim", 40}, {"featureMap", 4}});
        shapes.push_back({{"queryLen", 1}, {"keyLen", 1}, {"headDim", 5}, {"valueDim", 3}, {"causal", 1}});
        if (full)
            shapes.push_back({{"seqLen", 300}, {"headDim", 64}, {"heads", 2}, {"causal", 1}, {"batch", 2}});
        shapes.push_back({{"seqLen", 130}, {"headDim", 64}, {"heads", 1}, {"causal", 1}});
    } else if (op == "sparse-attention") {
        for (const char* pattern : {"strided", "longformer", "bigbird", "topk", "lsh", "full"}) // the GPU's takes full
            shapes.push_back({{"seqLen", 150},
                              {"headDim", 24},
                              {"heads", 2},
                              {"pattern", static_cast<double>(sparse::kindByName(pattern))},
                              {"stride", 12},
                              {"window", 20},
                              {"causal", pattern[0] == 't'},
                              {"block", 64}});
    } else if (op == "low-rank-attention") {
        for (const double method : {0, 1, 2, 3})
            shapes.push_back({{"seqLen", 150}, {"headDim", 24}, {"heads", 2}, {"rank", 8}, {"method", method}});
        shapes.push_back({{"queryLen", 40},
                          {"keyLen", 70},
                          {"headDim", 16},
                          {"queryHeads", 4},
                          {"keyHeads", 2},
                          {"rank", 20},
                          {"method", 0}});
    } else if (op == "softmax") {
        shapes = {{{"rows", 1}, {"columns", 1}}, {{"rows", 3}, {"columns", 257}}, {{"rows", 33}, {"columns", 64}}};
        if (full)
            shapes.push_back({{"rows", 2}, {"columns", 70000}});
    } else if (op == "matmul") {
        shapes = {{{"m", 1}, {"n", 1}, {"k", 1}},
                  {{"m", 33}, {"n", 7}, {"k", 65}},
                  {{"m", 64}, {"n", 128}, {"k", 96}},
                  {{"m", 128}, {"n", 64}, {"k", 128}}};
        if (full)
            shapes.push_back({{"m", 256}, {"n", 320}, {"k", 512}});
    } else if (op == "gau") {
        for (const double variant : {0, 1, 2, 3}) // chunks of 40 whose last is shorter, no chunks, one, many
            for (const double chunk : {40, 0})
                shapes.push_back({{"seqLen", 101},
                                  {"dModel", 24},
                                  {"expanded", 33},
                                  {"shared", 9},
                                  {"batch", 2},
                                  {"variant", variant},
                                  {"chunk", chunk},
                                  {"causal", variant == 1 || variant == 2}});
        shapes.push_back({{"seqLen", 1}, {"dModel", 1}, {"expanded", 1}, {"shared", 1}, {"chunk", 1}});
        shapes.push_back({{"seqLen", 200}, {"dModel", 16}, {"shared", 128}, {"chunk", 64}, {"causal", 1}});
        if (full)
            shapes.push_back({{"seqLen", 1000}, {"dModel", 96}, {"shared", 64}, {"chunk", 256}, {"causal", 1}});
    } else if (op == "ssd" || op == "ssd-backward") {
        const auto shape = [](double length, double heads, double groups, double p, double n, double chunk) {
            return Numbers{{"seqLen", length}, {"heads", heads}, {"groups", groups},
                           {"headDim", p},     {"stateDim", n},  {"chunk", chunk}};
        };
        shapes = {shape(1, 1, 1, 1, 1, 64), shape(70, 4, 2, 24, 40, 32), shape(130, 2, 1, 70, 20, 64),
                  shape(200, 6, 3, 16, 72, 128)};
        for (Numbers& each : shapes)
            each["batch"] = each["seqLen"] == 70 ? 2 : 1;
        shapes.push_back(shapes[1]);
        shapes.push_back(shapes[3]);
        for (size_t i = 4; i < 6; ++i)
            shapes[i]["begins"] = 1;
        if (full)
            shapes.push_back(shape(1000, 8, 1, 64, 128, 128));
        shapes.push_back(shape(130, 2, 2, 64, 64, 64));
    } else if (op == "scan" || op == "complex-scan" || op == "scan-backward") {
        shapes = {{{"channels", 1}, {"length", 1}},
                  {{"channels", 3}, {"length", 65}},
                  {{"channels", 2}, {"length", 1000}},
                  {{"channels", 1}, {"length", 2500}}};
        if (full)
            shapes.push_back({{"channels", 40}, {"length", 70001}});
    } else if (op == "selective-scan") {
        shapes = {{{"len", 1}, {"dim", 1}, {"state", 1}},
                  {{"len", 70}, {"dim", 20}, {"state", 5}, {"batch", 2}, {"groups", 2}, {"gate", 1}, {"bias", 1}},
                  {{"len", 300}, {"dim", 3}, {"state", 16}, {"delta-softplus", 1}, {"skip", 1}, {"first", 1}},
                  {{"len", 1}, {"dim", 33}, {"state", 16}, {"batch", 2}, {"gate", 1}, {"skip", 1}, {"first", 1}},
                  {{"len", 1100}, {"dim", 2}, {"state", 3}, {"delta-softplus", 1}, {"gate", 1}}};
        if (full)
            shapes.push_back({{"len", 4097}, {"dim", 70}, {"state", 16}, {"delta-softplus", 1}, {"gate", 1}});
    } else if (op == "causal-conv") {
        shapes = {{{"len", 1}, {"dim", 1}},
                  {{"len", 3}, {"dim", 5}, {"batch", 2}, {"silu", 1}},
                  {{"len", 300}, {"dim", 7}, {"width", 16}, {"hasBias", 0}},
                  {{"len", 600}, {"dim", 3}, {"width", 4}, {"batch", 2}, {"silu", 1}}};
    } else if (op == "selective-scan-backward") {
        shapes = {{{"len", 1}, {"dim", 1}, {"state", 1}},
                  {{"len", 70}, {"dim", 12}, {"state", 5}, {"batch", 2}, {"groups", 2}, {"gate", 1}},
                  {{"len", 100}, {"dim", 40}, {"state", 3}, {"delta-softplus", 1}, {"skip", 1}, {"gate", 1}},
                  {{"len", 600}, {"dim", 5}, {"state", 2}, {"delta-softplus", 1}, {"gate", 1}}};
    } else if (op == "s4") {
        for (const double kind : {0, 1, 2, 3, 4}) // LegS, then its diagonal, Lin, Inv, Real
            shapes.push_back({{"channels", 19}, {"seqLen", 200}, {"state", 20}, {"kind", kind}});
        shapes.push_back({{"channels", 1}, {"seqLen", 1}, {"state", 2}, {"kind", 2}});
        for (const double state : {100, 200}) // 2 and 4 states a lane, of LegS 4 and 8
            for (const double kind : {3, 0})
                shapes.push_back({{"channels", 3}, {"seqLen", 700}, {"state", state}, {"kind", kind}});
        if (full)
            shapes.push_back({{"channels", 40}, {"seqLen", 5000}, {"state", 64}, {"kind", 0}});
        shapes.push_back({{"channels", 5}, {"seqLen", 1100}, {"state", 64}, {"kind", 2}});
    } else if (op == "hippo-memory") {
        const auto by = [&](double measure, double rule, double state) {
            shapes.push_back({{"channels", 19},
                              {"seqLen", 150},
                              {"state", state},
                              {"measure", measure},
                              {"rule", rule},
                              {"theta", 90},
                              {"every", measure == 0 ? 40 : 0}});
        };
        for (const double rule : {0, 1, 3, 4}) // Euler's, held, Mamba's; with many states forward Euler grows
            by(0, rule, 8);
        for (const double measure : {1, 2, 3, 4}) // LegT, LMU, LagT, FouT
            for (const double rule : {0, 1, 2, 3, 4})
                by(measure, rule, rule == 0 ? 6 : 20); // more, and forward Euler grows
        shapes.push_back({{"seqLen", 1}, {"state", 2}});
        for (const double state : {1, 33, 100, 200}) // LegS, bilinear: 1 to 8 states a lane
            by(0, 2, state);
    } else if (op == "lru" || op == "rwkv4") {
        for (const double channels : {1, 7, 200})
            shapes.push_back({{"seqLen", channels == 7 ? 1 : 150}, {"channels", channels}, {"batch", 2}});
    } else if (op == "rwkv6") {
        shapes = {{{"seqLen", 1}, {"keyDim", 1}, {"valueDim", 1}},
                  {{"seqLen", 70}, {"heads", 3}, {"keyDim", 40}, {"valueDim", 20}, {"batch", 2}},
                  {{"seqLen", 50}, {"heads", 2}, {"keyDim", 20}, {"valueDim", 70}},
                  {{"seqLen", 33}, {"heads", 2}, {"keyDim", 100}, {"valueDim", 64}},
                  {{"seqLen", 100}, {"heads", 2}}};
    } else if (op == "cast" || op == "adamw") {
        for (const double count : {3, 4097, 70001})
            shapes.push_back({{"count", count}, {"power", 10}});
        for (Numbers& shape : shapes)
            if (op == "adamw")
                shape.merge(Numbers{{"step", 3}, {"rate", 1e-3}, {"decay", 0.01}});
    }
    return shapes;
}

const Operators& operators() {
    static const Operators all = [] {
        lab::Registry registry;
        Operators made;
        labs::registerAll(registry, made);
        return made;
    }();
    return all;
}

/// Rounding of a format at 1.
double epsilonOf(Format format) {
    return std::ldexp(1.0, format == Format::F32 ? -24 : format == Format::F16 ? -11 : -8);
}

double largest(const tensor::Tensor& x) {
    double size = 0;
    for (const float v : x.values)
        if (std::isfinite(v))
            size = std::max(size, std::fabs(static_cast<double>(v)));
    return size;
}

/// The largest difference; infinite where one of both is no number or not the same infinity.
double worst(const std::vector<float>& made, const std::vector<float>& exact) {
    double found = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
        if (made[i] == exact[i] || (std::isnan(made[i]) && std::isnan(exact[i])))
            continue;
        const double error = std::fabs(static_cast<double>(made[i]) - static_cast<double>(exact[i]));
        found = std::isfinite(error) ? std::max(found, error) : std::numeric_limits<double>::infinity();
    }
    return found;
}

struct Case {
    const Operator* op;
    const Implementation* implementation;
    Problem problem;
    Tensors stored, exact; ///< inputs as stored, and with what double precision makes of these
};

Case caseOf(const Operator& op, const Implementation& i, const Numbers& numbers, Format format,
            const std::string& kind = "") {
    Case c{&op, &i, {numbers, format}, {}, {}};
    if (op.complete)
        op.complete(c.problem);
    if (!kind.empty() && op.reshape)
        op.reshape(kind, c.problem);
    c.stored = makeTensors(op, c.problem, kind.empty() ? op.inputKinds.front().id : kind, 7, nullptr);
    for (const TensorSpec& t : op.tensors)
        if (t.role == TensorSpec::Role::Input && !t.fixed)
            tensor::round(c.stored[t.name], format);
    if (op.derive)
        op.derive(c.problem, c.stored, {});
    c.exact = c.stored;
    op.reference(c.problem, c.exact, {});
    return c;
}

bool isOutput(const TensorSpec& t) {
    return t.role == TensorSpec::Role::Output || t.role == TensorSpec::Role::Statistic;
}

/// Runs an implementation of the CPU between guard bytes; says what is wrong with them.
QString runGuarded(const Implementation& i, const Problem& problem, const Operator& op, Tensors& tensors, int threads) {
    for (const TensorSpec& t : op.tensors)
        if (isOutput(t))
            tensors[t.name].values.resize(tensors[t.name].values.size() + guards, guard);
    i.onCpu(problem, tensors, {threads, nullptr});
    for (const TensorSpec& t : op.tensors)
        if (isOutput(t)) {
            auto& values = tensors[t.name].values;
            if (std::any_of(values.end() - guards, values.end(), [](float x) { return x != guard; }))
                return QString("%1 was written beyond its end").arg(t.name.c_str());
            values.resize(values.size() - guards);
        }
    return {};
}

std::string gpuName() { return qEnvironmentVariable("WARPLIGHT_TABLE_DEVICE", "vgpu").toStdString(); }

/// The device and its kernels, once: loading a module takes longer than a row.
gpu::KernelLibrary& kernels() {
    static const std::unique_ptr<gpu::Device> device = devices::openGpu(gpuName());
    static gpu::KernelLibrary library(*device);
    return library;
}

/// Not what needs a library, or a GPU of a later architecture, that is not here.
bool runsHere(const Implementation& i) {
    return libraryIsThere(i, kernels().device()) &&
           (!i.onGpuDevice() || whyNotOn(i, kernels().device().architecture(), "it").empty());
}

void addRows(Implementation::Device device) {
    QTest::addColumn<QString>("op");
    QTest::addColumn<QString>("implementation");
    QTest::addColumn<int>("format");
    for (const auto& op : operators().list())
        for (const Implementation* i : op->onDevice(device))
            for (const Format format : {Format::F32, Format::F16, Format::BF16}) {
                if (!runsHere(*i) || i->kernelFormat(format) != format)
                    continue;
                QTest::addRow("%s, %s, %s", op->id.c_str(), i->id.c_str(), number::name(format).c_str())
                    << QString::fromStdString(op->id) << QString::fromStdString(i->id) << static_cast<int>(format);
            }
}

/// Every implementation of ours, on either device.
void addOwnRows() {
    QTest::addColumn<QString>("op");
    QTest::addColumn<QString>("implementation");
    QTest::addColumn<bool>("gpu");
    for (const auto& op : operators().list())
        for (const Implementation& i : op->ladder)
            if (!i.library && runsHere(i))
                QTest::addRow("%s, %s%s", op->id.c_str(), i.id.c_str(), i.onGpuDevice() ? " on a GPU" : "")
                    << QString::fromStdString(op->id) << QString::fromStdString(i.id) << i.onGpuDevice();
}

/// The largest outputs of inputs without their signs, where nothing cancels: the sums of sizes that rounding acts on.
std::map<std::string, double> largestWithoutSigns(const Case& c) {
    Tensors sizes = c.stored;
    for (const TensorSpec& t : c.op->tensors)
        if (t.role == TensorSpec::Role::Input && !t.fixed) // not masks, nor logarithms
            for (float& x : sizes.at(t.name).values)
                x = std::fabs(x);
    c.op->reference(c.problem, sizes, {});
    std::map<std::string, double> found;
    for (const TensorSpec& t : c.op->tensors)
        if (isOutput(t))
            found[t.name] = largest(sizes.at(t.name));
    return found;
}

/// Outputs are within twice a plain implementation's error in f32, what rounding intermediate numbers to the format
/// adds, and what the implementation itself says that it rounds.
QString errorsOf(const Case& c, const Tensors& made, Format format) {
    const Implementation& plain = *c.op->onDevice(Implementation::Device::Cpu)[1]; // the first behind the reference
    Tensors plainly = c.stored;
    plain.onCpu(c.problem, plainly, {});
    // A gradient that cancels to nothing still has the errors of what it is the difference of.
    double least = 0;
    for (const TensorSpec& t : c.op->tensors)
        if (isOutput(t))
            least = std::max(least, largest(c.exact.at(t.name)) / 8);
    std::map<std::string, double> sizes;
    const double own = c.implementation->roundoff ? c.implementation->roundoff(c.problem) : 0;
    if (own > 0)
        sizes = largestWithoutSigns(c);
    for (const TensorSpec& t : c.op->tensors) {
        if (!isOutput(t))
            continue;
        const tensor::Tensor& exact = c.exact.at(t.name);
        const double bound = 2 * worst(plainly.at(t.name).values, exact.values) +
                             (format == Format::F32 ? 8 : 4) * epsilonOf(format) * std::max(largest(exact), least) +
                             own * sizes[t.name];
        const double error = worst(made.at(t.name).values, exact.values);
        if (!(error <= bound))
            return QString("%1 of %2 errs by %3, allowed are %4")
                .arg(t.name.c_str(), c.op->inWords(c.problem).c_str())
                .arg(error)
                .arg(bound);
    }
    return {};
}

double dot(const tensor::Tensor& a, const tensor::Tensor& b) {
    double sum = 0;
    for (size_t i = 0; i < a.values.size(); ++i)
        sum += static_cast<double>(a.values[i]) * static_cast<double>(b.values[i]);
    return sum;
}

/// Σ dO ∘ O over the outputs of `forward` whose gradients the case has, with its input `moved` a step along a
/// direction.
double lossOf(const Operator& forward, const Case& c, const std::string& moved, const tensor::Tensor& along,
              double step) {
    Problem problem{c.problem.numbers, Format::F32};
    if (forward.complete)
        forward.complete(problem);
    Tensors tensors = forward.allocate(problem, nullptr);
    for (const TensorSpec& t : forward.tensors)
        if (t.role == TensorSpec::Role::Input && c.stored.contains(t.name)) // others have no gradients
            tensors.at(t.name) = c.stored.at(t.name);
    for (size_t i = 0; i < along.values.size(); ++i)
        tensors.at(moved).values[i] += static_cast<float>(step) * along.values[i];
    forward.reference(problem, tensors, {});
    double loss = 0;
    for (const TensorSpec& t : forward.tensors)
        if (const auto gradient = c.stored.find("d" + t.name); isOutput(t) && gradient != c.stored.end())
            loss += dot(gradient->second, tensors.at(t.name));
    return loss;
}

} // namespace

class OperatorTableTest : public QObject {
    Q_OBJECT
  private slots:
    void everyOperatorHasShapesHere() {
        for (const auto& op : operators().list())
            QVERIFY2(!shapesOf(op->id, false).empty(), op->id.c_str());
    }

    void aKeyHasOneColourOnAllPages() {
        lab::Registry registry;
        Operators made;
        labs::registerAll(registry, made);
        std::map<std::string, std::pair<int64_t, std::string>> known; // and whose it was first
        for (const lab::Experiment* experiment : registry.all()) {
            const lab::Description d = experiment->describe();
            for (const auto& [key, slot] : d.colours) {
                QVERIFY2(slot >= 0 && slot <= 12, key.c_str());
                const auto& [first, page] = known.try_emplace(key, slot, d.id).first->second;
                QVERIFY2(first == slot,
                         qPrintable(QString("%1 of %2 and of %3").arg(key.c_str(), d.id.c_str(), page.c_str())));
            }
        }
        for (const auto& op : made.list()) { // what stands in one picture has colours of its own
            for (const auto device : {Implementation::Device::Cpu, Implementation::Device::Gpu}) {
                std::map<int, std::string> taken;
                for (const Implementation* i : op->onDevice(device))
                    QVERIFY2(
                        taken.try_emplace(i->colour, i->id).second,
                        qPrintable(
                            QString("%1: %2 and %3").arg(op->id.c_str(), i->id.c_str(), taken[i->colour].c_str())));
            }
            std::map<int, std::string> taken;
            for (const TensorSpec& t : op->tensors)
                QVERIFY2(taken.try_emplace(t.colour, t.label()).first->second == t.label(),
                         qPrintable(
                             QString("%1: %2 and %3").arg(op->id.c_str(), t.label().c_str(), taken[t.colour].c_str())));
        }
    }

    void onTheCpu_data() { addRows(Implementation::Device::Cpu); }
    void onTheCpu() {
        QFETCH(QString, op);
        QFETCH(QString, implementation);
        const Operator& o = operators().find(op.toStdString());
        const Implementation& i = o.implementation(implementation.toStdString(), Implementation::Device::Cpu);
        // Inside, flash-bf16 multiplies bf16: it is judged by that.
        const Format inside = i.id.ends_with("-bf16") ? Format::BF16 : Format::F32;
        int row = 0;
        for (const Numbers& numbers : shapesOf(o.id, full)) {
            if (row++ % test::thinned(2) != 0)
                continue;
            const Case c = caseOf(o, i, numbers, Format::F32);
            if (i.whyNot && !i.whyNot(c.problem).empty())
                continue;
            Tensors made = c.stored;
            const QString beyond = runGuarded(i, c.problem, o, made, 1);
            QVERIFY2(beyond.isEmpty(), qPrintable(beyond));
            const QString wrong = errorsOf(c, made, inside);
            QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
            for (const int threads : {2, 3}) {
                Tensors again = c.stored;
                i.onCpu(c.problem, again, {threads, nullptr});
                for (const TensorSpec& t : o.tensors)
                    if (isOutput(t))
                        QVERIFY2(again.at(t.name).values == made.at(t.name).values,
                                 qPrintable(QString("%1 with %2 threads").arg(t.name.c_str()).arg(threads)));
            }
        }
    }

    void onAGpu_data() { addRows(Implementation::Device::Gpu); }
    void onAGpu() {
        QFETCH(QString, op);
        QFETCH(QString, implementation);
        QFETCH(int, format);
        const Operator& o = operators().find(op.toStdString());
        const Implementation& i = o.implementation(implementation.toStdString(), Implementation::Device::Gpu);
        const auto stored = static_cast<Format>(format);
        int ran = 0;
        for (const Numbers& numbers : shapesOf(o.id, full)) {
            const Case c = caseOf(o, i, numbers, stored);
            if (i.whyNot && !i.whyNot(c.problem).empty())
                continue;
            if (ran++ % test::thinned(3) != 0)
                continue;
            Tensors made = c.stored;
            gpu::LaunchOptions options;
            options.checks = true;
            const gpu::Launched launched = i.onGpu(c.problem, made, kernels(), options);
            for (const gpu::LaunchRecord& launch : launched.launches)
                for (const gpu::Finding& finding : launch.stats.findings)
                    QVERIFY2(finding.note, finding.message.c_str());
            const QString wrong = errorsOf(c, made, stored);
            QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
            if (!i.bytes || gpuName() != "vgpu")
                continue;
            const gpu::TensorTraffic counted = gpu::countedTraffic(launched), formula = i.bytes(c.problem);
            for (const auto& [tensor, traffic] : formula) {
                const auto found = counted.find(tensor);
                QVERIFY2(found != counted.end() && found->second == traffic,
                         qPrintable(QString("%1 of %2: the formula has %3 + %4 bytes, counted are %5 + %6")
                                        .arg(tensor.c_str(), o.inWords(c.problem).c_str())
                                        .arg(traffic.read)
                                        .arg(traffic.written)
                                        .arg(found == counted.end() ? -1 : found->second.read)
                                        .arg(found == counted.end() ? -1 : found->second.written)));
            }
        }
        QVERIFY2(ran > 0, "it takes none of the shapes");
    }

    void numbersStayNumbersOnEveryInput_data() { addOwnRows(); }
    void numbersStayNumbersOnEveryInput() { // but where the description says that they do not
        QFETCH(QString, op);
        QFETCH(QString, implementation);
        QFETCH(bool, gpu);
        const Operator& o = operators().find(op.toStdString());
        const Implementation& i = o.implementation(implementation.toStdString(),
                                                   gpu ? Implementation::Device::Gpu : Implementation::Device::Cpu);
        for (const auto& [kind, why] : i.breaksOn)
            QVERIFY2(std::any_of(o.inputKinds.begin(), o.inputKinds.end(), [&](const auto& k) { return k.id == kind; }),
                     kind.c_str());
        for (const auto& kind : o.inputKinds) {
            Case c = caseOf(o, i, shapesOf(o.id, false).back(), i.formats.front(), kind.id);
            if (i.whyNot && !i.whyNot(c.problem).empty())
                continue;
            Tensors made = c.stored;
            if (gpu)
                i.onGpu(c.problem, made, kernels(), {});
            else
                i.onCpu(c.problem, made, {1, nullptr});
            int64_t lost = 0;
            for (const TensorSpec& t : o.tensors)
                if (isOutput(t))
                    for (size_t at = 0; at < made.at(t.name).values.size(); ++at)
                        lost +=
                            std::isfinite(c.exact.at(t.name).values[at]) && !std::isfinite(made.at(t.name).values[at]);
            QVERIFY2((lost > 0) == i.breaksOn.contains(kind.id),
                     qPrintable(QString("%1: %2 numbers are none").arg(kind.id.c_str()).arg(lost)));
        }
    }

    void whatIsCancelledStops_data() { addOwnRows(); }
    void whatIsCancelledStops() {
        QFETCH(QString, op);
        QFETCH(QString, implementation);
        QFETCH(bool, gpu);
        const Operator& o = operators().find(op.toStdString());
        const Implementation& i = o.implementation(implementation.toStdString(),
                                                   gpu ? Implementation::Device::Gpu : Implementation::Device::Cpu);
        Case c = caseOf(o, i, shapesOf(o.id, false).back(), i.formats.front());
        std::atomic<bool> cancel{true};
        const auto run = [&] {
            if (!gpu) {
                i.onCpu(c.problem, c.stored, {1, &cancel});
                return;
            }
            gpu::LaunchOptions options;
            options.cancel = &cancel;
            i.onGpu(c.problem, c.stored, kernels(), options);
        };
        QVERIFY_THROWS_EXCEPTION(Cancelled, run());
    }

    void gradientsAreThoseOfFiniteDifferences_data() {
        QTest::addColumn<QString>("op");
        for (const auto& op : operators().list())
            if (!op->gradientOf.empty())
                QTest::newRow(op->id.c_str()) << QString::fromStdString(op->id);
    }
    void gradientsAreThoseOfFiniteDifferences() {
        QFETCH(QString, op);
        const Operator& o = operators().find(op.toStdString());
        const Operator& forward = operators().find(o.gradientOf);
        for (const Numbers& numbers : shapesOf(o.id, full)) {
            const Case c = caseOf(o, o.ladder.front(), numbers, Format::F32);
            for (const TensorSpec& t : o.tensors) {
                if (!isOutput(t))
                    continue;
                const tensor::Tensor& gradient = c.exact.at(t.name);
                tensor::Tensor along = gradient;
                tensor::fillUniform(along.values, 11, 3, -1, 1);
                const double step = 1e-2, expected = dot(gradient, along),
                             found = (lossOf(forward, c, t.name.substr(1), along, step) -
                                      lossOf(forward, c, t.name.substr(1), along, -step)) /
                                     (2 * step);
                const double size = std::sqrt(dot(gradient, gradient));
                QVERIFY2(std::fabs(found - expected) <= 2e-3 * size + 1e-4,
                         qPrintable(QString("%1 of %2: %3, by differences %4")
                                        .arg(t.name.c_str(), o.inWords(c.problem).c_str())
                                        .arg(expected)
                                        .arg(found)));
            }
        }
    }

    void bytesThatMustMoveAreThoseOfTheTensors() {
        for (const auto& op : operators().list())
            for (const Numbers& numbers : shapesOf(op->id, false)) {
                Problem problem{numbers, Format::F32};
                if (op->complete)
                    op->complete(problem);
                const double floats = static_cast<double>(op->tensorBytes(problem));
                QVERIFY2(gpu::totalBytes(op->compulsory(problem)) <= floats, op->id.c_str());
            }
    }

  private:
    const bool full = qEnvironmentVariable("WARPLIGHT_TABLE") == "full";
};

QTEST_GUILESS_MAIN(OperatorTableTest)
#include "operator_table_test.moc"
