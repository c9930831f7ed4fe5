// SPDX-License-Identifier: GPL-3.0-or-later
// Sums in several orders against rational arithmetic and NumPy (tests/oracles/precision/make_sums.py), figures of which
// the answer is known, and the virtual GPU's own instructions.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/precision/arithmetic.h"
#include "core/precision/sum_tree.h"
#include "core/precision/sums.h"
#include "core/tensor/random.h"
#include "gpu/number/float_format.h"
#include "gpu/number/half.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::precision;
using number::Format;

namespace {

std::vector<float> oracle(const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/precision/sums.npz:") + key).values;
}

constexpr Format accumulators[] = {Format::F16, Format::BF16, Format::F32};
const number::FloatFormat& formatOf(Format format) { return number::floatFormat(number::name(format)); }

SumCourse ofAll(const std::vector<float>& a, const std::vector<float>& b, SumOrder order, Format format,
                int64_t chunk = 256) {
    return sumInOrder(a, b, {order, format, chunk}, {});
}

std::vector<float> constants(double x, Format format, size_t count) {
    return std::vector<float>(count, number::rounded(static_cast<float>(x), format));
}

/// Numbers of a format, of sizes around 1 and of both signs.
std::vector<float> someNumbers(size_t count, Format format, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> numbers;
    for (size_t i = 0; i < count; ++i)
        numbers.push_back(number::rounded(
            std::ldexp(static_cast<float>(random()) * 0x1p-31f - 1, static_cast<int>(random() % 12) - 9), format));
    return numbers;
}

/// The bits that a GPU holds of numbers of a format.
std::vector<uint8_t> stored(const std::vector<float>& numbers, Format format) {
    std::vector<uint8_t> bytes;
    for (const float x : numbers) {
        const uint32_t bits = format == Format::F16    ? number::floatToF16(x)
                              : format == Format::BF16 ? number::floatToBf16(x)
                                                       : std::bit_cast<uint32_t>(x);
        for (int64_t i = 0; i < number::bytes(format); ++i)
            bytes.push_back(static_cast<uint8_t>(bits >> (8 * i)));
    }
    return bytes;
}

float loaded(uint32_t bits, Format format) {
    return format == Format::F16    ? number::f16ToFloat(static_cast<uint16_t>(bits))
           : format == Format::BF16 ? number::bf16ToFloat(static_cast<uint16_t>(bits))
                                    : std::bit_cast<float>(bits);
}

/// Runs a kernel k(a, b, out, steps) of one warp; `results` words of out.
std::vector<uint32_t> runWarp(gpu::Device& device, const std::string& body, const std::vector<uint8_t>& a,
                              const std::vector<uint8_t>& b, uint32_t steps, size_t results) {
    const std::string ptx =
        ".version 8.8\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 pa, .param .u64 "
        "pb, .param .u64 pout, .param .u32 psteps)\n{\n.reg .b64 %a, %b, %out, %o;\n"
        ".reg .b32 %t, %n, %w;\n.reg .pred %p;\nld.param.u64 %a, [pa];\nld.param.u64 %b, [pb];\n"
        "ld.param.u64 %out, [pout];\nld.param.u32 %n, [psteps];\nmov.u32 %t, %tid.x;\n" +
        body + "ret;\n}\n";
    gpu::Buffer da(device, static_cast<int64_t>(a.size()), "a"), db(device, static_cast<int64_t>(b.size()), "b"),
        out(device, static_cast<int64_t>(4 * results), "out");
    da.upload(a.data());
    db.upload(b.data());
    gpu::LaunchConfig config;
    config.block = {32};
    const auto module = device.load(ptx, "test.ptx");
    module->kernel("k").launch(config, std::vector<gpu::Argument>{da.address(), db.address(), out.address(), steps});
    std::vector<uint32_t> words(results);
    out.download(words.data());
    return words;
}

/// mma.sync in a loop: all rows of A are the same terms, all columns of B too, so that all elements of D are their sum.
std::string tensorCoreLoop(Format inputs, Format accumulator) {
    const bool halves = accumulator == Format::F16;
    const std::string shape = inputs == Format::F32 ? "m16n8k8" : "m16n8k16";
    const std::string type = inputs == Format::F32 ? "tf32" : number::name(inputs), sum = number::name(accumulator);
    const std::string d = halves ? "{%d0, %d1}" : "{%d0, %d1, %d2, %d3}";
    // In 16 bits two terms a register, in 32 one: either way 4 bytes a lane, 16 behind them the other half.
    return ".reg .b32 %d<4>, %x<2>, %y<2>;\nand.b32 %t, %t, 3;\nmul.wide.u32 %o, %t, 4;\nadd.s64 %a, %a, %o;\n"
           "add.s64 %b, %b, %o;\nmov.b32 %d0, 0;\nmov.b32 %d1, 0;\nmov.b32 %d2, 0;\nmov.b32 %d3, 0;\nLOOP:\n"
           "ld.global.b32 %x0, [%a];\nld.global.b32 %x1, [%a+16];\nld.global.b32 %y0, [%b];\n"
           "ld.global.b32 %y1, [%b+16];\nmma.sync.aligned." +
           shape + ".row.col." + sum + "." + type + "." + type + "." + sum + " " + d +
           ", {%x0, %x0, %x1, %x1}, {%y0, %y1}, " + d +
           ";\nst.global.b32 [%out], %d0;\nadd.s64 %a, %a, 32;\nadd.s64 %b, %b, 32;\nadd.s64 %out, %out, 4;\n"
           "sub.s32 %n, %n, 1;\nsetp.ne.s32 %p, %n, 0;\n@%p bra LOOP;\n";
}

/// Each lane serially with fused multiply-adds over every 32nd term, then five exchanges.
std::string warpReduction(Format format) {
    const std::string bytes = std::to_string(number::bytes(format)), bits = std::to_string(8 * number::bytes(format)),
                      type = number::name(format);
    const bool narrow = format != Format::F32;
    std::string text = ".reg .b" + bits + " %s, %x, %y;\n.reg .b16 %z;\n.reg .b32 %v;\nmul.wide.u32 %o, %t, " + bytes +
                       ";\nadd.s64 %a, %a, %o;\nadd.s64 %b, %b, %o;\nmul.wide.u32 %o, %t, 4;\n"
                       "add.s64 %out, %out, %o;\nmov.b" +
                       bits + " %s, 0;\nmov.b16 %z, 0;\nLOOP:\nld.global.b" + bits + " %x, [%a];\nld.global.b" + bits +
                       " %y, [%b];\nfma.rn." + type + " %s, %x, %y, %s;\n" + "add.s64 %a, %a, " +
                       std::to_string(32 * number::bytes(format)) + ";\nadd.s64 %b, %b, " +
                       std::to_string(32 * number::bytes(format)) +
                       ";\nsub.s32 %n, %n, 1;\nsetp.ne.s32 %p, %n, 0;\n@%p bra LOOP;\n";
    for (const int offset : {16, 8, 4, 2, 1}) {
        text += narrow ? "mov.b32 %w, {%s, %z};\n" : "mov.b32 %w, %s;\n";
        text += "shfl.sync.bfly.b32 %v, %w, " + std::to_string(offset) + ", 31, 0xffffffff;\n";
        text += narrow ? "mov.b32 {%x, %z}, %v;\n" : "mov.b32 %x, %v;\n";
        text += "add.rn." + type + " %s, %s, %x;\n";
    }
    return text + (narrow ? "mov.b32 %w, {%s, %z};\n" : "mov.b32 %w, %s;\n") + "st.global.b32 [%out], %w;\n";
}

template <class Rows>
void forEachFormat(const Rows& row) {
    QTest::addColumn<int>("format");
    for (const Format format : accumulators)
        row(format, number::name(format));
}

} // namespace

class SumsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

  private slots:
    void operationsAreRoundedOnce_data() {
        forEachFormat([](Format f, const std::string& name) { QTest::newRow(name.c_str()) << static_cast<int>(f); });
    }
    void operationsAreRoundedOnce() {
        QFETCH(int, format);
        const std::string name = number::name(static_cast<Format>(format));
        const auto a = oracle(name + "-a"), b = oracle(name + "-b"), c = oracle(name + "-c");
        const auto fma = oracle(name + "-fma"), sum = oracle(name + "-add"), product = oracle(name + "-mul");
        QCOMPARE(a.size(), size_t(2000));
        withArithmetic(static_cast<Format>(format), [&](auto arithmetic) {
            using Number = typename decltype(arithmetic)::Number;
            for (size_t i = 0; i < a.size(); ++i) {
                const auto p = static_cast<Number>(a[i]), q = static_cast<Number>(b[i]), r = static_cast<Number>(c[i]);
                QVERIFY(static_cast<float>(arithmetic.multiplyAdd(p, q, r)) == fma[i]);
                QVERIFY(static_cast<float>(arithmetic.add(p, r)) == sum[i]);
                QVERIFY(static_cast<float>(arithmetic.multiply(p, q)) == product[i]);
            }
        });
    }

    /// Half ways between neighbours of the whole range, and one f64 beside them.
    void roundingIsThatOfTheFormat() {
        const auto check = [](auto arithmetic, const char* id) {
            const number::FloatFormat& f = number::floatFormat(id);
            std::vector<double> some{0.0, std::numeric_limits<double>::infinity(), 1e300, 1e-300};
            for (uint64_t code = 0; code <= f.largestCode(); ++code) {
                const double x = number::decode(code, f), half = x + number::spacing(x, f) / 2;
                for (const double y : {x, half, std::nextafter(half, 0.0), std::nextafter(half, 1e308)})
                    some.push_back(y);
            }
            for (const double size : some)
                for (const double x : {size, -size}) {
                    const double made = arithmetic.rounded(x), expected = number::rounded(x, f);
                    if (made != expected || std::signbit(made) != std::signbit(expected))
                        QFAIL(qPrintable(QString("%1: %2, expected %3").arg(x, 0, 'g', 17).arg(made).arg(expected)));
                }
            QVERIFY(std::isnan(arithmetic.rounded(std::nan(""))));
        };
        check(F16Arithmetic(), "f16");
        check(Bf16Arithmetic(), "bf16");
    }

    void ordersAreThoseOfRationalArithmetic_data() {
        QTest::addColumn<int>("order");
        QTest::addColumn<int>("format");
        QTest::addColumn<QString>("what");
        for (const NamedOrder& order : sumOrders())
            for (const Format format : accumulators)
                for (const char* what : {"sum", "dot"})
                    QTest::addRow("%s %s %s", order.id.data(), number::name(format).c_str(), what)
                        << static_cast<int>(order.order) << static_cast<int>(format) << what;
    }
    void ordersAreThoseOfRationalArithmetic() {
        QFETCH(int, order);
        QFETCH(int, format);
        QFETCH(QString, what);
        const auto id = sumOrders()[static_cast<size_t>(order)].id;
        std::vector<int64_t> lengths;
        for (const float length : oracle("lengths"))
            lengths.push_back(static_cast<int64_t>(length));
        const auto accumulator = static_cast<Format>(format);
        const auto expected = oracle(std::string(id) + "-" + number::name(accumulator) + "-" + what.toStdString());
        const SumCourse course = sumInOrder(oracle("x"), what == "dot" ? oracle("y") : std::vector<float>(),
                                            {static_cast<SumOrder>(order), accumulator, 12}, lengths);
        QCOMPARE(course.sums.size(), expected.size());
        for (size_t i = 0; i < expected.size(); ++i)
            QVERIFY2(course.sums[i] == static_cast<double>(expected[i]),
                     qPrintable(QString("%1 terms: %2, expected %3")
                                    .arg(lengths[i])
                                    .arg(course.sums[i], 0, 'g', 9)
                                    .arg(double(expected[i]), 0, 'g', 9)));
        QCOMPARE(course.sum, course.sums.back());
        QVERIFY(!course.overflowsAt);
    }

    void exactSumsAreExact() {
        std::vector<int64_t> lengths;
        for (const float length : oracle("lengths"))
            lengths.push_back(static_cast<int64_t>(length));
        const auto x = oracle("x"), y = oracle("y");
        for (const bool dot : {false, true}) {
            const ExactCourse course = sumExactly(x, dot ? y : std::vector<float>(), lengths);
            const auto expected = oracle(dot ? "exact-dot" : "exact-sum");
            for (size_t i = 0; i < lengths.size(); ++i)
                QVERIFY(course.sums[i].value() == static_cast<double>(expected[i]) +
                                                      static_cast<double>(expected[lengths.size() + i]) +
                                                      static_cast<double>(expected[2 * lengths.size() + i]));
        }
        // What f64 would lose: everything but the last term.
        ExactSum sum;
        for (const double term : {0x1p+255, 0x1p-298, -0x1p+255, 0x1.8p-149, 1.0, -1.0})
            sum.add(term);
        QVERIFY(sum.differenceFrom(0) == -(0x1.8p-149)); // 2^-298 is 149 bits below
        sum.add(-0x1.8p-149);
        QVERIFY(sum.value() == 0x1p-298);
        QVERIFY(sum.differenceFrom(0x1p-298) == 0.0);
        // Ties to even, and what lies beyond the tie.
        ExactSum tie;
        tie.add(1);
        tie.add(0x1p-53);
        QVERIFY(tie.value() == 1.0);
        tie.add(0x1p-200);
        QVERIFY(tie.value() == 1 + 0x1p-52);
        tie.add(-0x1p-199);
        QVERIFY(tie.value() == 1.0);
        QVERIFY(tie.differenceFrom(1) == -(0x1p-53));
        ExactSum odd;
        odd.add(-(1 + 0x1p-52));
        odd.add(-0x1p-53);
        QVERIFY(odd.value() == -(1 + 0x1p-51));
    }

    /// precision.md, section 3.
    void serialSumsStandStill_data() {
        QTest::addColumn<int>("format");
        QTest::addColumn<double>("term");
        QTest::addColumn<double>("value");
        QTest::addColumn<qlonglong>("terms");
        const auto row = [](Format format, double term, double value, qlonglong terms) {
            QTest::addRow("%s %g", number::name(format).c_str(), term)
                << static_cast<int>(format) << term << value << terms;
        };
        row(Format::F16, 1, 2048, 2048);
        row(Format::F16, 0.1, 256, 2207);
        row(Format::F16, 0.001, 4, 3070);
        row(Format::BF16, 1, 256, 256);
        row(Format::BF16, 0.1, 32, 0);
        row(Format::BF16, 0.001, 0.5, 0);
    }
    void serialSumsStandStill() {
        QFETCH(int, format);
        QFETCH(double, term);
        QFETCH(double, value);
        QFETCH(qlonglong, terms);
        const auto f = static_cast<Format>(format);
        const SumCourse course = ofAll(constants(term, f, 5000), {}, SumOrder::Serial, f);
        QCOMPARE(course.sum, value);
        QVERIFY(course.stagnatesAfter.has_value());
        if (terms > 0)
            QCOMPARE(qlonglong(*course.stagnatesAfter), terms);
        // So it is no end of the run that is taken for the end of the sum.
        QVERIFY(!ofAll(constants(term, f, static_cast<size_t>(*course.stagnatesAfter)), {}, SumOrder::Serial, f)
                     .stagnatesAfter);
    }

    void f32OnesStandStillToo() {
        const SumCourse course = ofAll(constants(1, Format::F32, (1 << 24) + 64), {}, SumOrder::Serial, Format::F32);
        QCOMPARE(course.sum, 16777216.0);
        QCOMPARE(*course.stagnatesAfter, int64_t(1) << 24);
    }

    void whatFollowsHasToBeWorthSomething() {
        std::vector<float> ones(100, 1.0f);
        ones.resize(5000, 0.0f);
        QVERIFY(!ofAll(ones, {}, SumOrder::Serial, Format::F16).stagnatesAfter);
        std::vector<float> chance(40000);
        tensor::fillUniform(chance, 1, 0, 0, 1);
        QVERIFY(!ofAll(chance, {}, SumOrder::Serial, Format::F32).stagnatesAfter);
        QVERIFY(!ofAll(chance, {}, SumOrder::Pairwise, Format::F16).stagnatesAfter);
        QCOMPARE(ofAll(chance, {}, SumOrder::Serial, Format::F16).sum, 2048.0);
    }

    void aDotProductOfOnesNeedsAWideAccumulator() {
        const auto ones = constants(1, Format::F16, 4096);
        QCOMPARE(ofAll(ones, ones, SumOrder::Serial, Format::F16).sum, 2048.0);
        QCOMPARE(ofAll(ones, ones, SumOrder::Serial, Format::F32).sum, 4096.0);
        QCOMPARE(ofAll(ones, ones, SumOrder::TensorCore, Format::F16).sum, 4096.0); // 16 at once are enough here
        QCOMPARE(ofAll(constants(1, Format::F16, 40000), {}, SumOrder::TensorCore, Format::F16).sum, 32768.0);
    }

    void overflowIsNoStandstill() {
        const SumCourse course = ofAll(constants(1000, Format::F16, 200), {}, SumOrder::Serial, Format::F16);
        QVERIFY(std::isinf(course.sum));
        QCOMPARE(*course.overflowsAt, int64_t(66)); // 65000 + 1000, beyond 65520
        QVERIFY(!course.stagnatesAfter);
    }

    /// Higham, Accuracy and Stability of Numerical Algorithms: (4.6) and (4.8).
    void errorsKeepTheirBounds_data() {
        forEachFormat([](Format f, const std::string& name) { QTest::newRow(name.c_str()) << static_cast<int>(f); });
    }
    void errorsKeepTheirBounds() {
        QFETCH(int, format);
        const auto f = static_cast<Format>(format);
        const double u = formatOf(f).epsilon() / 2;
        double serial = 0;
        for (unsigned seed = 0; seed < 20; ++seed)
            for (const size_t n : {2u, 17u, 100u}) {
                std::vector<float> x(n);
                tensor::fillUniform(x, seed, 0, 0, 1);
                for (float& value : x)
                    value = number::rounded(value, f);
                const std::vector<int64_t> lengths{static_cast<int64_t>(n)};
                const ExactCourse exact = sumExactly(x, {}, lengths);
                const auto error = [&](SumOrder order) {
                    return std::fabs(exact.sums[0].differenceFrom(ofAll(x, {}, order, f).sum)) / exact.sizes[0];
                };
                const double count = static_cast<double>(n), levels = std::ceil(std::log2(count));
                QVERIFY(error(SumOrder::Pairwise) <= levels * u / (1 - levels * u));
                QVERIFY(error(SumOrder::Kahan) <= 2 * u + 4 * count * u * u);
                QVERIFY(error(SumOrder::Serial) <= count * u / (1 - count * u));
                serial = std::max(serial, error(SumOrder::Serial));
            }
        QVERIFY(serial > 2 * u + 4 * 100 * u * u); // Kahan's bound means something
    }

    void theTensorCoresWayIsTheVirtualGpus_data() {
        QTest::addColumn<int>("inputs");
        QTest::addColumn<int>("format");
        const auto row = [](Format inputs, Format format) {
            QTest::addRow("%s in %s", number::name(inputs).c_str(), number::name(format).c_str())
                << static_cast<int>(inputs) << static_cast<int>(format);
        };
        for (const Format inputs : {Format::F16, Format::BF16, Format::F32})
            for (const Format format : accumulators)
                if (hasTensorCoreInstruction(inputs, format))
                    row(inputs, format);
    }
    void theTensorCoresWayIsTheVirtualGpus() {
        QFETCH(int, inputs);
        QFETCH(int, format);
        const auto in = static_cast<Format>(inputs), f = static_cast<Format>(format);
        const int64_t each = in == Format::F32 ? 8 : 16; // terms of an mma
        constexpr uint32_t steps = 200;
        const std::string body = tensorCoreLoop(in, f);
        for (const bool dot : {false, true})
            for (unsigned seed = 0; seed < 4; ++seed) {
                const auto count = static_cast<size_t>(each * steps);
                auto a = someNumbers(count, in, seed);
                if (seed == 3)
                    std::transform(a.begin(), a.end(), a.begin(), [](float x) { return 8 * std::fabs(x); });
                const auto b = dot ? someNumbers(count, in, seed + 100) : std::vector<float>();
                std::vector<int64_t> lengths;
                for (int64_t i = 1; i <= steps; ++i)
                    lengths.push_back(each * i);
                const SumCourse course = sumInOrder(a, b, {SumOrder::TensorCore, f, 1}, lengths);
                const auto words = runWarp(*device, body, stored(a, in),
                                           stored(dot ? b : std::vector<float>(count, 1.0f), in), steps, steps);
                for (size_t i = 0; i < words.size(); ++i)
                    QVERIFY(course.sums[i] == static_cast<double>(loaded(words[i], f)));
            }
    }

    void theWarpTreeIsThatOfAKernel_data() {
        forEachFormat([](Format f, const std::string& name) { QTest::newRow(name.c_str()) << static_cast<int>(f); });
    }
    void theWarpTreeIsThatOfAKernel() {
        QFETCH(int, format);
        const auto f = static_cast<Format>(format);
        constexpr uint32_t steps = 50;
        for (unsigned seed = 0; seed < 4; ++seed) {
            const auto a = someNumbers(32 * steps, f, seed), b = someNumbers(32 * steps, f, seed + 100);
            const auto words = runWarp(*device, warpReduction(f), stored(a, f), stored(b, f), steps, 32);
            for (const uint32_t word : words)
                QVERIFY(static_cast<double>(loaded(word, f)) == ofAll(a, b, SumOrder::WarpTree, f).sum);
        }
    }

    void aTreeIsTheSumStepByStep() {
        for (const NamedOrder& order : sumOrders())
            for (const Format format : accumulators)
                for (const bool dot : {false, true})
                    for (size_t count = 1; count <= 32; ++count) {
                        const auto a = someNumbers(count, Format::F32, 5), b = someNumbers(count, Format::F32, 6);
                        const std::vector<float> none;
                        const HowToSum how{order.order, format, 4};
                        const SumTree tree = sumTree(a, dot ? b : none, how);
                        const SumCourse course = sumInOrder(a, dot ? b : none, how, {});
                        QVERIFY(tree.nodes[tree.sum].value == course.sum);
                        int terms = 0;
                        for (const SumNode& node : tree.nodes) {
                            terms += node.from.empty() ? 1 : 0;
                            for (const size_t from : node.from)
                                QVERIFY(tree.nodes[from].step < node.step || order.order == SumOrder::Kahan);
                        }
                        QCOMPARE(terms, static_cast<int>(count));
                    }
    }

    void aNodeTellsWhatItsRoundingTook() {
        const std::vector<float> a{2048, 1, 1, 3};
        const SumTree serial = sumTree(a, {}, {SumOrder::Serial, Format::F16, 4});
        QCOMPARE(serial.nodes.size(), size_t(7));
        QCOMPARE(serial.nodes[4].lost, 1.0); // 2049, a tie, becomes 2048
        QCOMPARE(serial.nodes[6].value, 2052.0);
        QCOMPARE(serial.nodes[6].lost, -1.0); // 2051 becomes 2052
        QCOMPARE(serial.rows, 4);
        const SumTree pairwise = sumTree(a, {}, {SumOrder::Pairwise, Format::F16, 4});
        QCOMPARE(pairwise.rows, 3);
        QCOMPARE(pairwise.steps, 2);
        QCOMPARE(pairwise.nodes[pairwise.sum].column, 1.5);
    }

    void operationsAreCounted() {
        const std::vector<float> a(1000, 1.0f);
        const auto operations = [&](SumOrder order, bool dot) {
            return ofAll(a, dot ? a : std::vector<float>(), order, Format::F32, 100).operations;
        };
        QCOMPARE(operations(SumOrder::Serial, false), int64_t(1000));
        QCOMPARE(operations(SumOrder::Serial, true), int64_t(1000)); // fused
        QCOMPARE(operations(SumOrder::Chunked, false), int64_t(1010));
        QCOMPARE(operations(SumOrder::Pairwise, false), int64_t(999));
        QCOMPARE(operations(SumOrder::Pairwise, true), int64_t(1999));
        QCOMPARE(operations(SumOrder::WarpTree, false), int64_t(1031));
        QCOMPARE(operations(SumOrder::Kahan, false), int64_t(4000));
        QCOMPARE(operations(SumOrder::TensorCore, true), int64_t(1000));
    }

    void cancelling() {
        const std::atomic<bool> cancel{true};
        const std::vector<float> a(10, 1.0f);
        const std::vector<int64_t> lengths{10};
        QVERIFY_THROWS_EXCEPTION(Cancelled, sumInOrder(a, {}, {}, lengths, &cancel));
        QVERIFY_THROWS_EXCEPTION(Cancelled, sumExactly(a, {}, lengths, &cancel));
    }
};

QTEST_GUILESS_MAIN(SumsTest)
#include "sums_test.moc"
