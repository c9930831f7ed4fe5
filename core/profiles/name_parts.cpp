// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/profiles/name_parts.h"

#include "core/profiles/text.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>

namespace warplight::profiles {
namespace {

constexpr int deepest = 8; ///< wrappers in wrappers

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}
bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Entry points of CUTLASS, Composable Kernel, Thrust and CUB: templates of one argument that is the kernel.
bool isWrapper(std::string_view base) {
    return oneOf(base, {"Kernel", "Kernel2", "device_kernel", "kentry", "_kernel_agent", "static_kernel"});
}
/// Types around a kernel that only say for which GPUs it is compiled, or how it is tuned.
bool isPassedThrough(std::string_view base) { return base.starts_with("enable_") || isWrapper(base); }

/// Where the template arguments or parameters of the function begin: the first `<` or `(` that does not belong to an
/// "(anonymous namespace)" or to template arguments of a namespace's class.
size_t endOfName(std::string_view text) {
    constexpr std::string_view anonymous = "(anonymous namespace)";
    int depth = 0;
    size_t candidate = std::string_view::npos;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(' && text.substr(i).starts_with(anonymous)) {
            i += anonymous.size() - 1;
            continue;
        }
        if (text[i] == '<') {
            if (depth++ == 0)
                candidate = i;
        } else if (text[i] == '>') {
            depth = std::max(depth - 1, 0);
            if (depth == 0 && text.substr(i + 1).starts_with("::"))
                candidate = std::string_view::npos; // a class: the function's name follows
        } else if (text[i] == '(' && depth == 0) {
            return std::min(candidate, i);
        }
    }
    return std::min(candidate, text.size());
}

/// Dots are part of it: "fusion.12" is a kernel of XLA.
std::string_view lastWord(std::string_view text) {
    size_t end = text.size();
    while (end > 0 && !isWord(text[end - 1]))
        --end;
    size_t begin = end;
    while (begin > 0 && (isWord(text[begin - 1]) || text[begin - 1] == '.'))
        --begin;
    while (begin < end && text[begin] == '.')
        ++begin;
    return text.substr(begin, end - begin);
}

/// Without what compilers for AMD's GPUs put behind it: "kernel.kd", "kernel(int) [clone .kd]".
std::string_view withoutClone(std::string_view kernel) {
    if (const size_t clone = kernel.find(" [clone "); clone != kernel.npos)
        kernel = kernel.substr(0, clone);
    return kernel.ends_with(".kd") ? kernel.substr(0, kernel.size() - 3) : kernel;
}

/// "gfx942" and "gfx9_t": for which of AMD's GPUs it is compiled.
bool isTarget(std::string_view word) { return word.starts_with("gfx") && word.size() > 3 && isDigit(word[3]); }

/// Without the return type: behind the last blank outside of brackets.
std::string_view withoutType(std::string_view text) {
    int depth = 0;
    for (size_t i = text.size(); i > 0; --i) {
        const char c = text[i - 1];
        depth += c == '>' || c == ')';
        depth -= c == '<' || c == '(';
        if (c == ' ' && depth == 0)
            return text.substr(i);
    }
    return text;
}

bool isPlainType(std::string_view word) {
    return oneOf(word, {"char",     "bool",       "int",      "unsigned", "signed",        "short",  "long",
                        "float",    "double",     "half",     "__half",   "__nv_bfloat16", "half_t", "size_t",
                        "bfloat16", "bfloat16_t", "BFloat16", "Half",     "void",          "const",  "uint32_t",
                        "true",     "false",      "int8_t",   "uint8_t",  "int32_t"});
}

/// The first of "<256, 2, ck_tile::FmhaFwdKernel<...>, ...>" that is a type with a name of its own.
std::string_view firstNamed(std::string_view arguments, int level) {
    if (arguments.empty() || level > deepest)
        return {};
    size_t from = 1;
    int depth = 0;
    for (size_t i = 1; i <= arguments.size(); ++i) {
        const char c = i < arguments.size() ? arguments[i] : ',';
        const bool closes = depth == 0 && c == '>';
        if ((depth == 0 && c == ',') || closes || i == arguments.size()) {
            const std::string_view argument = trimmed(arguments.substr(from, i - from));
            from = i + 1;
            const bool value = argument.empty() || isDigit(argument[0]) || argument[0] == '-' || argument[0] == '(';
            const size_t end = endOfName(argument);
            const std::string_view base = lastWord(argument.substr(0, end));
            if (!value && !base.empty() && !isPlainType(base) && !base.starts_with("policy") && !isTarget(base)) {
                if (isPassedThrough(base) && end < argument.size() && argument[end] == '<')
                    if (const auto inner = firstNamed(argument.substr(end), level + 1); !inner.empty())
                        return inner;
                return base;
            }
            if (closes)
                return {};
            continue;
        }
        depth += c == '<' || c == '(' || c == '{' || c == '[';
        depth -= c == '>' || c == ')' || c == '}' || c == ']';
    }
    return {};
}

