// SPDX-License-Identifier: GPL-3.0-or-later
// The optimizer against AdamW's equations in double precision; training learns, and its bits depend on nothing but
// model, text and recipe.
#include "core/error.h"
#include "core/model/generate.h"
#include "core/model/model_folder.h"
#include "core/model/trainer.h"
#include "core/model/training_state.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::model;

namespace {

constexpr Config little{.vocabulary = 256, .context = 32, .features = 48, .layers = 2, .heads = 3, .hidden = 100};

Corpus rhyme() {
    const std::string line = "one two three four five six seven eight nine ten\n";
    std::vector<int32_t> tokens;
    for (int i = 0; i < 2000; ++i)
        tokens.push_back(line[static_cast<size_t>(i) % line.size()]);
    return {tokens, "rhyme"};
}

std::unique_ptr<Model> begun(const Config& config, uint64_t seed) {
    auto model = std::make_unique<Model>(config);
    initialise(config, model->layout, model->weights, seed);
    return model;
}

std::vector<float> bits(const Model& model) { return {model.weights.all().begin(), model.weights.all().end()}; }

std::vector<float> trained(const Recipe& recipe, int threads, std::vector<double>* losses = nullptr) {
    const Corpus corpus = rhyme();
    const auto model = begun(little, recipe.seed);
    Trainer trainer(*model, corpus, recipe, {threads});
    while (!trainer.done()) {
        const StepReport report = trainer.step();
        if (losses)
            losses->push_back(report.loss);
    }
    return bits(*model);
}

} // namespace

class TrainingTest : public QObject {
    Q_OBJECT

  private slots:
    void stepsAreAdamWs() {
        const Config config{.vocabulary = 5, .context = 3, .features = 6, .layers = 1, .heads = 2, .hidden = 7};
        Model model(config);
        ParameterBuffer gradients(model.layout);
        AdamW optimizer(model.layout);
        Recipe recipe{.steps = 9, .rate = 0.01, .schedule = Schedule::Constant, .warmup = 2, .clip = 3};
        std::mt19937 random(1);
        std::normal_distribution<float> normal;
        const size_t count = model.weights.all().size();
        std::vector<double> w(count), m(count), v(count);
        for (const ParameterPlace& place : model.layout.places())
            for (float& weight : model.weights[place])
                weight = normal(random);
        std::copy(model.weights.all().begin(), model.weights.all().end(), w.begin());
        for (int step = 0; step < 9; ++step) {
            double squares = 0;
            for (const ParameterPlace& place : model.layout.places())
                for (float& g : gradients[place]) {
                    g = normal(random) * (step < 4 ? 1.0f : 0.01f); // clipped, and not
                    squares += static_cast<double>(g) * static_cast<double>(g);
                }
            const double norm = optimizer.gradientNorm(gradients, {});
            QVERIFY(std::fabs(norm - std::sqrt(squares)) < 1e-6 * norm);
            optimizer.step(recipe, step, norm, gradients, model.weights, {});
            const double rate = step == 0 ? 0.005 : 0.01;
            for (const ParameterPlace& place : model.layout.places())
                for (int64_t k = place.begin; k < place.begin + place.count; ++k) {
                    const auto i = static_cast<size_t>(k);
                    const double g = static_cast<double>(gradients.all()[i]) * std::min(1.0, 3 / std::sqrt(squares));
                    m[i] = 0.9 * m[i] + 0.1 * g;
                    v[i] = 0.95 * v[i] + 0.05 * g * g;
                    const double update = m[i] / (1 - std::pow(0.9, step + 1)) /
                                          (std::sqrt(v[i] / (1 - std::pow(0.95, step + 1))) + 1e-8);
                    w[i] -= rate * (update + (place.shape.size() > 1 ? 0.1 * w[i] : 0));
                }
        }
        for (size_t i = 0; i < count; ++i)
            QVERIFY(std::fabs(static_cast<double>(model.weights.all()[i]) - w[i]) < 2e-6);
    }

