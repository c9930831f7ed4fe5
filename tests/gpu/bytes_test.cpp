// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes of registers: prmt in all its modes, against the table of the PTX manual (9.7.9.7), and registers of 128 bits.
#include "each_target.h"
#include "ptx_builder.h"

#include "gpu/error.h"

#include <QTest>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <random>

using namespace warplight;
using namespace warplight::test;

namespace {

constexpr size_t lanes = 64;

template <class T>
std::vector<T> numbers(unsigned seed) {
    std::mt19937_64 random(seed);
    std::vector<T> all;
    for (size_t i = 0; i < lanes; ++i)
        all.push_back(static_cast<T>(random()));
    return all;
}

/// Source bytes of d, the highest first, for the selectors 0 to 3: as the manual prints them.
struct Mode {
    const char* name;
    const char* rows[4];
};
const Mode modes[] = {{"f4e", {"3210", "4321", "5432", "6543"}}, {"b4e", {"5670", "6701", "7012", "0123"}},
                      {"rc8", {"0000", "1111", "2222", "3333"}}, {"ecl", {"3210", "3211", "3222", "3333"}},
                      {"ecr", {"0000", "1110", "2210", "3210"}}, {"rc16", {"1010", "3232", "1010", "3232"}}};

} // namespace

class BytesTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    template <class T, class Expected>
    void check(const std::string& body, Expected expected) {
        const std::string type = sizeof(T) == 8 ? "b64" : "b32";
        const auto a = numbers<T>(1), b = numbers<T>(2), c = numbers<T>(3);
        const auto d = OneInstruction{type, type, type, type, body}.run<T>(*device, a, b, c);
        for (size_t i = 0; i < lanes; ++i)
            QVERIFY2(d[i] == static_cast<T>(expected(i, a, b, c)), body.c_str());
    }

    gpu::LaunchStats launch(const std::string& body) {
        const auto module = device->load(OneInstruction{"b64", "b64", "b64", "b64", body}.ptx(), "test.ptx");
        const gpu::Buffer a(*device, lanes * 16, "a"), d(*device, lanes * 16, "d");
        const std::vector<uint64_t> values(lanes * 2, 5);
        device->upload(a.address(), values.data(), a.bytes());
        gpu::LaunchConfig config;
        config.block = {lanes};
        return module->kernel("k").launch(
            config, std::vector<gpu::Argument>{a.address(), a.address(), a.address(), d.address()});
    }

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void permutationsByModeFollowTheManual() {
        for (const Mode& mode : modes)
            for (uint32_t selector = 0; selector < 4; ++selector) {
                const auto want = [&](size_t i, const auto& a, const auto& b, const auto&) {
                    uint32_t word = 0;
                    for (int place = 3; place >= 0; --place) {
                        const int from = mode.rows[selector][3 - place] - '0';
                        word |= (from < 4 ? a[i] >> (8 * from) & 0xff : b[i] >> (8 * (from - 4)) & 0xff) << (8 * place);
                    }
                    return word;
                };
                const std::string start = std::string("prmt.b32.") + mode.name + " %d, %a, %b, ";
                check<uint32_t>(start + std::to_string(selector) + ";", want);
                // Only the two lowest bits count.
                check<uint32_t>("and.b32 %c, %c, 0xfffffffc;\nor.b32 %c, %c, " + std::to_string(selector) + ";\n" +
                                    start + "%c;",
                                want);
            }
    }

    void permutationsBySelectorTakeAnyByteOrItsSign() {
        check<uint32_t>("prmt.b32 %d, %a, %b, %c;", [](size_t i, const auto& a, const auto& b, const auto& c) {
            uint32_t word = 0;
            for (int place = 0; place < 4; ++place) {
                const uint32_t pick = c[i] >> (4 * place) & 15, from = pick & 7;
                uint32_t byte = from < 4 ? a[i] >> (8 * from) & 0xff : b[i] >> (8 * (from - 4)) & 0xff;
                if (pick & 8)
                    byte = byte & 0x80 ? 0xff : 0;
                word |= byte << (8 * place);
            }
            return word;
        });
    }

    void registersOf128BitsArePackedMovedAndUnpacked() {
        check<uint64_t>(".reg .b128 %w, %v;\nmov.b128 %w, {%a, %b};\nmov.b128 %v, %w;\nmov.b128 {%c, %d}, %v;\n"
                        "sub.u64 %d, %d, %c;",
                        [](size_t i, const auto& a, const auto& b, const auto&) { return b[i] - a[i]; });
        check<uint64_t>(".reg .b128 %w;\n.reg .b32 %z, %u;\nmov.b128 %w, {%a, %b};\nmov.b128 {%x, %y, %z, %u}, %w;\n"
                        "mov.b128 %w, {%u, %x, %y, %z};\nmov.b128 {%a, %b}, %w;\nxor.b64 %d, %a, %b;",
                        [](size_t i, const auto& a, const auto& b, const auto&) {
                            const uint64_t x = a[i] & 0xffffffff, y = a[i] >> 32, z = b[i] & 0xffffffff, u = b[i] >> 32;
                            return (u | x << 32) ^ (y | z << 32);
                        });
        check<uint64_t>(".reg .b128 %w;\nmov.b128 %w, {%a, %b};\nmov.b128 {_, %d}, %w;",
                        [](size_t i, const auto&, const auto& b, const auto&) { return b[i]; });
    }

    void registersOf128BitsAreLoadedAndStored() {
        // Global memory: each even thread exchanges what it and its neighbour have.
        check<uint64_t>(".reg .b128 %w;\nand.b64 %pa, %pa, 0xfffffffffffffff0;\nld.global.b128 %w, [%pa];\n"
                        "mov.b128 {%c, %d}, %w;\nmov.u32 %t, %tid.x;\nand.b32 %t, %t, 1;\nsetp.eq.u32 %p, %t, 1;\n"
                        "@%p mov.b64 %d, %c;",
                        [](size_t i, const auto& a, const auto&, const auto&) { return a[i ^ 1]; });
        // Shared and local memory, with a predicate.
        check<uint64_t>(".reg .b128 %w, %v;\n.reg .b64 %s;\n.shared .align 16 .b8 tile[1024];\n"
                        ".local .align 16 .b8 own[32];\nmov.b128 %w, {%a, %b};\nmov.u32 %t, %tid.x;\n"
                        "mul.wide.u32 %o, %t, 16;\nmov.u64 %s, tile;\nadd.s64 %o, %s, %o;\n"
                        "st.shared.b128 [%o], %w;\nld.shared.b128 %v, [%o];\nst.local.b128 [own+16], %v;\n"
                        "ld.local.b128 %w, [own+16];\nmov.b128 {%a, %b}, %w;\nmov.b128 %w, {%b, %a};\n"
                        "setp.gt.s64 %p, %c, 0;\n@%p st.shared.b128 [%o], %w;\nld.shared.b128 %v, [%o];\n"
                        "mov.b128 {%d, _}, %v;",
                        [](size_t i, const auto& a, const auto& b, const auto& c) {
                            return static_cast<int64_t>(c[i]) > 0 ? b[i] : a[i];
                        });
    }

    void wideAccessesAreCountedAndCheckedAsWide() {
        const std::string at = "mov.u32 %t, %tid.x;\nmul.wide.u32 %o, %t, 8;\nadd.s64 %pa, %pa, %o;\n";
        const auto wide = launch(".reg .b128 %w;\n" + at + "ld.global.b128 %w, [%pa];\nmov.b128 {%d, %c}, %w;");
        const auto pair = launch(at + "ld.global.v2.b64 {%d, %c}, [%pa];");
        const auto narrow = launch(at + "ld.global.b64 %d, [%pa];");
        QCOMPARE(wide.globalBytes, narrow.globalBytes + lanes * 8);
        QCOMPARE(wide.globalBytes, pair.globalBytes);
        QCOMPARE(wide.globalSectors, pair.globalSectors);
        QCOMPARE(wide.globalRequests, pair.globalRequests);
        QVERIFY_EXCEPTION_THROWN(
            launch(".reg .b128 %w;\n" + at + "ld.global.b128 %w, [%pa+8];\nmov.b128 {%d, %c}, %w;"), gpu::KernelError);
        QVERIFY_EXCEPTION_THROWN(launch(".reg .b128 %w;\n" + at +
                                        "ld.global.b128 %w, [%pa+512];\n"
                                        "mov.b128 {%d, %c}, %w;"),
                                 gpu::KernelError); // past the end
    }

    void registersOf128BitsDoNothingElse() {
        for (const char* body :
             {"add.u64 %w, %a, %b;", "mov.b64 %w, %a;", "mov.b64 %d, %w;", "xor.b64 %d, %w, %a;", "mov.b128 %w, %a;",
              "setp.eq.b128 %p, 5, 6;", "mov.b128 _, 5;", "mov.b128 {%a, %b, %c}, %w;", "mov.b128 {%a, %b}, %c;",
              "ld.global.v2.b128 {%w, %w}, [%pa];", "ld.global.b64 %w, [%pa];", "ld.global.b128 %d, [%pa];",
              "st.global.b128 [%pa], %a;", "atom.global.exch.b128 %w, [%pa], %w;", "ld.global.b128 %d, [%w];"}) {
            try {
                device
                    ->load(OneInstruction{"b64", "b64", "b64", "b64", std::string(".reg .b128 %w;\n") + body}.ptx(),
                           "test.ptx")
                    ->kernel("k");
                QFAIL(body);
            } catch (const InputError& error) {
                QVERIFY2(QString(error.what()).startsWith("test.ptx:"), error.what());
            }
        }
    }
};

QTEST_GUILESS_MAIN(BytesTest)
#include "bytes_test.moc"
