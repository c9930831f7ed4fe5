// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_text.h"

#include "core/collectives/files/nccl_cells.h"
#include "core/collectives/files/nccl_columns.h"
#include "core/collectives/files/nccl_pieces.h"
#include "core/collectives/files/nccl_run.h"
#include "core/error.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/text.h"
#include "core/text/plain_line.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace warplight::collectives {
namespace {

constexpr size_t mostJson = 64 << 20; ///< bytes of one JSON value between lines of text
constexpr int mostNested = 3;         ///< log records in log records

/// Whether brackets and quotes that JSON opens are closed again, a line after the other.
class JsonBalance {
  public:
    /// How much of the line belongs to the value.
    size_t take(std::string_view line) {
        for (size_t at = 0; at < line.size(); ++at) {
            const char c = line[at];
            if (escaped)
                escaped = false;
            else if (quoted)
                escaped = c == '\\', quoted = c != '"';
            else if (c == '"')
                quoted = true;
            else if (c == '{' || c == '[')
                ++open;
            else if ((c == '}' || c == ']') && --open == 0)
                return at + 1;
        }
        escaped = false; // a line end is no character of it
        return line.size();
    }
    bool closed() const { return open == 0; }

  private:
    int64_t open = 0;
    bool quoted = false, escaped = false;
};

/// Where JSON begins in a line, behind whatever label; npos: nowhere.
size_t jsonBegin(std::string_view line) {
    for (size_t at = line.find('{'); at != line.npos; at = line.find('{', at + 1)) {
        const std::string_view rest = profiles::trimmed(line.substr(at + 1));
        if (rest.starts_with('"') || (rest.empty() && profiles::trimmed(line.substr(0, at)).empty())) {
            const size_t list = line.substr(0, at).find_last_not_of(" \t"); // "[{"
            return list != line.npos && line[list] == '[' ? list : at;
        }
    }
    return profiles::trimmed(line) == "[" ? line.find('[') : line.npos;
}

/// Whether two lines begin alike but for digits, as a launcher's or a clock's labels do.
bool samePrefix(std::string_view a, std::string_view b, size_t length) {
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    return a.size() >= length && b.size() >= length &&
           std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(length), b.begin(),
                      [&](char x, char y) { return x == y || (isDigit(x) && isDigit(y)); });
}

class Reader {
  public:
    Reader(profiles::ByteSource& source, const profiles::Reading& r)
        : lines(source, r.name), damage(source), reading(r), building(r.name), cells(building) {
        building.beforeFinish = [this] {
            endTable();
            cells.end();
        };
    }

    std::vector<NcclTests> read() {
        for (std::string text; lines.nextLine(text);)
            line(plainLine(text), lines.line());
        if (!json.empty())
            giveUpJson();
        building.finish();
        std::vector<NcclTests> runs = building.take();
        if (const std::string why = damage.damage(); !why.empty())
            for (NcclTests& run : runs)
                run.warnings.push_back(fmt::format("The file is not whole: {}.", why));
        refuseNone(runs);
        return runs;
    }

  private:
    void line(const std::string& text, int64_t number) {
        if (!json.empty()) {
            goOnWithJson(text);
            return;
        }
        if (const size_t begin = manyLines || nested > 0 ? jsonBegin(text) : jsonOfOneLine(text);
            begin != text.npos && nested < mostNested) {
            jsonPrefix = begin;
            jsonLine = number;
            balance = {};
            goOnWithJson(text);
            if (nested > 0 && !json.empty()) // a text inside a text does not go on in the next
                giveUpJson();
            return;
        }
        plain(text, number);
    }

    size_t jsonOfOneLine(std::string_view text) const {
        const size_t begin = jsonBegin(text);
        if (begin == text.npos)
            return begin;
        JsonBalance one;
        one.take(text.substr(begin));
        return one.closed() ? begin : text.npos;
    }

    void goOnWithJson(const std::string& text) {
        const bool first = json.empty();
        const std::string_view part =
            std::string_view(text).substr(first || samePrefix(text, jsonText, jsonPrefix) ? jsonPrefix : 0);
        if (first)
            jsonText = text;
        const size_t taken = balance.take(part);
        json.append(part.substr(0, taken)).append("\n");
        if (balance.closed()) {
            const std::string whole = std::exchange(json, {});
            takeJson(whole);
        } else if (json.size() > mostJson) {
            giveUpJson();
        }
    }

