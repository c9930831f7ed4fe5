// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/chrome_trace.h"

#include "core/formats/atomic_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <zlib.h>

namespace warplight::formats {
namespace {

/// Invalid UTF-8 becomes replacement characters.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Nanoseconds as microseconds with three decimals, exact.
std::string microseconds(int64_t nanoseconds) {
    return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

class Writer {
  public:
    Writer(std::ostream& out, const Trace& trace) : out(out), trace(trace) {
        for (const auto& lane : trace.lanes)
            for (const auto& slice : lane.slices)
                first = std::min(first, slice.begin);
    }

    void write() {
        out << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
        std::map<std::string, size_t> processes;
        for (size_t i = 0; i < trace.lanes.size(); ++i) {
            const auto [process, isNew] = processes.try_emplace(trace.lanes[i].process, processes.size() + 1);
            places.emplace_back(process->second, i + 1);
            if (isNew) {
                metadata("process_name", i, "name", quoted(process->first));
                metadata("process_sort_index", i, "sort_index", std::to_string(process->second));
            }
            metadata("thread_name", i, "name", quoted(trace.lanes[i].name));
            metadata("thread_sort_index", i, "sort_index", std::to_string(i + 1));
        }
        for (size_t i = 0; i < trace.lanes.size(); ++i)
            for (const auto& slice : trace.lanes[i].slices)
                write(slice, i);
        out << "\n]}\n";
    }

  private:
    void metadata(const char* what, size_t lane, const char* key, const std::string& value) {
        begin();
        out << fmt::format("{{\"ph\":\"M\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"args\":{{\"{}\":{}}}}}", what,
                           places[lane].first, places[lane].second, key, value);
    }

    void write(const Trace::Slice& slice, size_t lane) {
        const auto rounded = [this](double time) { return static_cast<int64_t>(std::llround((time - first) * 1000)); };
        // Both ends are rounded, not the duration: what touches goes on touching.
        const int64_t from = rounded(slice.begin), to = rounded(slice.begin + slice.duration);
        begin();
        out << fmt::format(
            "{{\"ph\":\"X\",\"name\":{},\"cat\":{},\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"args\":{{",
            quoted(slice.name), quoted(slice.category), places[lane].first, places[lane].second, microseconds(from),
            microseconds(std::max<int64_t>(to - from, 0)));
        for (size_t i = 0; i < slice.arguments.size(); ++i)
            out << (i == 0 ? "" : ",") << quoted(slice.arguments[i].first) << ':' << quoted(slice.arguments[i].second);
        out << "}}";
    }

    void begin() {
        out << (any ? ",\n" : "\n");
        any = true;
    }

    std::ostream& out;
    const Trace& trace;
    std::vector<std::pair<size_t, size_t>> places; ///< (pid, tid) per lane
    double first = std::numeric_limits<double>::infinity();
    bool any = false;
};

/// The bytes as a gzip file in memory.
std::string gzipped(const std::string& bytes, const std::string& file) {
    z_stream stream{};
    constexpr int gzipWindow = 15 + 16; // zlib.h: 16 more asks for gzip's header
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error(file + ": could not be compressed");
    std::string packed;
    std::array<char, 1 << 16> piece{};
    constexpr size_t most = 1 << 30; // zlib counts in 32 bits
    size_t taken = 0;
    int state = Z_OK;
    while (state == Z_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = static_cast<uInt>(std::min(most, bytes.size() - taken));
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + taken));
            taken += stream.avail_in;
        }
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = piece.size();
        state = deflate(&stream, taken == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
        packed.append(piece.data(), piece.size() - stream.avail_out);
    }
    deflateEnd(&stream);
    if (state != Z_STREAM_END)
        throw std::runtime_error(file + ": could not be compressed");
    return packed;
}

} // namespace

void writeTrace(std::ostream& out, const Trace& trace) { Writer(out, trace).write(); }

void saveTrace(const std::filesystem::path& file, const Trace& trace) {
    AtomicFile target(file);
    if (file.extension() == ".gz") {
        std::ostringstream text;
        writeTrace(text, trace);
        target.stream() << gzipped(std::move(text).str(), file.string());
    } else {
        writeTrace(target.stream(), trace);
    }
    target.commit();
}

} // namespace warplight::formats
