// SPDX-License-Identifier: GPL-3.0-or-later
// The selective scan against double precision, NumPy and closed forms, on each instruction set.
#include "core/cpu/ssm/selective_scan.h"

#include "core/cpu/ssm/selective_kernels.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "each_rung.h"
#include "selective_case.h"
#include "tests/sentence.h"
#include "tests/thinned.h"

#include <QTest>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;
using test::apartBy;
using test::SelectiveCase;

namespace {

constexpr float noNumber = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

SelectiveShape shapeOf(int64_t length, int64_t dim, int64_t state, int64_t batch = 1, int64_t groups = 1,
                       bool softplus = true) {
    SelectiveShape s;
    s.batch = batch, s.dim = dim, s.length = length, s.state = state, s.groups = groups, s.softplus = softplus;
    return s;
}

/// [steps, columns] of a file, turned to [columns, steps].
std::vector<float> turned(const tensor::Tensor& x) {
    std::vector<float> made;
    for (int64_t column = 0; column < x.shape[1]; ++column)
        for (int64_t step = 0; step < x.shape[0]; ++step)
            made.push_back(x.values[static_cast<size_t>(step * x.shape[1] + column)]);
    return made;
}

std::string messageOf(const SelectiveShape& shape) {
    return test::sentenceOf([&] { checkShape(shape); });
}

} // namespace

class SelectiveScanTest : public QObject {
    Q_OBJECT
    SelectiveRung rung = SelectiveRung::Reference;

  private slots:
    void initTestCase_data() {
        test::addRungs(selectiveRungs(),
                       [](SelectiveRung r) { return r == SelectiveRung::Fused || r == SelectiveRung::Unfused; });
    }
    void init() {
        test::useTargetOfRow();
        QFETCH_GLOBAL(int, rung);
        this->rung = static_cast<SelectiveRung>(rung);
    }
    void cleanupTestCase() { useTarget(""); }

    /// Tiles of channels, blocks of steps and states that are not whole; with and without what is optional. A decay
    /// near 1 is rounded at each of the hundreds of steps that it remembers.
    void equalsDoublePrecision() {
        int row = 0;
        for (const int64_t length : {0, 1, 2, 7, 64, 512, 1030})
            for (const auto& [dim, groups] : {std::pair(1, 1), std::pair(19, 1), std::pair(42, 3), std::pair(4, 4)})
                for (const int64_t state : {1, 3, 16, 31}) {
                    if (++row % test::thinned(5) != 0)
                        continue;
                    const bool softplus = row % 2 == 0;
                    SelectiveCase<float> c(shapeOf(length, dim, state, 1 + row % 2, groups, softplus));
                    SelectiveCase<double> exact(c.shape);
                    if (row % 3 == 1)
                        c.z.clear(), exact.z.clear(), c.first.clear(), exact.first.clear();
                    if (row % 5 == 2)
                        c.d.clear(), exact.d.clear(), c.bias.clear(), exact.bias.clear();
                    const auto [y, last] = c.run(rung);
                    const auto [trueY, trueLast] = exact.run(SelectiveRung::Reference);
                    const double error = std::max(apartBy(y, trueY), apartBy(last, trueLast));
                    QVERIFY2(error < (rung == SelectiveRung::Reference ? 7e-8 : 3e-6),
                             qPrintable(QString("length %1, dim %2, state %3, groups %4: %5")
                                            .arg(length)
                                            .arg(dim)
                                            .arg(state)
                                            .arg(groups)
                                            .arg(error)));
                }
    }

    /// Its numbers are f64: reading them as f32 is most of the error.
    void equalsNumPy() {
        const auto oracle = [](const char* key) {
            return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/ssm/selective_scan.npz:") + key);
        };
        const tensor::Tensor u = oracle("u"), a = oracle("A");
        SelectiveCase<float> c(shapeOf(u.shape[0], u.shape[1], a.shape[1], 1, 1, false));
        c.u = turned(u), c.delta = turned(oracle("delta")), c.z = turned(oracle("z"));
        c.a = a.values, c.b = turned(oracle("B")), c.c = turned(oracle("C")), c.d = oracle("D").values;
        c.first.clear();
        const auto [gated, last] = c.run(rung);
        QVERIFY(apartBy(gated, turned(oracle("y_gated"))) < 1e-6);
        QVERIFY(apartBy(last, oracle("last_state").values) < 1e-6);
        c.z.clear();
        QVERIFY(apartBy(c.run(rung).first, turned(oracle("y"))) < 1e-6);
    }

