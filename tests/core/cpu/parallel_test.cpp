// SPDX-License-Identifier: GPL-3.0-or-later
// Every item is done once, no worker's number is used by two threads at once, whoever calls and from wherever.
#include "core/cpu/parallel.h"

#include "core/error.h"

#include <QTest>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace warplight;
using namespace warplight::cpu;

namespace {

constexpr int mostWorkers = 8;

/// True when each of the items was done once and each worker did one at a time.
bool isWhole(int64_t items, int wanted) {
    const int workers = workerCount(wanted);
    std::vector<std::atomic<int>> done(static_cast<size_t>(items));
    std::array<std::atomic<int>, mostWorkers> inside{};
    std::atomic<bool> right{true};
    parallelItems(items, workers, nullptr, [&](int64_t item, int worker) {
        if (worker < 0 || worker >= workers || inside[static_cast<size_t>(worker)].fetch_add(1) != 0)
            right = false;
        done[static_cast<size_t>(item)].fetch_add(1);
        inside[static_cast<size_t>(worker)].fetch_sub(1);
    });
    for (const auto& times : done)
        right = right && times == 1;
    return right;
}

} // namespace

class ParallelTest : public QObject {
    Q_OBJECT
  private slots:
    void everyItemIsDoneOnce() {
        for (int i = 0; i < 200; ++i)
            for (const int workers : {1, 2, 3, 2, mostWorkers})
                for (const int64_t items : {0, 1, 2, 7, 1000})
                    QVERIFY(isWhole(items, workers));
    }

    void workInsideOfWork() {
        for (const int inner : {1, 2, 3})
            for (int i = 0; i < 100; ++i) {
                std::atomic<int> whole{0};
                parallelItems(6, 2, nullptr, [&](int64_t, int) { whole += isWhole(50, inner) ? 1 : 0; });
                QCOMPARE(whole.load(), 6);
            }
    }

    void fromManyThreads() {
        std::atomic<int> whole{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 200; ++i)
                    whole += isWhole(20, 2) ? 1 : 0;
            });
        for (std::thread& thread : threads)
            thread.join();
        QCOMPARE(whole.load(), 800);
    }

    void whatIsThrownArrivesAndTheNextWorks() {
        for (const int workers : {1, 2})
            for (int i = 0; i < 50; ++i) {
                QVERIFY_EXCEPTION_THROWN(parallelItems(10, workers, nullptr,
                                                       [](int64_t item, int) {
                                                           if (item == 5)
                                                               throw std::runtime_error("five");
                                                       }),
                                         std::runtime_error);
                std::atomic<bool> cancel{false};
                QVERIFY_EXCEPTION_THROWN(
                    parallelItems(10, workers, &cancel, [&](int64_t item, int) { cancel = cancel || item == 5; }),
                    Cancelled);
                QVERIFY(isWhole(10, workers));
            }
    }
};

QTEST_GUILESS_MAIN(ParallelTest)
#include "parallel_test.moc"
