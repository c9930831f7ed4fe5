// SPDX-License-Identifier: GPL-3.0-or-later
// Several operators in one picture: attention and block-sparse attention on the same inputs.
#include "core/lab/record.h"
#include "core/labs/all_labs.h"
#include "core/workbench/page.h"
#include "tests/core/lab/run_page.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

namespace {

workbench::OperatorList those(const std::set<std::string>& ids) {
    Registry registry;
    workbench::Operators all;
    labs::registerAll(registry, all);
    workbench::OperatorList found;
    for (const auto& op : all.list())
        if (ids.contains(op->id))
            found.push_back(op);
    return found;
}

workbench::OperatorList both() {
    static const workbench::OperatorList operators = those({"attention", "block-sparse-attention"});
    return operators;
}

std::vector<double> points(const RunRecord& run, const char* figure, const std::string& curve) {
    for (const Curve& c : std::get<Series>(run.figure(figure)->content).curves)
        if (c.id == curve)
            return c.x;
    return {};
}

using Ids = std::vector<std::string>;
using Lengths = std::vector<int64_t>;

} // namespace

class JointPageTest : public QObject {
    Q_OBJECT
  private slots:
    void settingsAreThoseOfBothAndEachIsThereOnce() {
        const Description d = workbench::makeRace(both())->describe();
        std::set<std::string> ids;
        for (const Parameter& p : d.parameters) {
            QVERIFY2(ids.insert(p.id).second, p.id.c_str());
            std::set<std::string> options;
            for (const Parameter::Option& o : p.options)
                QVERIFY2(options.insert(o.id).second, (p.id + ": " + o.id).c_str());
        }
        for (const char* id : {"seqLen", "headDim", "heads", "density", "pattern", "implementations", "kernels"})
            QVERIFY2(ids.contains(id), id);
        for (const char* key : {"flash", "block-sparse", "tensor.Q", "tensor.mask"})
            QVERIFY2(d.colours.contains(key), key);
    }

    void bothRaceOnTheCpu() {
        const auto race = workbench::makeRace(both());
        const RunRecord run = test::runPage(
            *race,
            {{"seqLen", Lengths{64, 128}}, {"implementations", Ids{"flash", "block-sparse"}}, {"pointSeconds", 0.02}});
        for (const char* id : {"flash", "block-sparse"})
            QCOMPARE(points(run, "time", id), (std::vector<double>{64, 128}));
    }

    void bothAreCountedOnTheVirtualGpu() {
        const auto traffic = workbench::makeTraffic(both());
        const RunRecord run =
            test::runPage(*traffic, {{"seqLen", Lengths{128}}, {"kernels", Ids{"flash2", "block-sparse"}}}, "vgpu");
        for (const char* id : {"flash2", "block-sparse"})
            QCOMPARE(points(run, "bytes", id), std::vector<double>{128});
        QCOMPARE(*std::get<Metric>(run.figure("agreement")->content).value, 0.0);
    }

    void bothAreJudged() {
        const auto accuracy = workbench::makeAccuracy(both());
        const RunRecord run = test::runPage(
            *accuracy,
            {{"queryLen", int64_t{64}}, {"keyLen", int64_t{64}}, {"implementations", Ids{"flash", "block-sparse"}}});
        std::set<std::string> judged;
        for (const auto& row : std::get<Table>(run.figure("errors")->content).rows)
            judged.insert(std::get<std::string>(row[0]));
        QVERIFY(judged.contains("flash") && judged.contains("block-sparse"));
    }

    /// A main figure has a row of its own: dQ, dK and dV in two types would be six.
    void oneOfManyHistogramsIsTheMainFigure() {
        const auto accuracy = workbench::makeAccuracy(those({"attention-backward"}));
        const RunRecord run = test::runPage(
            *accuracy, {{"queryLen", int64_t{32}}, {"keyLen", int64_t{32}}, {"dtypes", Ids{"f32", "bf16"}}});
        int histograms = 0, mains = 0;
        for (const Figure& figure : run.figures()) {
            histograms += std::holds_alternative<Histogram>(figure.content) ? 1 : 0;
            mains += figure.place == Figure::Place::Main ? 1 : 0;
        }
        QVERIFY2(histograms >= 6, qPrintable(QString::number(histograms)));
        QCOMPARE(mains, 1);
    }
};

QTEST_GUILESS_MAIN(JointPageTest)
#include "joint_page_test.moc"
