// SPDX-License-Identifier: GPL-3.0-or-later
// Forward and backward passes against PyTorch in double precision (tests/oracles/gpt/tiny_gpt2.npz) and, for other
// shapes, against plain loops and differences of their loss.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/model/network.h"
#include "reference_gpt.h"

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace warplight;
using model::Config;
using model::Model;
using model::Network;

namespace {

tensor::Tensor oracle(const std::string& key) {
    return formats::loadTensor(std::string(WARPLIGHT_TEST_DATA "/oracles/gpt/tiny_gpt2.npz:") + key);
}

std::vector<int32_t> integers(const tensor::Tensor& tensor) { return {tensor.values.begin(), tensor.values.end()}; }

/// The largest difference, relative to the largest of the expected numbers.
double worst(std::span<const float> found, std::span<const float> expected) {
    double difference = found.size() == expected.size() ? 0 : INFINITY, largest = 0;
    for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
        const double d = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
        difference = std::isnan(d) ? INFINITY : std::max(difference, d);
        largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
    }
    return difference / largest;
}

/// A model of odd sizes in which no weight is what initialisation makes of it, and tokens for it.
struct Odd {
    Config config{.vocabulary = 19, .context = 9, .features = 15, .layers = 3, .heads = 3, .hidden = 37};
    Model model{config};
    int64_t batch = 2, length = 7;
    std::vector<int32_t> tokens, targets;

    Odd() {
        std::mt19937 random(4);
        std::normal_distribution<float> normal(0, 0.4f);
        std::uniform_int_distribution<int32_t> token(0, 18);
        for (float& w : model.weights.all())
            w = normal(random);
        for (int i = 0; i < batch * length; ++i) {
            tokens.push_back(token(random));
            targets.push_back(token(random));
        }
    }
};

} // namespace

class NetworkTest : public QObject {
    Q_OBJECT

    static std::unique_ptr<Model> oracleModel() {
        const auto tokens = oracle("param:wte.weight"), positions = oracle("param:wpe.weight");
        Config config{.vocabulary = tokens.shape[0],
                      .context = positions.shape[0],
                      .features = tokens.shape[1],
                      .layers = 2,
                      .heads = static_cast<int64_t>(oracle("n_head").values[0]),
                      .hidden = 4 * tokens.shape[1]};
        auto model = std::make_unique<Model>(config);
        for (const auto& place : model->layout.places()) {
            const tensor::Tensor loaded = oracle("param:" + place.name);
            if (loaded.shape != place.shape)
                QTest::qFail(place.name.c_str(), __FILE__, __LINE__);
            std::copy(loaded.values.begin(), loaded.values.end(), model->weights[place].begin());
        }
        return model;
    }

  private slots:
    void equalsDoublePrecision() {
        const auto model = oracleModel();
        const auto tokens = oracle("tokens");
        Network network(*model, tokens.shape[0], tokens.shape[1], true);
        model::ParameterBuffer gradients(model->layout);
        std::fill(gradients.all().begin(), gradients.all().end(), 7.0f); // what was there is replaced
        const auto logits = network.forward(integers(tokens));
        const double error = worst(logits, oracle("logits").values);
        QVERIFY2(error < 2e-6, qPrintable(QString::number(error)));
        const auto targets = integers(oracle("targets"));
        const double expected = static_cast<double>(oracle("loss").values[0]);
        QVERIFY(std::fabs(network.loss(targets) - expected) < 1e-6 * expected);
        QVERIFY(std::fabs(network.backward(targets, gradients) - expected) < 1e-6 * expected);
        for (const auto& place : model->layout.places()) {
            const double off = worst(gradients[place], oracle("grad:" + place.name).values);
            QVERIFY2(off < 5e-6, qPrintable(QString("%1: %2").arg(place.name.c_str()).arg(off)));
        }
    }

    /// Four-point differences of a loss in double precision are exact to about 1e-10 here.
    void gradientsAreSlopesOfTheLoss() {
        Odd odd;
        Network network(odd.model, odd.batch, odd.length, true);
        model::ParameterBuffer gradients(odd.model.layout);
        network.forward(odd.tokens);
        const double loss = network.backward(odd.targets, gradients);
        test::ReferenceGpt reference(odd.model);
        const auto length = static_cast<size_t>(odd.length);
        QVERIFY(std::fabs(loss - reference.loss(odd.tokens, odd.targets, length)) < 1e-5);
        for (const auto& place : odd.model.layout.places()) {
            std::vector<float> slopes, found;
            for (int64_t i = 0; i < place.count; i += std::max<int64_t>(1, place.count / 7)) {
                double& weight = reference.weight(place.begin + i);
                const double before = weight, step = 1e-3;
                double at[4];
                for (int k = 0; k < 4; ++k) {
                    weight = before + (k < 2 ? k - 2 : k - 1) * step; // -2, -1, 1, 2
                    at[k] = reference.loss(odd.tokens, odd.targets, length);
                }
                weight = before;
                slopes.push_back(static_cast<float>((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)));
                found.push_back(gradients[place][static_cast<size_t>(i)]);
            }
            const double off = worst(found, slopes);
            QVERIFY2(off < 1e-4, qPrintable(QString("%1: %2").arg(place.name.c_str()).arg(off)));
        }
    }

