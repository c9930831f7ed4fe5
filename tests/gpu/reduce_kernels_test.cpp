// SPDX-License-Identifier: GPL-3.0-or-later
// The kernels of collectives on the virtual GPU, with its checks: one table of type × operation × length × where the
// vectors lie, against double precision rounded by arithmetic.
#include "gpu/number/half.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace warplight;

namespace {

struct Format {
    const char* name;
    int64_t bytes;
    int fraction;      ///< bits behind the point of a normal number
    int leastExponent; ///< of a normal number
    double overflow;   ///< from here on a result is infinite
};
constexpr Format formats[] = {{"f32", 4, 23, -126, 0x1.ffffffp127},
                              {"f64", 8, 52, -1022, std::numeric_limits<double>::infinity()},
                              {"f16", 2, 10, -14, 65520},
                              {"bf16", 2, 7, -126, 0x1.ffp127}};

/// The nearest number of a format, ties to the even one: in units of its last place.
double rounded(const Format& format, double x) {
    if (!std::isfinite(x) || x == 0)
        return x;
    if (std::fabs(x) >= format.overflow)
        return std::copysign(std::numeric_limits<double>::infinity(), x);
    const int exponent = std::max(std::ilogb(x), format.leastExponent);
    return std::ldexp(std::nearbyint(std::ldexp(x, format.fraction - exponent)), exponent - format.fraction);
}

double decoded(const Format& format, const std::byte* at) {
    double d;
    float f;
    uint16_t h;
    switch (format.bytes) {
    case 8:
        std::memcpy(&d, at, 8);
        return d;
    case 4:
        std::memcpy(&f, at, 4);
        return static_cast<double>(f);
    default:
        std::memcpy(&h, at, 2);
        return static_cast<double>(format.fraction == 10 ? number::f16ToFloat(h) : number::bf16ToFloat(h));
    }
}

/// Of a number that the format has.
void encode(const Format& format, double x, std::byte* at) {
    const auto f = static_cast<float>(x);
    const uint16_t h = format.fraction == 10 ? number::floatToF16(f) : number::floatToBf16(f);
    std::memcpy(at,
                format.bytes == 8   ? static_cast<const void*>(&x)
                : format.bytes == 4 ? static_cast<const void*>(&f)
                                    : &h,
                static_cast<size_t>(format.bytes));
}

/// Numbers of a format: half of them of one size, where sums have ties, the others of all sizes, with the ends of the
/// format, zeros and what is no number among them.
std::vector<double> numbers(const Format& format, int64_t n, unsigned seed) {
    std::mt19937_64 random(seed);
    const int most = std::min(
        std::ilogb(format.overflow == std::numeric_limits<double>::infinity() ? 0x1p1023 : format.overflow), 60);
    const int least = std::max(format.leastExponent - format.fraction, -60);
    const double special[] = {0.0, -0.0, std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()};
    std::vector<double> values;
    for (int64_t i = 0; i < n; ++i) {
        const double fraction = 1 + static_cast<double>(random() >> 11) * 0x1p-53;
        const int exponent = i % 2 == 0 ? static_cast<int>(random() % 3)
                                        : least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
        double x =
            random() % 16 == 0 ? special[random() % 5] : std::ldexp(random() % 2 ? fraction : -fraction, exponent);
        values.push_back(rounded(format, x));
    }
    return values;
}

bool same(double a, double b) {
    return std::isnan(b) ? std::isnan(a) : a == b; // either zero is a zero
}

} // namespace

class ReduceKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    gpu::KernelLibrary library{*device};

    struct Vector {
        Vector(gpu::Device& device, const Format& format, const std::vector<double>& values, int64_t shift)
            : bytes(static_cast<size_t>(shift + static_cast<int64_t>(values.size()) * format.bytes)),
              buffer(device, static_cast<int64_t>(bytes.size()), "vector"),
              address(buffer.address() + static_cast<uint64_t>(shift)),
              begin(shift) {
            for (size_t i = 0; i < values.size(); ++i)
                encode(format, values[i], at(format, i));
            buffer.upload(bytes.data());
        }
        std::byte* at(const Format& format, size_t i) {
            return bytes.data() + begin + static_cast<int64_t>(i) * format.bytes;
        }
        std::vector<std::byte> bytes;
        gpu::Buffer buffer;
        uint64_t address;
        int64_t begin;
    };

    gpu::LaunchStats launch(const std::string& kernel, gpu::Extent grid, std::vector<gpu::Argument> arguments) {
        gpu::LaunchConfig config;
        config.grid = grid;
        config.block = {64};
        config.checks = true;
        return library.kernel("reduce", kernel).launch(config, arguments);
    }

  private slots:
    void everyElementIsCombinedAndRoundedOnce_data() {
        QTest::addColumn<int>("format");
        QTest::addColumn<bool>("max");
        QTest::addColumn<int>("n");
        QTest::addColumn<int>("intoShift");
        QTest::addColumn<int>("fromShift"); // elements behind an address of a multiple of 16
        for (int format = 0; format < 4; ++format)
            for (const bool max : {false, true})
                for (const int n : {0, 1, 3, 8, 17, 1000, 5003})
                    for (const auto& [into, from] : {std::pair{0, 0}, {1, 1}, {3, 3}, {0, 1}, {1, 0}})
                        QTest::addRow("%s %s, %d elements, shifted %d and %d", formats[format].name,
                                      max ? "max" : "sum", n, into, from)
                            << format << max << n << into << from;
    }
    void everyElementIsCombinedAndRoundedOnce() {
        QFETCH(int, format);
        QFETCH(bool, max);
        QFETCH(int, n);
        QFETCH(int, intoShift);
        QFETCH(int, fromShift);
        const Format& f = formats[format];
        const std::vector<double> x = numbers(f, n, 1), y = numbers(f, n, 2);
        Vector into(*device, f, x, intoShift * f.bytes), from(*device, f, y, fromShift * f.bytes);
        const std::vector<std::byte> before = into.bytes, given = from.bytes;
        const auto stats = launch(std::string("reduce_") + (max ? "max_" : "sum_") + f.name, {5},
                                  {into.address, from.address, static_cast<long long>(n)});
        QVERIFY2(stats.findings.empty(), stats.findings.empty() ? "" : stats.findings[0].message.c_str());
        into.buffer.download(into.bytes.data());
        from.buffer.download(from.bytes.data());
        QVERIFY(from.bytes == given);
        QVERIFY(std::equal(before.begin(), before.begin() + into.begin, into.bytes.begin())); // what lies before
        for (int i = 0; i < n; ++i) {
            const double a = x[static_cast<size_t>(i)], b = y[static_cast<size_t>(i)];
            // f64 sums are rounded by the host's own addition; all others are exact in double, but f32's of numbers far
            // apart, where the second rounding cannot matter (53 bits are 2 · 24 + 2 and more).
            const double want =
                max ? (std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN() : std::max(a, b))
                    : rounded(f, a + b);
            const double got = decoded(f, into.at(f, static_cast<size_t>(i)));
            QVERIFY2(same(got, want), qPrintable(QString("element %1: %2 and %3 make %4, expected %5")
                                                     .arg(i)
                                                     .arg(a, 0, 'g', 17)
                                                     .arg(b, 0, 'g', 17)
                                                     .arg(got, 0, 'g', 17)
                                                     .arg(want, 0, 'g', 17)));
        }
        // Each element once: both are read, one is written.
        uint64_t read = 0, written = 0;
        for (const gpu::BufferTraffic& t : stats.buffers)
            read += t.readBytes, written += t.writtenBytes;
        QCOMPARE(read, static_cast<uint64_t>(2 * n * f.bytes));
        QCOMPARE(written, static_cast<uint64_t>(n * f.bytes));
    }

    void tiesGoToTheEvenNumber() {
        struct Case {
            int format;
            double a, b, sum;
        };
        for (const Case& c :
             {Case{2, 2048, 1, 2048}, Case{2, 2050, 1, 2052}, Case{2, 65504, 16, INFINITY},
              Case{2, 65504, 15.9921875, 65504}, Case{3, 256, 1, 256}, Case{3, 258, 1, 260},
              Case{2, 0x1p-24, 0x1p-24, 0x1p-23}, Case{0, 16777216, 1, 16777216}, Case{0, 16777218, 1, 16777220}}) {
            const Format& f = formats[c.format];
            Vector into(*device, f, {c.a}, 0), from(*device, f, {c.b}, 0);
            launch(std::string("reduce_sum_") + f.name, {1}, {into.address, from.address, 1LL});
            into.buffer.download(into.bytes.data());
            QCOMPARE(decoded(f, into.at(f, 0)), c.sum);
        }
    }

    void averagesAreRoundedOnce_data() {
        QTest::addColumn<int>("format");
        for (int format = 0; format < 4; ++format)
            QTest::newRow(formats[format].name) << format;
    }
    void averagesAreRoundedOnce() {
        QFETCH(int, format);
        const Format& f = formats[format];
        for (const double divisor : {2.0, 3.0, 7.0, 1000.0}) {
            const std::vector<double> x = numbers(f, 777, 3);
            Vector into(*device, f, x, f.bytes);
            const auto stats = launch(std::string("divide_") + f.name, {2}, {into.address, divisor, 777LL});
            QVERIFY(stats.findings.empty());
            into.buffer.download(into.bytes.data());
            for (size_t i = 0; i < x.size(); ++i)
                QVERIFY(same(decoded(f, into.at(f, i)), rounded(f, x[i] / divisor)));
        }
    }

    void vectorsThatLieAlikeAreReadSixteenBytesAtATime() {
        for (const Format& f : formats) {
            const std::vector<double> x(4096, 1.0);
            const auto requests = [&](int64_t shift) {
                Vector into(*device, f, x, f.bytes), from(*device, f, x, f.bytes + shift);
                const auto stats = launch(std::string("reduce_sum_") + f.name, {4},
                                          {into.address, from.address, static_cast<long long>(x.size())});
                return stats.globalRequests;
            };
            const uint64_t together = requests(0), alone = requests(f.bytes);
            QVERIFY2(together * static_cast<uint64_t>(16 / f.bytes) < alone + alone / 10 + 64 &&
                         (f.bytes == 8 ? 3 * together < 2 * alone : 2 * together < alone),
                     qPrintable(QString("%1: %2 and %3 requests").arg(f.name).arg(together).arg(alone)));
        }
    }
};

QTEST_GUILESS_MAIN(ReduceKernelsTest)
#include "reduce_kernels_test.moc"
