// SPDX-License-Identifier: GPL-3.0-or-later
// Reductions to the bit, on every instruction set that this machine has, against plain arithmetic on gpu/number.
#include "core/collectives/reduction.h"
#include "core/cpu/attention/attention.h"
#include "core/error.h"
#include "gpu/number/half.h"

#include <QTest>
#include <cstdint>
#include <string>
#include <vector>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace warplight;
using collectives::combine;
using collectives::divide;
using collectives::Reduction;

namespace {

constexpr int patterns = 1 << 16;

float widened(number::Format type, uint16_t bits) {
    return type == number::Format::F16 ? number::f16ToFloat(bits) : number::bf16ToFloat(bits);
}
uint16_t narrowed(number::Format type, float value) {
    return type == number::Format::F16 ? number::floatToF16(value) : number::floatToBf16(value);
}

std::vector<uint16_t> allPatterns() {
    std::vector<uint16_t> bits(patterns);
    std::iota(bits.begin(), bits.end(), uint16_t{0});
    return bits;
}

/// The larger of two, +0 above -0, NaN if there is one: a definition by cases.
template <class T>
T larger(T a, T b) {
    if (std::isnan(a) || std::isnan(b))
        return std::numeric_limits<T>::quiet_NaN();
    if (a == b)
        return std::signbit(a) ? b : a;
    return a > b ? a : b;
}

/// Random bits, so of every exponent, with all kinds of special values among them.
template <class T, class Bits>
std::vector<T> wildNumbers(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    const std::vector<T> special{T(0),
                                 -T(0),
                                 std::numeric_limits<T>::infinity(),
                                 -std::numeric_limits<T>::infinity(),
                                 std::numeric_limits<T>::quiet_NaN(),
                                 std::numeric_limits<T>::denorm_min(),
                                 std::numeric_limits<T>::max()};
    std::vector<T> numbers(count);
    for (T& number : numbers) {
        const uint64_t choice = random() % 16;
        number = choice < special.size() ? special[choice] : std::bit_cast<T>(static_cast<Bits>(random()));
    }
    return numbers;
}

template <class T, class Bits>
bool sameBitsOrNan(T a, T b) {
    return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b) || (std::isnan(a) && std::isnan(b));
}

template <class T, class Bits>
std::string wrongWide(number::Format type) {
    for (const size_t count : {0, 1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 67, 1000}) {
        const auto a = wildNumbers<T, Bits>(count + 2, 1), b = wildNumbers<T, Bits>(count + 2, 2);
        auto sums = a, maxima = a, quotients = a;
        combine(type, Reduction::Sum, sums.data() + 1, b.data() + 1, static_cast<int64_t>(count));
        combine(type, Reduction::Max, maxima.data() + 1, b.data() + 1, static_cast<int64_t>(count));
        divide(type, quotients.data() + 1, static_cast<int64_t>(count), 7);
        for (size_t i = 0; i < count + 2; ++i) { // one before and one behind stay as they were
            const bool inside = i > 0 && i <= count;
            if (!sameBitsOrNan<T, Bits>(sums[i], inside ? a[i] + b[i] : a[i]))
                return "sum";
            if (!sameBitsOrNan<T, Bits>(maxima[i], inside ? larger(a[i], b[i]) : a[i]))
                return "maximum";
            if (!sameBitsOrNan<T, Bits>(quotients[i], inside ? a[i] / T(7) : a[i]))
                return "quotient";
        }
    }
    return "";
}

} // namespace

class ReductionTest : public QObject {
    Q_OBJECT

    static void addHalves() {
        QTest::addColumn<int>("type");
        QTest::newRow("f16") << static_cast<int>(number::Format::F16);
        QTest::newRow("bf16") << static_cast<int>(number::Format::BF16);
    }

  private slots:
    void initTestCase_data() {
        QTest::addColumn<std::string>("target");
        for (const std::string& target : cpu::supportedTargets())
            QTest::addRow("%s", target.c_str()) << target;
    }
    void init() {
        QFETCH_GLOBAL(std::string, target);
        cpu::useTarget(target);
    }
    void cleanupTestCase() { cpu::useTarget(""); }

    // Adding -0 changes no number: what comes out is what loading and rounding make of the pattern.
    void everyHalfSurvivesLoadingAndRounding_data() { addHalves(); }
    void everyHalfSurvivesLoadingAndRounding() {
        QFETCH(int, type);
        const auto dtype = static_cast<number::Format>(type);
        std::vector<uint16_t> values = allPatterns();
        const std::vector<uint16_t> zeros(patterns, 0x8000);
        combine(dtype, Reduction::Sum, values.data(), zeros.data(), patterns);
        for (int bits = 0; bits < patterns; ++bits) {
            const float value = widened(dtype, static_cast<uint16_t>(bits));
            const uint16_t right = std::isnan(value) ? narrowed(dtype, value + 0.0f) : static_cast<uint16_t>(bits);
            QCOMPARE(values[static_cast<size_t>(bits)], right);
        }
    }

