// SPDX-License-Identifier: GPL-3.0-or-later
// What recipes round where, against plain loops in double precision from what the network itself stored before; the
// loss scaler in a run; which recipes learn where gradients are small; resuming.
#include "core/error.h"
#include "core/model/trainer.h"
#include "core/model/training_state.h"
#include "gpu/number/format.h"
#include "gpu/number/half.h"
#include "gpu/number/small_float.h"

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numbers>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::model;

namespace {

using Numbers = std::vector<double>;
using Rounded = std::function<double(double)>;

constexpr Config little{.vocabulary = 256, .context = 32, .features = 48, .layers = 2, .heads = 3, .hidden = 100};

Corpus rhyme(size_t tokens = 2000) {
    const std::string line = "one two three four five six seven eight nine ten\n";
    std::vector<int32_t> all;
    for (size_t i = 0; i < tokens; ++i)
        all.push_back(line[i % line.size()]);
    return {all, "rhyme"};
}

std::unique_ptr<Model> begun(const Config& config, uint64_t seed) {
    auto model = std::make_unique<Model>(config);
    initialise(config, model->layout, model->weights, seed);
    return model;
}

std::vector<float> trained(const Recipe& recipe, int threads = 1, std::vector<StepReport>* reports = nullptr) {
    const Corpus corpus = rhyme();
    const auto model = begun(little, recipe.seed);
    Trainer trainer(*model, corpus, recipe, {threads});
    while (!trainer.done()) {
        const StepReport report = trainer.step();
        if (reports)
            reports->push_back(report);
    }
    return {model->weights.all().begin(), model->weights.all().end()};
}

double toF16(double x) { return static_cast<double>(number::f16ToFloat(number::floatToF16(static_cast<float>(x)))); }
double toBf16(double x) { return static_cast<double>(number::bf16ToFloat(number::floatToBf16(static_cast<float>(x)))); }

/// A tensor as an 8-bit format with a scale of its own keeps it.
template <class Format>
Numbers scaled(const Numbers& x) {
    double largest = 0;
    for (const double v : x)
        largest = std::max(largest, std::fabs(v));
    const auto up = static_cast<float>(Format::largest) / static_cast<float>(largest);
    Numbers y;
    for (const double v : x)
        y.push_back(static_cast<double>(number::fromFloat8<Format>(
                        number::toFloat8<Format>(static_cast<double>(up * static_cast<float>(v))))) /
                    static_cast<double>(up));
    return y;
}

Numbers numbers(std::span<const float> x) { return {x.begin(), x.end()}; }

/// x [rows, in] · w [in, out], or · wᵀ with w [out, in].
Numbers product(const Numbers& x, const Numbers& w, size_t in, size_t out, bool transposed) {
    Numbers y(x.size() / in * out);
    for (size_t r = 0; r < x.size() / in; ++r)
        for (size_t o = 0; o < out; ++o)
            for (size_t i = 0; i < in; ++i)
                y[r * out + o] += x[r * in + i] * w[transposed ? o * in + i : i * out + o];
    return y;
}

/// xᵀ · dy.
Numbers outer(const Numbers& x, const Numbers& dy, size_t in, size_t out) {
    Numbers y(in * out);
    for (size_t r = 0; r < x.size() / in; ++r)
        for (size_t i = 0; i < in; ++i)
            for (size_t o = 0; o < out; ++o)
                y[i * out + o] += x[r * in + i] * dy[r * out + o];
    return y;
}

Numbers plus(Numbers x, const Numbers& bias) {
    for (size_t i = 0; i < x.size(); ++i)
        x[i] += bias[i % bias.size()];
    return x;
}

double gelu(double v) { return v / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v))); }

Numbers each(Numbers x, const Rounded& f) {
    std::transform(x.begin(), x.end(), x.begin(), f);
    return x;
}

/// Nearly all numbers are the expected ones to the last bit of what they are stored as: a sum in another order may
/// fall on the other side of a tie, and then they are one unit off.
QString differs(const Numbers& found, const Numbers& expected, double unit, double most = 0.01) {
    if (found.size() != expected.size())
        return "sizes";
    size_t off = 0;
    double largest = 0;
    for (const double e : expected)
        largest = std::max(largest, std::fabs(e));
    for (size_t i = 0; i < found.size(); ++i) {
        const double d = std::fabs(found[i] - expected[i]);
        if (!(d <= 1e-6 * std::fabs(expected[i]) + 1e-7 * largest))
            ++off;
        if (!(d <= 1.01 * unit * std::fabs(expected[i]) + 0x1p-24 + 1e-6 * largest))
            return QString("%1: %2, expected %3").arg(i).arg(found[i]).arg(expected[i]);
    }
    return static_cast<double>(off) <= most * static_cast<double>(found.size()) + 1 ? QString()
                                                                                    : QString("%1 off").arg(off);
}

