// SPDX-License-Identifier: GPL-3.0-or-later
// Models as folders: what transformers write is read, what is damaged is one sentence that names it.
#include "core/error.h"
#include "core/formats/tensor_file.h"
#include "core/model/generate.h"
#include "core/model/model_folder.h"
#include "core/model/network.h"
#include "core/model/tokenizer.h"
#include "core/model/training_state.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::model;
using nlohmann::json;

namespace {

constexpr Config sizes{.vocabulary = 256, .context = 8, .features = 12, .layers = 2, .heads = 3, .hidden = 48};

} // namespace

class ModelFolderTest : public QObject {
    Q_OBJECT
    QTemporaryDir temporary;
    int number = 0;

    std::string newFolder() {
        const QString name = temporary.filePath(QString::number(number++));
        QDir().mkpath(name);
        return name.toStdString();
    }

    static std::vector<float> all(const Model& model) {
        return {model.weights.all().begin(), model.weights.all().end()};
    }

    static void made(Model& model) { initialise(model.config, model.layout, model.weights, 3); }

    static void write(const std::string& file, const QByteArray& text) {
        QFile out(QString::fromStdString(file));
        if (!out.open(QIODevice::WriteOnly) || out.write(text) != text.size())
            QTest::qFail("cannot write", __FILE__, __LINE__);
    }
    static QByteArray read(const std::string& file) {
        QFile in(QString::fromStdString(file));
        return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
    }

    /// A folder whose tensors have been changed before they were written.
    std::string folderOf(const std::function<void(std::vector<formats::NamedTensor>&)>& change) {
        Model model(sizes);
        made(model);
        const std::string folder = newFolder();
        write(folder + "/config.json", QByteArray::fromStdString(configText(sizes)));
        std::vector<formats::NamedTensor> tensors;
        for (const ParameterPlace& place : model.layout.places()) {
            const auto values = model.weights[place];
            tensors.push_back({place.name, {place.shape, {values.begin(), values.end()}}, number::Format::F32});
        }
        change(tensors);
        write(folder + "/model.safetensors", QByteArray::fromStdString(formats::safetensorsBytes(tensors)));
        return folder;
    }

    static formats::NamedTensor& named(std::vector<formats::NamedTensor>& tensors, const std::string& name) {
        return *std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
    }

    /// The sentence that loading ends with.
    static QString sentence(const std::function<void()>& load) {
        try {
            load();
        } catch (const InputError& error) {
            return error.what();
        }
        return "nothing was refused";
    }
    static void refuses(const std::string& folder, const std::vector<const char*>& words) {
        const QString said = sentence([&] { loadModel(folder); });
        for (const char* word : words)
            QVERIFY2(said.contains(word) && !said.contains('\n'), qPrintable(said));
        QVERIFY2(said.contains("expected"), qPrintable(said));
    }

  private slots:
    void whatIsWrittenComesBack() {
        Model model(sizes);
        made(model);
        const std::string folder = newFolder() + "/not/there/yet";
        saveModel(folder, model);
        const auto loaded = loadModel(folder);
        QVERIFY(loaded->config == sizes);
        QVERIFY(all(*loaded) == all(model));
        QCOMPARE(formats::safetensorsMetadata(folder + "/model.safetensors").at("format"), std::string("pt"));
    }

    /// Tokens, logits and greedy continuation as transformers have them (tests/oracles/gpt/make_folder.py).
    void aFolderThatTransformersWroteIsTheirModel() {
        const std::string folder = WARPLIGHT_TEST_DATA "/oracles/gpt/folder";
        const auto expected = [&](const char* key) {
            return formats::loadTensor(folder + "/expected.npz:" + key).values;
        };
        const auto model = loadModel(folder);
        const auto tokens =
            tokenizerOf(folder, model->config.vocabulary)
                ->encode("The river's mill, gr\u00f6\u00dfer als \u6f22\u5b57 in 1984, isn't it?\n  ok");
        const auto theirs = expected("tokens");
        QVERIFY(std::equal(tokens.begin(), tokens.end(), theirs.begin(), theirs.end()));
        Network network(*model, 1, static_cast<int64_t>(tokens.size()), false);
        const auto logits = network.forward(tokens);
        const auto right = expected("logits");
        QCOMPARE(logits.size(), right.size());
        for (size_t i = 0; i < right.size(); ++i)
            QVERIFY(std::fabs(logits[i] - right[i]) < 1e-5f);
        const auto greedy = generate(*model, tokens, 20, {.greedy = true});
        const auto continued = expected("greedy");
        QVERIFY(std::equal(greedy.begin(), greedy.end(), continued.begin(), continued.end()));
    }

