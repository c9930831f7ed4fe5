#include "core/profiles/open_profile.h"

#include "core/error.h"
#include "core/profiles/csv_reader.h"
#include "core/profiles/kineto_trace.h"
#include "core/profiles/ncu_csv.h"
#include "core/profiles/nsys_csv.h"

#include <fmt/format.h>

namespace warplight::profiles {
namespace {

constexpr size_t headBytes = 4096;

/// Whether JSON begins here, and not a line that a program printed: `{` before a key, `[` before an object.
bool looksLikeJson(std::string_view head) {
    if (head.starts_with("\xEF\xBB\xBF"))
        head.remove_prefix(3);
    const auto space = [&] {
        const size_t at = head.find_first_not_of(" \t\r\n");
        head.remove_prefix(std::min(at, head.size()));
    };
    space();
    if (head.empty() || (head[0] != '{' && head[0] != '['))
        return false;
    const bool object = head[0] == '{';
    head.remove_prefix(1);
    space();
    return head.empty() || (object ? head[0] == '"' || head[0] == '}' : head[0] == '{' || head[0] == ']');
}

} // namespace

Profile readProfile(ByteSource& bytes, const Reading& reading) {
    PeekSource source(bytes, reading);
    const std::string_view head = source.peek(headBytes);
    if (head.empty())
        throw InputError(fmt::format("{}: is empty{}, expected a profile: ncu --csv, nsys stats --format csv, or a "
                                     "PyTorch trace",
                                     reading.name, source.damage().empty() ? "" : " (" + source.damage() + ")"));
    if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))
        throw InputError(fmt::format("{}: is UTF-16 text as PowerShell's > writes it, expected UTF-8 (| Out-File "
                                     "-Encoding utf8)",
                                     reading.name));
    if (head.starts_with("PK\x03\x04") || head.starts_with("SQLite format 3"))
        throw InputError(
            fmt::format("{}: is {}, expected the text that nsys stats --format csv prints or a PyTorch trace",
                        reading.name, head[0] == 'P' ? "a zip archive" : "an SQLite database"));
    if (looksLikeJson(head))
        return readKinetoTrace(source, reading);
    CsvReader reader(source, reading.name);
    std::string line;
    while (reader.nextLine(line)) {
        const char delimiter = sniffDelimiter(line);
        const auto cells = splitLine(line, delimiter);
        reader.setDelimiter(delimiter);
        Profile profile;
        if (isNcuHeader(cells))
            profile = readNcuCsv(reader, cells, reading);
        else if (nsysTableOf(cells) != NsysTable::None)
            profile = readNsysCsv(reader, cells, reading);
        else
            continue;
        if (const std::string damage = source.damage(); !damage.empty())
            profile.warnings.push_back(fmt::format("Only a part was read: {}.", damage));
        return profile;
    }
    throw InputError(fmt::format(
        "{}: none of its {} lines heads a known table, expected ncu --csv (\"ID\",...,\"Kernel Name\"), nsys stats "
        "--format csv (cuda_gpu_trace or cuda_gpu_kern_sum) or a PyTorch trace (.json)",
        reading.name, reader.line() - 1));
}

Profile openProfile(const std::string& file, const std::atomic<bool>* cancel,
                    std::function<void(double fraction)> progress) {
    const auto source = openFile(file);
    return readProfile(*source, {file, cancel, std::move(progress)});
}

} // namespace warplight::profiles