/// One step of a recipe, and all that it stored.
struct Stored {
    explicit Stored(const Recipe& recipe)
        : model(begun(little, 3)), before(model->weights.all().begin(), model->weights.all().end()) {
        const Corpus corpus = rhyme();
        Trainer trainer(*model, corpus, recipe, {2});
        trainer.watchGradients([this](const NamedView& v) { gradients[std::string(v.name)] = numbers(v.values); });
        report = trainer.step();
        for (const NamedView& v : trainer.activations().views())
            activations[std::string(v.name)] = numbers(v.values);
        for (const NamedView& v : report.gradients)
            weightGradients[std::string(v.name)] = numbers(v.values);
    }

    Numbers weight(const std::string& name) const {
        const ParameterPlace& place = *model->layout.find(name);
        return {before.begin() + place.begin, before.begin() + place.begin + place.count};
    }

    std::unique_ptr<Model> model;
    std::vector<float> before;
    std::map<std::string, Numbers> activations, gradients, weightGradients;
    StepReport report;
};

} // namespace

#define SAME(found, expected, unit)                                                                                    \
    {                                                                                                                  \
        const QString difference = differs(found, expected, unit);                                                     \
        QVERIFY2(difference.isEmpty(), qPrintable(difference));                                                        \
    }

class PrecisionRecipesTest : public QObject {
    Q_OBJECT

