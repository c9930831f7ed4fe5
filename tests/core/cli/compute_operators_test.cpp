// SPDX-License-Identifier: GPL-3.0-or-later
// `compute OPERATOR` on files for the operators beside attention: against oracles, closed forms and attention itself.
#include "core/formats/tensor_file.h"

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace warplight;

namespace {

const QString oracles = WARPLIGHT_TEST_DATA "/oracles/attention/";

struct Outcome {
    int exitCode;
    QByteArray out, err;
};

Outcome call(const QStringList& arguments) {
    QProcess process;
    process.start(WARPLIGHT_CLI, arguments);
    process.waitForFinished();
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

tensor::Tensor load(const QString& spec) { return formats::loadTensor(spec.toStdString()); }

double largestDifference(const tensor::Tensor& a, const tensor::Tensor& b) {
    if (a.shape != b.shape)
        return INFINITY;
    double worst = 0;
    for (size_t i = 0; i < a.values.size(); ++i)
        if (a.values[i] != b.values[i])
            worst = std::fmax(worst, std::fabs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i])));
    return worst;
}

} // namespace

class ComputeOperatorsTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

    QString at(const char* name) const { return folder.filePath(name); }
    QString save(const char* name, std::vector<int64_t> shape, std::vector<float> values) const {
        formats::saveTensors(
            {{at(name).toStdString(), {"x", {std::move(shape), std::move(values)}, number::Format::F32}}});
        return at(name);
    }

    static void addDevices() {
        QTest::addColumn<QString>("device");
        QTest::newRow("cpu") << "cpu";
        QTest::newRow("vgpu") << "vgpu";
    }

  private slots:
    void scansOfAnyRank_data() { addDevices(); }
    void scansOfAnyRank() { // [batch, dim, length] as state space models have it; NumPy's numbers
        QFETCH(QString, device);
        const QString from = WARPLIGHT_TEST_DATA "/oracles/ssm/recurrences.npz:";
        tensor::Tensor a = load(from + "scan_a"), b = load(from + "scan_b"), expected = load(from + "scan_h");
        expected.shape = {1, 3, 300};
        const QString h0 = save("h0.npy", {1, 3}, {0, 0, 0}), out = at("h.npy");
        const QStringList inputs{
            "--a", save("a.npy", expected.shape, a.values), "--b", save("b.npy", expected.shape, b.values), "--h0", h0};
        for (const char* rung : {"serial", "blelloch", "chunked", "look-back"}) {
            const Outcome outcome = call(QStringList{"compute", "scan"} + inputs +
                                         QStringList{"-o", out, "--device", device, "--implementation", rung});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QVERIFY(largestDifference(load(out), expected) < 2e-6);
        }
        const Outcome wrong = call({"compute", "scan", "--a", at("a.npy"), "--b", h0, "-o", out});
        QVERIFY(wrong.exitCode == 2 && wrong.err.contains("shape [1, 3], expected [1, 3, 300]"));
    }

    void complexScansAreTheOracles_data() { addDevices(); }
    void complexScansAreTheOracles() { // diagonal states that turn and decay; NumPy's numbers
        QFETCH(QString, device);
        const QString from = WARPLIGHT_TEST_DATA "/oracles/ssm/lru_pairs.npz:";
        const tensor::Tensor factors = load(from + "lambda"), inputs = load(from + "input");
        const int64_t length = inputs.shape[0], channels = inputs.shape[1];
        const auto byChannel = [&](auto value) { // from what a step, a channel and a part have
            tensor::Tensor x{{channels, length, 2}, {}};
            for (int64_t i = 0; i < channels * length * 2; ++i)
                x.values.push_back(value(static_cast<size_t>(i / 2 % length), static_cast<size_t>(i / 2 / length),
                                         static_cast<size_t>(i % 2)));
            return x;
        };
        const auto turned = [&](const tensor::Tensor& x, const auto& scale) {
            return byChannel([&](size_t t, size_t channel, size_t part) {
                return scale(channel) * x.values[(t * static_cast<size_t>(channels) + channel) * 2 + part];
            });
        };
        const auto factor = [&](size_t channel, size_t part) { return factors.values[2 * channel + part]; };
        const tensor::Tensor a = byChannel([&](size_t, size_t channel, size_t part) { return factor(channel, part); }),
                             b = turned(inputs,
                                        [&](size_t channel) { // inputs of linear recurrent units are scaled
                                            const float re = factor(channel, 0), im = factor(channel, 1);
                                            return std::sqrt(1 - re * re - im * im);
                                        }),
                             expected = turned(load(from + "states"), [](size_t) { return 1.0f; });
        const QString out = at("turning.npy");
        for (const char* rung : {"serial", "sklansky", "blelloch", "chunked", "look-back"}) {
            const Outcome outcome =
                call({"compute", "complex-scan", "--a", save("a.npy", a.shape, a.values), "--b",
                      save("b.npy", b.shape, b.values), "-o", out, "--device", device, "--implementation", rung});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QVERIFY(largestDifference(load(out), expected) < 1e-5);
        }
    }

    void gradientsOfAScanAreClosedForms_data() { addDevices(); }
    void
    gradientsOfAScanAreClosedForms() { // halves: g_t = 2 - 2^{t + 1 - n} is exact; of b = 0 the states are 2^{-t-1}
        QFETCH(QString, device);
        constexpr int64_t length = 20;
        const std::vector<float> ones(length, 1), halves(length, 0.5f);
        for (const char* rung : {"serial", "chunked", "look-back"}) {
            const Outcome outcome = call({"compute",
                                          "scan-backward",
                                          "--a",
                                          save("a.npy", {1, length}, halves),
                                          "--b",
                                          save("b.npy", {1, length}, std::vector<float>(length)),
                                          "--h0",
                                          save("h0.npy", {1}, {1}),
                                          "--dh",
                                          save("dh.npy", {1, length}, ones),
                                          "--da",
                                          at("da.npy"),
                                          "--db",
                                          at("db.npy"),
                                          "--dh0",
                                          at("dh0.npy"),
                                          "--device",
                                          device,
                                          "--implementation",
                                          rung});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            const tensor::Tensor da = load(at("da.npy")), db = load(at("db.npy"));
            for (int t = 0; t < length; ++t) {
                const float g = 2 - std::ldexp(1.0f, t + 1 - static_cast<int>(length));
                QCOMPARE(db.values[static_cast<size_t>(t)], g);
                QCOMPARE(da.values[static_cast<size_t>(t)], g * std::ldexp(1.0f, -t));
            }
            QCOMPARE(load(at("dh0.npy")).values[0], db.values[0] / 2);
        }
    }

    void softmaxOfRows_data() { addDevices(); }
    void softmaxOfRows() {
        QFETCH(QString, device);
        const float ln2 = std::log(2.0f), ln3 = std::log(3.0f);
        const QString x = save("x.npy", {2, 3}, {0, ln2, ln3, 5, 5, 5});
        const Outcome outcome = call({"compute", "softmax", "--x", x, "-o", at("y.npy"), "--device", device});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        const tensor::Tensor expected{{2, 3}, {1 / 6.0f, 2 / 6.0f, 3 / 6.0f, 1 / 3.0f, 1 / 3.0f, 1 / 3.0f}};
        QVERIFY(largestDifference(load(at("y.npy")), expected) < 1e-6);
    }

    void matrixProduct_data() { addDevices(); }
    void matrixProduct() {
        QFETCH(QString, device);
        const QString a = save("a.npy", {2, 3}, {1, 2, 3, 4, 5, 6}), b = save("b.npy", {3, 2}, {7, 8, 9, 10, 11, 12});
        const Outcome outcome =
            call({"compute", "matmul", "--a", a, "--b", b, "-o", at("c.npz:product"), "--device", device});
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QCOMPARE(largestDifference(load(at("c.npz:product")), {{2, 2}, {58, 64, 139, 154}}), 0.0);
    }

    void matrixProductsOfShortNumbersAreNotRoundedFurther() { // what is chosen without being asked for
        std::vector<float> a(64 * 4096, 1), b(4096 * 64, 1);
        const QString as = save("ones_a.npy", {64, 4096}, a), bs = save("ones_b.npy", {4096, 64}, b),
                      ragged = save("ragged.npy", {4096, 3}, std::vector<float>(4096 * 3, 1));
        for (const char* dtype : {"f16", "bf16", "f32"})
            for (const QString& right : {bs, ragged}) {
                const Outcome outcome = call({"compute", "matmul", "--a", as, "--b", right, "-o", at("sums.npy"),
                                              "--device", "vgpu", "--dtype", dtype});
                QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
                const tensor::Tensor c = load(at("sums.npy"));
                QVERIFY(std::all_of(c.values.begin(), c.values.end(), [](float x) { return x == 4096; }));
            }
        const Outcome asked = call({"compute", "matmul", "--a", as, "--b", ragged, "-o", at("sums.npy"), "--device",
                                    "vgpu", "--dtype", "f16", "--implementation", "half2"});
        QVERIFY2(asked.exitCode == 0, asked.err.constData());
        QCOMPARE(load(at("sums.npy")).values[0], 2048.0f); // 2048 + 1 is 2048 in f16
    }

    void castsAreStoredAsWhatTheyAre_data() { addDevices(); }
    void castsAreStoredAsWhatTheyAre() {
        QFETCH(QString, device);
        const QString x = save("grads.npy", {2}, {2.2f * 1024, 1e6f * 1024});
        const QString y = at("y.safetensors:grad"), found = at("found.npy");
        for (const auto& [id, first, second] :
             {std::tuple("e4m3", 2.25f, 448.0f), std::tuple("e5m2", 2.0f, 57344.0f)}) {
            const Outcome outcome = call({"compute", "cast", "--x", x, "-o", y, "--found", found, "--power", "10",
                                          "--implementation", id, "--device", device});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QCOMPARE(number::name(formats::tensorEntry(y.toStdString()).dtype), std::string(id));
            QVERIFY(load(y).values == (std::vector<float>{first, second}));
            QCOMPARE(load(found).values[0], 0.0f);
        }
        const Outcome outcome = call({"compute", "cast", "--x", x, "-o", at("half.npy"), "--found", found, "--power",
                                      "10", "--device", device}); // f16 unless another is named
        QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        QVERIFY(formats::tensorEntry(at("half.npy").toStdString()).dtype == number::Format::F16);
        QVERIFY(std::isinf(load(at("half.npy")).values[1]));
        QCOMPARE(load(found).values[0], 1.0f);
    }

    void gradientsGiveTheOracle_data() { addDevices(); }
    void gradientsGiveTheOracle() {
        QFETCH(QString, device);
        const QString file = oracles + "backward_causal.npz:";
        for (const bool given : {false, true}) { // O as it came, or computed anew
            QStringList arguments{"compute", "attention-backward", "--q",  file + "q",   "--k",      file + "k",
                                  "--v",     file + "v",           "--do", file + "do",  "--dq",     at("dq.npy"),
                                  "--dk",    at("dk.npy"),         "--dv", at("dv.npy"), "--causal", "--device",
                                  device};
            if (given) {
                const Outcome forward = call({"compute", "attention", "--q", file + "q", "--k", file + "k", "--v",
                                              file + "v", "--causal", "-o", at("o.npy"), "--lse", at("lse.npy")});
                QVERIFY2(forward.exitCode == 0, forward.err.constData());
                arguments += QStringList{"--o", at("o.npy"), "--lse", at("lse.npy")};
            }
            const Outcome outcome = call(arguments);
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            for (const char* name : {"dq", "dk", "dv"})
                QVERIFY(largestDifference(load(at((std::string(name) + ".npy").c_str())), load(file + name)) < 1e-5);
        }
    }

    void recurrencesGiveTheirOracles_data() { addDevices(); }
    void recurrencesGiveTheirOracles() {
        QFETCH(QString, device);
        const QString file = WARPLIGHT_TEST_DATA "/oracles/ssm/recurrences.npz:";
        const auto compute = [&](const QStringList& arguments) {
            const Outcome outcome = call(QStringList{"compute"} + arguments + QStringList{"--device", device});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        };
        compute({"ssd", "--x", file + "ssd_x", "--a", file + "ssd_log_a", "--b", file + "ssd_B", "--c", file + "ssd_C",
                 "--chunk", "32", "-o", at("y.npy"), "--last-state", at("last.npy")});
        QVERIFY(largestDifference(load(at("y.npy")), load(file + "ssd_y")) < 2e-5);
        const tensor::Tensor last = load(at("last.npy")), expected = load(file + "ssd_state"); // [P, N] and [N, P]
        QVERIFY(last.shape == (std::vector<int64_t>{7, 5}));
        for (size_t p = 0; p < 7; ++p)
            for (size_t n = 0; n < 5; ++n)
                QVERIFY(std::fabs(last.values[p * 5 + n] - expected.values[n * 7 + p]) < 1e-5f);
        const QString pairs = WARPLIGHT_TEST_DATA "/oracles/ssm/lru_pairs.npz:";
        const tensor::Tensor lambda = load(pairs + "lambda");
        std::vector<float> nu, theta;
        for (size_t i = 0; i < 8; i += 2) {
            const float angle = std::atan2(lambda.values[i + 1], lambda.values[i]);
            nu.push_back(std::log(-std::log(std::hypot(lambda.values[i], lambda.values[i + 1]))));
            theta.push_back(std::log(angle > 0 ? angle : angle + 2 * std::numbers::pi_v<float>));
        }
        compute({"lru", "--u", pairs + "input", "--nu", save("nu.npy", {4}, nu), "--theta",
                 save("theta.npy", {4}, theta), "-o", at("states.npy")});
        QVERIFY(largestDifference(load(at("states.npy")), load(pairs + "states")) < 1e-5);
        compute({"rwkv4", "--k", file + "rwkv4_k", "--v", file + "rwkv4_v", "--w", file + "rwkv4_w", "--u",
                 file + "rwkv4_u", "-o", at("o4.npy")});
        QVERIFY(largestDifference(load(at("o4.npy")), load(file + "rwkv4_o")) < 1e-5);
        compute({"rwkv6", "--r", file + "rwkv6_r", "--k", file + "rwkv6_k", "--v", file + "rwkv6_v", "--w",
                 file + "rwkv6_w", "--u", file + "rwkv6_u", "-o", at("o6.npy"), "--last-state", at("s6.npy")});
        QVERIFY(largestDifference(load(at("o6.npy")), load(file + "rwkv6_o")) < 1e-5);
        QVERIFY(largestDifference(load(at("s6.npy")), load(file + "rwkv6_state")) < 1e-5);
    }

    /// Of several batches, heads and groups as autograd has them.
    void gradientsOfSsdGiveTheirOracles() {
        const QString file = WARPLIGHT_TEST_DATA "/oracles/ssm/ssd_gradients.npz:";
        for (const auto& [rung, device] : {std::pair("reference", "cpu"), std::pair("recurrent", "cpu"),
                                           std::pair("chunked", "cpu"), std::pair("chunked", "vgpu")}) {
            QStringList arguments{"compute",          "ssd-backward", "--chunk",  "16",
                                  "--implementation", rung,           "--device", device};
            for (const char* name : {"x", "a", "b", "c", "dy"})
                arguments << QString("--%1").arg(name) << file + name;
            arguments << "--initial-state" << file + "initial"
                      << "--dinitial-state" << at("dinitial.npy");
            for (const char* name : {"dx", "da", "db", "dc"})
                arguments << QString("--%1").arg(name) << at((std::string(name) + ".npy").c_str());
            const Outcome outcome = call(arguments);
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            for (const char* name : {"dx", "da", "db", "dc", "dinitial"}) {
                const tensor::Tensor made = load(at((std::string(name) + ".npy").c_str())),
                                     expected = load(file + name);
                QVERIFY(made.shape == expected.shape && largestDifference(made, expected) < 1e-4);
            }
        }
    }

    void ssdTakesGroupsAndStatesOfAnyRank() { // in two parts, the second of which goes on
        const auto wave = [](int64_t count, float step) {
            std::vector<float> made(static_cast<size_t>(count));
            for (size_t i = 0; i < made.size(); ++i)
                made[i] = std::sin(step * static_cast<float>(i));
            return made;
        };
        const auto part = [](const std::vector<float>& all, int64_t from, int64_t to, int64_t width) {
            return std::vector<float>(all.begin() + from * width, all.begin() + to * width);
        };
        const auto x = wave(20 * 4 * 3, 0.7f), b = wave(20 * 2 * 5, 1.1f), c = wave(20 * 2 * 5, 1.9f);
        std::vector<float> a(20 * 4, -0.1f);
        const auto run = [&](int64_t from, int64_t to, bool batched, const QStringList& more) {
            const auto shape = [&](std::vector<int64_t> dims) {
                if (batched)
                    dims.insert(dims.begin(), 1);
                return dims;
            };
            const int64_t steps = to - from;
            const Outcome outcome =
                call(QStringList{"compute", "ssd", "--x", save("x.npy", shape({steps, 4, 3}), part(x, from, to, 12)),
                                 "--a", save("a.npy", shape({steps, 4}), part(a, from, to, 4)), "--b",
                                 save("b.npy", shape({steps, 2, 5}), part(b, from, to, 10)), "--c",
                                 save("c.npy", shape({steps, 2, 5}), part(c, from, to, 10))} +
                     more);
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        };
        run(0, 20, true, {"-o", at("whole.npy"), "--last-state", at("end.npy")});
        run(0, 8, false, {"-o", at("first.npy"), "--last-state", at("middle.npy")});
        run(8, 20, false,
            {"-o", at("second.npy"), "--initial-state", at("middle.npy"), "--last-state", at("last.npy")});
        const tensor::Tensor whole = load(at("whole.npy")), first = load(at("first.npy")),
                             second = load(at("second.npy"));
        QVERIFY(whole.shape == (std::vector<int64_t>{1, 20, 4, 3}) && second.shape == (std::vector<int64_t>{12, 4, 3}));
        std::vector<float> joined = first.values;
        joined.insert(joined.end(), second.values.begin(), second.values.end());
        QVERIFY(largestDifference({whole.shape, joined}, whole) < 1e-5);
        QVERIFY(load(at("end.npy")).shape == (std::vector<int64_t>{1, 4, 3, 5}));
        QVERIFY(largestDifference({{4, 3, 5}, load(at("end.npy")).values}, load(at("last.npy"))) < 1e-5);
    }

    void blocksThatAreVisibleAreAttention_data() { addDevices(); }
    void blocksThatAreVisibleAreAttention() {
        QFETCH(QString, device);
        std::vector<float> q, k, v;
        for (int i = 0; i < 40 * 8; ++i) {
            q.push_back(std::sin(static_cast<float>(i)));
            k.push_back(std::cos(static_cast<float>(3 * i)));
            v.push_back(std::sin(static_cast<float>(7 * i)));
        }
        const QString qs = save("q.npy", {40, 8}, q), ks = save("k.npy", {40, 8}, k), vs = save("v.npy", {40, 8}, v);
        const QStringList all{"--q", qs, "--k", ks, "--v", vs};
        const auto sparse = [&](const QString& mask, const char* o) {
            const Outcome outcome =
                call(QStringList{"compute", "block-sparse-attention"} + all +
                     QStringList{"--mask", mask, "--blockSize", "16", "-o", at(o), "--device", device});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        };
        sparse(save("ones.npy", {3, 3}, std::vector<float>(9, 1)), "whole.npy");
        QCOMPARE(call(QStringList{"compute", "attention"} + all + QStringList{"-o", at("dense.npy")}).exitCode, 0);
        QVERIFY(largestDifference(load(at("whole.npy")), load(at("dense.npy"))) < 1e-5);
        // The first block of keys alone is attention with these sixteen.
        sparse(save("first.npy", {3, 3}, {1, 0, 0, 1, 0, 0, 1, 0, 0}), "part.npy");
        k.resize(16 * 8);
        v.resize(16 * 8);
        const QString k16 = save("k16.npy", {16, 8}, k), v16 = save("v16.npy", {16, 8}, v);
        QCOMPARE(call({"compute", "attention", "--q", qs, "--k", k16, "--v", v16, "-o", at("cut.npy")}).exitCode, 0);
        QVERIFY(largestDifference(load(at("part.npy")), load(at("cut.npy"))) < 1e-5);
    }

    void selectiveScanGivesTheOracle_data() { addDevices(); }
    void selectiveScanGivesTheOracle() { // which has steps before channels
        QFETCH(QString, device);
        const QString file = WARPLIGHT_TEST_DATA "/oracles/ssm/selective_scan.npz:";
        const auto turned = [](const tensor::Tensor& x) {
            tensor::Tensor made{{1, x.shape[1], x.shape[0]}, {}};
            for (int64_t column = 0; column < x.shape[1]; ++column)
                for (int64_t step = 0; step < x.shape[0]; ++step)
                    made.values.push_back(x.values[static_cast<size_t>(step * x.shape[1] + column)]);
            return made;
        };
        QStringList arguments{"compute", "selective-scan", "--a", file + "A", "--d", file + "D"};
        for (const char* name : {"u", "delta", "B", "C", "z"}) {
            const tensor::Tensor t = turned(load(file + name));
            const std::string at = std::string(name) + ".npy";
            arguments << "--" + QString(name).toLower() << save(at.c_str(), t.shape, t.values);
        }
        arguments << "-o" << at("y.npy") << "--last-state" << at("last.npy") << "--device" << device;
        for (const char* implementation : {"fused", "unfused"}) {
            const Outcome outcome = call(arguments + QStringList{"--implementation", implementation});
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
            QVERIFY(largestDifference(load(at("y.npy")), turned(load(file + "y_gated"))) < 5e-6);
            tensor::Tensor last = load(file + "last_state");
            last.shape.insert(last.shape.begin(), 1);
            QVERIFY(largestDifference(load(at("last.npy")), last) < 5e-6);
        }
        // In two parts, the second from the state that the first left.
        const auto cut = [&](const char* name, int64_t begin, int64_t end) {
            const tensor::Tensor t = load(at((std::string(name) + ".npy").c_str()));
            std::vector<float> part;
            for (int64_t row = 0; row < t.shape[1]; ++row)
                part.insert(part.end(), t.values.begin() + static_cast<ptrdiff_t>(row * t.shape[2] + begin),
                            t.values.begin() + static_cast<ptrdiff_t>(row * t.shape[2] + end));
            return save((std::string(name) + "_part.npy").c_str(), {1, t.shape[1], end - begin}, part);
        };
        for (const auto& [begin, end] : {std::pair<int64_t, int64_t>(0, 20), std::pair<int64_t, int64_t>(20, 50)}) {
            QStringList some{"compute", "selective-scan", "--a", file + "A"};
            for (const char* name : {"u", "delta", "B", "C"})
                some << "--" + QString(name).toLower() << cut(name, begin, end);
            if (begin > 0)
                some << "--state" << at("carried.npy");
            some << "-o" << at("part.npy") << "--last-state" << at("carried.npy") << "--device" << device;
            const Outcome outcome = call(some);
            QVERIFY2(outcome.exitCode == 0, outcome.err.constData());
        }
        QVERIFY(largestDifference(load(at("carried.npy")), load(at("last.npy"))) < 5e-6);
    }

    void badInputIsOneSentenceAndWritesNothing_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("names");
        const QString o = at("never.npy"), file = oracles + "backward_causal.npz:";
        const QString two = save("two.npy", {2, 2}, {1, 2, 3, 4}),
                      three = save("three.npy", {3, 3}, std::vector<float>(9)),
                      cube = save("cube.npy", {2, 2, 2}, std::vector<float>(8));
        QTest::newRow("sides that do not meet")
            << QStringList{"matmul", "--a", two, "--b", three, "-o", o} << "three.npy: k is 3, expected 2 as in --a";
        QTest::newRow("too many dimensions")
            << QStringList{"softmax", "--x", cube, "-o", o} << "cube.npy: shape [2, 2, 2]";
        QTest::newRow("tensor cores want whole tiles")
            << QStringList{"matmul",           "--a", two, "--b", two, "-o", o, "--device", "vgpu", "--dtype", "f16",
                           "--implementation", "mma"}
            << "multiples of 64";
        QTest::newRow("gradient of another shape") << QStringList{"attention-backward",
                                                                  "--q",
                                                                  file + "q",
                                                                  "--k",
                                                                  file + "k",
                                                                  "--v",
                                                                  file + "v",
                                                                  "--do",
                                                                  two,
                                                                  "--dq",
                                                                  o,
                                                                  "--dk",
                                                                  at("never_k.npy"),
                                                                  "--dv",
                                                                  at("never_v.npy")}
                                                   << "two.npy";
        QTest::newRow("mask of other blocks")
            << QStringList{"block-sparse-attention", "--q", two, "--k", two, "--v", two, "--mask", three, "-o", o}
            << "--mask: 3 blocks of queries, expected 1";
        const QString rates = save("rates.npy", {3, 2}, std::vector<float>(6)),
                      steps = save("steps.npy", {1, 2, 2}, std::vector<float>(4));
        QTest::newRow("rates of other channels")
            << QStringList{"selective-scan",
                           "--u",
                           steps,
                           "--delta",
                           steps,
                           "--a",
                           rates,
                           "--b",
                           steps,
                           "--c",
                           steps,
                           "-o",
                           o}
            << "rates.npy: shape [3, 2], expected a row for each channel of u: [2, 2]";
        QTest::newRow("steps without a batch")
            << QStringList{"selective-scan", "--u", two, "--delta", two, "--a", two, "--b", two, "--c", two, "-o", o}
            << "two.npy: shape [2, 2], expected [batch, dim, len]";
        QTest::newRow("blocks that are not compiled")
            << QStringList{"block-sparse-attention",     "--q",         two,  "--k",      two,    "--v", two, "--mask",
                           save("one.npy", {1, 1}, {1}), "--blockSize", "48", "--device", "vgpu", "-o",  o}
            << "48";
        const auto ssd = [&](const QString& x, const QString& a, const QString& b, const QString& c) {
            return QStringList{"ssd", "--x", x, "--a", a, "--b", b, "--c", c, "-o", o};
        };
        const QString row = save("row.npy", {2}, {0, 0});
        QTest::newRow("X of one dimension") << ssd(row, row, two, two) << "[length, P]";
        QTest::newRow("decays of other steps") << ssd(two, two, two, two) << "two.npy: shape [2, 2], expected [2]";
        QTest::newRow("B of other steps")
            << ssd(two, row, three, two) << "three.npy: shape [3, 3], expected [2, groups, N]";
        QTest::newRow("C unlike B") << ssd(two, row, two, save("wide.npy", {2, 3}, std::vector<float>(6)))
                                    << "as many groups and numbers of a state as B has";
        QTest::newRow("groups that do not divide the heads")
            << ssd(save("x3.npy", {2, 3, 2}, std::vector<float>(12)), save("a3.npy", {2, 3}, std::vector<float>(6)),
                   cube, cube)
            << "2 groups of B and C for 3 heads";
        QTest::newRow("complex numbers of three parts")
            << QStringList{"lru", "--u", save("u3.npy", {2, 2, 3}, std::vector<float>(12)), "--nu", row, "--theta", row,
                           "-o",  o}
            << "a last dimension of 3, expected 2";
        QTest::newRow("an option that is no number")
            << QStringList{"attention", "--q", two, "--k", two, "--v", two, "--scale", "much", "-o", o} << "--scale";
    }
    void badInputIsOneSentenceAndWritesNothing() {
        QFETCH(QStringList, arguments);
        QFETCH(QString, names);
        const Outcome outcome = call(QStringList{"compute"} + arguments);
        QCOMPARE(outcome.exitCode, 2);
        QVERIFY2(outcome.err.contains(names.toUtf8()) && outcome.err.count('\n') == 1, outcome.err.constData());
        QVERIFY(QDir(folder.path()).entryList({"never*", "*.part*"}).isEmpty());
    }

    void aMaskThatNobodyCouldHoldIsRefused() {
        for (const char* device : {"cpu", "vgpu"}) {
            const Outcome outcome = call({"run", "block-sparse-attention.race", "--set", "seqLen=1048576", "--set",
                                          "block=16", "--device", device});
            QCOMPARE(outcome.exitCode, 2);
            QVERIFY2(outcome.err.contains("N = 1048576") && outcome.err.contains("expected at most 16777216"),
                     outcome.err.constData());
        }
    }

    void everyOperatorIsListedWithItsPages() {
        const Outcome outcome = call({"list", "operators", "--json"});
        QCOMPARE(outcome.exitCode, 0);
        QStringList found;
        for (const QJsonValue& op : QJsonDocument::fromJson(outcome.out).array())
            for (const QJsonValue& page : op["pages"].toArray()) {
                QStringList devices;
                for (const QJsonValue& device : page["devices"].toArray())
                    devices << device.toString();
                found << page["id"].toString() + ": " + devices.join(' ');
            }
        QStringList expected;
        const QStringList onCpuAlone{"linear-attention-backward"};
        for (const char* op : {"attention",
                               "attention-backward",
                               "block-sparse-attention",
                               "linear-attention",
                               "linear-attention-backward",
                               "sparse-attention",
                               "low-rank-attention",
                               "gau",
                               "selective-scan",
                               "selective-scan-backward",
                               "causal-conv",
                               "s4",
                               "hippo-memory",
                               "ssd",
                               "ssd-backward",
                               "scan",
                               "complex-scan",
                               "scan-backward",
                               "lru",
                               "rwkv4",
                               "rwkv6",
                               "softmax",
                               "matmul",
                               "cast",
                               "adamw"})
            if (onCpuAlone.contains(op))
                expected << QString("%1.race: cpu").arg(op) << QString("%1.accuracy: cpu").arg(op);
            else
                expected << QString("%1.race: cpu vgpu cuda").arg(op) << QString("%1.traffic: vgpu cuda").arg(op)
                         << QString("%1.accuracy: cpu vgpu cuda").arg(op);
        QCOMPARE(found, expected);
    }
};

QTEST_GUILESS_MAIN(ComputeOperatorsTest)
#include "compute_operators_test.moc"