    void sequencesAreOfTheTextAndDifferByStepAndRow() {
        std::vector<int32_t> counting;
        for (int32_t i = 0; i < 5000; ++i)
            counting.push_back(i);
        const Corpus corpus(counting, "counting");
        std::vector<int32_t> tokens(4 * 20), targets(tokens.size());
        std::set<int32_t> begins;
        for (const uint64_t seed : {uint64_t{1}, uint64_t{1} << 40})
            for (const int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 33}) {
                corpus.sequences(seed, step, 20, tokens, targets);
                for (size_t row = 0; row < 4; ++row) {
                    begins.insert(tokens[row * 20]);
                    for (size_t i = 0; i < 20; ++i) {
                        QCOMPARE(tokens[row * 20 + i], tokens[row * 20] + static_cast<int32_t>(i));
                        QCOMPARE(targets[row * 20 + i], tokens[row * 20 + i] + 1);
                    }
                }
            }
        QVERIFY(begins.size() >= 22); // of 24, which may meet by chance
        const Corpus shortest({0, 1, 2}, "shortest");
        std::vector<int32_t> two(2), after(2);
        shortest.sequences(1, 0, 2, two, after);
        QVERIFY((after == std::vector<int32_t>{1, 2}));
        QVERIFY_EXCEPTION_THROWN(shortest.sequences(1, 0, 3, tokens, targets), InputError);
    }

    void ratesRiseAndFallAsACosine() {
        const Recipe recipe{.steps = 110, .rate = 2, .warmup = 10, .lastRate = 0.25};
        QCOMPARE(rateAt(recipe, 0), 0.2);
        QCOMPARE(rateAt(recipe, 9), 2.0);
        QCOMPARE(rateAt(recipe, 10), 2.0);
        QCOMPARE(rateAt(recipe, 60), 1.25);
        QCOMPARE(rateAt(recipe, 110), 0.5);
        QCOMPARE(rateAt({.rate = 3, .schedule = Schedule::Constant, .warmup = 0}, 500), 3.0);
    }

    void aTextIsLearnedByHeart() {
        std::vector<double> losses;
        trained({.steps = 500, .batch = 4, .seed = 3, .rate = 3e-3, .warmup = 20}, 1, &losses);
        QVERIFY(std::fabs(losses.front() - std::log(256.0)) < 0.2); // nothing is known yet
        QVERIFY2(losses.back() < 0.3, qPrintable(QString::number(losses.back())));
    }

    void bitsDoNotDependOnThreads() {
        const Recipe recipe{.steps = 12, .batch = 3, .seed = 5, .warmup = 2};
        const auto first = trained(recipe, 1);
        QVERIFY(first == trained(recipe, 2));
        QVERIFY(first == trained(recipe, 3));
        QVERIFY(first != trained({.steps = 12, .batch = 3, .seed = 6, .warmup = 2}, 1));
    }

    void aResumedRunIsTheOneThatNeverStopped() {
        const Recipe recipe{.steps = 14, .batch = 2, .seed = 9, .warmup = 5};
        const auto whole = trained(recipe, 0);
        QTemporaryDir folder;
        const std::string at = folder.path().toStdString();
        const Corpus corpus = rhyme();
        {
            const auto model = begun(little, recipe.seed);
            Trainer trainer(*model, corpus, recipe);
            while (trainer.steps < 6)
                trainer.step();
            saveCheckpoint(trainer, at);
        }
        const TrainingState state = readTrainingState(at);
        QCOMPARE(state.steps, 6);
        Model model(state.config);
        Trainer trainer(model, corpus, state.recipe);
        resume(trainer, state, at);
        while (!trainer.done())
            trainer.step();
        QVERIFY(bits(model) == whole);
        const Corpus other({corpus.size() == 0 ? 0 : 1,
                            2,
                            3,
                            4,
                            5,
                            6,
                            7,
                            8,
                            9,
                            10,
                            11,
                            12,
                            13,
                            14,
                            15,
                            16,
                            17,
                            18,
                            19,
                            20,
                            21,
                            22,
                            23,
                            24,
                            25,
                            26,
                            27,
                            28,
                            29,
                            30,
                            31,
                            32,
                            33,
                            34},
                           "other");
        Trainer another(model, other, state.recipe);
        QVERIFY_EXCEPTION_THROWN(resume(another, state, at), InputError);
    }

    /// Every parameter's gradient is there under its name, with the norm that the report says.
    void pagesSeeGradients() {
        const Corpus corpus = rhyme();
        const auto model = begun(little, 1);
        Trainer trainer(*model, corpus, {.steps = 2, .batch = 2});
        int activations = 0;
        trainer.watchGradients([&](const NamedView&) { ++activations; });
        const StepReport report = trainer.step();
        QCOMPARE(report.gradients.size(), model->layout.places().size());
        double squares = 0;
        for (const NamedView& view : report.gradients) {
            QCOMPARE(static_cast<int64_t>(view.values.size()), model->layout.find(view.name)->count);
            for (const float g : view.values)
                squares += static_cast<double>(g) * static_cast<double>(g);
        }
        QVERIFY(std::fabs(std::sqrt(squares) - report.gradientNorm) < 1e-5 * report.gradientNorm);
        QCOMPARE(activations, static_cast<int>(trainer.activations().views().size()));
    }

    void whatCannotBeTrainedIsSaid() {
        const auto model = begun(little, 1);
        const Corpus corpus = rhyme(), brief({1, 2, 3}, "brief.txt");
        QVERIFY_EXCEPTION_THROWN(Trainer(*model, brief, {}), InputError);
        QVERIFY_EXCEPTION_THROWN(Trainer(*model, corpus, {.batch = 0}), InputError);
        QVERIFY_EXCEPTION_THROWN(Trainer(*model, corpus, {.length = 33}), InputError);
        QVERIFY_EXCEPTION_THROWN(Trainer(*model, corpus, {.rate = NAN}), InputError);
        std::atomic<bool> cancel{true};
        Trainer cancelled(*model, corpus, {}, {0, &cancel});
        QVERIFY_EXCEPTION_THROWN(cancelled.step(), Cancelled);
        model->weights.all()[3] = INFINITY;
        const auto before = bits(*model);
        Trainer diverged(*model, corpus, {.batch = 2});
        for (int i = 0; i < 60; ++i) // until the token of that weight comes
            try {
                diverged.step();
            } catch (const std::runtime_error&) {
                return;
            }
        QFAIL("a loss that is no number went by");
    }

    void memoryIsWhatWasSaid() {
        const Recipe recipe{.batch = 4, .length = 32};
        const Corpus corpus = rhyme();
        const auto model = begun(little, 1);
        Trainer trainer(*model, corpus, recipe);
        const int64_t held = trainer.activations().bytes() + 16 * model->layout.size();
        const int64_t said = trainingBytes(little, recipe, 0);
        QVERIFY(said >= held);
        QVERIFY(said < 2 * held);
    }
};

QTEST_GUILESS_MAIN(TrainingTest)
#include "training_test.moc"
