// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/ptx_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace warplight::cuda {
namespace {

bool isWordCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '.'; }

/// Words and single characters of PTX text, without blanks, comments and strings.
class Words {
  public:
    explicit Words(std::string_view t) : text(t) {}
    /// Empty at the end.
    std::string_view next() {
        skipBlanks();
        if (at >= text.size())
            return {};
        const size_t begin = at++;
        if (text[begin] == '"') {
            at = std::min(text.find('"', at), text.size() - 1) + 1;
            return text.substr(begin, at - begin);
        }
        if (isWordCharacter(text[begin]) || text[begin] == '%')
            while (at < text.size() && isWordCharacter(text[at]))
                ++at;
        return text.substr(begin, at - begin);
    }
    size_t position() const { return at; }

  private:
    void skipBlanks() {
        while (at < text.size()) {
            if (std::isspace(static_cast<unsigned char>(text[at])))
                ++at;
            else if (text.substr(at, 2) == "//")
                at = std::min(text.find('\n', at), text.size());
            else if (text.substr(at, 2) == "/*")
                at = std::min(text.find("*/", at), text.size() - 2) + 2;
            else
                return;
        }
    }
    std::string_view text;
    size_t at = 0;
};

int64_t numberIn(std::string_view word) {
    int64_t value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
}

/// Bytes of a type such as ".u64", ".f16x2"; 0 if it is none.
int64_t typeBytes(std::string_view word) {
    if (word == ".texref" || word == ".samplerref" || word == ".surfref")
        return 8;
    if (word.starts_with(".bf"))
        return word == ".bf16" ? 2 : word == ".bf16x2" ? 4 : 0;
    if (word.size() < 3 || std::string_view("busf").find(word[1]) == std::string_view::npos ||
        !std::isdigit(static_cast<unsigned char>(word[2])))
        return 0;
    const int64_t bits = numberIn(word.substr(2));
    return word.ends_with("x2") ? bits / 4 : bits / 8;
}

/// `.param .align 8 .b8 name[72]` up to the comma or the bracket, which is returned.
std::string_view readParameter(Words& words, gpu::KernelInfo::Parameter& parameter) {
    int64_t elements = 1;
    for (;;) {
        const std::string_view word = words.next();
        if (word.empty() || word == "," || word == ")") {
            parameter.bytes *= elements;
            return word;
        }
        if (word == "[") {
            elements = numberIn(words.next());
            parameter.type = fmt::format("{} bytes", parameter.bytes * elements);
        } else if (word == ".align")
            words.next();
        else if (const int64_t bytes = typeBytes(word); bytes > 0) {
            parameter.bytes = bytes;
            parameter.type = word.substr(1);
        } else if (word[0] != '.' && word != "]")
            parameter.name = word;
    }
}

} // namespace

std::vector<PtxKernel> kernelsOf(const std::string& ptx) {
    std::vector<PtxKernel> kernels;
    Words words(ptx);
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        if (word != ".entry")
            continue;
        PtxKernel kernel;
        kernel.name = words.next();
        word = words.next();
        for (bool more = word == "("; more;) {
            gpu::KernelInfo::Parameter parameter{"", "", 0};
            more = readParameter(words, parameter) == ",";
            if (parameter.bytes > 0)
                kernel.parameters.push_back(std::move(parameter));
        }
        while (!word.empty() && word != "{" && word != ";")
            word = words.next();
        if (word == "{")
            kernels.push_back(std::move(kernel));
    }
    return kernels;
}

std::string ptxForDriver(std::string ptx, int version) {
    // PTX ISA 9.0, table "PTX release history": the newest that each CUDA takes.
    struct Known {
        int cuda;
        std::string_view ptx;
    };
    constexpr Known known[] = {{13000, "9.0"}, {12090, "8.8"}, {12080, "8.7"}, {12070, "8.6"}, {12050, "8.5"},
                               {12040, "8.4"}, {12030, "8.3"}, {12020, "8.2"}, {12010, "8.1"}, {12000, "8.0"},
                               {11080, "7.8"}, {11070, "7.7"}, {11060, "7.6"}, {11050, "7.5"}, {11040, "7.4"},
                               {11030, "7.3"}, {11020, "7.2"}, {11010, "7.1"}};
    if (version >= known[0].cuda) // its own compiler knows best
        return ptx;
    const auto mine =
        std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return version >= k.cuda; });
    Words words(ptx);
    for (std::string_view word = words.next(); !word.empty(); word = words.next())
        if (word == ".version") {
            const std::string_view written = words.next();
            const size_t begin = words.position() - written.size(), length = written.size();
            const auto parts = [](std::string_view v) { // 8.10 is newer than 8.4
                const size_t dot = std::min(v.find('.'), v.size());
                return std::pair(numberIn(v.substr(0, dot)), dot < v.size() ? numberIn(v.substr(dot + 1)) : 0);
            };
            if (mine != std::end(known) && parts(written) > parts(mine->ptx))
                ptx.replace(begin, length, mine->ptx);
            return ptx;
        }
    return ptx;
}

} // namespace warplight::cuda
