// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/collectives/files/nccl_records.h"

#include "core/profiles/json_scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>
#include <utility>

namespace warplight::collectives {
namespace {

using Kind = NcclField::Kind;

constexpr int deepest = 32;
constexpr size_t longestText = 16 << 20;

struct Node {
    enum class Is { Scalar, Text, Object, List } is = Is::Scalar;
    std::string text;
    struct Member;
    std::vector<Member> members; ///< of lists without names
};

struct Node::Member {
    std::string name;
    Node value;
};

/// Keeps what came before a place that is no JSON.
void read(profiles::JsonScanner& json, Node& node, int depth) {
    const char next = json.peek();
    if ((next != '{' && next != '[') || depth == deepest) {
        node.is = next == '"' ? Node::Is::Text : Node::Is::Scalar;
        if (depth == deepest)
            json.skipValue();
        else if (next == '"')
            json.readString(node.text, longestText);
        else
            json.readScalar(node.text);
        return;
    }
    json.expect(next);
    node.is = next == '{' ? Node::Is::Object : Node::Is::List;
    std::string key;
    while (next == '{' ? json.nextKey(key) : json.nextElement())
        read(json, node.members.emplace_back(Node::Member{key, {}}).value, depth + 1);
}

bool isScalar(const Node& node) { return node.is == Node::Is::Scalar || node.is == Node::Is::Text; }

std::optional<int64_t> integer(std::string_view text) {
    int64_t value = 0;
    const auto got = std::from_chars(text.data(), text.data() + text.size(), value);
    return got.ec == std::errc() && got.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

void collect(const Node& node, const std::vector<NcclCell>& above, NcclJsonText& found) {
    std::vector<NcclCell> cells = above; // what an object says goes for those inside it
    size_t records = found.records.size();
    if (node.is == Node::Is::Object) {
        for (const auto& [name, member] : node.members) {
            const NcclField field = ncclFieldOf(name);
            if (isScalar(member) && field.kind != Kind::Unknown) {
                cells.push_back({field, member.text});
            } else if (field.kind == Kind::Half || ncclFieldOf(name + " time").half == 0) { // "out_of_place": {...}
                for (const auto& [inner, value] : member.members)
                    if (NcclField part = ncclFieldOf(inner); part.measured() && isScalar(value)) {
                        part.half = field.kind == Kind::Half ? 1 : 0;
                        cells.push_back({part, value.text});
                    }
            }
        }
        if (auto record = ncclRecordOf(cells))
            found.records.push_back(std::move(*record));
        std::erase_if(cells, [](const NcclCell& c) { return c.field.measured(); });
    }
    for (const auto& [name, member] : node.members) {
        if (isScalar(member))
            continue;
        std::vector<NcclCell> inner = cells;
        if (integer(name)) // {"1024": {"time": ...}}
            inner.push_back({NcclField{Kind::Size}, name});
        collect(member, inner, found);
    }
    if (found.records.size() == records)
        for (const auto& [name, member] : node.members)
            if (member.is == Node::Is::Text && !member.text.empty())
                found.texts.push_back(member.text);
}

/// Null: it has no list "results".
const Node* resultsOf(const Node& node) {
    const auto found = std::find_if(node.members.begin(), node.members.end(),
                                    [](const auto& m) { return m.name == "results" && m.value.is == Node::Is::List; });
    return node.is == Node::Is::Object && found != node.members.end() ? &found->value : nullptr;
}

/// Whether its results are those of -J, which has an object for each half.
bool isDocument(const Node& node) {
    const Node* results = resultsOf(node);
    return results && !results->members.empty() &&
           std::any_of(results->members[0].value.members.begin(), results->members[0].value.members.end(),
                       [](const auto& m) { return m.name == "out_of_place" || m.name == "in_place"; });
}

/// A record's "name" may be anything's; "AlltoAllv" is that of a collective, known or not.
void nameTest(std::string_view text, NcclRecord& made) {
    NcclTest test = NcclTest::Unknown;
    std::string other;
    ncclNamedTest(text, test, other);
    if (test != NcclTest::Unknown || (made.test == NcclTest::Unknown && looksLikeACollective(other))) {
        made.test = test;
        made.testName = std::move(other);
    }
}

} // namespace

std::optional<NcclRecord> ncclRecordOf(std::span<const NcclCell> cells) {
    bool sized = false, timed = false, inPlace = false;
    NcclRecord made;
    for (const NcclCell& cell : cells) {
        const auto number = integer(cell.text);
        if (cell.field.kind == Kind::Half)
            inPlace = cell.text == "1" || cell.text == "true" || cell.text == "True" || cell.text == "in-place";
        else if (cell.field.kind == Kind::Test)
            nameTest(cell.text, made);
        else if (cell.field.kind == Kind::Ranks && number && *number > 0 && *number <= mostRanks)
            made.ranks = static_cast<int>(*number);
        else if (cell.field.kind == Kind::Nodes && number && *number > 0 && *number <= mostRanks)
            made.nodes = static_cast<int>(*number);
    }
    bool banded = false;
    for (const NcclCell& cell : cells) {
        NcclField field = cell.field;
        if (field.half < 0)
            field.half = inPlace ? 1 : 0;
        const bool taken = made.printed.put(field, cell.text);
        sized = sized || (taken && field.kind == Kind::Size);
        timed = timed || (taken && field.kind == Kind::Time);
        banded = banded || (taken && (field.kind == Kind::Algbw || field.kind == Kind::Busbw));
    }
    if (!sized || !timed || !banded)
        return {};
    // What is not there was not measured: N/A, or no time.
    for (auto* half : {&made.printed.row.outOfPlace, &made.printed.row.inPlace})
        if (*half && !((*half)->seconds > 0))
            half->reset();
    return made;
}

NcclJsonText readNcclJsonText(std::string_view text) {
    profiles::TextSource source(text);
    profiles::JsonScanner json(source);
    Node root;
    try {
        read(json, root, 0);
    } catch (const profiles::JsonDamage&) {
        // what came before is there
    }
    NcclJsonText found;
    found.hasResults = resultsOf(root) != nullptr;
    found.hasDocuments = !found.hasResults && std::any_of(root.members.begin(), root.members.end(),
                                                          [](const auto& m) { return isDocument(m.value); });
    if (!found.hasResults && !found.hasDocuments)
        collect(root, {}, found);
    return found;
}

} // namespace warplight::collectives
