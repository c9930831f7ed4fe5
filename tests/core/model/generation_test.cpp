// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens that are chosen with kept keys and values against whole forward passes.
#include "core/error.h"
#include "core/model/decoder.h"
#include "core/model/generate.h"
#include "core/model/network.h"
#include "core/model/tokenizer.h"

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::model;

namespace {

constexpr Config odd{.vocabulary = 300, .context = 150, .features = 42, .layers = 3, .heads = 3, .hidden = 77};

std::unique_ptr<Model> wild(const Config& config) {
    auto model = std::make_unique<Model>(config);
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0, 0.3f);
    for (float& w : model->weights.all())
        w = normal(random);
    return model;
}

std::vector<int32_t> tokensOf(int count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<int32_t> tokens;
    for (int i = 0; i < count; ++i)
        tokens.push_back(static_cast<int32_t>(random() % 300));
    return tokens;
}

std::vector<float> lastLogits(const Model& model, const std::vector<int32_t>& tokens) {
    Network network(model, 1, static_cast<int64_t>(tokens.size()), false);
    const auto all = network.forward(tokens);
    return {all.end() - model.config.vocabulary, all.end()};
}

} // namespace

class GenerationTest : public QObject {
    Q_OBJECT

  private slots:
    /// In pieces of any length: one token, a few, more than are taken at once.
    void keptKeysGiveTheLogitsOfAWholePass() {
        const auto model = wild(odd);
        const auto tokens = tokensOf(150, 1);
        Decoder decoder(*model);
        size_t done = 0;
        for (const size_t piece : {size_t{1}, size_t{1}, size_t{5}, size_t{70}, size_t{2}, size_t{64}, size_t{7}}) {
            const auto found = decoder.append(std::span<const int32_t>(tokens).subspan(done, piece));
            done += piece;
            QCOMPARE(decoder.length(), static_cast<int64_t>(done));
            const auto expected =
                lastLogits(*model, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(done)});
            for (size_t i = 0; i < expected.size(); ++i)
                QVERIFY(std::fabs(found[i] - expected[i]) < 2e-4f);
        }
        QCOMPARE(done, tokens.size());
        QVERIFY_EXCEPTION_THROWN(decoder.append(std::vector<int32_t>{1}), InputError);
        decoder.clear();
        const auto again = decoder.append(std::vector<int32_t>{5});
        const auto expected = lastLogits(*model, {5});
        for (size_t i = 0; i < expected.size(); ++i)
            QVERIFY(std::fabs(again[i] - expected[i]) < 2e-4f);
    }

    void greedyIsTheLargestOfAWholePass() {
        const auto model = wild(odd);
        auto all = tokensOf(9, 2);
        const auto found = generate(*model, all, 60, {.greedy = true});
        for (const int32_t token : found) {
            const auto logits = lastLogits(*model, all);
            QCOMPARE(token, static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
            all.push_back(token);
        }
    }

    void bitsDoNotDependOnThreads() {
        const auto model =
            wild({.vocabulary = 2000, .context = 64, .features = 512, .layers = 2, .heads = 8, .hidden = 2048});
        const auto prompt = tokensOf(20, 3);
        const auto first = generate(*model, prompt, 30, {.seed = 5}, {1});
        QVERIFY(first == generate(*model, prompt, 30, {.seed = 5}, {2}));
        QVERIFY(first != generate(*model, prompt, 30, {.seed = 6}, {2}));
    }

    void whatGoesBeyondTheContextGoesOn() {
        const auto model = wild(odd);
        const auto prompt = tokensOf(200, 4);
        const auto found = generate(*model, prompt, 200, {.greedy = true});
        QCOMPARE(found.size(), size_t{200});
        const auto logits = lastLogits(*model, {prompt.end() - 150, prompt.end()});
        QCOMPARE(found[0], static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    }

    /// Frequencies against the probabilities of softmax.
    void samplesFollowTheLogits() {
        const std::vector<float> logits{0, 1, 2, -1};
        for (const double temperature : {0.5, 1.0, 2.0}) {
            Sampler sampler({.temperature = temperature, .seed = 11});
            std::vector<double> counts(4);
            constexpr int draws = 40000;
            for (int i = 0; i < draws; ++i)
                counts[static_cast<size_t>(sampler.next(logits))] += 1.0 / draws;
            double sum = 0;
            for (const float x : logits)
                sum += std::exp(static_cast<double>(x) / temperature);
            for (size_t i = 0; i < 4; ++i) {
                const double p = std::exp(static_cast<double>(logits[i]) / temperature) / sum;
                QVERIFY(std::fabs(counts[i] - p) < 5 * std::sqrt(p * (1 - p) / draws));
            }
        }
        Sampler two({.most = 2});
        std::set<int32_t> seen;
        for (int i = 0; i < 200; ++i)
            seen.insert(two.next(logits));
        QVERIFY((seen == std::set<int32_t>{1, 2}));
        QVERIFY_EXCEPTION_THROWN(Sampler({.temperature = 0}), InputError);
        QVERIFY_EXCEPTION_THROWN(Sampler({.most = -1}), InputError);
    }

    void anyBytesComeBack() {
        std::string text;
        for (int i = 0; i < 256; ++i)
            text += static_cast<char>(i);
        const auto tokenizer = byteTokenizer();
        const auto tokens = tokenizer->encode(text);
        QCOMPARE(tokens[255], 255);
        QVERIFY(tokenizer->decode(tokens) == text);
        QVERIFY(tokenizer->decode(std::vector<int32_t>{-1, 65, 256}) == "A");
    }
};

QTEST_GUILESS_MAIN(GenerationTest)
#include "generation_test.moc"