/// Reads names of the Itanium C++ ABI as far as tables need them: identifiers, and the first template argument that is
/// one. A whole demangler's output can be exponentially long, and profilers cut long names.
class Mangled {
  public:
    explicit Mangled(std::string_view t, size_t from = 2) : text(t), at(from) {}

    NameParts parts() {
        NameParts p;
        p.base = name();
        p.path = text.substr(0, at);
        p.wrapper = isWrapper(p.base);
        if (next() == 'I')
            p.arguments = text.substr(at++);
        if (p.wrapper) {
            p.runs = p.arguments.empty() ? p.arguments : argument(0);
            p.wrapper = !p.runs.empty();
        }
        return p;
    }

    /// All identifiers from here on, also where the encoding around them is not understood.
    void forEachIdentifier(const std::function<void(std::string_view word, bool isTemplate)>& call) {
        while (at < text.size()) {
            const char c = text[at];
            if (isDigit(c)) {
                const std::string_view word = identifier();
                call(word, next() == 'I');
                continue;
            }
            ++at;
            if (c == 'L' && next() == 'N') { // LN2at4KindE15E is a value of a type with a name
                name();
                at += next() == 'E';
            } else if (c == 'L' && next() >= 'a' && next() <= 'z') { // Li4E
                ++at;
            } else if (c != 'S' && c != 'T') { // S0_, T1_
                continue;
            }
            while (isDigit(next()))
                ++at;
        }
    }

  private:
    char next() const { return at < text.size() ? text[at] : '\0'; }

    std::string_view identifier() {
        size_t length = 0;
        while (isDigit(next()) && length < text.size())
            length = 10 * length + static_cast<size_t>(text[at++] - '0');
        const std::string_view word = text.substr(at, length);
        at += word.size();
        return word;
    }
    /// A nested or a plain name up to its template arguments: its last identifier.
    std::string_view name() {
        const bool nested = next() == 'N';
        at += nested;
        std::string_view last;
        while (at < text.size()) {
            const char c = text[at];
            if (isDigit(c)) {
                last = identifier();
                if (!nested)
                    break;
            } else if (c == 'S' && at + 1 < text.size()) { // std::, or what was named before
                at = text[at + 1] == 't' ? at + 2 : std::min(text.find('_', at), text.size() - 1) + 1;
            } else if (std::string_view("rVKL").find(c) != std::string_view::npos && last.empty()) {
                ++at;
            } else {
                break;
            }
        }
        return last;
    }
    std::string_view argument(int level) {
        while (at < text.size() && level < deepest) {
            const char c = text[at];
            if (c == 'L') { // a value
                const size_t end = text.find('E', at);
                if (end == text.npos)
                    return {};
                at = end + 1;
            } else if (c == 'N' || c == 'S' || isDigit(c)) {
                const size_t from = at;
                const std::string_view word = name();
                if (at == from)
                    return {};
                if (isPassedThrough(word) && next() == 'I') {
                    ++at;
                    return argument(level + 1);
                }
                if (!word.empty() && !isPlainType(word) && !isTarget(word))
                    return word;
                if (next() == 'E')
                    ++at;
            } else if ((c >= 'a' && c <= 'z') || c == 'P' || c == 'R' || c == 'K') { // a plain type
                ++at;
            } else {
                return {};
            }
        }
        return {};
    }

    std::string_view text;
    size_t at;
};

} // namespace

bool isWord(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || isDigit(c) || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
}

void forEachWord(std::string_view arguments, const std::function<void(std::string_view word, bool isTemplate)>& call) {
    if (!arguments.starts_with('<'))
        return Mangled(arguments, 0).forEachIdentifier(call);
    for (size_t at = 0; at < arguments.size();) {
        const size_t begin = at;
        while (at < arguments.size() && isWord(arguments[at]))
            ++at;
        if (at > begin)
            call(arguments.substr(begin, at - begin), at < arguments.size() && arguments[at] == '<');
        else
            ++at;
    }
}

bool isCut(std::string_view kernel) { return kernel.ends_with("…") || kernel.ends_with("..."); }

std::string_view withoutNumber(std::string_view kernel) {
    const size_t open = kernel.rfind(" (");
    if (open == kernel.npos || !kernel.ends_with(')') || !isCut(kernel.substr(0, open)))
        return kernel;
    const std::string_view number = kernel.substr(open + 2, kernel.size() - open - 3);
    return !number.empty() && std::all_of(number.begin(), number.end(), isDigit) ? kernel.substr(0, open) : kernel;
}

NameParts partsOf(std::string_view kernel) {
    kernel = withoutClone(withoutNumber(kernel));
    if (kernel.starts_with("_Z"))
        if (const NameParts parts = Mangled(kernel).parts(); !parts.base.empty())
            return parts;
    const size_t end = endOfName(kernel);
    NameParts parts;
    parts.path = withoutType(kernel.substr(0, end));
    parts.base = lastWord(kernel.substr(0, end));
    if (end < kernel.size() && kernel[end] == '<')
        parts.arguments = kernel.substr(end);
    if (isWrapper(parts.base)) {
        parts.runs = firstNamed(parts.arguments, 0);
        parts.wrapper = !parts.runs.empty();
    }
    return parts;
}

} // namespace warplight::profiles