    /// A decay of exactly 1 (Δ A = 0) adds up, one of exactly 0 forgets.
    void decaysOfOneAddUpAndOfZeroForget() {
        SelectiveCase<float> c(shapeOf(1000, 17, 4, 1, 1, false));
        for (auto* x : {&c.u, &c.b, &c.c, &c.delta})
            x->assign(x->size(), 1.0f);
        for (auto* x : {&c.z, &c.d, &c.first})
            x->clear();
        c.a.assign(c.a.size(), 0.0f);
        std::vector<float> y = c.run(rung).first;
        for (size_t i = 0; i < y.size(); ++i)
            QCOMPARE(y[i], 4 * static_cast<float>(i % 1000 + 1));
        c.a.assign(c.a.size(), -1000.0f);
        y = c.run(rung).first;
        QVERIFY(y == std::vector<float>(y.size(), 4.0f));
        c.a.assign(c.a.size(), -inf);
        QVERIFY(c.run(rung).first == y);
    }

    /// What one run leaves is where the next one begins, step by step if need be.
    void aStateGivenOnIsOneRun() {
        for (const int64_t cut : {1, 7, 512}) {
            const int64_t length = 600, dim = 21, state = 16;
            SelectiveCase<float> whole(shapeOf(length, dim, state, 2));
            const auto [y, last] = whole.run(rung);
            std::vector<float> joined(y.size()), carried = whole.first;
            for (int64_t begin = 0; begin < length; begin += cut) {
                if (cut == 1 && begin == 40) // enough of them
                    break;
                const int64_t steps = std::min(cut, length - begin);
                SelectiveCase<float> part(shapeOf(steps, dim, state, 2));
                part.a = whole.a, part.d = whole.d, part.bias = whole.bias, part.first = carried;
                const auto rows = [&](const std::vector<float>& from, std::vector<float>& to) {
                    for (size_t row = 0; row < to.size() / static_cast<size_t>(steps); ++row)
                        std::copy_n(from.begin() + static_cast<ptrdiff_t>(row) * length + begin, steps,
                                    to.begin() + static_cast<ptrdiff_t>(row) * steps);
                };
                for (auto member : {&SelectiveCase<float>::u, &SelectiveCase<float>::delta, &SelectiveCase<float>::z,
                                    &SelectiveCase<float>::b, &SelectiveCase<float>::c})
                    rows(whole.*member, part.*member);
                const auto [partY, partLast] = part.run(rung);
                carried = partLast;
                std::vector<float> expected(partY.size());
                rows(y, expected);
                QVERIFY(apartBy(partY, expected) < 3e-6);
            }
            if (cut != 1)
                QVERIFY(apartBy(carried, last) < 3e-6);
        }
    }

    void theLastStateMayTakeTheFirstOnesPlace() {
        for (const int64_t length : {1, 40}) {
            SelectiveCase<float> c(shapeOf(length, 21, 16));
            const auto [y, last] = c.run(rung);
            SelectiveTensors<float> t = c.tensors();
            t.last = c.first.data();
            selectiveScan(rung, c.shape, t);
            QVERIFY(c.first == last);
            c.y.resize(y.size());
            QVERIFY(c.y == y);
        }
    }

    void whatIsNoNumberStaysInItsChannel() {
        constexpr int64_t length = 530, dim = 20;
        const SelectiveCase<float> intact(shapeOf(length, dim, 5));
        SelectiveCase<float> once = intact;
        const std::vector<float> before = once.run(rung).first;
        for (const float value : {noNumber, inf, -inf})
            for (const int64_t channel : {0, 15, 16})
                for (const auto member : {&SelectiveCase<float>::u, &SelectiveCase<float>::delta,
                                          &SelectiveCase<float>::z, &SelectiveCase<float>::a, &SelectiveCase<float>::d,
                                          &SelectiveCase<float>::bias, &SelectiveCase<float>::first}) {
                    SelectiveCase<float> c = intact;
                    auto& x = c.*member;
                    const auto width = static_cast<int64_t>(x.size()) / dim;
                    x[static_cast<size_t>(channel * width + width / 2)] = value;
                    SelectiveCase<float> reference = c;
                    const std::vector<float> after = c.run(rung).first,
                                             exact = reference.run(SelectiveRung::Reference).first;
                    for (int64_t i = 0; i < dim * length; ++i) {
                        const float was = before[static_cast<size_t>(i)], is = after[static_cast<size_t>(i)];
                        if (i / length != channel)
                            QVERIFY(was == is);
                        else
                            QCOMPARE(std::isfinite(is), std::isfinite(exact[static_cast<size_t>(i)]));
                    }
                }
    }

