// SPDX-License-Identifier: GPL-3.0-or-later
// Cells, numbers and units as spreadsheets and profilers write them.
#include "core/error.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/local_number.h"
#include "core/profiles/profiler_metrics.h"

#include <QTest>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace warplight;
using namespace warplight::profiles;
using Rows = std::vector<std::vector<std::string>>;

namespace {

/// Gives a byte at a time: every boundary between pieces is met.
class Dripping : public ByteSource {
  public:
    explicit Dripping(std::string_view all) : text(all) {}
    size_t read(char* to, size_t) override {
        if (at == text.size())
            return 0;
        *to = text[at++];
        return 1;
    }

  private:
    std::string text;
    size_t at = 0;
};

Rows rowsOf(ByteSource& source, char delimiter) {
    CsvReader reader(source);
    reader.setDelimiter(delimiter);
    Rows rows;
    for (std::vector<std::string> row; reader.nextRow(row);)
        rows.push_back(row);
    return rows;
}

} // namespace

class CsvReaderTest : public QObject {
    Q_OBJECT
  private slots:
    void quotedCellsHoldAnything() {
        const std::string text = "a,\"b, with comma\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",,\rlast,\"\",3";
        const Rows wanted = {{"a", "b, with comma", "say \"hi\""}, {"two\nlines", "", ""}, {"last", "", "3"}};
        TextSource whole(text);
        QCOMPARE(rowsOf(whole, ','), wanted);
    }

    void piecesOfOneByteReadTheSame() {
        const std::string text = "\"a\"\"b\";c\r\n;\r\nd;\"e\r\nf\"\r\n";
        Dripping drops(text);
        QCOMPARE(rowsOf(drops, ';'), (Rows{{"a\"b", "c"}, {"", ""}, {"d", "e\nf"}}));
    }

    void blanksBeforeAQuoteAreNoPartOfTheCell() {
        TextSource source("1, \"a, b\", say \"c\"\n");
        QCOMPARE(rowsOf(source, ','), (Rows{{"1", "a, b", " say \"c\""}}));
        QCOMPARE(splitLine("1, \"a, b\", say \"c\"", ','), (std::vector<std::string>{"1", "a, b", " say \"c\""}));
    }

    void aByteOrderMarkIsNoCell() {
        TextSource source("\xEF\xBB\xBFx,y\n");
        QCOMPARE(rowsOf(source, ','), (Rows{{"x", "y"}}));
    }

    void anOpenQuoteIsNamedByItsLine() {
        TextSource source("a,b\n1,\"never closed\nmore\n");
        CsvReader reader(source, "f.csv");
        std::vector<std::string> row;
        QVERIFY(reader.nextRow(row));
        QVERIFY(reader.cutOff().empty());
        QVERIFY(!reader.nextRow(row));
        QCOMPARE(reader.cutOff(),
                 std::string("The file ends within a quoted cell of line 2: what stands from there on is left out."));
    }

    void lineEndsAreCountedOnce() {
        // LF, CRLF, CR, what Windows makes of a CRLF that is printed as text, and empty lines of each.
        for (const std::string text : {"a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "a\r\r\n\r\r\nb\r\r\n"}) {
            Dripping drops(text);
            QCOMPARE(rowsOf(drops, ','), (Rows{{"a"}, {""}, {"b"}}));
        }
    }

    void aQuoteThatSwallowsTheFileIsStopped() {
        const std::string text = "a,\"" + std::string(3 << 20, 'x') + "\"\n";
        TextSource source(text);
        CsvReader reader(source);
        std::vector<std::string> row;
        QVERIFY_THROWS_EXCEPTION(InputError, reader.nextRow(row));
    }

    void theDelimiterIsTheOneThatCutsMost() {
        QCOMPARE(sniffDelimiter("\"a;b;c\",d"), ',');
        QCOMPARE(sniffDelimiter("a;b,c;d"), ';');
        QCOMPARE(sniffDelimiter("a\tb"), '\t');
    }

    void localNumbersReadBothWays_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<double>("dot");
        QTest::addColumn<double>("comma");
        QTest::addColumn<int>("says");
        using Says = LocalNumber::Says;
        const auto row = [](const char* text, double dot, double comma, Says says) {
            QTest::newRow(text) << QByteArray(text) << dot << comma << static_cast<int>(says);
        };
        row("1,215,000,000.00", 1215000000, 1215000000, Says::DotIsDecimal);
        row("27.595.520", 27595520, 27595520, Says::CommaIsDecimal);
        row("117,344", 117344, 117.344, Says::Either);
        row("2.848", 2.848, 2848, Says::Either);
        row("14.26", 14.26, 1426, Says::DotIsDecimal);
        row("0,123", 123, 0.123, Says::CommaIsDecimal);
        row("1234.567", 1234.567, 1234567, Says::DotIsDecimal);
        row("1.234,5", 1.2345, 1234.5, Says::CommaIsDecimal);
        row("42", 42, 42, Says::Nothing);
        row("27 595 520", 27595520, 27595520, Says::Nothing);
        row("27\xE2\x80\xAF"
            "595,25",
            2759525, 27595.25, Says::CommaIsDecimal);
        row("1'215.5", 1215.5, 12155, Says::DotIsDecimal);
        row("1.5e+03", 1500, 15000, Says::DotIsDecimal);
    }
    void localNumbersReadBothWays() {
        QFETCH(QByteArray, text);
        QFETCH(double, dot);
        QFETCH(double, comma);
        QFETCH(int, says);
        const auto number = localNumber(text.toStdString());
        QVERIFY(number);
        QCOMPARE(number->dotDecimal, dot);
        QCOMPARE(number->commaDecimal, comma);
        QCOMPARE(static_cast<int>(number->says), says);
    }

