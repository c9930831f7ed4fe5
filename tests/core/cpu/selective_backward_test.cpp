// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of the selective scan: finite differences in double precision, element by element, PyTorch's autograd, and
// one result for any number of threads.
#include "core/cpu/ssm/selective_backward.h"

#include "core/cpu/target.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "each_rung.h"
#include "selective_case.h"

#include <QTest>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::apartBy;
using test::SelectiveCase;

namespace {

/// Gradients by the names of what they are of.
template <class T>
using Gradients = std::map<std::string, std::vector<T>>;

template <class T>
std::vector<T>& inputOf(SelectiveCase<T>& c, const std::string& name) {
    const std::map<std::string, std::vector<T>*> all{{"u", &c.u}, {"delta", &c.delta}, {"A", &c.a}, {"B", &c.b},
                                                     {"C", &c.c}, {"D", &c.d},         {"z", &c.z}, {"bias", &c.bias}};
    return *all.at(name);
}

template <class T>
Gradients<T> backward(SelectiveCase<T>& c, SelectiveRung rung = SelectiveRung::Plain, const RunOptions& options = {},
                      int64_t* held = nullptr) {
    Gradients<T> made;
    const auto of = [&](const char* name) -> T* {
        std::vector<T>& to = made[name];
        to.assign(inputOf(c, name).size(), static_cast<T>(7));
        return to.empty() ? nullptr : to.data();
    };
    const SelectiveGradients<T> g{c.dy.data(), of("u"), of("delta"), of("A"),   of("B"),
                                  of("C"),     of("D"), of("z"),     of("bias")};
    RunCost cost;
    if constexpr (std::is_same_v<T, float>)
        cost = selectiveScanBackward(rung, c.shape, c.tensors(), g, options);
    else
        cost = selectiveScanBackward(c.shape, c.tensors(), g, options);
    if (held)
        *held = cost.extraBytes;
    return made;
}

double loss(SelectiveCase<double>& c) {
    const std::vector<double> y = c.run(SelectiveRung::Reference).first;
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i)
        sum += y[i] * c.dy[i];
    return sum;
}

SelectiveShape shapeOf(int64_t length, int64_t dim, int64_t state, int64_t batch, int64_t groups, bool softplus) {
    SelectiveShape s;
    s.batch = batch, s.dim = dim, s.length = length, s.state = state, s.groups = groups, s.softplus = softplus;
    return s;
}

} // namespace

class SelectiveBackwardTest : public QObject {
    Q_OBJECT
  private slots:
    void gradientsAreThoseOfFiniteDifferences_data() {
        QTest::addColumn<int>("variant");
        for (int variant = 0; variant < 8; ++variant)
            QTest::addRow("variant %d", variant) << variant;
    }
    void gradientsAreThoseOfFiniteDifferences() {
        QFETCH(int, variant);
        // a chunk and a bit; Δ above 20 in one place, where softplus has the slope 1
        SelectiveCase<double> c(shapeOf(variant == 7 ? 70 : 11, 4, 3, 2, 1 + variant % 2, variant % 2 == 0));
        if (c.shape.softplus)
            c.delta[5] = 21;
        if (variant & 2)
            c.z.clear();
        if (variant & 4)
            c.d.clear(), c.first.clear();
        const Gradients<double> made = backward(c);
        constexpr double step = 1e-5;
        for (const auto& [name, gradient] : made) {
            std::vector<double> differences(gradient.size());
            for (size_t i = 0; i < differences.size(); ++i) {
                double& x = inputOf(c, name)[i];
                const double was = x;
                x = was + step;
                const double up = loss(c);
                x = was - step;
                differences[i] = (up - loss(c)) / (2 * step);
                x = was;
            }
            const double apart = apartBy(gradient, differences);
            QVERIFY2(apart < 1e-7, qPrintable(QString("%1: %2").arg(name.c_str()).arg(apart)));
        }
    }

    /// In f64; read as f32 here.
    void equalsAutograd() {
        const auto oracle = [](const std::string& key) {
            return formats::loadTensor(WARPLIGHT_TEST_DATA "/oracles/ssm/selective_gradients.npz:" + key);
        };
        const tensor::Tensor u = oracle("u"), b = oracle("B");
        SelectiveCase<float> c(shapeOf(u.shape[2], u.shape[1], b.shape[2], u.shape[0], b.shape[1], true));
        for (const char* name : {"u", "delta", "A", "B", "C", "D", "z", "bias"})
            inputOf(c, name) = oracle(name).values;
        c.first.clear();
        c.dy = oracle("dy").values;
        QVERIFY(apartBy(c.run(SelectiveRung::Reference).first, oracle("y").values) < 1e-7);
        for (const SelectiveRung rung : {SelectiveRung::Reference, SelectiveRung::Plain, SelectiveRung::Fused})
            for (const auto& [name, gradient] : backward(c, rung)) {
                const double apart = apartBy(gradient, oracle("d" + name).values);
                QVERIFY2(apart < (rung == SelectiveRung::Reference ? 1e-7 : 2e-6),
                         qPrintable(QString("%1: %2").arg(name.c_str()).arg(apart)));
            }
    }