    /// It does not end: the document of a run that died, or no JSON at all.
    void giveUpJson() {
        const std::string begun = std::exchange(json, {});
        if (takeJson(begun, true))
            return;
        manyLines = false;
        const int64_t first = jsonLine;
        int64_t offset = 0;
        for (size_t at = 0; at < begun.size(); ++offset) {
            const size_t end = std::min(begun.find('\n', at), begun.size());
            plain(begun.substr(at, end - at), first + offset);
            at = end + 1;
        }
    }

    /// Whether there was something in it. What is `cut` counts only if it is a measurement.
    bool takeJson(const std::string& text, bool cut = false) {
        NcclJsonText found = readNcclJsonText(text);
        if (found.hasDocuments && documents == 0) {
            ++documents;
            const bool any = takeDocuments(text);
            --documents;
            sawJson = true;
            return any;
        }
        if (found.hasResults) {
            building.finish();
            profiles::TextSource source(text);
            try {
                building.add(readNcclJson(source, {reading.name, nullptr, {}}));
            } catch (const InputError& error) {
                jsonRefusal = error.what();
            }
            return true;
        }
        if (!found.records.empty()) {
            keepRecords(found.records);
            return true;
        }
        if (cut)
            return false;
        bool any = false;
        ++nested;
        const int64_t number = jsonLine;
        for (const std::string& all : found.texts)
            for (size_t at = 0; at < all.size();) {
                const size_t end = std::min(all.find('\n', at), all.size());
                line(plainLine(std::string_view(all).substr(at, end - at)), number);
                at = end + 1;
                any = true;
            }
        --nested;
        sawJson = true;
        return any;
    }

    /// Each of several documents: the objects inside the outermost list or object.
    bool takeDocuments(const std::string& text) {
        bool any = false, quoted = false;
        for (size_t at = text.find_first_of("[{") + 1; at < text.size(); ++at) {
            if (quoted && text[at] == '\\')
                ++at;
            else if (text[at] == '"')
                quoted = !quoted;
            else if (!quoted && text[at] == '{') {
                JsonBalance whole;
                const size_t length = whole.take(std::string_view(text).substr(at));
                any = takeJson(text.substr(at, length), !whole.closed()) || any;
                at += length - 1;
            }
        }
        return any;
    }

    /// Tests may take turns; each is one run.
    void keepRecords(std::vector<NcclRecord>& records) {
        endTable();
        std::map<std::tuple<NcclTest, std::string, int>, std::vector<NcclRecord*>> turns;
        std::vector<std::vector<NcclRecord*>*> order; // as they come first
        for (NcclRecord& record : records) {
            std::vector<NcclRecord*>& turn = turns[{record.test, record.testName, record.ranks}];
            if (turn.empty())
                order.push_back(&turn);
            turn.push_back(&record);
        }
        for (std::vector<NcclRecord*>* turn : order)
            for (NcclRecord* record : *turn)
                building.keep(std::move(*record), fmt::format("line {}", jsonLine));
    }

    void plain(const std::string& text, int64_t number) {
        if (cells.line(text, number))
            return;
        splitNcclWords(text, words);
        if (words.empty())
            return;
        if (!head.empty() && goOnWithHead(text))
            return;
        if (auto found = NcclColumns::of(words)) {
            endTable();
            building.begin(NcclTests::Form::Text);
            beginTable(std::move(*found), number);
            head = text;
            headLine = number;
            headBegan = true;
            return;
        }
        if (beginsHead()) {
            head = text;
            headLine = number;
            headBegan = false;
        }
        if (columns && text.find('(') != text.npos && columns->units(words))
            return;
        if (!pieces && headless()) {
            endTable();
            building.begin(NcclTests::Form::Text);
            beginTable(NcclColumns::usual(), number);
            building.run().warnings.push_back("The line of column names is missing: they are taken to be those of "
                                              "nccl-tests since 2.13.");
        }
        if (pieces) {
            rows.clear();
            pieces->line(text, words, number, rows);
            keepRows();
        }
        building.facts(text, words);
    }

    /// A row as nccl-tests has them, where no line named its columns.
    bool headless() const {
        for (size_t s = 0; s + 13 <= words.size(); ++s)
            if (words[s].find_first_not_of("0123456789") == std::string_view::npos && words[s].size() > 1) {
                const auto fit = NcclColumns::usual().fit(std::span(words).subspan(s));
                return fit.whole && !fit.oneHalf && fit.printed.consistent() && fit.printed.row.outOfPlace &&
                       fit.printed.row.outOfPlace->algbw > 0 && fit.printed.row.count > 0 &&
                       !(s > 0 && words[s - 1].ends_with('#'));
            }
        return false;
    }

