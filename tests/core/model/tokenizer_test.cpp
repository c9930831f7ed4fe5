// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2's tokenizer against transformers' on strings that are hard on it (tests/oracles/gpt/make_bpe.py).
#include "core/error.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/byte_symbols.h"
#include "core/model/pair_merges.h"
#include "core/text/echo.h"

#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

using namespace warplight;
using namespace warplight::model;
using nlohmann::json;

namespace {

std::string fixture(const char* name) {
    QFile in(QStringLiteral(WARPLIGHT_TEST_DATA "/oracles/gpt/bpe/") + name);
    return in.open(QIODevice::ReadOnly) ? in.readAll().toStdString() : std::string();
}

QString sentence(const std::function<void()>& load) {
    try {
        load();
    } catch (const InputError& error) {
        return error.what();
    }
    return "nothing was refused";
}

std::unique_ptr<Tokenizer> read(bool fromOneFile) {
    return bpeTokenizer(fromOneFile
                            ? bpeOfTokenizer(fixture("tokenizer.json"), "tokenizer.json")
                            : bpeOfVocabulary(fixture("vocab.json"), "vocab.json", fixture("merges.txt"), "merges.txt"),
                        "x");
}

} // namespace

class TokenizerTest : public QObject {
    Q_OBJECT

  private slots:
    void tokensAreTransformers_data() {
        QTest::addColumn<bool>("fromOneFile");
        QTest::newRow("tokenizer.json") << true;
        QTest::newRow("vocab.json and merges.txt") << false;
    }
    void tokensAreTransformers() {
        QFETCH(bool, fromOneFile);
        const auto tokenizer = read(fromOneFile);
        const json oracle = json::parse(fixture("cases.json"));
        QCOMPARE(tokenizer->vocabulary(), oracle["vocabulary"].get<int64_t>());
        QVERIFY(oracle["cases"].size() > 300);
        for (const json& one : oracle["cases"]) {
            const auto text = one["text"].get<std::string>();
            const auto found = tokenizer->encode(text);
            QVERIFY2(found == one["ids"].get<std::vector<int32_t>>(), one.dump().substr(0, 300).c_str());
            QVERIFY(asUtf8(tokenizer->decode(found)) == one["decoded"].get<std::string>());
        }
    }

    void bytesAreCharactersAndBack() {
        std::set<std::string> all;
        std::string text, bytes;
        for (int byte = 0; byte < 256; ++byte) {
            all.insert(symbolOf(static_cast<uint8_t>(byte)));
            text += symbolOf(static_cast<uint8_t>(byte));
            bytes += static_cast<char>(byte);
        }
        QCOMPARE(all.size(), size_t{256});
        QVERIFY(bytesOfSymbols(text) == bytes);
        QVERIFY(symbolOf(' ') == "\u0120" && symbolOf('\n') == "\u010a" && symbolOf('a') == "a");
        for (const char* none : {" ", "\n", "\u0144", "\u4e00", "a\xc4", "\xff", "\u00ad"})
            QVERIFY(!bytesOfSymbols(none));
    }

    /// Of pairs that overlap the leftmost merges first, and what a merge makes can merge again.
    void pairsMergeInTheirOrder() {
        PairMerges merges;
        merges.add(1, 1, 2);
        merges.add(2, 1, 3);
        merges.add(2, 2, 4);
        std::vector<int32_t> tokens{1, 1, 1, 1, 1};
        merges.apply(tokens);
        QVERIFY((tokens == std::vector<int32_t>{2, 3}));
        tokens = {};
        merges.apply(tokens);
        QVERIFY(tokens.empty());
    }

    void noTextTakesLong() {
        const auto tokenizer = read(false);
        std::string text;
        for (const char* piece : {"a", "\xff", "\n", " ", "'", "7", "e"})
            for (int i = 0; i < 200'000; ++i)
                text += piece;
        QElapsedTimer timer;
        timer.start();
        const auto tokens = tokenizer->encode(text);
        QVERIFY(!tokens.empty() && asUtf8(text) == tokenizer->decode(tokens));
        QVERIFY2(timer.elapsed() < 20000, qPrintable(QString::number(timer.elapsed())));
    }

    void damagedFilesAreNamed() {
        const std::string vocabulary = fixture("vocab.json"), merges = fixture("merges.txt");
        const auto both = [&](const std::string& v, const std::string& m) {
            return sentence([&] { bpeTokenizer(bpeOfVocabulary(v, "vocab.json", m, "merges.txt"), "vocab.json"); });
        };
        QVERIFY(both("[]", merges).startsWith("vocab.json: is no JSON object"));
        QVERIFY(both("{\"a\": -1}", merges).contains("number of token 'a' is -1"));
        QVERIFY(both("{\"a\": 99999999}", merges).contains("99999999"));
        QVERIFY(both("{\"a\": 1, \"b\": 1}", merges).contains("as another one"));
        QVERIFY(both("{\"a\": 1}", merges).contains("for the byte 0"));
        QVERIFY(both(vocabulary, merges + "abc\n").contains("merges.txt, line "));
        QVERIFY(both(vocabulary, "a  b\n").contains("line 1"));
        QVERIFY(both(vocabulary, "q zz\n").contains("no token 'zz'"));
        QVERIFY(both(vocabulary, "q q\n").contains("no token 'qq'"));
        QVERIFY(both(vocabulary, "\xff \x01\n").contains("expected"));
        const auto whole = [&](const std::function<void(json&)>& change) {
            json j = json::parse(fixture("tokenizer.json"));
            change(j);
            return sentence([&] { bpeTokenizer(bpeOfTokenizer(j.dump(), "tokenizer.json"), "tokenizer.json"); });
        };
        QVERIFY(whole([](json& j) { j["model"]["type"] = "Unigram"; }).contains("model is Unigram"));
        QVERIFY(whole([](json& j) { j["pre_tokenizer"] = nullptr; }).contains("pre_tokenizer is missing"));
        QVERIFY(whole([](json& j) { j["normalizer"] = {{"type", "NFC"}}; }).contains("normalizer is NFC"));
        QVERIFY(whole([](json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }).contains("add_prefix_space"));
        QVERIFY(whole([](json& j) { j["model"].erase("merges"); }).contains("model.merges is missing"));
        QVERIFY(whole([](json& j) { j["model"]["merges"][3] = 7; }).contains("model.merges[3]"));
        QVERIFY(whole([](json& j) { j["added_tokens"][0].erase("id"); }).contains("added_tokens"));
        QVERIFY(whole([](json& j) { j["model"] = 3; }).contains("model is of no type"));
    }

    void aFoldersTokenizerHasToFitItsModel() {
        QTemporaryDir folder;
        for (const char* name : {"vocab.json", "merges.txt"}) {
            QFile out(folder.filePath(name));
            QVERIFY(out.open(QIODevice::WriteOnly));
            out.write(QByteArray::fromStdString(fixture(name)));
        }
        const std::string at = folder.path().toStdString();
        QCOMPARE(tokenizerOf(at, 640)->encode(" the").size(), size_t{1});
        QCOMPARE(tokenizerOf(at, 700)->vocabulary(), 640);
        QVERIFY(sentence([&] { tokenizerOf(at, 256); }).contains("has 640 tokens, expected at most 256"));
        QFile::remove(folder.filePath("merges.txt"));
        QVERIFY(sentence([&] { tokenizerOf(at, 640); }).contains("merges.txt"));
    }
};

QTEST_GUILESS_MAIN(TokenizerTest)
#include "tokenizer_test.moc"
