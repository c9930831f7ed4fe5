// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/error.h"
#include "core/lab/parameter.h"

#include <QTest>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

using namespace warplight;
using namespace warplight::lab;

class ParameterTest : public QObject {
    Q_OBJECT
  private slots:
    void sweepsAreRead_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QList<qint64>>("expected"); // empty: refused
        QTest::newRow("doubling") << "256:4096:x2" << QList<qint64>{256, 512, 1024, 2048, 4096};
        QTest::newRow("steps") << "64:256:+64" << QList<qint64>{64, 128, 192, 256};
        QTest::newRow("list") << "5,300,7" << QList<qint64>{5, 300, 7};
        QTest::newRow("one") << "1024" << QList<qint64>{1024};
        QTest::newRow("below the range") << "0,4" << QList<qint64>{};
        QTest::newRow("above the range") << "256:99999999:x2" << QList<qint64>{};
        QTest::newRow("factor one") << "256:512:x1" << QList<qint64>{};
        QTest::newRow("step zero") << "256:512:+0" << QList<qint64>{};
        QTest::newRow("words") << "many" << QList<qint64>{};
        QTest::newRow("empty") << "" << QList<qint64>{};
        QTest::newRow("overflow") << "99999999999999999999" << QList<qint64>{};
    }
    void sweepsAreRead() {
        QFETCH(QString, text);
        QFETCH(QList<qint64>, expected);
        const Parameter parameter = Parameter::sweep("seqLen", "Sequence length", {256}, 1, 1 << 20, "");
        try {
            const auto values = std::get<std::vector<int64_t>>(parseValue(parameter, text.toStdString()));
            QCOMPARE(QList<qint64>(values.begin(), values.end()), expected);
            QCOMPARE(parseValue(parameter, valueText(parameter, values)), Value(values));
        } catch (const InputError& error) {
            QVERIFY2(expected.isEmpty(), error.what());
            QVERIFY2(QString(error.what()).contains("seqLen"), error.what());
        }
    }

    void whatMattersDependsOnTheOthers_data() {
        QTest::addColumn<std::vector<Condition>>("conditions");
        QTest::addColumn<bool>("matters"); // beside algorithm=tree, compare=none, kernels=ring,tree
        const auto row = [](const char* name, const std::vector<Condition>& conditions, bool matters) {
            QTest::newRow(name) << conditions << matters;
        };
        row("always", {}, true);
        row("equal", {when("algorithm", {"tree"})}, true);
        row("other", {when("algorithm", {"ring"})}, false);
        row("unequal", {unless("algorithm", {"ring"})}, true);
        row("not unequal", {unless("algorithm", {"tree"})}, false);
        row("either", {when("algorithm", {"ring", "tree"})}, true);
        row("neither", {when("algorithm", {"ring", "naive"})}, false);
        row("none of several", {unless("algorithm", {"ring", "tree"})}, false);
        row("in a list", {when("kernels", {"ring"})}, true);
        row("not in a list", {when("kernels", {"naive"})}, false);
        row("any of several settings", {when("algorithm", {"ring"}), when("compare", {"none"})}, true);
        row("of settings that are not there", {when("algorithm", {"ring"}), when("nothing", {"1"})}, false);
        row("of a setting that is not there", {when("nothing", {"1"})}, true);
        row("part of a word", {when("algorithm", {"tre"})}, false);
    }
    void whatMattersDependsOnTheOthers() {
        QFETCH(std::vector<Condition>, conditions);
        Parameter parameter;
        parameter.shownWhen = conditions;
        QTEST(parameter.mattersIn({{"algorithm", "tree"}, {"compare", "none"}, {"kernels", "ring,tree"}}), "matters");
    }

    void wrongSettingsNameTheParameterAndWhatWasExpected() {
        const std::vector<Parameter> parameters{
            Parameter::integer("headDim", "Head dimension", 64, 1, 512, ""),
            Parameter::choice("dtype", "Data type", "f32", {{"f32", "", ""}, {"bf16", "", ""}}, "")};
        const auto sentence = [&](std::map<std::string, Value> given) -> QString {
            try {
                Settings(parameters, given);
            } catch (const InputError& error) {
                return error.what();
            }
            return {};
        };
        QVERIFY(sentence({{"headDim", int64_t{513}}}).contains("headDim") &&
                sentence({{"headDim", int64_t{513}}}).contains("512"));
        QVERIFY(sentence({{"dtype", std::string("f64")}}).contains("bf16"));
        QVERIFY(sentence({{"headdim", int64_t{8}}}).contains("headDim")); // names the known ones
        QVERIFY(sentence({{"headDim", std::string("x")}}).contains("headDim"));
        QCOMPARE(Settings(parameters, {}).integer("headDim"), int64_t{64});
    }
};

QTEST_GUILESS_MAIN(ParameterTest)
#include "parameter_test.moc"
