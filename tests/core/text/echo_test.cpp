// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/echo.h"

#include <QTest>
#include <string>

#include <new>
#include <stdexcept>
#include <system_error>

using namespace warplight;

class EchoTest : public QObject {
    Q_OBJECT
  private slots:
    void shortValuesAreRepeatedAsTheyAre() {
        QCOMPARE(echoed("flash-packed"), std::string("flash-packed"));
        const std::string longest(longestEcho, 'x');
        QCOMPARE(echoed(longest), longest);
    }

    void longValuesAreCutAndTheirLengthIsTold() {
        const std::string value = echoed(std::string(1 << 20, 'x'));
        QCOMPARE(value, std::string(longestEcho, 'x') + "… (1048576 bytes)");
        QCOMPARE(echoed(std::string(longestEcho + 1, 'x')), std::string(longestEcho, 'x') + "… (201 bytes)");
    }

    void aCharacterIsNotCutInTwo() {
        std::string value = "x";
        for (int i = 0; i < 200; ++i)
            value += "é"; // two bytes each: the 200th byte is the first half of one
        const std::string cut = echoed(value);
        QVERIFY(isUtf8(cut));
        QVERIFY(cut.starts_with("xé") && cut.find("é…") != std::string::npos);
    }

    void bytesThatAreNoUtf8AreReplaced_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("text");
        QTest::newRow("lone continuation") << QByteArray("a\x80z") << "a\uFFFDz";
        QTest::newRow("cut") << QByteArray("a\xE2\x82") << "a\uFFFD\uFFFD";
        QTest::newRow("overlong") << QByteArray("\xC0\xAF") << "\uFFFD\uFFFD";
        QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << "\uFFFD\uFFFD\uFFFD";
        QTest::newRow("beyond Unicode") << QByteArray("\xF4\x90\x80\x80") << "\uFFFD\uFFFD\uFFFD\uFFFD";
        QTest::newRow("latin 1") << QByteArray("caf\xE9") << "caf\uFFFD";
        QTest::newRow("valid") << QByteArray("aé€😀") << "aé€😀";
    }
    void bytesThatAreNoUtf8AreReplaced() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, text);
        QCOMPARE(QString::fromStdString(asUtf8(bytes.toStdString())), text);
        QCOMPARE(isUtf8(bytes.toStdString()), !text.contains(QChar::ReplacementCharacter));
    }

    void everyExceptionIsASentence() {
        QVERIFY(sentenceOf(std::bad_alloc()).find("not enough memory") != std::string::npos);
        QVERIFY(sentenceOf(std::length_error("vector::_M_default_append")).find("memory") != std::string::npos);
        QVERIFY(sentenceOf(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)))
                    .find("threads") != std::string::npos);
        QCOMPARE(sentenceOf(std::runtime_error("the kernel said no")), std::string("the kernel said no"));
    }

    void wordsOfASentenceAreCutButNotTheSentence() {
        std::string many;
        for (int i = 0; i < 500; ++i)
            many += "word ";
        QCOMPARE(sentenceOf(std::runtime_error(many)), many);
        const std::string said =
            sentenceOf(std::runtime_error("/" + std::string(5000, 'd') + "/q.npy: no such\nfile \xFF"));
        QVERIFY(said.size() < 300);
        QVERIFY(isUtf8(said));
        QVERIFY(said.ends_with("no such\nfile \uFFFD"));
    }
};

QTEST_APPLESS_MAIN(EchoTest)
#include "echo_test.moc"
