#include "core/collectives/files/nccl_text.h"

#include "core/collectives/files/nccl_columns.h"
#include "core/profiles/csv_reader.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace warplight::collectives {
namespace {

/// No line of these has as many words: what comes behind is not looked at.
constexpr size_t mostWords = 64;

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isSpace(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && isSpace(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && isSpace(text.back()))
        text.remove_suffix(1);
    return text;
}

size_t digits(std::string_view text, size_t at) {
    const size_t begin = at;
    while (at < text.size() && isDigit(text[at]))
        ++at;
    return at - begin;
}

/// Without what launchers put before a line: "[1,0]<stdout>:" of mpirun, "0: " of srun --label.
std::string_view withoutLabel(std::string_view text) {
    if (text.starts_with('[')) { // newer ones write "[prterun-node-12@1,0]<stdout>:"
        const size_t close = text.find(']');
        for (const std::string_view stream : {"]<stdout>:", "]<stderr>:"})
            if (close != text.npos && text.substr(close).starts_with(stream))
                return text.substr(close + stream.size());
    }
    const size_t task = digits(text, 0);
    if (task > 0 && (text.substr(task) == ":" || text.substr(task).starts_with(": ")))
        return text.substr(task + 1);
    return text;
}

void split(std::string_view text, std::vector<std::string_view>& words) {
    words.clear();
    for (size_t at = 0; words.size() < mostWords;) {
        while (at < text.size() && isSpace(text[at]))
            ++at;
        const size_t begin = at;
        while (at < text.size() && !isSpace(text[at]))
            ++at;
        if (begin == at)
            return;
        words.push_back(text.substr(begin, at - begin));
    }
}

/// "| a | b |": "a", "b".
void splitMarkdown(std::string_view text, std::vector<std::string_view>& cells) {
    cells.clear();
    text.remove_prefix(1);
    for (size_t bar = text.find('|'); bar != text.npos && cells.size() < mostWords; bar = text.find('|')) {
        cells.push_back(trimmed(text.substr(0, bar)));
        text.remove_prefix(bar + 1);
    }
}

std::optional<int64_t> integer(std::string_view text) {
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

class Reader {
  public:
    Reader(profiles::ByteSource& source, const profiles::Reading& reading)
        : lines(source, reading.name), name(reading.name) {}

    std::vector<NcclTests> read() {
        for (std::string text; lines.nextLine(text);)
            line(trimmed(withoutLabel(trimmed(text))));
        finish();
        return std::move(runs);
    }

  private:
    void line(std::string_view text) {
        if (text.starts_with('|')) {
            markdown(text);
            return;
        }
        const bool comment = text.starts_with('#');
        while (text.starts_with('#') || (comment && !text.empty() && isSpace(text.front())))
            text.remove_prefix(1);
        split(text, words);
        if (words.empty())
            return;
        if (columns && !comment && isDigit(text.front())) {
            row();
            return;
        }
        facts(text);
    }

    /// What lines tell that are no rows.
    void facts(std::string_view text) {
        const std::string_view first = words[0];
        const auto word = [&](size_t i) { return i < words.size() ? words[i] : std::string_view(); };
        const auto last = [&](std::string_view mark) { return trimmed(text.substr(text.find(mark) + mark.size())); };
        if (const auto found = NcclColumns::of(words)) {
            begin(NcclTests::Form::Text);
            columns = found;
            tableLine = lines.line();
            if (!columns->unknown().empty())
                run.warnings.push_back(fmt::format("The column {} in line {} is not known and is left out.",
                                                   fmt::join(columns->unknown(), ", "), tableLine));
        } else if (first == "nccl-tests" && word(1) == "version") {
            begin(NcclTests::Form::Text);
            run.version = word(2).substr(0, 40);
            for (const std::string_view w : words)
                if (w.starts_with("nccl-library="))
                    if (const auto code = integer(w.substr(13)))
                        run.ncclVersion = ncclVersionText(*code);
        } else if (first == "Collective" && word(1) == "test" && word(2) == "starting:") {
            begin(NcclTests::Form::Text);
            run.test = ncclTestOf(word(3));
        } else if (first == "Collective" && word(1) == "test" && word(2) == "concluded:") {
            concluded = true;
        } else if (first == "nThread" && word(2) == "nGpus") {
            begin(NcclTests::Form::Text);
        } else if (first == "Rank") {
            rank(text);
        } else if (text.starts_with("Out of bounds values")) {
            concluded = true;
            split(last(":"), words);
            if (!words.empty())
                if (const auto count = integer(words[0]))
                    run.outOfBounds = *count;
        } else if (text.starts_with("Avg bus bandwidth")) {
            concluded = true;
            split(last(":"), words);
            if (!words.empty())
                if (const auto value = printedNumber(words[0]); value && value->value >= 0)
                    run.averageBusBandwidth = value->value * 1e9;
        } else if (first == "NCCL" && word(1) == "version") {
            if (run.ncclVersion.empty())
                run.ncclVersion = word(2).substr(0, std::min<size_t>(word(2).find('+'), 40));
        } else if (text.starts_with("The average bandwidth")) {
            bench(text);
        } else if (const size_t at = text.find("name='"); at != text.npos) { // PyTorch's device properties
            const std::string_view rest = text.substr(at + 6);
            benchDevice = rest.substr(0, std::min<size_t>(rest.find('\''), 80));
            if (run.form == NcclTests::Form::Markdown && !run.rows.empty() && run.devices.empty())
                run.devices = {{benchDevice, run.ranks}};
        } else if (run.test == NcclTest::Unknown && run.rows.empty()) {
            for (const std::string_view w : words) // the command, where a log has it
                if (run.test == NcclTest::Unknown && w.find("_perf") != w.npos)
                    run.test = ncclTestOf(w);
        }
    }

    /// "Rank  0 Group  0 Pid  6899 on host device  0 [0000:04:00] NVIDIA H100 80GB HBM3"; older: no Group, [0x04].
    void rank(std::string_view text) {
        int64_t number = -1, group = 0;
        std::string_view host;
        for (size_t i = 0; i + 1 < words.size(); ++i) {
            const auto value = integer(words[i + 1]);
            if (words[i] == "Rank" && value && number < 0)
                number = *value;
            else if (words[i] == "Group" && value)
                group = *value;
            else if (words[i] == "on" && host.empty())
                host = words[i + 1];
        }
        const size_t open = text.find(" ["), close = text.find(']', std::min(open, text.size()));
        if (number < 0 || host.empty() || close == text.npos)
            return;
        begin(NcclTests::Form::Text);
        ranks.add(group, number, std::string(host.substr(0, 256)),
                  std::string(trimmed(text.substr(close + 1)).substr(0, 80)));
    }

    /// "The average bandwidth of all_reduce over 4 ranks (5 warmups / 20 trials):"
    void bench(std::string_view) {
        begin(NcclTests::Form::Markdown);
        for (size_t i = 0; i + 1 < words.size(); ++i) {
            if (words[i] == "of" && run.test == NcclTest::Unknown)
                run.test = ncclTestOf(words[i + 1]);
            if (words[i] == "over")
                if (const auto count = integer(words[i + 1]); count && *count > 0 && *count <= mostRanks)
                    run.ranks = static_cast<int>(*count);
        }
    }

    void markdown(std::string_view text) {
        splitMarkdown(text, cells);
        if (const auto found = NcclColumns::ofMarkdown(cells)) {
            begin(NcclTests::Form::Markdown);
            run.form = NcclTests::Form::Markdown;
            columns = found;
            tableLine = lines.line();
            return;
        }
        const bool rule = std::all_of(cells.begin(), cells.end(),
                                      [](std::string_view c) { return c.find_first_not_of("-:") == c.npos; });
        if (!columns || run.form != NcclTests::Form::Markdown || rule)
            return;
        keep(columns->markdownRow(cells));
    }

    void row() {
        if (run.form == NcclTests::Form::Text)
            keep(columns->row(words));
    }

    void keep(std::optional<NcclColumns::Row> made) {
        if (!made) {
            if (broken++ == 0)
                firstBroken = lines.line();
            return;
        }
        const std::string where = fmt::format("line {}", lines.line());
        if (made->row.outOfPlace)
            check.add(made->row.bytes, *made->row.outOfPlace, made->outOfPlace, where);
        if (made->row.inPlace)
            check.add(made->row.bytes, *made->row.inPlace, made->inPlace, where);
        run.rows.push_back(std::move(made->row));
    }

    /// What comes belongs to a run: the next one, when this one has its rows.
    void begin(NcclTests::Form form) {
        if (!run.rows.empty() || concluded)
            finish();
        if (!columns)
            run.form = form;
    }

    void finish() {
        if (columns) {
            run.source = name;
            if (!ranks.empty())
                ranks.into(run, 1);
            if (run.form == NcclTests::Form::Markdown && run.devices.empty() && !benchDevice.empty())
                run.devices = {{benchDevice, run.ranks}};
            run.truncated = !concluded && run.form == NcclTests::Form::Text;
            if (broken > 0)
                run.warnings.push_back(fmt::format(
                    "{} of its lines are no whole rows and are left out, the first is line {}.", broken, firstBroken));
            if (run.truncated)
                run.warnings.push_back(fmt::format("The run did not come to its end: the table in line {} has no line "
                                                   "\"Avg bus bandwidth\" after it.",
                                                   tableLine));
            check.into(run);
            if (!run.rows.empty())
                runs.push_back(std::move(run));
            else
                emptyTable = tableLine;
        }
        run = {};
        ranks = {};
        check = {};
        columns.reset();
        broken = 0;
        concluded = false;
    }

    profiles::CsvReader lines;
    std::string name, benchDevice;
    std::vector<NcclTests> runs;
    NcclTests run;
    RankCount ranks;
    BandwidthCheck check;
    std::optional<NcclColumns> columns;
    std::vector<std::string_view> words, cells;
    int64_t tableLine = 0, broken = 0, firstBroken = 0;
    bool concluded = false;

  public:
    int64_t emptyTable = 0; ///< line of a table without rows; 0: there is none
};

} // namespace

std::vector<NcclTests> readNcclText(profiles::ByteSource& source, const profiles::Reading& reading) {
    Reader reader(source, reading);
    std::vector<NcclTests> runs = reader.read();
    if (runs.empty() && reader.emptyTable > 0)
        throw InputError(fmt::format("{}: the table in line {} has no rows, expected one line for each size",
                                     reading.name, reader.emptyTable));
    if (runs.empty())
        throw InputError(fmt::format("{}: holds no table of nccl-tests, expected a line \"#  size  count  type ...\" "
                                     "with rows below it, JSON that -J wrote, or a table | payload | busbw | algbw |",
                                     reading.name));
    return runs;
}

} // namespace warplight::collectives