    void bitsDoNotDependOnThreadsAndMemoryIsWhatIsSaid() {
        SelectiveCase<float> c(shapeOf(200, 75, 5, 2, 3, true));
        int64_t held = 0;
        for (const SelectiveRung rung : {SelectiveRung::Reference, SelectiveRung::Plain, SelectiveRung::Fused}) {
            const Gradients<float> one = backward(c, rung, {1, nullptr}, &held);
            const int64_t said = backwardBytesAtMost(rung, c.shape, 1);
            QVERIFY2(held <= said && said <= held + 1000, qPrintable(QString("%1 of %2").arg(held).arg(said)));
            for (const int threads : {2, 3, 0})
                QVERIFY(backward(c, rung, {threads, nullptr}) == one);
        }
    }

    /// On each instruction set: tiles of channels and chunks that are not whole, with and without what is optional.
    void fusedEqualsDoublePrecision() {
        for (const std::string& target : supportedTargets()) {
            useTarget(target);
            int row = 0;
            for (const int64_t length : {1, 31, 33, 100})
                for (const auto& [dim, groups] : {std::pair(1, 1), std::pair(16, 1), std::pair(42, 3)})
                    for (const int64_t state : {1, 5, 16}) {
                        SelectiveCase<float> c(shapeOf(length, dim, state, 1 + row % 2, groups, row % 3 != 0));
                        if (++row % 2 == 0)
                            c.z.clear(), c.first.clear();
                        if (row % 5 == 0)
                            c.d.clear(), c.bias.clear();
                        const Gradients<float> exact = backward(c, SelectiveRung::Reference);
                        for (const auto& [name, gradient] : backward(c, SelectiveRung::Fused)) {
                            const double apart = apartBy(gradient, exact.at(name));
                            QVERIFY2(apart < 4e-6, qPrintable(QString("%1, length %2, dim %3, state %4, %5: %6")
                                                                  .arg(target.c_str())
                                                                  .arg(length)
                                                                  .arg(dim)
                                                                  .arg(state)
                                                                  .arg(name.c_str())
                                                                  .arg(apart)));
                        }
                    }
        }
        useTarget("");
    }

    void whatIsNoNumberStaysInItsChannel() {
        for (const SelectiveRung rung : {SelectiveRung::Plain, SelectiveRung::Fused}) {
            SelectiveCase<float> c(shapeOf(70, 20, 3, 1, 1, true));
            const Gradients<float> before = backward(c, rung);
            c.u[17 * 70 + 40] = std::numeric_limits<float>::quiet_NaN();
            const Gradients<float> after = backward(c, rung);
            for (const char* name : {"u", "delta", "z"})
                for (size_t i = 0; i < 20 * 70; ++i)
                    if (i / 70 != 17)
                        QVERIFY(after.at(name)[i] == before.at(name)[i]);
            for (size_t i = 0; i < 20 * 3; ++i)
                QCOMPARE(std::isnan(after.at("A")[i]), i / 3 == 17);
        }
    }

    void emptySequencesHaveGradientsOfZero() {
        for (const SelectiveRung rung : {SelectiveRung::Plain, SelectiveRung::Fused}) {
            SelectiveCase<float> c(shapeOf(0, 3, 2, 1, 1, true));
            const Gradients<float> made = backward(c, rung);
            QVERIFY(made.at("A") == std::vector<float>(6, 0.0f) && made.at("D") == std::vector<float>(3, 0.0f));
        }
    }

    void stopsWhenCancelled() {
        SelectiveCase<float> c(shapeOf(20000, 64, 16, 1, 1, true));
        const auto waited = test::untilCancelled(std::chrono::milliseconds(30), [&](auto* cancel) {
            for (int i = 0; i < 100; ++i)
                backward(c, i % 2 ? SelectiveRung::Plain : SelectiveRung::Fused, {0, cancel});
        });
        QVERIFY(waited && *waited < 50 * test::slowdown);
    }

    void otherRungsAreRefused() {
        SelectiveCase<float> c(shapeOf(3, 3, 2, 1, 1, true));
        QVERIFY_THROWS_EXCEPTION(InputError, backward(c, SelectiveRung::Unfused));
    }
};

QTEST_GUILESS_MAIN(SelectiveBackwardTest)
#include "selective_backward_test.moc"
