// SPDX-License-Identifier: GPL-3.0-or-later
// Single instructions, bit for bit, against the host's IEEE arithmetic (its rounding mode set), 128-bit integers and
// the bits of the standard library. 61 lanes: one full warp, one with a mask.
#include "each_target.h"
#include "ptx_builder.h"

#include "gpu/error.h"

#include <QTest>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr size_t lanes = 61;

std::vector<uint32_t> words(unsigned seed) {
    static const uint32_t corners[] = {0,          1,          2,          0x7fffffff, 0x80000000,
                                       0xffffffff, 0x80000001, 31,         32,         33,
                                       0x00800000, 0x007fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                                       0x3f800000, 0xbf800000, 0x7f7fffff, 0x33000000, 0x4b000000};
    std::mt19937 random(seed);
    std::vector<uint32_t> all;
    for (size_t i = 0; i < lanes; ++i)
        all.push_back(random() % 3 == 0 ? corners[random() % std::size(corners)] : static_cast<uint32_t>(random()));
    return all;
}
std::vector<uint64_t> longs(unsigned seed) {
    const auto high = words(seed), low = words(seed + 100);
    std::vector<uint64_t> all;
    for (size_t i = 0; i < lanes; ++i)
        all.push_back(static_cast<uint64_t>(high[i]) << 32 | low[i]);
    return all;
}
/// Numbers whose sums and products are of like sizes, and some corners.
std::vector<float> floats(unsigned seed) {
    const auto bits = words(seed);
    std::mt19937 random(seed);
    std::vector<float> all;
    for (const uint32_t b : bits)
        all.push_back(random() % 2
                          ? std::bit_cast<float>(b)
                          : std::bit_cast<float>((b & 0x807fffffu) | static_cast<uint32_t>(120 + random() % 16) << 23));
    return all;
}
std::vector<double> doubles(unsigned seed) {
    const auto bits = longs(seed);
    std::mt19937 random(seed);
    std::vector<double> all;
    for (const uint64_t b : bits)
        all.push_back(random() % 3
                          ? std::bit_cast<double>((b & 0x800fffffffffffffu) | uint64_t(1000 + random() % 40) << 52)
                          : std::bit_cast<double>(b));
    return all;
}

uint32_t canonical(float x) { return std::isnan(x) ? 0x7fffffffu : std::bit_cast<uint32_t>(x); }

template <class F>
auto rounded(int mode, F compute) {
    std::fesetround(mode);
    volatile auto result = compute();
    std::fesetround(FE_TONEAREST);
    return result;
}

} // namespace

class InstructionsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    template <class Expected>
    void words32(const char* body, Expected expected) {
        const auto a = words(1), b = words(2), c = words(3);
        const auto d = OneInstruction{"b32", "b32", "b32", "b32", body}.run<uint32_t>(*device, a, b, c);
        for (size_t i = 0; i < lanes; ++i) {
            const auto want = static_cast<uint32_t>(expected(a[i], b[i], c[i]));
            QVERIFY2(d[i] == want, qPrintable(QString("%1: a %2 b %3 c %4 gives %5, expected %6")
                                                  .arg(body)
                                                  .arg(a[i], 0, 16)
                                                  .arg(b[i], 0, 16)
                                                  .arg(c[i], 0, 16)
                                                  .arg(d[i], 0, 16)
                                                  .arg(want, 0, 16)));
        }
    }
    template <class Expected>
    void words64(const char* body, Expected expected) {
        const auto a = longs(1), b = longs(2), c = longs(3);
        const auto d = OneInstruction{"b64", "b64", "b64", "b64", body}.run<uint64_t>(*device, a, b, c);
        for (size_t i = 0; i < lanes; ++i) {
            const auto want = static_cast<uint64_t>(expected(a[i], b[i], c[i]));
            QVERIFY2(d[i] == want, qPrintable(QString("%1: a %2 b %3 c %4 gives %5, expected %6")
                                                  .arg(body)
                                                  .arg(a[i], 0, 16)
                                                  .arg(b[i], 0, 16)
                                                  .arg(c[i], 0, 16)
                                                  .arg(d[i], 0, 16)
                                                  .arg(want, 0, 16)));
        }
    }
    template <class Expected>
    void singles(const char* body, Expected expected) {
        for (unsigned seed = 1; seed < 12; ++seed) {
            const auto a = floats(seed), b = floats(seed + 20), c = floats(seed + 40);
            const auto d = OneInstruction{"f32", "f32", "f32", "f32", body}.run<float>(*device, a, b, c);
            for (size_t i = 0; i < lanes; ++i) {
                const uint32_t want = canonical(expected(a[i], b[i], c[i]));
                QVERIFY2(std::bit_cast<uint32_t>(d[i]) == want,
                         qPrintable(QString("%1: a %2 b %3 c %4 gives %5, expected %6")
                                        .arg(body)
                                        .arg(a[i])
                                        .arg(b[i])
                                        .arg(c[i])
                                        .arg(std::bit_cast<uint32_t>(d[i]), 0, 16)
                                        .arg(want, 0, 16)));
            }
        }
    }
    template <class Expected>
    void doubles64(const char* body, Expected expected) {
        for (unsigned seed = 1; seed < 12; ++seed) {
            const auto a = doubles(seed), b = doubles(seed + 20), c = doubles(seed + 40);
            const auto d = OneInstruction{"f64", "f64", "f64", "f64", body}.run<double>(*device, a, b, c);
            for (size_t i = 0; i < lanes; ++i) {
                const double want = expected(a[i], b[i], c[i]);
                QVERIFY2(std::bit_cast<uint64_t>(d[i]) == std::bit_cast<uint64_t>(want) ||
                             (std::isnan(d[i]) && std::isnan(want)),
                         body);
            }
        }
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void integers() {
        const auto s = [](uint32_t x) { return static_cast<int64_t>(static_cast<int32_t>(x)); };
        words32("add.s32 %d, %a, %b;", [](auto a, auto b, auto) { return a + b; });
        words32("sub.u32 %d, %a, %b;", [](auto a, auto b, auto) { return a - b; });
        words32("add.sat.s32 %d, %a, %b;",
                [&](auto a, auto b, auto) { return std::clamp<int64_t>(s(a) + s(b), INT32_MIN, INT32_MAX); });
        words32("mul.hi.s32 %d, %a, %b;", [&](auto a, auto b, auto) { return s(a) * s(b) >> 32; });
        words32("mul.hi.u32 %d, %a, %b;", [](auto a, auto b, auto) { return uint64_t(a) * b >> 32; });
        words32("mad.lo.s32 %d, %a, %b, %c;", [](auto a, auto b, auto c) { return a * b + c; });
        words32("mad.hi.s32 %d, %a, %b, %c;",
                [&](auto a, auto b, auto c) { return static_cast<uint32_t>(s(a) * s(b) >> 32) + c; });
        words32("min.s32 %d, %a, %b;", [&](auto a, auto b, auto) { return std::min(s(a), s(b)); });
        words32("max.u32 %d, %a, %b;", [](auto a, auto b, auto) { return std::max(a, b); });
        words32("abs.s32 %d, %a;", [&](auto a, auto, auto) { return std::abs(s(a)); });
        words32("div.s32 %d, %a, %b;", [&](auto a, auto b, auto) { return b == 0 ? -1 : s(a) / s(b); });
        words32("rem.u32 %d, %a, %b;", [](auto a, auto b, auto) { return b == 0 ? a : a % b; });
        words32("sad.u32 %d, %a, %b, %c;", [](auto a, auto b, auto c) { return (a > b ? a - b : b - a) + c; });
        words32("shl.b32 %d, %a, %b;", [](auto a, auto b, auto) { return b > 31 ? 0 : a << b; });
        words32("shr.s32 %d, %a, %b;", [&](auto a, auto b, auto) { return s(a) >> std::min(b, 31u); });
        words32("shr.u32 %d, %a, %b;", [](auto a, auto b, auto) { return b > 31 ? 0 : a >> b; });
        words32("shf.l.wrap.b32 %d, %a, %b, %c;",
                [](auto a, auto b, auto c) { return (uint64_t(b) << 32 | a) << (c & 31) >> 32; });
        words32("shf.r.clamp.b32 %d, %a, %b, %c;",
                [](auto a, auto b, auto c) { return (uint64_t(b) << 32 | a) >> std::min(c, 32u); });
        words32("lop3.b32 %d, %a, %b, %c, 0xca;", [](auto a, auto b, auto c) { return (a & b) | (~a & c); });
        words32("lop3.b32 %d, %a, %b, %c, 0x96;", [](auto a, auto b, auto c) { return a ^ b ^ c; });
        words32("popc.b32 %d, %a;", [](auto a, auto, auto) { return std::popcount(a); });
        words32("clz.b32 %d, %a;", [](auto a, auto, auto) { return std::countl_zero(a); });
        words32("bfind.u32 %d, %a;", [](auto a, auto, auto) { return a ? 31 - std::countl_zero(a) : -1; });
        words32("bfind.s32 %d, %a;", [](auto a, auto, auto) {
            const uint32_t x = static_cast<int32_t>(a) < 0 ? ~a : a;
            return x ? 31 - std::countl_zero(x) : -1;
        });
        words32("bfe.u32 %d, %a, 5, 9;", [](auto a, auto, auto) { return a >> 5 & 0x1ff; });
        words32("bfe.s32 %d, %a, 5, 9;", [](auto a, auto, auto) { return static_cast<int32_t>(a << 18) >> 23; });
        words32("bfe.s32 %d, %a, 28, 9;", [&](auto a, auto, auto) { return s(a) >> 28; });
        words32("bfi.b32 %d, %a, %b, 7, 11;",
                [](auto a, auto b, auto) { return (b & ~(0x7ffu << 7)) | (a & 0x7ff) << 7; });
        words32("prmt.b32 %d, %a, %b, 0x7162;", [](auto a, auto b, auto) {
            return (a >> 16 & 0xff) | (b >> 16 & 0xff) << 8 | (a >> 8 & 0xff) << 16 | (b >> 24) << 24;
        });
        words32("cnot.b32 %d, %a;", [](auto a, auto, auto) { return a == 0; });
        words32("add.cc.u32 %d, %a, %b;\naddc.u32 %d, %c, 0;",
                [](auto a, auto b, auto c) { return c + ((uint64_t(a) + b) >> 32); });
        words32("sub.cc.u32 %d, %a, %b;\nsubc.u32 %d, %c, 0;", [](auto a, auto b, auto c) { return c - (a < b); });
        words32("setp.lt.s32 %p, %a, %b;\nselp.b32 %d, %a, %c, %p;",
                [&](auto a, auto b, auto c) { return s(a) < s(b) ? a : c; });
        words32("setp.lt.s32 %q, %a, 0;\nsetp.hi.and.u32 %p, %a, %b, !%q;\nselp.b32 %d, 1, 0, %p;",
                [&](auto a, auto b, auto) { return a > b && s(a) >= 0; });
        words32("set.le.u32.u32 %d, %a, %b;", [](auto a, auto b, auto) { return a <= b ? ~0u : 0u; });
        words32("mov.b32 %d, %c;\nsetp.ne.b32 %p, %a, 0;\n@%p add.s32 %d, %a, %b;",
                [](auto a, auto b, auto c) { return a ? a + b : c; });
        words32("mov.b32 %d, %a;\nsetp.gt.s32 %p, %a, 0;\n@!%p bra L1;\nadd.s32 %d, %d, 1;\nsetp.gt.s32 %q, %b, "
                "0;\n@%q bra L2;\nmul.lo.s32 %d, %d, 3;\nL2:\nadd.s32 %d, %d, 5;\nL1:\nadd.s32 %d, %d, 7;",
                [&](auto a, auto b, auto) {
                    uint32_t d = a;
                    if (s(a) > 0) {
                        d += 1;
                        if (s(b) <= 0)
                            d *= 3;
                        d += 5;
                    }
                    return d + 7;
                });
    }

    void longIntegers() {
        using i128 = __int128;
        const auto s = [](uint64_t x) { return static_cast<i128>(static_cast<int64_t>(x)); };
        words64("mul.hi.s64 %d, %a, %b;",
                [&](auto a, auto b, auto) { return static_cast<uint64_t>(s(a) * s(b) >> 64); });
        words64("mul.hi.u64 %d, %a, %b;", [](auto a, auto b, auto) {
            return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
        });
        words64("mad.lo.u64 %d, %a, %b, %c;", [](auto a, auto b, auto c) { return a * b + c; });
        words64("shr.s64 %d, %a, 7;", [&](auto a, auto, auto) { return static_cast<uint64_t>(s(a) >> 7); });
        words64("max.s64 %d, %a, %b;",
                [&](auto a, auto b, auto) { return static_cast<uint64_t>(std::max(s(a), s(b))); });
        words64("bfe.u64 %d, %a, 20, 33;", [](auto a, auto, auto) { return a >> 20 & ((uint64_t(1) << 33) - 1); });
        words64("add.cc.u64 %d, %a, %b;\naddc.cc.u64 %d, %a, %b;\naddc.u64 %d, %c, %c;", [](auto a, auto b, auto c) {
            const unsigned __int128 first = static_cast<unsigned __int128>(a) + b;
            const unsigned __int128 second = static_cast<unsigned __int128>(a) + b + static_cast<uint64_t>(first >> 64);
            return c + c + static_cast<uint64_t>(second >> 64);
        });
        words64("mov.b64 {%x, %y}, %a;\nmov.b64 %d, {%y, %x};", [](auto a, auto, auto) { return a << 32 | a >> 32; });
    }

    void singlePrecision() {
        singles("add.f32 %d, %a, %b;", [](float a, float b, float) { return a + b; });
        singles("mul.f32 %d, %a, %b;", [](float a, float b, float) { return a * b; });
        singles("fma.rn.f32 %d, %a, %b, %c;", [](float a, float b, float c) { return std::fma(a, b, c); });
        singles("div.rn.f32 %d, %a, %b;", [](float a, float b, float) { return a / b; });
        singles("sqrt.rn.f32 %d, %a;", [](float a, float, float) { return std::sqrt(a); });
        singles("rcp.rn.f32 %d, %a;", [](float a, float, float) { return 1 / a; });
        singles("add.rz.f32 %d, %a, %b;",
                [](float a, float b, float) { return rounded(FE_TOWARDZERO, [&] { return volatile_(a) + b; }); });
        singles("mul.rm.f32 %d, %a, %b;",
                [](float a, float b, float) { return rounded(FE_DOWNWARD, [&] { return volatile_(a) * b; }); });
        singles("fma.rp.f32 %d, %a, %b, %c;", [](float a, float b, float c) {
            return rounded(FE_UPWARD, [&] { return std::fma(volatile_(a), b, c); });
        });
        singles("div.rz.f32 %d, %a, %b;",
                [](float a, float b, float) { return rounded(FE_TOWARDZERO, [&] { return volatile_(a) / b; }); });
        singles("add.sat.f32 %d, %a, %b;", [](float a, float b, float) {
            const float x = a + b;
            return std::isnan(x) ? 0.0f : x > 1 ? 1.0f : x > 0 ? x : 0.0f;
        });
        singles("mul.ftz.f32 %d, %a, %b;", [](float a, float b, float) { return flushed(flushed(a) * flushed(b)); });
        singles("min.f32 %d, %a, %b;", [](float a, float b, float) {
            return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
        });
        singles("max.NaN.f32 %d, %a, %b;", [](float a, float b, float) {
            return std::isnan(a) || std::isnan(b) ? NAN : a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
        });
        singles("cvt.rni.f32.f32 %d, %a;", [](float a, float, float) { return std::nearbyint(a); });
        singles("cvt.rpi.f32.f32 %d, %a;", [](float a, float, float) { return std::ceil(a); });
        singles("max.f32 %b, %b, 0f00000000;\ncopysign.f32 %d, %a, %b;",
                [](float a, float b, float) { return std::copysign(b > 0 ? b : 0.0f, a); });
    }
    static float volatile_(float x) {
        volatile float y = x;
        return y;
    }
    static float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

    void doublePrecision() {
        doubles64("fma.rn.f64 %d, %a, %b, %c;", [](double a, double b, double c) { return std::fma(a, b, c); });
        doubles64("div.rn.f64 %d, %a, %b;", [](double a, double b, double) { return a / b; });
        doubles64("add.rm.f64 %d, %a, %b;", [](double a, double b, double) {
            return rounded(FE_DOWNWARD, [&] {
                volatile double x = a;
                return x + b;
            });
        });
        doubles64("sqrt.rn.f64 %d, %a;", [](double a, double, double) { return std::sqrt(a); });
    }

    void approximations() { // within the error that the PTX manual states
        struct Case {
            const char* body;
            double (*exact)(double);
            double low, high, relative, absolute;
        };
        const Case cases[] = {
            {"ex2.approx.f32 %d, %a;", [](double x) { return std::exp2(x); }, -126, 127, 0x1p-22, 0},
            {"ex2.approx.ftz.f32 %d, %a;", [](double x) { return std::exp2(x); }, -126, 127, 0x1p-22, 0},
            {"lg2.approx.f32 %d, %a;", [](double x) { return std::log2(x); }, 1e-30, 1e30, 0x1p-22, 0x1p-22},
            {"rsqrt.approx.f32 %d, %a;", [](double x) { return 1 / std::sqrt(x); }, 1e-30, 1e30, 0x1p-22, 0},
            {"rcp.approx.f32 %d, %a;", [](double x) { return 1 / x; }, 1e-30, 1e30, 0x1p-23, 0},
            {"sin.approx.f32 %d, %a;", [](double x) { return std::sin(x); }, -3.14, 3.14, 0, 0x1p-20},
            {"cos.approx.f32 %d, %a;", [](double x) { return std::cos(x); }, -3.14, 3.14, 0, 0x1p-20},
            {"tanh.approx.f32 %d, %a;", [](double x) { return std::tanh(x); }, -10, 10, 0x1p-11, 0}};
        std::mt19937 random(4);
        for (const Case& c : cases)
            for (int round = 0; round < 50; ++round) {
                std::vector<float> a;
                for (size_t i = 0; i < lanes; ++i) {
                    const double u = std::generate_canonical<double, 53>(random);
                    a.push_back(static_cast<float>(
                        c.low > 0 ? std::exp(std::log(c.low) + u * (std::log(c.high) - std::log(c.low)))
                                  : c.low + u * (c.high - c.low)));
                }
                const auto d = OneInstruction{"f32", "f32", "f32", "f32", c.body}.run<float>(*device, a, a, a);
                for (size_t i = 0; i < lanes; ++i) {
                    const double exact = c.exact(static_cast<double>(a[i]));
                    QVERIFY2(std::fabs(static_cast<double>(d[i]) - exact) <= c.relative * std::fabs(exact) + c.absolute,
                             c.body);
                }
            }
    }

    void conversions() {
        for (unsigned seed = 1; seed < 12; ++seed) {
            std::vector<float> a = floats(seed);
            for (size_t i = 0; i < 12; ++i) // of integers' size
                a[i] = std::ldexp(a[i], static_cast<int>(i) * 3);
            const auto clampTo = [](float x, double low, double high, double (*round)(double)) {
                const double r = round(static_cast<double>(x));
                return std::isnan(x) ? 0.0 : std::clamp(r, low, high);
            };
            const auto s32 =
                OneInstruction{"f32", "f32", "f32", "b32", "cvt.rzi.s32.f32 %d, %a;"}.run<int32_t>(*device, a, a, a);
            const auto u8 =
                OneInstruction{"f32", "f32", "f32", "b32", "cvt.rni.u8.f32 %d, %a;"}.run<uint32_t>(*device, a, a, a);
            const auto f64 =
                OneInstruction{"f32", "f32", "f32", "f64", "cvt.f64.f32 %d, %a;"}.run<double>(*device, a, a, a);
            for (size_t i = 0; i < lanes; ++i) {
                QCOMPARE(s32[i], static_cast<int32_t>(
                                     clampTo(a[i], INT32_MIN, INT32_MAX, [](double x) { return std::trunc(x); })));
                QCOMPARE(u8[i],
                         static_cast<uint32_t>(clampTo(a[i], 0, 255, [](double x) { return std::nearbyint(x); })));
                QVERIFY(f64[i] == static_cast<double>(a[i]) || std::isnan(a[i]));
            }
        }
        const auto a = longs(9);
        const auto up =
            OneInstruction{"b64", "b64", "b64", "f32", "cvt.rp.f32.s64 %d, %a;"}.run<float>(*device, a, a, a);
        const auto near =
            OneInstruction{"b64", "b64", "b64", "f64", "cvt.rn.f64.u64 %d, %a;"}.run<double>(*device, a, a, a);
        const auto narrow =
            OneInstruction{"b64", "b64", "b64", "b32", "cvt.sat.s16.s64 %d, %a;"}.run<int32_t>(*device, a, a, a);
        for (size_t i = 0; i < lanes; ++i) {
            const auto value = static_cast<int64_t>(a[i]);
            QCOMPARE(up[i], rounded(FE_UPWARD, [&] {
                         volatile int64_t x = value;
                         return static_cast<float>(x);
                     }));
            QCOMPARE(near[i], static_cast<double>(a[i]));
            QCOMPARE(narrow[i], static_cast<int32_t>(std::clamp<int64_t>(value, -32768, 32767)));
        }
    }

    void halfArithmetic() { // against long double, rounded by scaling to whole units
        const auto round16 = [](long double x, int fraction, int least) {
            if (x == 0 || std::isnan(x) || std::isinf(x))
                return x;
            const int exponent = std::max(std::ilogb(x), least);
            return std::ldexp(std::nearbyint(std::ldexp(x, fraction - exponent)), exponent - fraction);
        };
        std::mt19937 random(7);
        for (int round = 0; round < 40; ++round) {
            std::vector<uint16_t> a, b, c;
            for (size_t i = 0; i < lanes; ++i)
                for (auto* x : {&a, &b, &c})
                    x->push_back(static_cast<uint16_t>((random() & 0x83ff) | (8 + random() % 14) << 10));
            const auto value = [](uint16_t h) {
                return std::ldexp(static_cast<long double>((h & 0x3ff) | 0x400), (h >> 10 & 31) - 25) *
                       (h & 0x8000 ? -1 : 1);
            };
            const auto back =
                OneInstruction{"b16", "b16", "b16", "f32", "fma.rn.f16 %a, %a, %b, %c;\ncvt.f32.f16 %d, %a;"}
                    .run<float>(*device, a, b, c);
            const auto sum =
                OneInstruction{"b16", "b16", "b16", "f32", "add.f16 %a, %a, %b;\ncvt.f32.f16 %d, %a;"}.run<float>(
                    *device, a, b, c);
            for (size_t i = 0; i < lanes; ++i) {
                const long double exact = round16(value(a[i]) * value(b[i]) + value(c[i]), 10, -14);
                if (std::fabs(exact) < 65520)
                    QCOMPARE(static_cast<long double>(back[i]), exact);
                QCOMPARE(static_cast<long double>(sum[i]), round16(value(a[i]) + value(b[i]), 10, -14));
            }
        }
    }

    void unknownInstructionsAreRefused() {
        for (const char* body : {"tcgen05.alloc.b32 [%pa], 32;", "add.f33 %d, %a, %b;",
                                 "vadd.s32.s32.s32 %d, %a, %b, %c;", "mov.u32 %d, %nonsense;"}) {
            const std::string ptx = OneInstruction{"b32", "b32", "b32", "b32", body}.ptx();
            const int line = static_cast<int>(std::count(
                                 ptx.begin(), ptx.begin() + static_cast<std::ptrdiff_t>(ptx.find(body)), '\n')) +
                             1;
            try {
                device->load(ptx, "test.ptx")->kernel("k");
                QFAIL(body);
            } catch (const InputError& error) {
                const QString text = error.what();
                QVERIFY2(text.startsWith(QString("test.ptx:%1: '").arg(line)) && text.contains("kernel k"),
                         error.what());
            }
        }
    }
};

QTEST_GUILESS_MAIN(InstructionsTest)
#include "instructions_test.moc"
