#include "core/collectives/threads.h"
#include "core/error.h"
#include "every_algorithm.h"

#include <QTest>

#include <cstring>

using namespace warplight;
using namespace warplight::collectives;
using test::Variant;

class ThreadRunTest : public QObject {
    Q_OBJECT

  private slots:
    void smoke() {
        for (const Variant& variant : test::everyVariant())
            for (int ranks = 1; ranks <= 17; ++ranks)
                for (int64_t n : {0, 5, 1025, 40000}) {
                    const auto schedule =
                        makeSchedule(variant.algorithm, Collective::Allreduce, ranks, n, variant.options);
                    std::vector<std::vector<std::byte>> inputs;
                    std::vector<float> sum(static_cast<size_t>(n));
                    for (int r = 0; r < ranks; ++r) {
                        std::vector<float> v(static_cast<size_t>(n));
                        for (size_t i = 0; i < v.size(); ++i) {
                            v[i] = static_cast<float>((i * 7 + static_cast<size_t>(r) * 13) % 31);
                            sum[i] += v[i];
                        }
                        inputs.emplace_back(v.size() * 4);
                        if (n)
                            std::memcpy(inputs.back().data(), v.data(), v.size() * 4);
                    }
                    CollectiveCall call{schedule.get()};
                    const auto out = runOnThreads(call, inputs, {});
                    for (int r = 0; r < ranks; ++r)
                        QVERIFY2(n == 0 || !std::memcmp(out.results[static_cast<size_t>(r)].data(), sum.data(),
                                                        sum.size() * 4),
                                 (variant.name + " " + std::to_string(ranks) + " " + std::to_string(n)).c_str());
                }
    }
};

QTEST_GUILESS_MAIN(ThreadRunTest)
#include "thread_run_test.moc"