    void halvesAreCombinedToTheBit_data() { addHalves(); }
    void halvesAreCombinedToTheBit() {
        QFETCH(int, type);
        const auto dtype = static_cast<number::Format>(type);
        std::mt19937 random(3);
        for (int round = 0; round < 40; ++round) {
            const std::vector<uint16_t> a = allPatterns();
            std::vector<uint16_t> b(patterns);
            for (size_t i = 0; i < b.size(); ++i) // every other time near in size, so that low bits decide
                b[i] = static_cast<uint16_t>(round % 2 == 0 ? random() : i ^ (random() & 0x83ff));
            std::vector<uint16_t> sums = a, maxima = a;
            combine(dtype, Reduction::Sum, sums.data(), b.data(), patterns);
            combine(dtype, Reduction::Max, maxima.data(), b.data(), patterns);
            for (size_t i = 0; i < b.size(); ++i) {
                const float x = widened(dtype, a[i]), y = widened(dtype, b[i]);
                const uint16_t sum = narrowed(dtype, x + y);
                // Of two NaN either may be kept.
                const bool isRight =
                    std::isnan(x) && std::isnan(y) ? std::isnan(widened(dtype, sums[i])) : sums[i] == sum;
                QVERIFY2(isRight, std::to_string(i).c_str());
                QCOMPARE(maxima[i], narrowed(dtype, larger(x, y)));
            }
        }
    }

    void halvesAreDividedToTheBit_data() { addHalves(); }
    void halvesAreDividedToTheBit() {
        QFETCH(int, type);
        const auto dtype = static_cast<number::Format>(type);
        // For the last two, rounding to f32 first would be wrong (1423 / 808520, 1151 / 988866).
        for (const int divisor : {1, 2, 3, 5, 7, 10, 17, 1000, 4095, 4096, 4097, 65'535, 808'520, 988'866}) {
            std::vector<uint16_t> quotients = allPatterns();
            divide(dtype, quotients.data(), patterns, divisor);
            for (int bits = 0; bits < patterns; ++bits) {
                const float value = widened(dtype, static_cast<uint16_t>(bits));
                const uint16_t is = quotients[static_cast<size_t>(bits)];
                if (!std::isfinite(value)) {
                    QCOMPARE(is, narrowed(dtype, value / static_cast<float>(divisor)));
                    continue;
                }
                // Nearest: no neighbour is nearer, and of two equally near ones it is the even one. Sizes only, and in
                // whole multiples of the divisor, which f64 holds exactly.
                const auto size = static_cast<uint16_t>(is & 0x7fff);
                QCOMPARE(is & 0x8000, bits & 0x8000);
                const double exact = std::fabs(static_cast<double>(value));
                const auto distance = [&](uint16_t of) {
                    return std::fabs(static_cast<double>(widened(dtype, of)) * divisor - exact);
                };
                const double here = distance(size), above = distance(static_cast<uint16_t>(size + 1)),
                             below = size == 0 ? above : distance(static_cast<uint16_t>(size - 1));
                const bool isNearest = here < above && (size == 0 || here < below);
                const bool isTie = (here == above || (size > 0 && here == below)) && size % 2 == 0 && here <= above &&
                                   (size == 0 || here <= below);
                QVERIFY2(isNearest || isTie, (std::to_string(bits) + " / " + std::to_string(divisor)).c_str());
            }
        }
    }

    void wideTypesAreCombinedToTheBit() {
        QCOMPARE((wrongWide<float, uint32_t>(number::Format::F32)), std::string());
        QCOMPARE((wrongWide<double, uint64_t>(number::Format::F64)), std::string());
    }

    void halvesOfAnyLengthLeaveTheirNeighboursAlone_data() { addHalves(); }
    void halvesOfAnyLengthLeaveTheirNeighboursAlone() {
        QFETCH(int, type);
        const auto dtype = static_cast<number::Format>(type);
        const uint16_t one = narrowed(dtype, 1), two = narrowed(dtype, 2);
        for (size_t count = 0; count < 100; ++count) {
            std::vector<uint16_t> into(count + 2, one);
            const std::vector<uint16_t> from(count + 2, one);
            combine(dtype, Reduction::Sum, into.data() + 1, from.data() + 1, static_cast<int64_t>(count));
            for (size_t i = 0; i < into.size(); ++i)
                QCOMPARE(into[i], i > 0 && i <= count ? two : one);
        }
    }

    void namesAreReadAndOthersRefused() {
        QCOMPARE(collectives::elementType("bf16"), number::Format::BF16);
        QCOMPARE(collectives::elementType("f64"), number::Format::F64);
        QCOMPARE(collectives::reductionOf("average"), Reduction::Average);
        QVERIFY_EXCEPTION_THROWN(collectives::elementType("i32"), InputError);
        QVERIFY_EXCEPTION_THROWN(collectives::elementType("float"), InputError);
        QVERIFY_EXCEPTION_THROWN(collectives::reductionOf("mean"), InputError);
    }
};

QTEST_GUILESS_MAIN(ReductionTest)
#include "reduction_test.moc"
