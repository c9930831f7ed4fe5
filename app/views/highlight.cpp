// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/highlight.h"

#include "app/views/theme.h"

#include <QSet>
#include <algorithm>
#include <utility>

namespace warplight::app {
namespace {

using Language = lab::Source::Language;

const QSet<QString>& cppKeywords() {
    static const QSet<QString> words{"alignas",
                                     "alignof",
                                     "asm",
                                     "auto",
                                     "bool",
                                     "break",
                                     "case",
                                     "catch",
                                     "char",
                                     "class",
                                     "concept",
                                     "const",
                                     "consteval",
                                     "constexpr",
                                     "const_cast",
                                     "continue",
                                     "decltype",
                                     "default",
                                     "delete",
                                     "do",
                                     "double",
                                     "dynamic_cast",
                                     "else",
                                     "enum",
                                     "explicit",
                                     "extern",
                                     "false",
                                     "final",
                                     "float",
                                     "for",
                                     "friend",
                                     "goto",
                                     "if",
                                     "inline",
                                     "int",
                                     "long",
                                     "mutable",
                                     "namespace",
                                     "new",
                                     "noexcept",
                                     "nullptr",
                                     "operator",
                                     "override",
                                     "private",
                                     "protected",
                                     "public",
                                     "register",
                                     "reinterpret_cast",
                                     "requires",
                                     "return",
                                     "short",
                                     "signed",
                                     "sizeof",
                                     "static",
                                     "static_assert",
                                     "static_cast",
                                     "struct",
                                     "switch",
                                     "template",
                                     "this",
                                     "throw",
                                     "true",
                                     "try",
                                     "typedef",
                                     "typename",
                                     "union",
                                     "unsigned",
                                     "using",
                                     "virtual",
                                     "void",
                                     "volatile",
                                     "while",
                                     "half",
                                     "half2",
                                     "__half",
                                     "__nv_bfloat16",
                                     "float2",
                                     "float4",
                                     "uint2",
                                     "uint4",
                                     "int8_t",
                                     "int16_t",
                                     "int32_t",
                                     "int64_t",
                                     "uint8_t",
                                     "uint16_t",
                                     "uint32_t",
                                     "uint64_t",
                                     "size_t",
                                     "uintptr_t",
                                     "__global__",
                                     "__device__",
                                     "__host__",
                                     "__shared__",
                                     "__constant__",
                                     "__managed__",
                                     "__restrict__",
                                     "__forceinline__",
                                     "__noinline__",
                                     "__launch_bounds__",
                                     "__align__",
                                     "__grid_constant__",
                                     "__cluster_dims__"};
    return words;
}

bool isWordStart(QChar c) { return c.isLetter() || c == '_'; }
bool isWord(QChar c) { return c.isLetterOrNumber() || c == '_'; }

/// Walks one line from left to right; what belongs to no token goes into the plain run before the next.
class Scanner {
  public:
    Scanner(const QString& line, Language language) : line(line), language(language) {}

    std::vector<TokenRun> scan(bool& inComment) {
        if (inComment)
            inComment = !skipComment(0);
        else
            skipFirst();
        while (at < line.size())
            inComment = !step() || inComment;
        return std::move(runs);
    }

  private:
    QChar peek(qsizetype offset = 0) const { return at + offset < line.size() ? line[at + offset] : QChar(); }

    void add(qsizetype end, Token token) {
        if (end > at) {
            if (token == Token::Plain && !runs.empty() && runs.back().token == Token::Plain)
                runs.back().length += static_cast<int>(end - at);
            else
                runs.push_back({static_cast<int>(at), static_cast<int>(end - at), token});
        }
        at = end;
    }

    /// To the end of the block comment, or of the line. False: it goes on in the next line.
    bool skipComment(qsizetype opening) {
        const qsizetype close = line.indexOf("*/", at + opening);
        add(close < 0 ? line.size() : close + 2, Token::Comment);
        return close >= 0;
    }