    void whatIsNoNumberInBStaysInItsGroupAndBehindItsStep() {
        constexpr int64_t length = 300, dim = 40;
        SelectiveCase<float> c(shapeOf(length, dim, 5, 1, 2));
        const std::vector<float> before = c.run(rung).first;
        c.b[5 * length + 2 * length + 100] = noNumber; // group 1, state 2, step 100
        const std::vector<float> after = c.run(rung).first;
        for (int64_t i = 0; i < dim * length; ++i)
            if (i / length < 20 || i % length < 100)
                QVERIFY(before[static_cast<size_t>(i)] == after[static_cast<size_t>(i)]);
            else
                QVERIFY(std::isnan(after[static_cast<size_t>(i)]));
    }

    void bitsDoNotDependOnThreads() {
        for (const int64_t length : {1, 700}) {
            SelectiveCase<float> c(shapeOf(length, 150, 16, 2));
            const auto one = c.run(rung, {1, nullptr});
            QVERIFY(!one.first.empty());
            for (const int threads : {2, 3, 0})
                QVERIFY(c.run(rung, {threads, nullptr}) == one);
        }
    }

    void memoryIsAtMostWhatIsSaid() {
        for (const int64_t length : {1, 700})
            for (const int64_t dim : {5, 150})
                for (const int threads : {1, 2}) {
                    SelectiveCase<float> c(shapeOf(length, dim, 16));
                    int64_t held = 0;
                    c.run(rung, {threads, nullptr}, &held);
                    const int64_t said = extraBytesAtMost(rung, c.shape, threads);
                    QVERIFY2(held <= said && said <= held + 1000, qPrintable(QString("%1 of %2").arg(held).arg(said)));
                }
    }

    void stopsWhenCancelled() {
        SelectiveCase<float> c(shapeOf(rung == SelectiveRung::Fused ? 40000 : 1500, 128, 16));
        const auto t = c.tensors();
        const auto waited = test::untilCancelled(std::chrono::milliseconds(30), [&](auto* cancel) {
            for (int i = 0; i < 100; ++i)
                selectiveScan(rung, c.shape, t, {0, cancel});
        });
        QVERIFY(waited && *waited < 50 * test::slowdown);
    }

    void stepSizesAreSoftplus() {
        std::vector<float> x, made;
        for (int i = -4000; i <= 4000; ++i)
            x.push_back(static_cast<float>(i) / 50);
        made.resize(x.size());
        selectiveKernels().stepSizes(x.data(), nullptr, true, made.data(), static_cast<int64_t>(x.size()));
        for (size_t i = 0; i < x.size(); ++i) {
            const double exact = softplusOf(static_cast<double>(x[i]));
            QVERIFY2(std::fabs(static_cast<double>(made[i]) - exact) <= 4e-7 * exact,
                     qPrintable(QString("%1: %2, not %3").arg(x[i]).arg(made[i]).arg(exact)));
        }
        float odd[] = {noNumber, inf, -inf};
        selectiveKernels().stepSizes(odd, nullptr, true, odd, 3);
        QVERIFY(std::isnan(odd[0]) && odd[1] == inf && odd[2] < 1e-40f);
        QCOMPARE(softplusOf(20.5), 20.5);
        QVERIFY(softplusOf(19.5) > 19.5);
    }

    void shapesThatThereAreNoneOfAreRefused() {
        QCOMPARE(messageOf(shapeOf(3, 0, 4)), "selective scan: dim is 0, expected at least 1");
        QCOMPARE(messageOf(shapeOf(3, 6, 4, 1, 4)),
                 "selective scan: 4 groups of B and C, expected a divisor of dim, 6");
        QCOMPARE(messageOf(shapeOf(3, 6, 257)), "selective scan: state is 257, expected 1 to 256");
        QVERIFY(!messageOf(shapeOf(-1, 6, 4)).empty());
    }

    void operationsAreCounted() { QCOMPARE(flopsOf(shapeOf(10, 3, 4, 2)), 2.0 * 3 * 10 * (9 * 4 + 2)); }
};

QTEST_GUILESS_MAIN(SelectiveScanTest)
#include "selective_scan_test.moc"
