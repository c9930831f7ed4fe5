// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/error.h"
#include "gpu/host/memory_budget.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstdint>
#include <string>

#include <limits>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace warplight;

namespace {

constexpr int64_t gibibyte = int64_t{1} << 30;

/// A machine of files.
class Machine {
  public:
    void write(const QString& path, const QByteArray& text) {
        const QString file = folder.filePath(path.mid(1));
        QDir().mkpath(QFileInfo(file).path());
        QFile out(file);
        QVERIFY(out.open(QIODevice::WriteOnly) && out.write(text) == text.size());
    }
    FreeMemory free() const { return freeMemory(folder.path().toStdString()); }

  private:
    QTemporaryDir folder;
};

std::string refusal(const MemoryNeed& need, const FreeMemory& memory, const FreeMemory& space) {
    try {
        requireMemory(need, memory, space);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class MemoryBudgetTest : public QObject {
    Q_OBJECT
  private slots:
    void withoutLimitsItIsWhatTheMachineHas() {
        Machine machine;
        machine.write("/proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 5 kB\nMemAvailable: 4194304 kB\n");
        QCOMPARE(machine.free().bytes, 4 * gibibyte);
        QCOMPARE(machine.free().where, std::string("on this machine"));
    }

    void aContainerOfVersion2LeavesWhatItDoesNotHoldForGood() {
        Machine machine;
        machine.write("/proc/meminfo", "MemAvailable: 16777216 kB\n");
        machine.write("/proc/self/cgroup", "0::/a/b\n");
        machine.write("/sys/fs/cgroup/a/b/memory.max", "max\n");
        machine.write("/sys/fs/cgroup/a/b/memory.current", "1000\n");
        machine.write("/sys/fs/cgroup/a/memory.max", QByteArray::number(qint64(3 * gibibyte)));
        machine.write("/sys/fs/cgroup/a/memory.current", QByteArray::number(qint64(2 * gibibyte)));
        machine.write("/sys/fs/cgroup/a/memory.stat",
                      "anon 1\ninactive_file " + QByteArray::number(qint64(gibibyte)) + "\n");
        QCOMPARE(machine.free().bytes, 2 * gibibyte); // of 3, 1 is held for good
        QCOMPARE(machine.free().where, std::string("in this container"));
    }

    void aContainerOfVersion1IsSeen() {
        Machine machine;
        machine.write("/proc/meminfo", "MemAvailable: 16777216 kB\n");
        machine.write("/proc/self/cgroup", "5:devices:/\n4:cpu,memory:/docker/7\n0::/\n");
        machine.write("/sys/fs/cgroup/memory/docker/7/memory.limit_in_bytes", QByteArray::number(qint64(gibibyte)));
        machine.write("/sys/fs/cgroup/memory/docker/7/memory.usage_in_bytes", "0\n");
        QCOMPARE(machine.free().bytes, gibibyte);
    }

    void aContainerThatSeesItsOwnLimitAtTheRootIsSeen() {
        Machine machine;
        machine.write("/proc/meminfo", "MemAvailable: 16777216 kB\n");
        machine.write("/proc/self/cgroup", "0::/\n");
        machine.write("/sys/fs/cgroup/memory.max", QByteArray::number(qint64(gibibyte)));
        machine.write("/sys/fs/cgroup/memory.current", QByteArray::number(qint64(2 * gibibyte)));
        QCOMPARE(machine.free().bytes, int64_t{0});
    }

    void theAddressSpaceShrinksWithWhatIsTaken() {
#ifdef __SANITIZE_ADDRESS__
        QSKIP("the address sanitizer takes more of it than any limit leaves");
#endif
        rlimit before{};
        getrlimit(RLIMIT_AS, &before);
        rlimit limited = before;
        limited.rlim_cur = rlim_t{64} << 30;
        QCOMPARE(setrlimit(RLIMIT_AS, &limited), 0);
        const FreeMemory left = freeAddressSpace();
        void* taken = mmap(nullptr, gibibyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const FreeMemory less = freeAddressSpace();
        munmap(taken, gibibyte);
        setrlimit(RLIMIT_AS, &before);
        QVERIFY(left.bytes < 64 * gibibyte && left.bytes > 32 * gibibyte);
        QVERIFY(std::abs(left.bytes - less.bytes - gibibyte) < 64 << 20);
        QCOMPARE(left.where, std::string("under ulimit -v"));
    }

    void whatFitsIsLetThrough() {
        requireMemory({gibibyte, gibibyte, "it", "it"}, {gibibyte, "here"}, {2 * gibibyte, "there"});
        requireMemory({});
    }

    void whatDoesNotFitIsRefusedWithFigureAndSetting() {
        const std::string said = refusal({16'000'000'000, 0, "64 ranks of 256 MiB", "bytes or ranks"},
                                         {3'100'000'000, "in this container"}, {gibibyte * 100, ""});
        QCOMPARE(said, std::string("64 ranks of 256 MiB would need about 16 GB of memory, and 3.1 GB are free in this "
                                   "container: choose less of bytes or ranks"));
    }

    void addressSpaceIsRefusedByItself() {
        const std::string said =
            refusal({1000, 9'000'000'000, "64 ranks", "ranks"}, {gibibyte, "here"}, {2'000'000'000, "under ulimit -v"});
        QCOMPARE(said, std::string("64 ranks would need about 9 GB of address space, and 2 GB are left under ulimit "
                                   "-v: choose less of ranks"));
    }

    void sizesStopAtTheLargestNumber() {
        constexpr int64_t most = std::numeric_limits<int64_t>::max();
        QCOMPARE(saturatedProduct(int64_t{1} << 40, int64_t{1} << 40), most);
        QCOMPARE(saturatedSum(most, 1), most);
        QCOMPARE(saturatedProduct(6, 7), int64_t{42});
    }
};

QTEST_GUILESS_MAIN(MemoryBudgetTest)
#include "memory_budget_test.moc"
