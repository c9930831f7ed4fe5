// SPDX-License-Identifier: GPL-3.0-or-later
// Kernels that are wrong on purpose: each is found, and said where. And counters against what a hand counts.
#include "each_target.h"
#include "gpu/error.h"
#include "gpu/virtual/virtual_device.h"

#include <QTest>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <random>

using namespace warplight;
using gpu::Argument;

namespace {

/// A kernel over buffers pa and pb; %t is the thread, %a and %b the buffers.
std::string kernel(const std::string& body, const std::string& shared = {}) {
    return ".version 8.0\n.target sm_80\n.address_size 64\n" + shared +
           ".visible .entry k(.param .u64 pa, .param .u64 pb)\n{\n.reg .b32 %t, %w, %x, %y, %z;\n.reg .b64 %a, %b, %o, "
           "%q;\n.reg .f32 %f, %g;\n.reg .pred %p;\n"
           "ld.param.u64 %a, [pa];\nld.param.u64 %b, [pb];\nmov.u32 %t, %tid.x;\nshr.u32 %w, %t, 5;\n" +
           body + "\nret;\n}\n";
}

} // namespace

class ChecksTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();

    gpu::LaunchStats run(const std::string& ptx, uint32_t threads = 64, int64_t bytesA = 4096, int64_t bytesB = 4096,
                         bool writeA = true, int64_t shared = 0) {
        const gpu::Buffer a(*device, bytesA, "A"), b(*device, bytesB, "B");
        if (writeA) {
            const std::vector<char> zero(static_cast<size_t>(bytesA));
            device->upload(a.address(), zero.data(), bytesA);
        }
        gpu::LaunchConfig config;
        config.block = {threads};
        config.grid = {2};
        config.checks = true;
        config.dynamicShared = shared;
        return device->load(ptx, "test.ptx")
            ->kernel("k")
            .launch(config, std::vector<Argument>{a.address(), b.address()});
    }
    std::string failure(const std::string& ptx, uint32_t threads = 64, int64_t bytesA = 4096) {
        try {
            run(ptx, threads, bytesA);
        } catch (const gpu::KernelError& error) {
            return error.what();
        }
        return {};
    }
    std::string finding(const gpu::LaunchStats& stats) {
        return stats.findings.size() == 1 ? stats.findings[0].message
                                          : std::to_string(stats.findings.size()) + " findings";
    }