    void bitsDoNotDependOnThreads() {
        const Config config{.vocabulary = 256, .context = 130, .features = 192, .layers = 2, .heads = 4, .hidden = 700};
        Model model(config);
        model::initialise(config, model.layout, model.weights, 1);
        std::mt19937 random(2);
        std::vector<int32_t> tokens(3 * 130);
        for (int32_t& token : tokens)
            token = static_cast<int32_t>(random() % 256);
        Network network(model, 3, 130, true);
        std::vector<float> first;
        double loss = 0;
        for (const int threads : {1, 2, 3}) {
            model::ParameterBuffer gradients(model.layout);
            network.forward(tokens, {threads});
            const double found = network.backward(tokens, gradients, {threads});
            const std::vector<float> all(gradients.all().begin(), gradients.all().end());
            if (first.empty()) {
                first = all;
                loss = found;
            }
            QVERIFY(all == first);
            QCOMPARE(found, loss);
        }
    }

    void withoutLearningThereIsLessMemoryAndTheSameResult() {
        Odd odd;
        Network learns(odd.model, odd.batch, odd.length, true), reads(odd.model, odd.batch, odd.length, false);
        QVERIFY(reads.activations().bytes() < learns.activations().bytes());
        const auto a = learns.forward(odd.tokens), b = reads.forward(odd.tokens);
        QVERIFY(std::equal(a.begin(), a.end(), b.begin(), b.end()));
        for (const bool learning : {true, false}) {
            const int64_t held = (learning ? learns : reads).activations().bytes();
            const int64_t said = model::activationBytes(odd.config, odd.batch, odd.length, learning);
            QVERIFY2(held == said, qPrintable(QString("%1 %2").arg(held).arg(said)));
        }
    }

    /// Gradients of activations come by name: those of biases are their sums over rows.
    void activationsAndTheirGradientsHaveNames() {
        Odd odd;
        Network network(odd.model, odd.batch, odd.length, true);
        model::ParameterBuffer gradients(odd.model.layout);
        network.forward(odd.tokens);
        std::map<std::string, std::vector<float>> seen;
        network.backward(odd.targets, gradients, {}, [&](const model::NamedView& view) {
            seen[std::string(view.name)] = {view.values.begin(), view.values.end()};
        });
        for (const auto& view : network.activations().views()) {
            QVERIFY2(seen.contains(std::string(view.name)), std::string(view.name).c_str());
            QCOMPARE(static_cast<int64_t>(view.values.size()), tensor::elementCount(view.shape));
            QCOMPARE(seen[std::string(view.name)].size(), view.values.size());
        }
        const auto sums = [&](const std::string& name, size_t width) {
            std::vector<float> sum(width);
            for (size_t i = 0; i < seen[name].size(); ++i)
                sum[i % width] += seen[name][i];
            return sum;
        };
        const auto of = [&](const char* name) { return gradients[*odd.model.layout.find(name)]; };
        QVERIFY(worst(sums("h.1.mlp.c_fc", 37), of("h.1.mlp.c_fc.bias")) < 1e-5);
        QVERIFY(worst(sums("h.2.ln_1", 15), of("h.2.ln_1.bias")) < 1e-5);
        QVERIFY(worst(sums("h.0.out", 15), of("h.0.mlp.c_proj.bias")) < 1e-5);
        QVERIFY(worst(sums("ln_f", 15), of("ln_f.bias")) < 1e-5);
    }

    void whatCannotBeComputedIsRefused() {
        Odd odd;
        QVERIFY_EXCEPTION_THROWN(Network(odd.model, 1, 10, false), InputError);
        QVERIFY_EXCEPTION_THROWN(Network(odd.model, 0, 5, false), InputError);
        Network network(odd.model, odd.batch, odd.length, false);
        QVERIFY_EXCEPTION_THROWN(network.forward(std::vector<int32_t>(3)), InputError);
        odd.tokens[4] = 19;
        QVERIFY_EXCEPTION_THROWN(network.forward(odd.tokens), InputError);
        odd.tokens[4] = -1;
        QVERIFY_EXCEPTION_THROWN(network.forward(odd.tokens), InputError);
        odd.tokens[4] = 0;
        std::atomic<bool> cancel{true};
        QVERIFY_EXCEPTION_THROWN(network.forward(odd.tokens, {0, &cancel}), Cancelled);
    }
};

QTEST_GUILESS_MAIN(NetworkTest)
#include "network_test.moc"