    /// Preprocessor lines of C++ begin with a hash.
    void skipFirst() {
        qsizetype begin = 0;
        while (begin < line.size() && line[begin].isSpace())
            ++begin;
        add(begin, Token::Plain);
        if (language == Language::Cpp && peek() == '#') {
            qsizetype end = at + 1;
            while (end < line.size() && (line[end].isSpace() || isWord(line[end])))
                ++end;
            add(end, Token::Directive);
        }
    }

    /// One token. False: a block comment is still open at the end of the line.
    bool step() {
        const QChar c = peek();
        if (c == '/' && peek(1) == '*')
            return skipComment(2);
        if (c == '/' && peek(1) == '/')
            add(line.size(), Token::Comment);
        else if (c == '"' || (c == '\'' && language == Language::Cpp))
            quoted(c);
        else if (c.isDigit())
            number();
        else if (language == Language::Ptx && c == '.' && isWordStart(peek(1)))
            word(Token::Directive);
        else if (language == Language::Ptx && (c == '%' || c == '$' || c == '@' || c == '!'))
            guardOrRegister();
        else if (isWordStart(c))
            word(Token::Plain);
        else {
            statementBegins =
                statementBegins ? c.isSpace() || c == '{' || c == '}' : c == ';' || c == ':' || c == '{' || c == '}';
            add(at + 1, Token::Plain);
        }
        return true;
    }

    void quoted(QChar quote) {
        qsizetype end = at + 1;
        while (end < line.size() && line[end] != quote)
            end += line[end] == '\\' ? 2 : 1;
        add(std::min(end + 1, line.size()), Token::Text);
    }

    void number() {
        qsizetype end = at + 1;
        while (end < line.size() &&
               (isWord(line[end]) || line[end] == '.' || line[end] == '\'' ||
                ((line[end] == '-' || line[end] == '+') && line[end - 1].toLower() == 'e' && peek(1).toLower() != 'x')))
            ++end;
        add(end, Token::Number);
    }

    /// %r1, $L__BB0_1 and the guard @%p1 of a statement.
    void guardOrRegister() {
        const bool guard = peek() == '@' || peek() == '!';
        qsizetype end = at + 1;
        while (end < line.size() && (isWord(line[end]) || line[end] == '.' || line[end] == '$' || line[end] == '%' ||
                                     (guard && line[end] == '!')))
            ++end;
        statementBegins = guard;
        add(end, Token::Plain);
    }

    void word(Token token) {
        qsizetype end = at + 1;
        const bool opcode = language == Language::Ptx && statementBegins && token == Token::Plain;
        while (end < line.size() && (isWord(line[end]) || (opcode && (line[end] == '.' || line[end] == ':'))))
            ++end;
        if (opcode && line[end - 1] != ':')
            token = Token::Keyword;
        else if (language == Language::Cpp && cppKeywords().contains(line.mid(at, end - at)))
            token = Token::Keyword;
        statementBegins = opcode && line[end - 1] == ':';
        add(end, token);
    }

    const QString& line;
    Language language;
    qsizetype at = 0;
    bool statementBegins = true; ///< PTX: the next word is an instruction
    std::vector<TokenRun> runs;
};

} // namespace

std::vector<TokenRun> highlight(const QString& line, Language language, bool& inComment) {
    if (language == Language::Plain)
        return line.isEmpty() ? std::vector<TokenRun>()
                              : std::vector{TokenRun{0, static_cast<int>(line.size()), Token::Plain}};
    return Scanner(line, language).scan(inComment);
}

QColor colourOf(Token token) {
    const Theme& theme = Theme::current();
    switch (token) {
    case Token::Plain:
        return theme.ink;
    case Token::Keyword:
        return theme.accent;
    case Token::Number:
        return theme.dark ? QColor("#7fd1b9") : QColor("#0f766e");
    case Token::Text:
        return theme.dark ? QColor("#e5b96f") : QColor("#9a5b00");
    case Token::Comment:
        return theme.muted;
    case Token::Directive:
        return theme.dark ? QColor("#c9a6f5") : QColor("#7a3fb5");
    }
    return theme.ink;
}

} // namespace warplight::app