    void wordsAreNoNumbers() {
        for (const char* text : {"n/a", "", "nan", "(256, 1, 1)", "-", ".", "1,5x"})
            QVERIFY2(!localNumber(text), text);
    }

    void unitsAreKnownInEverySpelling_data() {
        QTest::addColumn<int>("dimension");
        QTest::addColumn<double>("factor");
        using enum Unit::Dimension;
        const auto row = [](const char* unit, Unit::Dimension dimension, double factor) {
            QTest::newRow(unit) << static_cast<int>(dimension) << factor;
        };
        row("nsecond", Time, 1e-9);
        row("ns", Time, 1e-9);
        row("usecond", Time, 1e-6);
        row("us", Time, 1e-6);
        row("\xC2\xB5s", Time, 1e-6);
        row("msecond", Time, 1e-3);
        row("second", Time, 1);
        row("byte", Bytes, 1);
        row("Kbyte", Bytes, 1e3);
        row("MB", Bytes, 1e6);
        row("MiB", Bytes, 1048576);
        row("Gbyte", Bytes, 1e9);
        row("Kbyte/block", Bytes, 1e3);
        row("byte/second", BytesPerTime, 1);
        row("Gbyte/second", BytesPerTime, 1e9);
        row("MB/s", BytesPerTime, 1e6);
        row("MBps", BytesPerTime, 1e6);
        row("%", Share, 0.01);
        row("hz", Frequency, 1);
        row("Ghz", Frequency, 1e9);
        row("cycle/nsecond", Frequency, 1e9);
        row("inst", Count, 1);
        row("register/thread", Count, 1);
        row("", Count, 1);
    }
    void unitsAreKnownInEverySpelling() {
        QFETCH(int, dimension);
        QFETCH(double, factor);
        const auto unit = unitOf(QTest::currentDataTag());
        QVERIFY(unit);
        QCOMPARE(static_cast<int>(unit->dimension), dimension);
        QCOMPARE(unit->factor, factor);
    }
    void unknownUnitsAreNotGuessed() {
        for (const char* unit : {"fortnight", "Xbyte", "inst/cycle2", "sector/second"})
            QVERIFY2(!unitOf(unit), unit);
    }

    void decimalTextBecomesExactNanoseconds() {
        QCOMPARE(scaledInteger("1712361600000123.457", 3), std::optional<int64_t>(1712361600000123457));
        QCOMPARE(scaledInteger("0.0005", 3), std::optional<int64_t>(1));
        QCOMPARE(scaledInteger("-2.5", 3), std::optional<int64_t>(-2500));
        QCOMPARE(scaledInteger("1.2e+03", 3), std::optional<int64_t>(1200000));
        QCOMPARE(scaledInteger("10", 3), std::optional<int64_t>(10000));
        QCOMPARE(scaledInteger("7e-9", 3), std::optional<int64_t>(0));
        QCOMPARE(scaledInteger("0e400", 3), std::optional<int64_t>(0));
        for (const char* text : {"", "NaN", "1e30", "99999999999999999999", "1.2.3", "0x10", "-"})
            QVERIFY2(!scaledInteger(text, 3), text);
    }
};

QTEST_GUILESS_MAIN(CsvReaderTest)
#include "csv_reader_test.moc"