    /// Prefixes, masks as buffers, the embedding once more, f16, in shards.
    void othersFilesAreRead() {
        Model model(sizes);
        made(model);
        const auto prefixed = [&](std::vector<formats::NamedTensor>& tensors) {
            for (auto& t : tensors)
                t.name = "transformer." + t.name;
            auto head = named(tensors, "transformer.wte.weight");
            head.name = "lm_head.weight";
            tensors.push_back(head);
            tensors.push_back({"transformer.h.0.attn.bias", {{1, 1, 2, 2}, {1, 0, 1, 1}}, number::Format::F32});
            tensors.push_back({"transformer.h.1.attn.masked_bias", {{1}, {-10000}}, number::Format::F32});
        };
        QVERIFY(all(*loadModel(folderOf(prefixed))) == all(model));
        const auto half = loadModel(folderOf([](auto& tensors) {
            for (auto& t : tensors)
                t.dtype = number::Format::F16;
        }));
        for (size_t i = 0; i < all(model).size(); ++i)
            QVERIFY(std::fabs(all(*half)[i] - all(model)[i]) <= 0x1p-11f * std::fabs(all(model)[i]) + 0x1p-25f);
        const std::string sharded = folderOf([](auto&) {});
        QFile::rename(QString::fromStdString(sharded + "/model.safetensors"),
                      QString::fromStdString(sharded + "/one.safetensors"));
        json index;
        for (const ParameterPlace& place : model.layout.places())
            index["weight_map"][place.name] = "one.safetensors";
        write(sharded + "/model.safetensors.index.json", QByteArray::fromStdString(index.dump()));
        QVERIFY(all(*loadModel(sharded)) == all(model));
    }

    void damagedWeightsAreNamed() {
        refuses(folderOf([](auto& t) { t.erase(t.begin() + 5); }),
                {"model.safetensors", "h.0.attn.c_attn.bias", "missing", "[36]"});
        refuses(folderOf([](auto& t) {
                    named(t, "h.1.mlp.c_fc.weight").tensor.shape = {48, 12};
                }),
                {"h.1.mlp.c_fc.weight", "[48, 12]", "[12, 48]"});
        refuses(folderOf([](auto& t) { named(t, "wpe.weight").tensor.values[7] = NAN; }), {"wpe.weight", "NaN"});
        refuses(folderOf([](auto& t) { named(t, "ln_f.bias").tensor.values[0] = -INFINITY; }),
                {"ln_f.bias", "infinity"});
        refuses(folderOf([](auto& t) {
                    t.push_back({"h.2.ln_1.weight", {{1}, {1}}, number::Format::F32});
                }),
                {"h.2.ln_1.weight", "no layer"});
        refuses(folderOf([](auto& t) {
                    t.push_back({"transformer.wte.weight", {{1}, {1}}, number::Format::F32});
                }),
                {"wte.weight", "with and without"});
        refuses(folderOf([](auto& t) {
                    auto head = named(t, "wte.weight");
                    head.name = "lm_head.weight";
                    head.tensor.values[3] += 1;
                    t.push_back(head);
                }),
                {"lm_head.weight", "differs"});
        const std::string cut = folderOf([](auto&) {});
        const QByteArray whole = read(cut + "/model.safetensors");
        write(cut + "/model.safetensors", whole.left(whole.size() - 5));
        refuses(cut, {"model.safetensors", "bytes"});
        write(cut + "/model.safetensors", whole.left(100));
        refuses(cut, {"model.safetensors"});
        QFile::remove(QString::fromStdString(cut + "/model.safetensors"));
        refuses(cut, {"model.safetensors", "No such file"});
    }