#define VERIFY_CONTAINS(text, part) QVERIFY2(QString::fromStdString(text).contains(part), (text).c_str())

  private slots:
    void initTestCase_data() { test::addTargets(); }
    void init() { test::useTargetOfRow(); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void aReaderAmongSeveralThatWritesIsARace() {
        // Both warps read word t % 32; then warp 0 writes it while warp 1 may still read.
        const std::string read = "and.b32 %x, %t, 31;\nshl.b32 %x, %x, 2;\nmov.u32 %y, s;\nadd.u32 %x, %x, %y;\n"
                                 "ld.shared.u32 %z, [%x];\n";
        const std::string shared = ".shared .align 4 .b8 s[128];\n";
        const std::string write = "setp.eq.u32 %p, %w, 0;\n@%p st.shared.u32 [%x], %z;\n";
        const auto races = [&](const std::string& text) {
            QStringList lines;
            for (const gpu::Finding& f : run(kernel(text, shared)).findings)
                if (f.kind == "race")
                    lines << QString::fromStdString(f.message);
            return lines;
        };
        const std::string fill = "shl.b32 %x, %t, 2;\nsetp.lt.u32 %p, %t, 32;\nmov.u32 %y, s;\nadd.u32 %x, %x, %y;\n"
                                 "@%p st.shared.u32 [%x], %t;\nbar.sync 0;\n" +
                                 read;
        QCOMPARE(races(fill).size(), qsizetype(0));
        const QStringList found = races(fill + write);
        QCOMPARE(found.size(), qsizetype(1));
        QVERIFY2(found[0].contains("is written while warp 1 reads it"), qPrintable(found[0]));
        QCOMPARE(races(fill + "bar.sync 0;\n" + write).size(), qsizetype(0)); // ordered
    }

    void buffersOfWholePagesAreNoNeighbours() {
        for (const int64_t bytes : {4096, 8192, 65536}) {
            const std::string body = "ld.global.u32 %x, [%a+" + std::to_string(bytes) + "];\n";
            const std::string message = failure(kernel(body), 32, bytes);
            VERIFY_CONTAINS(message, "0 bytes past the end of 'A'");
        }
    }

    void outOfBounds() {
        const std::string text =
            failure(kernel("mul.wide.u32 %o, %t, 4;\nadd.s64 %q, %a, %o;\nld.global.f32 %f, [%q];"), 64, 40 * 4);
        VERIFY_CONTAINS(text, "out of bounds: a read of 4 bytes");
        VERIFY_CONTAINS(text, "0 bytes past the end of 'A' (160 bytes)");
        VERIFY_CONTAINS(text, "block (0, 0, 0), thread (40, 0, 0)");
        VERIFY_CONTAINS(text, "'ld.global.f32' (test.ptx:16)");
        VERIFY_CONTAINS(failure(kernel("mov.u32 %x, 300;\nst.shared.u32 [%x], %t;", ".shared .b8 s[256];\n")),
                        "out of bounds: a write of 4 bytes at 300 of 256 bytes of shared memory");
        VERIFY_CONTAINS(failure(kernel("mov.u64 %q, 0;\nld.u32 %x, [%q];")), "out of bounds");
    }
    void misaligned() { VERIFY_CONTAINS(failure(kernel("ld.global.u32 %x, [%a+2];")), "misaligned: address"); }

    void unwrittenMemory() {
        VERIFY_CONTAINS(finding(run(kernel("ld.global.u32 %x, [%a+8];"), 64, 4096, 4096, false)),
                        "unwritten memory: a read of byte 8 of 'A', which nobody has written, in kernel k");
        QCOMPARE(
            run(kernel("st.global.u32 [%a+8], %t;\nld.global.u32 %x, [%a+8];"), 1, 4096, 4096, false).findings.size(),
            size_t(0));
        VERIFY_CONTAINS(finding(run(kernel("mov.u32 %x, s;\nld.shared.u32 %y, [%x+4];", ".shared .b8 s[256];\n"))),
                        "unwritten memory: a read of byte 4 of shared memory");
    }

    void races() {
        const std::string exchange = "shl.b32 %x, %t, 2;\nst.shared.u32 [%x], %t;\n@BARRIER@\nxor.b32 %y, %t, "
                                     "32;\nshl.b32 %y, %y, 2;\nld.shared.u32 %z, [%y];";
        const auto with = [&](const std::string& barrier) {
            std::string body = exchange;
            body.replace(body.find("@BARRIER@"), 9, barrier);
            return run(kernel(body, ".shared .b8 s[256];\n"));
        };
        QCOMPARE(with("bar.sync 0;").findings.size(), size_t(0));
        QCOMPARE(with("barrier.sync 3, 64;").findings.size(), size_t(0));
        const gpu::LaunchStats racing = with("");
        QVERIFY(racing.findings.size() >= 1);
        bool found = false;
        for (const gpu::Finding& f : racing.findings)
            found =
                found || (f.kind == "race" && QString::fromStdString(f.message).contains("with no barrier between"));
        QVERIFY(found);
        // Written after a barrier that the reader of before has not passed again: write after read.
        const gpu::LaunchStats overwritten =
            run(kernel("shl.b32 %x, %t, 2;\nst.shared.u32 [%x], %t;\nbar.sync 0;\nxor.b32 %y, %t, 32;\nshl.b32 %y, %y, "
                       "2;\nld.shared.u32 %z, [%y];\nst.shared.u32 [%x], %z;",
                       ".shared .b8 s[256];\n"));
        QVERIFY(!overwritten.findings.empty());
        VERIFY_CONTAINS(overwritten.findings[0].message, "race: byte");
        // Lanes of one warp run in step.
        QCOMPARE(run(kernel("shl.b32 %x, %t, 2;\nst.shared.u32 [%x], %t;\nbar.warp.sync -1;\nxor.b32 %y, %t, "
                            "1;\nshl.b32 %y, %y, 2;\nld.shared.u32 %z, [%y];",
                            ".shared .b8 s[256];\n"))
                     .findings.size(),
                 size_t(0));
    }

    void barrierThatNotAllReach() {
        VERIFY_CONTAINS(failure(kernel("setp.lt.u32 %p, %t, 40;\n@%p bar.sync 0;\nadd.u32 %x, %t, 1;")),
                        "barrier: a barrier that only");
        QCOMPARE(failure(kernel("setp.lt.u32 %p, %t, 32;\n@%p exit;\nbar.sync 0;")),
                 std::string()); // who has left need not come
        QCOMPARE(QString::fromStdString(failure(kernel("setp.lt.u32 %p, %t, 40;\n@%p exit;\nbar.sync 0;"))), QString());
    }

    void trapStops() {
        VERIFY_CONTAINS(failure(kernel("setp.eq.u32 %p, %t, 37;\n@%p trap;")),
                        "trap: the kernel stopped itself (trap) in kernel k, block (0, 0, 0), thread (37, 0, 0)");
    }

    void missingWaitShowsOldData() { // cp.async: bytes are there only after the wait
        const std::string copy =
            "mov.u32 %x, s;\nshl.b32 %y, %t, 2;\nadd.u32 %x, %x, %y;\nst.shared.u32 [%x], %t;\nmul.wide.u32 %o, %t, "
            "4;\nadd.s64 %q, %a, %o;\n"
            "cp.async.ca.shared.global [%x], [%q], 4;\ncp.async.commit_group;\n@WAIT@\nld.shared.u32 %z, "
            "[%x];\nadd.s64 %q, %b, %o;\nst.global.u32 [%q], %z;";
        for (const bool waits : {false, true}) {
            std::string body = copy;
            body.replace(body.find("@WAIT@"), 6, waits ? "cp.async.wait_group 0;" : "");
            const gpu::Buffer a(*device, 256, "A"), b(*device, 256, "B");
            std::vector<uint32_t> values(64, 1234), result(64);
            device->upload(a.address(), values.data(), 256);
            gpu::LaunchConfig config;
            config.block = {64};
            device->load(kernel(body, ".shared .align 4 .b8 s[256];\n"), "test.ptx")
                ->kernel("k")
                .launch(config, std::vector<Argument>{a.address(), b.address()});
            b.download(result.data());
            for (uint32_t i = 0; i < 64; ++i)
                QCOMPARE(result[i], waits ? 1234u : i);
        }
    }

    void sectorsAndBanks_data() {
        QTest::addColumn<int>("stride"); // bytes between lanes
        QTest::addColumn<int>("sectors");
        QTest::addColumn<int>("wavefronts");
        QTest::newRow("same word") << 0 << 1 << 1;
        QTest::newRow("consecutive") << 4 << 4 << 1;
        QTest::newRow("every second word") << 8 << 8 << 2;
        QTest::newRow("every fourth word") << 16 << 16 << 4;
        QTest::newRow("33 words apart") << 132 << 32 << 1;
        QTest::newRow("32 words apart") << 128 << 32 << 32;
    }
    void sectorsAndBanks() { // one warp, two blocks
        QFETCH(int, stride);
        QFETCH(int, sectors);
        QFETCH(int, wavefronts);
        const std::string index =
            "mul.lo.u32 %x, %t, " + std::to_string(stride) +
            ";\ncvt.u64.u32 %o, %x;\nadd.s64 %q, %a, %o;\nld.global.u32 %y, [%q];\nst.shared.u32 [%x], %y;";
        const gpu::LaunchStats stats = run(kernel(index, ".shared .align 4 .b8 s[4352];\n"), 32, 8192);
        QCOMPARE(stats.globalRequests, uint64_t(2));
        QCOMPARE(stats.globalBytes, uint64_t(2 * 128));
        QCOMPARE(stats.globalSectors, static_cast<uint64_t>(2 * sectors));
        QCOMPARE(stats.sharedWavefronts, static_cast<uint64_t>(2 * wavefronts));
        QCOMPARE(stats.buffers.size(), size_t(1));
        QCOMPARE(stats.buffers[0].name, std::string("A"));
        QCOMPARE(stats.buffers[0].readSectors, static_cast<uint64_t>(2 * sectors));
    }

    void wideSharedAccesses() { // 16 bytes a lane, consecutive: four passes for 512 bytes; all the same: one
        const auto wavefronts = [&](const std::string& index) {
            return run(kernel(index + "\nst.shared.v4.u32 [%x], {%t, %t, %t, %t};", ".shared .align 16 .b8 s[8192];\n"),
                       32)
                       .sharedWavefronts /
                   2;
        };
        QCOMPARE(wavefronts("shl.b32 %x, %t, 4;"), uint64_t(4));
        QCOMPARE(wavefronts("shl.b32 %x, %t, 7;"), uint64_t(32));
        QCOMPARE(wavefronts("mov.u32 %x, 0;"), uint64_t(1));
    }

    void wrongArgumentsAndShapes() {
        const auto module = device->load(kernel(""), "test.ptx");
        gpu::Kernel& k = module->kernel("k");
        gpu::LaunchConfig config;
        const auto message = [&](const std::vector<Argument>& arguments) -> std::string {
            try {
                k.launch(config, arguments);
            } catch (const InputError& error) {
                return error.what();
            }
            return {};
        };
        VERIFY_CONTAINS(message({uint64_t(0)}), "kernel k takes 2 arguments, 1 were given");
        VERIFY_CONTAINS(message({uint64_t(0), 1}), "argument 2 of kernel k ('pb') has 8 bytes, 4 were given");
        config.block = {2048};
        VERIFY_CONTAINS(message({uint64_t(0), uint64_t(0)}), "at most 1024 threads a block, 2048 were given");
        config.block = {32};
        config.dynamicShared = 1 << 20;
        VERIFY_CONTAINS(message({uint64_t(0), uint64_t(0)}), "needs 1048576 bytes of shared memory");
        try {
            module->kernel("other");
            QFAIL("a kernel that is not there");
        } catch (const InputError& error) {
            QCOMPARE(QString(error.what()), QString("test.ptx: there is no kernel 'other'; there is k"));
        }
    }

    /// Small whole numbers: every order of summation gives the exact product, so what is tested is where elements lie.
    void matrixProducts_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<int>("perRegister");
        QTest::addColumn<int>("aRegisters");
        QTest::addColumn<QString>("type");
        for (const auto& [name, each, registers, type] :
             std::initializer_list<std::tuple<const char*, int, int, const char*>>{
                 {"m16n8k16.row.col.f32.f16.f16.f32", 2, 4, "f16"},
                 {"m16n8k8.row.col.f32.f16.f16.f32", 2, 2, "f16"},
                 {"m16n8k16.row.col.f32.bf16.bf16.f32", 2, 4, "bf16"},
                 {"m16n8k8.row.col.f32.tf32.tf32.f32", 1, 4, "f32"},
                 {"m16n8k4.row.col.f32.tf32.tf32.f32", 1, 2, "f32"},
                 {"m16n8k32.row.col.s32.s8.s8.s32", 4, 4, "s8"},
                 {"m16n8k16.row.col.s32.u8.s8.s32", 4, 2, "s8"},
                 {"m16n8k32.row.col.f32.e4m3.e4m3.f32", 4, 4, "e4m3"},
                 {"m16n8k32.row.col.f32.e5m2.e5m2.f32", 4, 4, "e5m2"}})
            QTest::newRow(name) << name << each << registers << type;
    }
    void matrixProducts() {
        QFETCH(QString, name);
        QFETCH(int, perRegister);
        QFETCH(int, aRegisters);
        QFETCH(QString, type);
        const int bRegisters = aRegisters / 2, k = 4 * perRegister * bRegisters;
        const bool integer = type == "s8";
        // The codes of 0 … 3 in each format, written down from their definitions.
        const auto code = [&](int value) -> uint32_t {
            const uint32_t f16[] = {0, 0x3c00, 0x4000, 0x4200}, bf16[] = {0, 0x3f80, 0x4000, 0x4040},
                           f32[] = {0, 0x3f800000, 0x40000000, 0x40400000}, e4m3[] = {0, 0x38, 0x40, 0x44},
                           e5m2[] = {0, 0x3c, 0x40, 0x42};
            return type == "f16"    ? f16[value]
                   : type == "bf16" ? bf16[value]
                   : type == "f32"  ? f32[value]
                   : type == "e4m3" ? e4m3[value]
                   : type == "e5m2" ? e5m2[value]
                                    : static_cast<uint32_t>(value);
        };
        std::mt19937 random(3);
        std::vector<int> a(static_cast<size_t>(16 * k)), b(static_cast<size_t>(k * 8)), c(128);
        for (auto* m : {&a, &b, &c})
            for (int& x : *m)
                x = static_cast<int>(random() % 4);
        // Fragments by the tables of the PTX manual: groupID = lane / 4, threadID_in_group = lane % 4.
        std::vector<uint32_t> words;
        std::string body, dList, aList, bList, cList;
        const int bits = 32 / perRegister;
        for (int r = 0; r < aRegisters + bRegisters + 4; ++r)
            for (int lane = 0; lane < 32; ++lane) {
                const int group = lane / 4, thread = lane % 4;
                uint32_t word = 0;
                if (r < aRegisters) {
                    for (int e = 0; e < perRegister; ++e) {
                        const int row = r % 2 == 0 ? group : group + 8,
                                  column = thread * perRegister + e + (r >= 2 ? k / 2 : 0);
                        word |= code(a[static_cast<size_t>(row * k + column)]) << (bits * e);
                    }
                } else if (r < aRegisters + bRegisters) {
                    for (int e = 0; e < perRegister; ++e) {
                        const int row = thread * perRegister + e + (r - aRegisters) * (k / bRegisters);
                        word |= code(b[static_cast<size_t>(row * 8 + group)]) << (bits * e);
                    }
                } else {
                    const int i = r - aRegisters - bRegisters,
                              value = c[static_cast<size_t>((i < 2 ? group : group + 8) * 8 + thread * 2 + i % 2)];
                    word = integer ? static_cast<uint32_t>(value) : std::bit_cast<uint32_t>(static_cast<float>(value));
                }
                words.push_back(word);
            }
        const int inputs = aRegisters + bRegisters + 4;
        body = ".reg .b32 %i<16>, %d<4>;\nmul.wide.u32 %o, %t, 4;\nadd.s64 %q, %a, %o;\nadd.s64 %b, %b, %o;\n";
        for (int r = 0; r < inputs; ++r) {
            body += "ld.global.b32 %i" + std::to_string(r) + ", [%q+" + std::to_string(128 * r) + "];\n";
            std::string& list = r < aRegisters ? aList : r < aRegisters + bRegisters ? bList : cList;
            list += (list.empty() ? "%i" : ", %i") + std::to_string(r);
        }
        body += "mma.sync.aligned." + name.toStdString() + " {%d0, %d1, %d2, %d3}, {" + aList + "}, {" + bList +
                "}, {" + cList + "};\n";
        for (int r = 0; r < 4; ++r)
            body += "st.global.b32 [%b+" + std::to_string(128 * r) + "], %d" + std::to_string(r) + ";\n";
        const gpu::Buffer in(*device, static_cast<int64_t>(words.size() * 4), "in"), out(*device, 512, "out");
        device->upload(in.address(), words.data(), in.bytes());
        gpu::LaunchConfig config;
        config.block = {32};
        const auto stats = device->load(kernel(body), "test.ptx")
                               ->kernel("k")
                               .launch(config, std::vector<Argument>{in.address(), out.address()});
        QCOMPARE(stats.tensorFlops, static_cast<uint64_t>(2 * 16 * 8 * k));
        std::vector<uint32_t> d(128);
        out.download(d.data());
        for (int row = 0; row < 16; ++row)
            for (int column = 0; column < 8; ++column) {
                int expected = c[static_cast<size_t>(row * 8 + column)];
                for (int i = 0; i < k; ++i)
                    expected += a[static_cast<size_t>(row * k + i)] * b[static_cast<size_t>(i * 8 + column)];
                const int r = (row < 8 ? 0 : 2) + column % 2, lane = row % 8 * 4 + column / 2;
                const uint32_t word = d[static_cast<size_t>(32 * r + lane)];
                QCOMPARE(integer ? static_cast<double>(static_cast<int32_t>(word))
                                 : static_cast<double>(std::bit_cast<float>(word)),
                         static_cast<double>(expected));
            }
    }
};

QTEST_GUILESS_MAIN(ChecksTest)
#include "checks_test.moc"
