// SPDX-License-Identifier: GPL-3.0-or-later
// Sources and timelines on their way: what is refused, what CSV and traces say.
#include "core/error.h"
#include "core/formats/chrome_trace.h"
#include "core/lab/figure_checks.h"
#include "core/lab/figure_csv.h"
#include "core/lab/json.h"
#include "core/lab/timeline_trace.h"
#include "core/lab/timeline_tracks.h"
#include "every_figure.h"
#include "kernel_figures.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <cmath>
#include <map>
#include <random>
#include <zlib.h>

using namespace warplight;
using namespace warplight::lab;

namespace {

Figure everyOf(const char* id) {
    for (const Figure& figure : test::everyFigure())
        if (figure.id == id)
            return figure;
    return {};
}

QString refusal(const Figure& figure) {
    try {
        checkFigure(figure);
    } catch (const InputError& error) {
        return error.what();
    }
    return {};
}

Timeline randomTimeline(int spans, int tracks) {
    std::mt19937 random(7);
    Timeline timeline;
    timeline.x.unit = "s";
    for (int t = 0; t < tracks; ++t)
        timeline.tracks.push_back({std::to_string(t), "track " + std::to_string(t), t % 2 ? "odd" : ""});
    for (int i = 0; i < spans; ++i) {
        const double begin = 1e-6 * (random() % 10'000) + 5;
        timeline.spans.push_back({static_cast<int64_t>(random() % static_cast<unsigned>(tracks)), begin,
                                  begin + 1e-6 * (random() % 300), "s\"\n" + std::to_string(i), "key",
                                  Provenance::Measured, ""});
    }
    return timeline;
}

QByteArray read(const QString& file) {
    QFile in(file);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

} // namespace

class SourceTimelineTest : public QObject {
    Q_OBJECT
    QTemporaryDir folder;

  private slots:
    void whatDoesNotFitIsRefusedByName() {
        const auto broken = [](auto&& breakIt) {
            Figure figure = everyOf("source");
            breakIt(std::get<Source>(figure.content));
            return refusal(figure);
        };
        QCOMPARE(broken([](Source&) {}), QString());
        QVERIFY(broken([](Source& s) { s.panes[0].lines[1].counts.pop_back(); }).contains("line 43"));
        QVERIFY(broken([](Source& s) { s.panes[1].lines[1].partners = {3}; }).contains("partners"));
        QVERIFY(broken([](Source& s) { s.panes[1].lines[1].partners = {-1}; }).contains("partners"));
        QVERIFY(broken([](Source& s) { s.panes[0].lines[1].counts[0] = std::nan(""); }).contains("finite"));
        QVERIFY(broken([](Source& s) { s.panes.push_back(s.panes[0]); }).contains("panes"));
        QVERIFY(broken([](Source& s) { s.panes.pop_back(); }).contains("partners")); // whose lines are gone
        const auto brokenTimes = [](auto&& breakIt) {
            Figure figure = everyOf("timeline");
            breakIt(std::get<Timeline>(figure.content));
            return refusal(figure);
        };
        QCOMPARE(brokenTimes([](Timeline&) {}), QString());
        QVERIFY(brokenTimes([](Timeline& t) { t.spans[1].track = 3; }).contains("span 1"));
        QVERIFY(brokenTimes([](Timeline& t) { t.spans[1].track = -1; }).contains("track"));
        QVERIFY(brokenTimes([](Timeline& t) { t.spans[2].end = -4; }).contains("begin"));
        QVERIFY(brokenTimes([](Timeline& t) { t.spans[0].end = INFINITY; }).contains("finite"));
    }

    void appendedSpansMustBeOnATrackThatIsThere() {
        RunRecord record;
        record.apply(test::everyFrame()[0]);
        record.apply(FigurePut{5, everyOf("timeline")});
        QVERIFY_EXCEPTION_THROWN(record.apply(SpansAppended{5, "timeline", {{3, 0, 1, "", "", {}, ""}}}), InputError);
        QCOMPARE(std::get<Timeline>(record.figure("timeline")->content).spans.size(), size_t{3}); // nothing by halves
        record.apply(SpansAppended{5, "timeline", {{2, 0, 1, "", "", {}, ""}}});
        QCOMPARE(std::get<Timeline>(record.figure("timeline")->content).spans.size(), size_t{4});
    }

    void aMillionSpansFitAMessage() {
        const Figure figure{"t", "T", "", "", {}, test::blocksTimeline(1'000'000, 108)};
        const auto bytes = encode(FigurePut{1, figure});
        qInfo("a million spans: %.1f MB", static_cast<double>(bytes.size()) / 1e6);
        QVERIFY(bytes.size() < 64'000'000);
        QVERIFY(std::get<FigurePut>(decode(bytes)).figure == figure);
    }

    void damagedSpansAreAnInputError() {
        const nlohmann::json good = toJson(Frame(SpansAppended{1, "t", {{0, 0, 1, "a", "b", {}, "c"}}}), true);
        const auto refused = [&](const char* member, const nlohmann::json& value) {
            nlohmann::json bad = good;
            bad["spans"][member] = value;
            try {
                frameFromJson(bad);
            } catch (const InputError&) {
                return true;
            }
            return false;
        };
        frameFromJson(good);
        QVERIFY(refused("text", {99}) && refused("begin", {0, 1}) && refused("track", {-1}) &&
                refused("provenance", {0}) && refused("words", nlohmann::json::array()) && refused("end", {-1}));
        // A word that a hundred thousand spans share would be gigabytes.
        nlohmann::json bomb = good;
        const std::vector<uint32_t> many(100'000, 0);
        for (const char* member : {"track", "text", "colourKey", "detail"})
            bomb["spans"][member] = many;
        bomb["spans"]["begin"] = bomb["spans"]["end"] = std::vector<double>(many.size(), 0.0);
        bomb["spans"]["provenance"] = std::vector<uint32_t>(many.size(), 1);
        bomb["spans"]["words"] = {std::string(100'000, 'x'), "measured"};
        QVERIFY_EXCEPTION_THROWN(frameFromJson(bomb), InputError);
    }

    void csvOfASourceIsALineARowWithItsCounters() {
        RunRecord record;
        record.apply(test::everyFrame()[0]);
        const QStringList rows = QString::fromStdString(figureCsv(record, everyOf("source"))).split('\n');
        QCOMPARE(rows[0],
                 QString("device,pane,line,text,severity,remark,partners,count (counted),\"bytes (B, modelled)\""));
        QCOMPARE(rows[1], QString("cpu,cu,41,\"__global__ void f(int* p, const char* \"\"ü\"\") {\",none,,,,"));
        QCOMPARE(rows[2], QString("cpu,cu,43,\"    p[threadIdx.x * 32] = 1; // \"\"x\"\"\",warning,32 sectors a "
                                  "request,11 12,96,4096.5"));
        QCOMPARE(rows[3], QString("cpu,cu,44,},none,,12,,0"));
        QCOMPARE(rows[5], QString("cpu,ptx,11,\"st.global.u32 [%rd1], 1;\",error,uncoalesced,43,64,"));
        QCOMPARE(rows.size(), 8);
    }

    void csvOfATimelineIsASpanARow() {
        RunRecord record;
        record.apply(test::everyFrame()[0]);
        const QStringList rows = QString::fromStdString(figureCsv(record, everyOf("timeline"))).split('\n');
        QCOMPARE(rows[0], QString("device,provenance,group,track,begin (clock),end (clock),text,kind,detail"));
        QCOMPARE(rows[2], QString("cpu,modelled,GPU,sm0,50,120,\"block 2, ü\",compute,"));
        QCOMPARE(rows[3], QString("cpu,measured,,host,-3.5,200.25,launch,,\"on the \"\"host\"\"\""));
        QCOMPARE(rows.size(), 5);
    }

    void lanesAreAsFewAsOverlapNeedsAndHoldNone() {
        const Timeline timeline = randomTimeline(3000, 5);
        const auto tracks = tracksOf(timeline);
        size_t seen = 0;
        for (size_t t = 0; t < tracks.size(); ++t) {
            std::map<uint32_t, double> ends;
            size_t most = 0;
            for (size_t i = 0; i < tracks[t].spans.size(); ++i, ++seen) {
                const auto& span = timeline.spans[tracks[t].spans[i]];
                QCOMPARE(span.track, static_cast<int64_t>(t));
                const auto [end, first] = ends.try_emplace(tracks[t].lanes[i], span.end);
                QVERIFY(first || end->second <= span.begin);
                end->second = span.end;
                size_t together = 0; // counted over all of them at the instant it begins
                for (const uint32_t other : tracks[t].spans)
                    together += timeline.spans[other].begin <= span.begin && timeline.spans[other].end > span.begin;
                most = std::max(most, together);
            }
            QCOMPARE(static_cast<size_t>(tracks[t].count), most);
        }
        QCOMPARE(seen, timeline.spans.size());
    }

    void overlapIsBusyOnce() {
        Timeline timeline;
        timeline.tracks = {{"a", "A", ""}, {"b", "B", ""}, {"c", "C", ""}};
        timeline.spans = {{0, 0, 4, "", "", {}, ""},
                          {0, 1, 2, "", "", {}, ""},
                          {0, 3, 5, "", "", {}, ""},
                          {1, 8, 10, "", "", {}, ""}};
        QCOMPARE(busyShares(timeline), (std::vector{0.5, 0.2, 0.0}));
    }

    void aTraceNestsOnEveryThreadAndSaysWhatItHolds() {
        const Timeline timeline = randomTimeline(500, 3);
        const QString file = folder.filePath("t.json");
        saveTimelineTrace(timeline, file.toStdString());
        const auto trace = nlohmann::json::parse(read(file).toStdString());
        QVERIFY(trace["displayTimeUnit"] == "ns");
        std::map<std::pair<int, int>, int64_t> ends; // in nanoseconds
        size_t slices = 0, names = 0;
        int64_t first = INT64_MAX;
        for (const auto& event : trace["traceEvents"]) {
            const std::pair thread{event["pid"].get<int>(), event["tid"].get<int>()};
            if (event["ph"] == "M") {
                QCOMPARE(slices, size_t{0});
                names += event["name"] == "thread_name";
                continue;
            }
            QVERIFY(event["ph"] == "X");
            const int64_t begin = std::llround(event["ts"].get<double>() * 1000),
                          duration = std::llround(event["dur"].get<double>() * 1000);
            const auto [end, isNew] = ends.try_emplace(thread, begin);
            QVERIFY(begin >= end->second && duration >= 0);
            end->second = begin + duration;
            first = std::min(first, begin);
            QVERIFY(event["args"]["provenance"] == "measured");
            ++slices;
        }
        QCOMPARE(slices, timeline.spans.size());
        QCOMPARE(names, ends.size());
        QCOMPARE(first, int64_t{0});
        QVERIFY(trace.dump().find("track 1") != std::string::npos);
    }

    void aClockIsANanosecondAndGzipIsReadable() {
        const QString file = folder.filePath("t.json.gz");
        saveTimelineTrace(test::blocksTimeline(40'000, 7), file.toStdString());
        QVERIFY(read(file).startsWith("\x1f\x8b"));
        gzFile packed = gzopen(qPrintable(file), "rb");
        std::string text, piece(1 << 16, '\0');
        for (int got; (got = gzread(packed, piece.data(), static_cast<unsigned>(piece.size()))) > 0;)
            text.append(piece, 0, static_cast<size_t>(got));
        gzclose(packed);
        const auto trace = nlohmann::json::parse(text);
        std::map<std::string, double> longest;
        for (const auto& event : trace["traceEvents"])
            if (event["ph"] == "X") {
                double& most = longest[event["cat"].get<std::string>()];
                most = std::max(most, event["dur"].get<double>());
            }
        QCOMPARE(longest["load"], 0.2); // 200 clocks as 200 ns
        QCOMPARE(longest["compute"], 0.7);
        QVERIFY_EXCEPTION_THROWN(saveTimelineTrace({}, "/no/such/folder/t.json"), InputError);
    }
};

QTEST_GUILESS_MAIN(SourceTimelineTest)
#include "source_timeline_test.moc"