    void wrongConfigurationsAreNamed_data() {
        QTest::addColumn<QString>("change");
        QTest::addColumn<QString>("named");
        const auto row = [](const char* change, const char* named) { QTest::newRow(change) << change << named; };
        row("{\"model_type\": \"llama\"}", "model_type is \"llama\"");
        row("{\"model_type\": null}", "model_type is missing");
        row("{\"n_layer\": null}", "n_layer is missing");
        row("{\"n_embd\": -3}", "n_embd is -3");
        row("{\"n_embd\": 1e300}", "n_embd is 1e+300");
        row("{\"n_embd\": 12.5}", "n_embd is 12.5");
        row("{\"n_head\": \"3\"}", "n_head is \"3\"");
        row("{\"n_head\": 5}", "n_head is 5");
        row("{\"n_layer\": 0}", "n_layer is 0");
        row("{\"n_layer\": 100000}", "n_layer is 100000");
        row("{\"vocab_size\": 1000000000000}", "vocab_size is 1000000000000");
        row("{\"layer_norm_epsilon\": \"small\"}", "layer_norm_epsilon is \"small\"");
        row("{\"layer_norm_epsilon\": 0}", "layer_norm_epsilon is 0");
        row("{\"activation_function\": \"relu\"}", "activation_function is \"relu\"");
        row("{\"tie_word_embeddings\": false}", "tie_word_embeddings is false");
        row("{\"scale_attn_by_inverse_layer_idx\": true}", "scale_attn_by_inverse_layer_idx is true");
    }
    void wrongConfigurationsAreNamed() {
        QFETCH(QString, change);
        QFETCH(QString, named);
        json config = json::parse(configText(sizes));
        config.update(json::parse(change.toStdString()));
        const QString said = sentence([&] { configFrom(config.dump(), "x/config.json"); });
        QVERIFY2(said.startsWith("x/config.json: ") && said.contains(named) && said.contains("expected"),
                 qPrintable(said));
    }

    void whatIsNoConfigurationIsRefused() {
        for (const char* text : {"", "[]", "{", "null", "\xff\xfe", "{\"model_type\": \"\xff\"}", "1e999"})
            QVERIFY(sentence([&] { configFrom(text, "x"); }).startsWith("x: "));
        json config = json::parse(configText(sizes));
        config["model_type"] = std::string(100000, 'a');
        const QString said = sentence([&] { configFrom(config.dump(), "x"); });
        QVERIFY(said.size() < 400);
        refuses(newFolder(), {"config.json", "No such file"});
        refuses("/nowhere", {"/nowhere", "no folder"});
    }

    void aTokenizerHasToFit() {
        const std::string folder = newFolder();
        QCOMPARE(tokenizerOf(folder, 256)->vocabulary(), 256);
        const QString said = sentence([&] { tokenizerOf(folder, 65); });
        QVERIFY2(said.contains("65") && said.contains("expected"), qPrintable(said));
    }

    void damagedTrainingFilesAreNamed() {
        const std::string folder = newFolder();
        QVERIFY(sentence([&] { readTrainingState(folder); }).contains("training.safetensors: is not there"));
        Model model(sizes);
        made(model);
        std::vector<int32_t> tokens(50, 1);
        const Corpus corpus(tokens, "ones");
        Trainer trainer(model, corpus, {.steps = 3, .batch = 1});
        trainer.step();
        saveCheckpoint(trainer, folder);
        const std::string file = folder + "/training.safetensors";
        const QByteArray whole = read(file);
        const TrainingState state = readTrainingState(folder);
        QCOMPARE(state.steps, 1);
        const auto altered = [&](const char* from, const char* to) {
            QByteArray text = whole;
            text.replace(from, to);
            QVERIFY(text != whole && text.size() == whole.size());
            write(file, text);
        };
        altered("\"steps\":\"1\"", "\"steps\":\"x\"");
        QVERIFY(sentence([&] { readTrainingState(folder); }).contains("'steps'"));
        altered("\\\"batch\\\":1", "\\\"batch\\\":0");
        QVERIFY(sentence([&] { readTrainingState(folder); }).contains("batch is 0"));
        altered("\\\"batch\\\":1", "\\\"baTch\\\":1");
        QVERIFY(sentence([&] { readTrainingState(folder); }).contains("'batch' of its recipe"));
        altered("adamw.first.ln_f.bias", "adamw.fIrst.ln_f.bias");
        QVERIFY(sentence([&] { resume(trainer, state, folder); }).contains("'ln_f.bias' is missing"));
        write(file, whole.left(whole.size() / 2));
        QVERIFY(sentence([&] { readTrainingState(folder); }).contains("bytes, expected"));
    }
};

QTEST_GUILESS_MAIN(ModelFolderTest)
#include "model_folder_test.moc"
