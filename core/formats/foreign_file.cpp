// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/formats/foreign_file.h"

#include "core/error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <ios>
#include <string_view>
#include <system_error>

namespace warplight::formats {
namespace {

constexpr size_t startBytes = 512;
constexpr size_t quotedBytes = 120;

bool isText(std::string_view start) {
    return std::all_of(start.begin(), start.end(),
                       [](unsigned char c) { return c >= ' ' ? c != 0x7f : c == '\n' || c == '\r' || c == '\t'; });
}

/// The beginning in one line, of ASCII alone.
std::string quote(std::string_view text) {
    std::string line;
    for (const char c : text.substr(0, quotedBytes))
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            line += c > ' ' && c < 0x7f ? c : '?';
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    while (line.ends_with(' '))
        line.pop_back();
    return line + (text.size() > quotedBytes ? " ..." : "");
}

/// "<!doctype html>", "<?xml", "<Error>"; not "<string>:1: DeprecationWarning", as Python's warnings begin.
bool beginsPage(std::string_view text) {
    if (text.size() < 2 || text[0] != '<')
        return false;
    if (text[1] == '!' || text[1] == '?')
        return true;
    const size_t end = text.find('>');
    return std::isalpha(static_cast<unsigned char>(text[1])) &&
           !text.substr(std::min(end, text.size())).starts_with(">:");
}

std::string lfsSize(std::string_view text) {
    const size_t at = text.find("\nsize ");
    if (at == text.npos)
        return "";
    std::string_view digits = text.substr(at + 6);
    digits = digits.substr(0, digits.find_first_not_of("0123456789"));
    return digits.empty() ? "" : fmt::format(" to {} bytes", digits);
}

/// Formats that are told by their first bytes.
std::string_view otherFormat(std::string_view start, const std::string& ending) {
    struct Magic {
        std::string_view bytes, ending, is;
    };
    constexpr std::array<Magic, 5> known{{{"PK\x03\x04", ".npz", "a zip archive, as .npz and PyTorch's .pt are"},
                                          {"\x93NUMPY", ".npy", "a .npy array"},
                                          {"GGUF", ".gguf", "a GGUF model"},
                                          {"\x1f\x8b", ".gz", "packed with gzip; gunzip unpacks it"},
                                          {"\x89HDF\r\n", ".h5", "an HDF5 file"}}};
    for (const Magic& magic : known)
        if (start.starts_with(magic.bytes) && magic.ending != ending)
            return magic.is;
    return {};
}

} // namespace

std::string foreignKind(std::span<const std::byte> bytes, const std::string& ending) {
    std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), startBytes));
    if (start.empty())
        return "empty";
    if (const std::string_view other = otherFormat(start, ending); !other.empty())
        return std::string(other);
    if (start.starts_with("\xEF\xBB\xBF"))
        start.remove_prefix(3);
    if (start.starts_with("version https://git-lfs"))
        return fmt::format("a Git LFS pointer{}, its data was not fetched; `git lfs pull` fetches it", lfsSize(start));
    if (!isText(start))
        return "";
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
    if (start.empty())
        return "nothing but blanks";
    if (beginsPage(start))
        return fmt::format(
            "an HTML or XML page (\"{}\"), as a download leaves it that needs a login or another address",
            quote(start));
    if (start[0] == '{' || start[0] == '[')
        return ending == ".json" ? ""
                                 : fmt::format("JSON ({}), as a server answers when a download fails", quote(start));
    return fmt::format("text that begins \"{}\"", quote(start));
}

void refuseForeign(const std::string& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) // opening a pipe waits; the reader says why
        return;
    std::string start(startBytes, '\0');
    std::ifstream in(file, std::ios::binary);
    if (!in)
        return;
    in.read(start.data(), static_cast<std::streamsize>(start.size()));
    if (in.bad() || (!in.eof() && in.fail()))
        return;
    const auto got = static_cast<size_t>(in.gcount());
    const size_t dot = file.rfind('.');
    const std::string ending = dot == std::string::npos ? "" : file.substr(dot);
    const std::string is = foreignKind(std::as_bytes(std::span(start.data(), got)), ending);
    if (!is.empty())
        throw InputError(fmt::format("{}: the file is {}; expected a {} file", file, is,
                                     ending == ".json" ? "safetensors index (.json)" : ending));
}

} // namespace warplight::formats
