// SPDX-License-Identifier: GPL-3.0-or-later
// Every rung against results computed in double precision with NumPy and PyTorch, which share no code with it.
#include "core/cpu/attention/attention.h"
#include "core/cpu/attention/backward.h"
#include "core/formats/tensor_file.h"

#include <QDir>
#include <QTest>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <cmath>

using namespace warplight;

namespace {
const QString folder = WARPLIGHT_TEST_DATA "/oracles/attention/";
}

class AttentionOracleTest : public QObject {
    Q_OBJECT
  private slots:
    void equalsTheOracle_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<int>("rung");
        const QStringList files = QDir(folder).entryList({"*.npz"});
        QVERIFY(files.size() >= 10);
        for (const QString& file : files)
            for (const auto& rung : cpu::implementations())
                if (!file.startsWith("backward"))
                    QTest::addRow("%s, %s", qPrintable(file), std::string(rung.name).c_str())
                        << file << static_cast<int>(rung.id);
    }
    void equalsTheOracle() {
        QFETCH(QString, file);
        QFETCH(int, rung);
        const auto load = [&](const char* key) {
            return formats::loadTensor((folder + file + ":" + key).toStdString());
        };
        const auto q = load("q"), k = load("k"), v = load("v"), o = load("o"), lse = load("lse");
        std::vector<float> gotO(o.values.size(), NAN), gotLse(lse.values.size(), NAN);
        cpu::AttentionProblem p{q.shape[0], q.shape[1], k.shape[1], q.shape[2], k.shape[2], q.shape[3]};
        p.scale = load("scale").values[0];
        p.causal = load("causal").values[0] != 0;
        p.q = q.values.data();
        p.k = k.values.data();
        p.v = v.values.data();
        p.o = gotO.data();
        p.lse = gotLse.data();
        const auto implementation = static_cast<cpu::Implementation>(rung);
        cpu::attentionForward(implementation, p);
        double largestScore = 0;
        for (const float x : lse.values)
            if (std::isfinite(x))
                largestScore = std::max(largestScore, std::fabs(static_cast<double>(x)));
        // A score of size s is known to about s ulps; O, whose terms are of size 1 to 4 here, moves by that much.
        const double ulp = std::ldexp(1.0, implementation == cpu::Implementation::FlashBf16 ? -8 : -23);
        const double bound = std::min(8.0, 8 * ulp * (4 + largestScore));
        for (size_t i = 0; i < gotLse.size(); ++i)
            QVERIFY2(gotLse[i] == lse.values[i] || std::fabs(static_cast<double>(gotLse[i] - lse.values[i])) <= bound,
                     qPrintable(QString("lse %1: %2, expected %3")
                                    .arg(i)
                                    .arg(static_cast<double>(gotLse[i]))
                                    .arg(static_cast<double>(lse.values[i]))));
        for (size_t i = 0; i < gotO.size(); ++i)
            QVERIFY2(std::fabs(static_cast<double>(gotO[i] - o.values[i])) <= bound,
                     qPrintable(QString("o %1: %2, expected %3, bound %4")
                                    .arg(i)
                                    .arg(static_cast<double>(gotO[i]))
                                    .arg(static_cast<double>(o.values[i]))
                                    .arg(bound)));
    }

    void gradientsEqualTheOracle_data() {
        QTest::addColumn<int>("rung");
        for (const auto& rung : cpu::backwardRungs())
            QTest::addRow("%s", std::string(rung.name).c_str()) << static_cast<int>(rung.id);
    }
    void gradientsEqualTheOracle() {
        QFETCH(int, rung);
        const auto load = [&](const char* key) {
            return formats::loadTensor((folder + "backward_causal.npz:" + key).toStdString());
        };
        const auto q = load("q"), k = load("k"), v = load("v"), dOut = load("do");
        cpu::BackwardProblem p;
        p.forward = {q.shape[0], q.shape[1], k.shape[1], q.shape[2], k.shape[2], q.shape[3]};
        p.forward.scale = 1 / std::sqrt(static_cast<float>(q.shape[3]));
        p.forward.causal = true;
        p.forward.q = q.values.data();
        p.forward.k = k.values.data();
        p.forward.v = v.values.data();
        std::vector<float> o(q.values.size()), lse(q.values.size() / static_cast<size_t>(q.shape[3])), dq(o.size()),
            dk(k.values.size()), dv(v.values.size());
        p.forward.o = o.data();
        p.forward.lse = lse.data();
        cpu::attentionForward(cpu::Implementation::Reference, p.forward);
        p.dOut = dOut.values.data();
        p.dq = dq.data();
        p.dk = dk.data();
        p.dv = dv.data();
        cpu::attentionBackward(static_cast<cpu::BackwardRung>(rung), p);
        for (const auto& [name, got] : {std::pair{"dq", &dq}, std::pair{"dk", &dk}, std::pair{"dv", &dv}}) {
            const auto want = load(name).values;
            for (size_t i = 0; i < want.size(); ++i) // sums of some dozen terms of size 1
                QVERIFY2(std::fabs((*got)[i] - want[i]) <= 4e-6f, qPrintable(QString("%1[%2]: %3, expected %4")
                                                                                 .arg(name)
                                                                                 .arg(i)
                                                                                 .arg(static_cast<double>((*got)[i]))
                                                                                 .arg(static_cast<double>(want[i]))));
        }
    }
};

QTEST_GUILESS_MAIN(AttentionOracleTest)
#include "attention_oracle_test.moc"
