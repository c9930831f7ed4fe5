// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/byte_source.h"

#include "core/error.h"
#include "gpu/host/regular_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <zlib.h>

namespace warplight::profiles {
namespace {

class FileSource : public ByteSource {
  public:
    explicit FileSource(const std::string& file) : name(file), handle(nullptr, gzclose_r) {
        size = static_cast<double>(requireRegularFile(file, "a profile that can be read"));
        errno = 0;
        handle.reset(gzopen(file.c_str(), "rb"));
        if (!handle)
            throw InputError(fmt::format("{}: {}, expected a profile that can be read", file,
                                         errno ? std::strerror(errno) : "cannot be opened"));
        gzbuffer(handle.get(), 1 << 18);
    }

    size_t read(char* to, size_t most) override {
        const int got = gzread(handle.get(), to, static_cast<unsigned>(std::min<size_t>(most, 1 << 30)));
        int code = Z_OK;
        const char* text = gzerror(handle.get(), &code);
        if (code == Z_ERRNO)
            throw InputError(fmt::format("{}: {}, expected a profile that can be read", name, std::strerror(errno)));
        if (code == Z_BUF_ERROR)
            why = "the gzip file is cut";
        else if (code != Z_OK && code != Z_STREAM_END)
            why = fmt::format("the gzip file is damaged ({})", text);
        return got > 0 ? static_cast<size_t>(got) : 0;
    }

    double fraction() const override {
        return size > 0 ? std::clamp(static_cast<double>(gzoffset(handle.get())) / size, 0.0, 1.0) : 0;
    }
    std::string damage() const override { return why; }

  private:
    std::string name, why;
    std::unique_ptr<gzFile_s, decltype(&gzclose_r)> handle;
    double size = 0;
};

} // namespace

std::unique_ptr<ByteSource> openFile(const std::string& file) { return std::make_unique<FileSource>(file); }

size_t TextSource::read(char* to, size_t most) {
    const size_t got = std::min(most, text.size() - at);
    std::copy_n(text.data() + at, got, to);
    at += got;
    return got;
}

double TextSource::fraction() const {
    return text.empty() ? 1 : static_cast<double>(at) / static_cast<double>(text.size());
}

size_t PeekSource::next(char* to, size_t most) {
    reading.tick(source.fraction());
    return source.read(to, most);
}

std::string_view PeekSource::peek(size_t most) {
    while (head.size() < most) {
        const size_t had = head.size();
        head.resize(most);
        const size_t got = next(head.data() + had, most - had);
        head.resize(had + got);
        if (got == 0)
            break;
    }
    return std::string_view(head).substr(0, most);
}

size_t PeekSource::read(char* to, size_t most) {
    if (given == head.size())
        return next(to, most);
    const size_t got = std::min(most, head.size() - given);
    std::copy_n(head.data() + given, got, to);
    given += got;
    return got;
}

} // namespace warplight::profiles
