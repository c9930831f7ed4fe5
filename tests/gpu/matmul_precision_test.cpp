// SPDX-License-Identifier: GPL-3.0-or-later
// The matrix product in every precision, element for element as its sums are defined: which numbers the factors become,
// in which order they are added, and where sums are rounded. For every instruction set of the virtual GPU.
#include "each_target.h"
#include "gpu/error.h"
#include "gpu/number/float_format.h"
#include "gpu/number/format.h"
#include "gpu/ops/matmul.h"
#include "gpu/virtual/virtual_device.h"
#include "precision_helpers.h"
#include "tests/gpu/counted.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace warplight;
using gpu::MatmulRung;
using number::Format;

namespace {

constexpr float notANumber = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

double rounded(double x, const char* format) {
    return number::rounded(x, number::floatFormat(format), number::Rounding::NearestEven, number::Beyond::Saturate);
}

/// a · b + c of f16 numbers in whole units of 2^-48, which all of it is: exact, then rounded to f16 once.
float multiplyAddHalves(float a, float b, float c) {
    const auto units = [](float x, int unit) {
        return static_cast<__int128>(std::ldexp(static_cast<double>(x), -unit));
    };
    const __int128 sum = units(a, -24) * units(b, -24) + (units(c, -24) << 24);
    __int128 size = sum < 0 ? -sum : sum;
    int dropped = 0; // bits, down to 11 that are kept or to units of 2^-24
    while (size >> dropped >= 2048 || dropped < 24)
        ++dropped;
    const __int128 rest = size & ((__int128(1) << dropped) - 1), half = __int128(1) << (dropped - 1);
    size >>= dropped;
    size += rest > half || (rest == half && size % 2 != 0);
    const double value = std::ldexp(static_cast<double>(size), dropped - 48);
    return static_cast<float>(sum < 0 ? -value : value) * (value > 65504 ? inf : 1.0f);
}

/// What 8-bit numbers stand for: x · 2^e in the format, with the largest e that keeps all within.
std::vector<float> toBytes(const std::vector<float>& x, const char* format, int& exponent) {
    double most = 0;
    for (const float v : x)
        most = std::max(most, static_cast<double>(std::isfinite(v) ? std::fabs(v) : 0));
    exponent = 126;
    while (std::ldexp(most, exponent) > number::floatFormat(format).largest())
        --exponent;
    std::vector<float> scaled;
    for (const float v : x)
        scaled.push_back(static_cast<float>(rounded(std::ldexp(static_cast<double>(v), exponent), format)));
    return scaled;
}

struct Way {
    MatmulRung rung;
    Format format;
    const char* factors; ///< what it makes of f32, if it is given that
    bool scales = false; ///< to the range of that
};
const Way ways[] = {{MatmulRung::Half2, Format::F16, ""},
                    {MatmulRung::Mma, Format::F16, ""},
                    {MatmulRung::Mma, Format::BF16, ""},
                    {MatmulRung::MmaF16, Format::F16, ""},
                    {MatmulRung::MmaTf32, Format::F32, "tf32"},
                    {MatmulRung::MmaE4M3, Format::F32, "e4m3", true},
                    {MatmulRung::MmaE5M2, Format::F32, "e5m2", true}};

/// One element of C as docs/virtual-gpu.md defines it.
float sumOf(MatmulRung rung, int k, const std::function<float(int)>& a, const std::function<float(int)>& b) {
    float sum = 0;
    for (int i = 0; i < k; ++i)
        if (rung == MatmulRung::Half2) {
            sum = multiplyAddHalves(a(i), b(i), sum);
        } else {
            sum = std::fma(a(i), b(i), sum);
            if (rung == MatmulRung::MmaF16 && i % 16 == 15)
                sum = number::rounded(sum, Format::F16);
        }
    return sum;
}

} // namespace

class MatmulPrecisionTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};
    gpu::LaunchOptions checked;

    /// C between guards that nobody may touch.
    std::vector<float> product(const Way& way, const gpu::MatmulShape& s, const std::vector<float>& a,
                               const std::vector<float>& b) {
        constexpr int64_t guards = 64;
        constexpr float guard = -123456.0f;
        const int64_t count = s.m * s.n;
        std::vector<float> c(static_cast<size_t>(count + 2 * guards), guard);
        gpu::Buffer left(*device, s.m * s.k * number::bytes(way.format), "A"),
            right(*device, s.k * s.n * number::bytes(way.format), "B"), out(*device, (count + 2 * guards) * 4, "C");
        const auto upload = [&](gpu::Buffer& to, const std::vector<float>& from) {
            std::vector<uint16_t> halves;
            for (const float x : from)
                halves.push_back(static_cast<uint16_t>(
                    number::encode(static_cast<double>(x), number::floatFormat(number::name(way.format)))));
            to.upload(way.format == Format::F32 ? static_cast<const void*>(from.data()) : halves.data());
        };
        upload(left, a);
        upload(right, b);
        out.upload(c.data());
        gpu::Launcher launcher(library, checked);
        gpu::launchMatmul(launcher, way.rung, s, way.format, left.address(), right.address(),
                          out.address() + 4 * guards);
        const gpu::Launched run = launcher.finish();
        test::failOnFindings(run, false);
        if (!run.launches.empty() &&
            gpu::withoutEmpty(gpu::countedTraffic(run)) != gpu::algorithmicTraffic(way.rung, s, way.format))
            QTest::qFail("other bytes than the formula's", __FILE__, __LINE__);
        out.download(c.data());
        const auto isGuard = [&](float x) { return x == guard; };
        if (!std::all_of(c.begin(), c.begin() + guards, isGuard) || !std::all_of(c.end() - guards, c.end(), isGuard))
            QTest::qFail("guards were written", __FILE__, __LINE__);
        return {c.begin() + guards, c.end() - guards};
    }

    static void addWays() {
        QTest::addColumn<int>("way");
        for (int w = 0; w < static_cast<int>(std::size(ways)); ++w)
            QTest::addRow("%s of %s", std::string(gpu::name(ways[w].rung)).c_str(),
                          number::name(ways[w].format).c_str())
                << w;
    }
    static const Way& fetched() {
        QFETCH(int, way);
        return ways[way];
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void initTestCase() { checked.checks = true; }
    void init() { test::useTargetOfRow(); }
    void cleanup() { QVERIFY(device->held().empty()); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void eachSumIsRoundedWhereItSays_data() {
        QTest::addColumn<int>("way");
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        QTest::addColumn<int>("k");
        QTest::addColumn<double>("sizeOfA");
        const auto rows = [](int way, const std::vector<std::vector<int>>& shapes, const std::vector<double>& sizes) {
            for (const auto& s : shapes)
                for (const double size : sizes)
                    QTest::addRow("%s of %s, %d x %d x %d, A about %g", std::string(gpu::name(ways[way].rung)).c_str(),
                                  number::name(ways[way].format).c_str(), s[0], s[1], s[2], size)
                        << way << s[0] << s[1] << s[2] << size;
        };
        rows(0, {{1, 1, 1}, {37, 50, 41}, {64, 128, 96}, {33, 65, 31}, {3, 70, 0}, {0, 5, 5}, {5, 0, 5}}, {1, 1e-4});
        rows(1, {{64, 64, 32}, {128, 64, 96}, {0, 64, 32}}, {1});
        rows(2, {{64, 64, 32}, {64, 128, 96}}, {1, 1e-30});
        rows(3, {{64, 64, 32}, {64, 128, 96}}, {1, 1e-4});
        rows(4, {{64, 64, 32}, {128, 64, 96}}, {1, 1e30});
        rows(5, {{64, 64, 64}, {128, 64, 192}, {0, 64, 64}}, {1, 1e-38, 1e30, 0});
        rows(6, {{64, 64, 64}, {64, 128, 128}}, {1, 1e-42, 1e34});
    }
    void eachSumIsRoundedWhereItSays() {
        QFETCH(int, m);
        QFETCH(int, n);
        QFETCH(int, k);
        QFETCH(double, sizeOfA);
        const Way& way = fetched();
        std::mt19937 random(5);
        std::normal_distribution<double> normal;
        std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n));
        for (float& x : a)
            x = number::rounded(static_cast<float>(sizeOfA * normal(random)), way.format);
        for (float& x : b)
            x = number::rounded(static_cast<float>(normal(random)), way.format);
        if (way.format == Format::F32) // ties are rare among numbers by chance: one bit more than is kept
            for (auto* matrix : {&a, &b})
                for (size_t i = 0; i < matrix->size(); i += 3)
                    (*matrix)[i] = std::bit_cast<float>(std::bit_cast<uint32_t>((*matrix)[i]) &
                                                        ~0u << (22 - number::floatFormat(way.factors).fractionBits));
        const std::vector<float> made = product(way, {m, n, k}, a, b);
        std::vector<float> left = a, right = b;
        int exponentOfA = 0, exponentOfB = 0;
        if (way.scales) {
            left = toBytes(a, way.factors, exponentOfA);
            right = toBytes(b, way.factors, exponentOfB);
        } else if (way.rung == MatmulRung::MmaTf32) {
            std::transform(a.begin(), a.end(), left.begin(), test::toTf32);
            std::transform(b.begin(), b.end(), right.begin(), test::toTf32);
        }
        int64_t others = 0;
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                const float sum = sumOf(
                    way.rung, k, [&](int x) { return left[static_cast<size_t>(i * k + x)]; },
                    [&](int x) { return right[static_cast<size_t>(x * n + j)]; });
                const auto want =
                    static_cast<float>(std::ldexp(static_cast<double>(sum), -(exponentOfA + exponentOfB)));
                others += made[static_cast<size_t>(i * n + j)] != want;
            }
        QCOMPARE(others, int64_t{0});
    }

    void smallIntegersAreExact_data() { addWays(); }
    void smallIntegersAreExact() {
        const Way& way = fetched();
        constexpr int m = 128, n = 64, k = 128;
        std::mt19937 random(9);
        std::vector<float> a(m * k), b(k * n);
        for (auto* matrix : {&a, &b})
            for (float& x : *matrix)
                x = static_cast<float>(random() % 5) - 2;
        const std::vector<float> c = product(way, {m, n, k}, a, b);
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                int sum = 0;
                for (int x = 0; x < k; ++x)
                    sum += static_cast<int>(a[static_cast<size_t>(i * k + x)]) *
                           static_cast<int>(b[static_cast<size_t>(x * n + j)]);
                QCOMPARE(c[static_cast<size_t>(i * n + j)], static_cast<float>(sum));
            }
    }

    void nothingThatIsNoNumberIsHidden_data() { addWays(); }
    void nothingThatIsNoNumberIsHidden() {
        const Way& way = fetched();
        constexpr int m = 64, n = 64, k = 64;
        std::vector<float> a(m * k, 1), b(k * n, 0.5f);
        a[3 * k + 5] = notANumber;
        b[7 * n + 9] = inf;
        b[63 * n + 60] = -inf;
        const std::vector<float> c = product(way, {m, n, k}, a, b);
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                const float made = c[static_cast<size_t>(i * n + j)];
                const bool infinite = j == 9 || j == 60;
                if (i == 3 || (infinite && way.rung == MatmulRung::MmaE4M3))
                    QVERIFY(std::isnan(made));
                else
                    QCOMPARE(made, j == 9 ? inf : j == 60 ? -inf : 32.0f);
            }
    }

    void halfSumsSwampAndOverflow() {
        constexpr int m = 64, n = 64, k = 4096;
        const std::vector<float> ones(m * k, 1), large(m * k, 16);
        const auto first = [&](const Way& way, const std::vector<float>& x) {
            return product(way, {m, n, k}, x, x)[0];
        };
        QCOMPARE(first(ways[0], ones), 2048.0f); // 2048 + 1 is a tie, which goes to even
        QCOMPARE(first(ways[3], ones), 4096.0f); // 16 at a time are not lost
        QCOMPARE(first(ways[1], ones), 4096.0f);
        QCOMPARE(first(ways[0], large), inf); // at the 256th step
        QCOMPARE(first(ways[3], large), inf);
        QCOMPARE(first(ways[1], large), 1048576.0f);
    }

    void eightBitsNeedANewerGpu() {
        test::OlderGpu older;
        for (const Way& way : ways) {
            const std::string why = gpu::whyNot(older, way.rung, {64, 64, 64}, way.format);
            QCOMPARE(why, way.scales ? "matmul: " + std::string(gpu::name(way.rung)) +
                                           ": it needs compute capability 8.9 or later, and Older has 8.6"
                                     : "");
            QCOMPARE(gpu::whyNot(*device, way.rung, {64, 64, 64}, way.format), "");
        }
        QVERIFY(gpu::whyNot(*device, MatmulRung::MmaE4M3, {64, 64, 32}, Format::F32).find("k of 64") !=
                std::string::npos);
    }
};

QTEST_GUILESS_MAIN(MatmulPrecisionTest)
#include "matmul_precision_test.moc"