  private slots:
    void whatIsStoredIsRounded_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"f16", "f16-static", "bf16"})
            QTest::newRow(name) << QString(name);
    }

    /// From what a layer really had as its input, in double precision, and then rounded.
    void whatIsStoredIsRounded() {
        QFETCH(QString, name);
        const bool half = name != "bf16";
        const Rounded to = half ? Rounded(toF16) : Rounded(toBf16);
        const double unit = half ? 0x1p-10 : 0x1p-7;
        const Recipe recipe{.steps = 9, .batch = 2, .warmup = 0, .precision = precisionByName(name.toStdString())};
        Stored s(recipe);
        const double scale = name == "f16-static" ? 1024 : 1;
        QCOMPARE(s.report.lossScale, scale);
        const size_t f = 48, hidden = 100;
        for (auto& [what, values] : s.activations)
            QVERIFY2(values == each(values, to), what.c_str());
        for (auto& [what, values] : s.gradients)
            QVERIFY2(values == each(values, to), what.c_str());
        for (auto& [what, values] : s.weightGradients) { // kept without the scale
            const Numbers g = each(values, [&](double v) { return v * scale; });
            QVERIFY2(g == each(g, to), what.c_str());
        }
        const auto weight = [&](const std::string& what) { return each(s.weight(what), to); };
        const auto layer = [&](const char* what) { return std::string("h.1.") + what; };
        auto &a = s.activations, &g = s.gradients;
        const Numbers up = plus(product(a[layer("ln_2")], weight(layer("mlp.c_fc.weight")), f, hidden, false),
                                weight(layer("mlp.c_fc.bias")));
        SAME(a[layer("mlp.c_fc")], each(up, to), unit);
        SAME(a[layer("mlp.act")], each(each(a[layer("mlp.c_fc")], gelu), to), unit);
        Numbers out = plus(product(a[layer("mlp.act")], weight(layer("mlp.c_proj.weight")), hidden, f, false),
                           weight(layer("mlp.c_proj.bias")));
        for (size_t i = 0; i < out.size(); ++i)
            out[i] += a[layer("middle")][i];
        SAME(a[layer("out")], each(out, to), unit);
        SAME(g[layer("mlp.act")],
             each(product(g[layer("out")], weight(layer("mlp.c_proj.weight")), f, hidden, true), to), unit);
        SAME(g[layer("ln_2")],
             each(product(g[layer("mlp.c_fc")], weight(layer("mlp.c_fc.weight")), hidden, f, true), to), unit);
        SAME(g["ln_f"], each(product(g["logits"], each(s.weight("wte.weight"), to), 256, f, false), to), unit);
        SAME(each(s.weightGradients[layer("mlp.c_fc.weight")], [&](double v) { return v * scale; }),
             each(outer(a[layer("ln_2")], g[layer("mlp.c_fc")], f, hidden), to), unit);
        // Master weights are not rounded.
        size_t rounded = 0;
        for (const float w : s.model->weights.all())
            rounded += static_cast<double>(w) == to(static_cast<double>(w));
        QVERIFY(rounded < s.before.size() / 4);
    }

    void productsOfFp8TakeEightBits() {
        Stored s({.steps = 9, .batch = 2, .warmup = 0, .precision = Precision::FP8});
        const size_t f = 48, hidden = 100;
        auto &a = s.activations, &g = s.gradients;
        const double e4m3 = 0x1p-3;
        SAME(a["h.1.mlp.act"], scaled<number::E4M3>(each(a["h.1.mlp.c_fc"], gelu)), e4m3);
        const Numbers up =
            plus(product(a["h.1.ln_2"], scaled<number::E4M3>(s.weight("h.1.mlp.c_fc.weight")), f, hidden, false),
                 s.weight("h.1.mlp.c_fc.bias"));
        SAME(a["h.1.mlp.c_fc"], up, 1e-5);
        const Numbers dOut = scaled<number::E5M2>(g["h.1.out"]);
        SAME(g["h.1.mlp.act"], product(dOut, scaled<number::E4M3>(s.weight("h.1.mlp.c_proj.weight")), f, hidden, true),
             1e-5);
        SAME(s.weightGradients["h.1.mlp.c_proj.weight"], outer(a["h.1.mlp.act"], dOut, hidden, f), 1e-5);
        QVERIFY(g["h.1.out"] != dOut); // the residual stream keeps its own
    }

    /// Of the gradients that the steps saw, as they would be without rounding.
    void weightsAloneAreStoredRounded() {
        std::vector<StepReport> reports;
        const Recipe recipe{.steps = 8, .batch = 2, .rate = 1e-5, .warmup = 0, .precision = Precision::F16NoMaster};
        for (const float w : trained(recipe, 1, &reports))
            QCOMPARE(static_cast<double>(w), toF16(static_cast<double>(w)));
        // Normalisation begins with 1, where f16's steps are 2^-11 and 2^-10: of updates of 1e-5 none arrives, and
        // weights of 0.02 have steps of 2^-16.
        QVERIFY(reports.back().updates.lostShare() > 0.3);
        QVERIFY(reports.back().updates.wanted > 50'000);
        for (const float w :
             trained({.steps = 8, .batch = 2, .rate = 1e-5, .warmup = 0, .precision = Precision::BF16Stochastic}, 1,
                     &reports))
            QCOMPARE(static_cast<double>(w), toBf16(static_cast<double>(w)));
        QVERIFY(reports.back().updates.lostShare() > 0.3); // but others move by a whole step
        trained({.steps = 8, .batch = 2, .rate = 1e-5, .warmup = 0}, 1, &reports);
        QVERIFY(reports.back().updates.lostShare() < 0.001);
    }

    void stochasticRoundingIsRightInTheMean() {
        for (const float share : {0.25f, 0.5f, 0.9f, 0.0f}) {
            std::vector<float> w(80'000, -(1 + share * 0x1p-7f));
            roundStochastically(4, 7, 0, w.data(), static_cast<int64_t>(w.size()));
            double up = 0;
            for (const float x : w) {
                QVERIFY(x == -1 || x == -1.0078125f);
                up += x != -1;
            }
            QVERIFY(std::fabs(up / 80'000 - static_cast<double>(share)) < 0.01);
        }
        std::vector<float> a(64, 1.003f), b(a), other(a);
        roundStochastically(4, 7, 0, a.data(), 64);
        roundStochastically(4, 7, 0, b.data(), 32); // in pieces, the same
        roundStochastically(4, 7, 32, b.data() + 32, 32);
        roundStochastically(4, 8, 0, other.data(), 64);
        QVERIFY(a == b && a != other);
    }

    /// A text of one sequence and a rate at which nothing moves: the largest gradient stays what it is.
    void theScalerSkipsAndGrows() {
        const Corpus corpus = rhyme(33);
        double largest = 0;
        Recipe recipe{.steps = 20, .batch = 1, .rate = 1e-12, .schedule = Schedule::Constant, .warmup = 0};
        {
            const auto model = begun(little, 1);
            Trainer trainer(*model, corpus, recipe);
            const auto look = [&](const NamedView& v) {
                for (const float g : v.values)
                    largest = std::max(largest, std::fabs(static_cast<double>(g)));
            };
            trainer.watchGradients(look);
            for (const NamedView& v : trainer.step().gradients)
                look(v);
        }
        const double fits = std::exp2(std::floor(std::log2(65520 / largest)));
        QVERIFY(largest * fits < 0.99 * 65520 && 2 * largest * fits > 1.01 * 65520); // rounding decides nothing
        recipe.precision = Precision::F16Dynamic;
        recipe.lossScale = 4 * fits;
        recipe.growthInterval = 4;
        const auto model = begun(little, 1);
        const std::vector<float> first(model->weights.all().begin(), model->weights.all().end());
        Trainer trainer(*model, corpus, recipe);
        for (const double times : {4, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1}) {
            const StepReport r = trainer.step();
            QCOMPARE(r.lossScale, times * fits);
            QCOMPARE(r.skipped, times > 1);
            QCOMPARE(r.rounded.infinite > 0, times > 1);
            QCOMPARE(r.updates.wanted > 0, times == 1);
            if (trainer.steps == 2)
                QVERIFY(std::equal(first.begin(), first.end(), model->weights.all().begin()));
        }
        QCOMPARE(trainer.optimizer.skipped, 4);
        recipe.precision = Precision::F16Static; // the same scale that nobody lowers
        const auto another = begun(little, 1);
        Trainer fixed(*another, corpus, recipe);
        QVERIFY_EXCEPTION_THROWN(fixed.step(), std::runtime_error);
    }

    /// With gradients of 2^-21 of their size: what f16 flushes to 0 is not learned.
    void smallGradientsNeedAScale() {
        std::map<std::string, double> last;
        std::map<std::string, StepReport> reports;
        for (const std::string& name : precisionNames()) {
            std::vector<StepReport> all;
            trained({.steps = 120,
                     .batch = 2,
                     .rate = 3e-3,
                     .warmup = 10,
                     .precision = precisionByName(name),
                     .lossScale = name == "f16-static" ? 0x1p16 : 0,
                     .gradientShift = 21},
                    0, &all);
            last[name] = all.back().loss;
            reports[name] = all.back();
            qInfo("%s: %g", name.c_str(), all.back().loss);
        }
        for (const char* learns : {"f16-static", "f16-dynamic", "bf16", "bf16-stochastic", "fp8"})
            QVERIFY2(last[learns] < 1.3 * last["f32"] + 0.2, learns);
        for (const char* fails : {"f16", "f16-no-master"}) {
            QVERIFY2(last[fails] > 2 * last["f32"] + 0.5, fails);
            QVERIFY(reports[fails].rounded.share(reports[fails].rounded.zeros) > 0.9);
        }
        QCOMPARE(reports["bf16"].rounded.zeroed, 0);
    }

    void bitsDoNotDependOnThreadsNorOnStops_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : precisionNames())
            QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }

    void bitsDoNotDependOnThreadsNorOnStops() {
        QFETCH(QString, name);
        const Recipe recipe{.steps = 10,
                            .batch = 2,
                            .seed = 9,
                            .warmup = 2,
                            .precision = precisionByName(name.toStdString()),
                            .lossScale = name == "f16-dynamic" ? 0x1p24 : 0,
                            .growthInterval = 3};
        std::vector<StepReport> reports;
        const auto whole = trained(recipe, 1, &reports);
        if (name == "f16-dynamic")
            QVERIFY(std::count_if(reports.begin(), reports.end(), [](const auto& r) { return r.skipped; }) >= 2);
        QVERIFY(whole == trained(recipe, 2));
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
        QVERIFY(state.recipe.precision == recipe.precision);
        Model model(state.config);
        Trainer trainer(model, corpus, state.recipe);
        resume(trainer, state, at);
        while (!trainer.done())
            trainer.step();
        QVERIFY(std::equal(whole.begin(), whole.end(), model.weights.all().begin()));
    }

    void recipesOfBeforeAreRead() {
        const Recipe recipe{.steps = 7};
        std::string text = recipeText(recipe);
        for (const char* later : {R"(,"precision":"f32")", R"("gradient_shift":0,)", R"("growth_interval":2000,)",
                                  R"("loss_scale":0.0,)"}) {
            QVERIFY2(text.find(later) != std::string::npos, later);
            text.erase(text.find(later), std::string(later).size());
        }
        QVERIFY(recipeFrom(text, "x") == recipe);
        QVERIFY_EXCEPTION_THROWN(recipeFrom(R"({"precision": 3,)" + text.substr(1), "x"), InputError);
        QVERIFY_EXCEPTION_THROWN(precisionByName("f17"), InputError);
    }

    void bytesAreThoseOfTheBuffers() {
        const ParameterLayout layout(little);
        const std::map<std::string, double> expected{
            {"f32", 16},  {"f16-no-master", 12},  {"f16", 16}, {"f16-static", 16}, {"f16-dynamic", 16},
            {"bf16", 16}, {"bf16-stochastic", 12}};
        for (const auto& [name, bytes] : expected)
            QCOMPARE(parameterBytes(precisionByName(name), layout).all(), bytes);
        // Of a layer 4 · 48² and 2 · 48 · 100 weights of products; f32 beside them 16.
        const double share = 2.0 * (4 * 48 * 48 + 2 * 48 * 100) / static_cast<double>(layout.count());
        QVERIFY(std::fabs(parameterBytes(Precision::FP8, layout).all() - 16 - share) < 1e-9);
    }
};

QTEST_GUILESS_MAIN(PrecisionRecipesTest)
#include "precision_recipes_test.moc"
