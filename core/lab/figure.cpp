// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lab/figure.h"

#include "core/lab/json_members.h"

#include <string_view>
#include <utility>
#include <variant>

namespace warplight::lab {

Steps::Step::Step() = default;
Steps::Step::Step(const Step&) = default;
Steps::Step::Step(Step&&) noexcept = default;
Steps::Step& Steps::Step::operator=(const Step&) = default;
Steps::Step& Steps::Step::operator=(Step&&) noexcept = default;
Steps::Step::~Step() = default;

Content::Content() = default;
Content::Content(Series series) : variant(std::move(series)) {}
Content::Content(Heatmap heatmap) : variant(std::move(heatmap)) {}
Content::Content(Histogram histogram) : variant(std::move(histogram)) {}
Content::Content(Table table) : variant(std::move(table)) {}
Content::Content(Metric metric) : variant(std::move(metric)) {}
Content::Content(Note note) : variant(std::move(note)) {}
Content::Content(Steps steps) : variant(std::move(steps)) {}
Content::Content(Source source) : variant(std::move(source)) {}
Content::Content(Timeline timeline) : variant(std::move(timeline)) {}
Content::Content(const Content&) = default;
Content::Content(Content&&) noexcept = default;
Content& Content::operator=(const Content&) = default;
Content& Content::operator=(Content&&) noexcept = default;
Content::~Content() = default;
bool Content::operator==(const Content& other) const {
    return static_cast<const variant&>(*this) == static_cast<const variant&>(other);
}

std::string_view kindName(const Figure& figure) { return vocabulary::figureKinds.at(figure.content.index()); }

} // namespace warplight::lab
