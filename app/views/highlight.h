// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/figure.h"

#include <QColor>
#include <QString>

#include <vector>

namespace warplight::app {

/// What a stretch of a line of code is, as far as its colour goes.
enum class Token { Plain, Keyword, Number, Text, Comment, Directive };

struct TokenRun {
    int begin, length; ///< in characters of the line
    Token token;
    bool operator==(const TokenRun&) const = default;
};

/// The line as runs that cover it without gaps. `inComment`: the line begins inside a block comment; set to whether the
/// next one does.
std::vector<TokenRun> highlight(const QString& line, lab::Source::Language language, bool& inComment);

QColor colourOf(Token token); ///< in the theme in force

} // namespace warplight::app
