// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/virtual/decode/control_flow.h"

#include "gpu/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <string>
#include <utility>

namespace warplight::vgpu {
namespace {

bool needsPlainForm(const ptx::Instruction& i) {
    static const std::set<std::string> names = {"bar", "barrier", "call", "ret", "exit", "trap", "brx"};
    return i.predicate >= 0 && names.count(i.opcode) > 0;
}

size_t target(const ptx::Function& f, const ptx::Instruction& i, const std::string& label, const std::string& file) {
    const auto found = f.labels.find(label);
    if (found == f.labels.end())
        throw InputError(fmt::format("{}:{}: '{}' in {} goes to '{}', which is no label of it", file, i.line, i.text(),
                                     f.name, label));
    return found->second;
}

/// Immediate post-dominators by the iterative algorithm of Cooper, Harvey and Kennedy ("A Simple, Fast Dominance
/// Algorithm", 2001) on the reversed graph. The end is the node after the last block.
void findMeetingPoints(std::vector<BasicBlock>& blocks) {
    const int end = static_cast<int>(blocks.size());
    std::vector<std::vector<int>> before(blocks.size() + 1), after(blocks.size() + 1);
    for (int b = 0; b < end; ++b) {
        std::vector<int> next = blocks[static_cast<size_t>(b)].next;
        if (next.empty())
            next.push_back(end);
        for (const int n : next) {
            before[static_cast<size_t>(n)].push_back(b);
            after[static_cast<size_t>(b)].push_back(n);
        }
    }
    // Postorder of the reversed graph from the end.
    std::vector<int> order, number(blocks.size() + 1, -1);
    std::vector<std::pair<int, size_t>> stack = {{end, 0}};
    std::vector<bool> seen(blocks.size() + 1);
    seen[static_cast<size_t>(end)] = true;
    while (!stack.empty()) {
        auto& [node, edge] = stack.back();
        const auto& edges = before[static_cast<size_t>(node)];
        if (edge < edges.size()) {
            const int to = edges[edge++];
            if (!seen[static_cast<size_t>(to)]) {
                seen[static_cast<size_t>(to)] = true;
                stack.emplace_back(to, 0);
            }
        } else {
            number[static_cast<size_t>(node)] = static_cast<int>(order.size());
            order.push_back(node);
            stack.pop_back();
        }
    }
    std::vector<int> meet(blocks.size() + 1, -1);
    meet[static_cast<size_t>(end)] = end;
    const auto common = [&](int a, int b) {
        while (a != b) {
            while (number[static_cast<size_t>(a)] < number[static_cast<size_t>(b)])
                a = meet[static_cast<size_t>(a)];
            while (number[static_cast<size_t>(b)] < number[static_cast<size_t>(a)])
                b = meet[static_cast<size_t>(b)];
        }
        return a;
    };
    for (bool changed = true; changed;) {
        changed = false;
        for (auto node = order.rbegin(); node != order.rend(); ++node) {
            if (*node == end)
                continue;
            int found = -1;
            for (const int n : after[static_cast<size_t>(*node)])
                if (meet[static_cast<size_t>(n)] >= 0)
                    found = found < 0 ? n : common(found, n);
            if (found != meet[static_cast<size_t>(*node)]) {
                meet[static_cast<size_t>(*node)] = found;
                changed = true;
            }
        }
    }
    for (int b = 0; b < end; ++b) // an endless loop has no way to the end: its lanes never meet
        blocks[static_cast<size_t>(b)].meet = meet[static_cast<size_t>(b)] == end ? -1 : meet[static_cast<size_t>(b)];
}

} // namespace

bool endsFunction(const ptx::Instruction& i) { return i.opcode == "ret" || i.opcode == "exit" || i.opcode == "trap"; }
bool isBranch(const ptx::Instruction& i) { return i.opcode == "bra" || i.opcode == "brx"; }

ptx::Function withPlainControl(ptx::Function f) {
    if (std::none_of(f.body.begin(), f.body.end(), needsPlainForm))
        return f;
    std::vector<ptx::Instruction> body;
    std::vector<size_t> moved(f.body.size() + 1);
    std::vector<std::pair<std::string, size_t>> fresh;
    for (size_t i = 0; i < f.body.size(); ++i) {
        moved[i] = body.size();
        ptx::Instruction instruction = f.body[i];
        if (!needsPlainForm(instruction)) {
            body.push_back(std::move(instruction));
            continue;
        }
        ptx::Instruction around;
        around.opcode = "bra";
        around.predicate = instruction.predicate;
        around.predicateNegated = !instruction.predicateNegated;
        around.line = instruction.line;
        around.source = instruction.source;
        ptx::Operand label;
        label.kind = ptx::Operand::Kind::Symbol;
        label.name = fmt::format("behind line {}, {}", instruction.line, i);
        around.operands = {label};
        instruction.predicate = -1;
        body.push_back(std::move(around));
        body.push_back(std::move(instruction));
        fresh.emplace_back(label.name, body.size());
    }
    moved[f.body.size()] = body.size();
    for (auto& [name, at] : f.labels)
        at = moved[at];
    for (auto& [name, at] : fresh)
        f.labels[name] = at;
    f.body = std::move(body);
    return f;
}

ControlFlow controlFlow(const ptx::Function& f, const std::string& file) {
    const size_t count = f.body.size();
    std::vector<bool> leader(count + 1);
    leader[0] = true;
    for (const auto& [name, at] : f.labels)
        leader[at] = true;
    for (size_t i = 0; i < count; ++i)
        if (isBranch(f.body[i]) || endsFunction(f.body[i]))
            leader[i + 1] = true;
    ControlFlow flow;
    flow.blockOf.resize(count + 1);
    for (size_t i = 0; i < count; ++i) {
        if (leader[i]) {
            flow.blocks.emplace_back();
            flow.blocks.back().begin = i;
        }
        flow.blocks.back().end = i + 1;
        flow.blockOf[i] = static_cast<int>(flow.blocks.size()) - 1;
    }
    flow.blockOf[count] = -1; // the end
    const auto follow = [&](BasicBlock& block, size_t at) {
        if (at < count)
            block.next.push_back(flow.blockOf[at]);
    };
    for (BasicBlock& block : flow.blocks) {
        const ptx::Instruction& last = f.body[block.end - 1];
        if (last.opcode == "bra") {
            if (last.operands.empty())
                throw InputError(fmt::format("{}:{}: 'bra' in {} needs a label", file, last.line, f.name));
            follow(block, target(f, last, last.operands[0].name, file));
            if (last.predicate >= 0)
                follow(block, block.end);
        } else if (last.opcode == "brx") {
            if (last.operands.size() < 2 || !f.targets.count(last.operands[1].name))
                throw InputError(
                    fmt::format("{}:{}: 'brx' in {} needs a list of .branchtargets", file, last.line, f.name));
            for (const std::string& label : f.targets.at(last.operands[1].name))
                follow(block, target(f, last, label, file));
        } else if (!endsFunction(last)) {
            follow(block, block.end);
        }
        std::sort(block.next.begin(), block.next.end());
        block.next.erase(std::unique(block.next.begin(), block.next.end()), block.next.end());
    }
    findMeetingPoints(flow.blocks);
    return flow;
}

} // namespace warplight::vgpu