    /// Names of columns that a narrow window or a mail put into the next line, perhaps cut inside a word.
    bool goOnWithHead(const std::string& text) {
        const std::string first = std::exchange(head, {});
        std::string whole;
        std::optional<NcclColumns> best;
        for (const char* between : {"", " "}) {
            std::string together = first + between + text;
            splitNcclWords(together, words);
            auto longer = NcclColumns::of(words);
            if (longer && longer->unknown().empty() && !longer->tableBeside() &&
                longer->size() > (best        ? best->size()
                                  : headBegan ? columns->size()
                                              : 0)) {
                best = std::move(longer);
                whole = std::move(together);
            }
        }
        splitNcclWords(text, words);
        if (!best)
            return false;
        if (headBegan) {
            building.run().warnings.resize(warningsBefore);
        } else {
            endTable();
            building.begin(NcclTests::Form::Text);
        }
        beginTable(std::move(*best), headLine);
        head = std::move(whole);
        headBegan = true;
        return true;
    }

    /// Whether a line of names begins here that the next line goes on with.
    bool beginsHead() const {
        return std::find(words.begin(), words.end(), "size") != words.end() &&
               std::count_if(words.begin(), words.end(), [](std::string_view word) {
                   return ncclFieldOf(word).kind != NcclField::Kind::Unknown;
               }) >= 4;
    }

    void beginTable(NcclColumns found, int64_t number) {
        columns = std::move(found);
        pieces.emplace(*columns);
        NcclTests& run = building.run();
        warningsBefore = run.warnings.size();
        building.tableLine = number;
        if (!columns->unknown().empty())
            run.warnings.push_back(fmt::format("The column {} in line {} is not known and is left out.",
                                               fmt::join(columns->unknown(), ", "), number));
        if (columns->tableBeside())
            run.warnings.push_back("Another table stands to the right of this one; the left one is read.");
    }

    void keepRows() {
        for (NcclPieces::Found& row : rows)
            building.keep(std::move(row.printed), fmt::format("line {}", row.line));
    }

    void endTable() {
        if (!pieces)
            return;
        rows.clear();
        pieces->end(rows);
        keepRows();
        building.broken(pieces->broken(), pieces->firstBroken());
        building.unitsNamed = columns->namesUnits();
        pieces.reset();
        columns.reset();
        head.clear();
    }

    void refuseNone(const std::vector<NcclTests>& runs) const {
        if (!runs.empty())
            return;
        if (!jsonRefusal.empty())
            throw InputError(jsonRefusal);
        if (building.emptyTable > 0)
            throw InputError(fmt::format("{}: the table in line {} has no rows, expected one line for each size",
                                         reading.name, building.emptyTable));
        if (sawJson)
            throw InputError(fmt::format("{}: JSON without \"results\", expected what nccl-tests writes with -J, or "
                                         "objects with size, time and busBw",
                                         reading.name));
        throw InputError(fmt::format("{}: holds no table of nccl-tests, expected a line \"#  size  count  type ...\" "
                                     "with rows below it, JSON that -J wrote, or a table | payload | busbw | algbw |",
                                     reading.name));
    }

    profiles::CsvReader lines;
    profiles::ByteSource& damage;
    const profiles::Reading& reading;
    NcclRunBuilder building;
    NcclCellTable cells;

    std::optional<NcclColumns> columns;
    std::string head; ///< the line of their names, until the next one
    int64_t headLine = 0;
    bool headBegan = false; ///< the table with what names there were
    size_t warningsBefore = 0;
    std::optional<NcclPieces> pieces;
    std::vector<NcclPieces::Found> rows;
    std::vector<std::string_view> words;

    std::string json, jsonText, jsonRefusal; ///< what is gathered, its first line
    JsonBalance balance;
    size_t jsonPrefix = 0;
    int64_t jsonLine = 0;
    int nested = 0, documents = 0;          ///< how deep in texts inside of texts
    bool manyLines = true, sawJson = false; ///< whether JSON may go on over lines
};

} // namespace

std::vector<NcclTests> readNcclText(profiles::ByteSource& source, const profiles::Reading& reading) {
    return Reader(source, reading).read();
}

} // namespace warplight::collectives
