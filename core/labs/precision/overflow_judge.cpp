// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of attention in few bits, judged against f64.
#include "core/labs/precision/overflow_judge.h"

#include "core/cpu/parallel.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <mutex>

namespace warplight::labs::precision {
namespace {

using cpu::HalfOrigin;
using cpu::HalfRecipe;
using cpu::HalfStep;
using cpu::HalfSteps;

void add(std::map<HalfStep, Verdict::Deaths>& by, int64_t query, const HalfOrigin& origin) {
    Verdict::Deaths& deaths = by[origin.step];
    ++deaths.count;
    if (deaths.query < 0 || query < deaths.query || (query == deaths.query && origin.key < deaths.first.key)) {
        deaths.query = query;
        deaths.first = origin;
    }
}

int64_t& binOf(std::vector<int64_t>& bins, float size) {
    const int exponent = std::isfinite(size) ? std::ilogb(size) : Verdict::highest;
    return bins[static_cast<size_t>(std::clamp(exponent, Verdict::lowest, Verdict::highest) - Verdict::lowest)];
}

void count(Verdict& v, const HalfSteps& steps, const HalfSteps::Row& row, int64_t query) {
    const std::vector<float> sizes = steps.sizes(query);
    std::vector<bool> dead(sizes.size());
    for (const HalfOrigin& death : row.dead) {
        dead[static_cast<size_t>(death.key)] = true;
        add(v.scoresBy, query, death);
    }
    float largest = 0;
    for (size_t key = 0; key < sizes.size(); ++key) {
        largest = std::max(largest, sizes[key]);
        if (sizes[key] > 0 || dead[key])
            ++binOf(dead[key] ? v.sizes.lost : row.scores[key] == 0 ? v.sizes.flushed : v.sizes.kept, sizes[key]);
    }
    v.scores += static_cast<int64_t>(sizes.size());
    v.lostScores += static_cast<int64_t>(row.dead.size());
    v.outputs += static_cast<int64_t>(row.output.size());
    const auto lost = std::count_if(row.output.begin(), row.output.end(), [](float x) { return !std::isfinite(x); });
    v.lostOutputs += lost;
    v.lostRows += lost > 0;
    if (row.origin.step != HalfStep::None)
        add(v.rowsBy, query, row.origin);
    if (largest > 0)
        v.headroom.push_back(std::log2(steps.limit() / static_cast<double>(largest)));
}

void merge(Verdict& all, const Verdict& part) {
    all.scores += part.scores, all.outputs += part.outputs;
    all.lostScores += part.lostScores, all.lostOutputs += part.lostOutputs, all.lostRows += part.lostRows;
    for (auto by : {&Verdict::scoresBy, &Verdict::rowsBy})
        for (const auto& [step, deaths] : part.*by) {
            Verdict::Deaths& to = (all.*by)[step];
            if (to.query < 0 || deaths.query < to.query)
                to.query = deaths.query, to.first = deaths.first;
            to.count += deaths.count;
        }
    all.headroom.insert(all.headroom.end(), part.headroom.begin(), part.headroom.end());
    for (auto sizes : {&Verdict::Sizes::kept, &Verdict::Sizes::flushed, &Verdict::Sizes::lost})
        for (size_t i = 0; i < (all.sizes.*sizes).size(); ++i)
            (all.sizes.*sizes)[i] += (part.sizes.*sizes)[i];
}

Verdict empty() {
    Verdict v;
    v.sizes.kept.resize(Verdict::highest - Verdict::lowest + 1);
    v.sizes.flushed = v.sizes.lost = v.sizes.kept;
    return v;
}

} // namespace

std::vector<NamedRecipe> remediesOf(const HalfRecipe& recipe) {
    std::vector<NamedRecipe> all{{"as it is", "as it is", recipe}};
    const auto add = [&](const char* id, const char* title, auto change) {
        HalfRecipe changed = recipe;
        change(changed);
        if (changed.stored != HalfRecipe::Stored::F16)
            changed.sums = recipe.stored == changed.stored ? recipe.sums : number::Sums::Single;
        if (changed != recipe)
            all.push_back({id, title, changed});
    };
    add("scaleFirst", "scale Q first", [](HalfRecipe& r) { r.scaleFirst = r.stored != HalfRecipe::Stored::E4M3; });
    add("subtractMaximum", "subtract maximum", [](HalfRecipe& r) { r.subtractMaximum = true; });
    add("single", "add up in f32", [](HalfRecipe& r) { r.sums = number::Sums::Single; });
    if (recipe.sums != number::Sums::Single && !recipe.scaleFirst)
        add("both", "both of these", [](HalfRecipe& r) {
            r.scaleFirst = true;
            r.sums = number::Sums::Single;
        });
    add("bf16", "bf16", [](HalfRecipe& r) { r.stored = HalfRecipe::Stored::BF16; });
    add("e4m3", "e4m3, scaled", [](HalfRecipe& r) {
        r.stored = HalfRecipe::Stored::E4M3;
        r.scaleFirst = false; // there is a scale as it is
    });
    return all;
}

double Verdict::medianHeadroom() const {
    if (headroom.empty())
        return std::numeric_limits<double>::quiet_NaN();
    std::vector<double> sorted = headroom;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
}

std::vector<double> exactOutputs(const OverflowHead& head, const std::vector<int64_t>& rows,
                                 const std::atomic<bool>* cancel) {
    const cpu::MapProblem& p = head.problem;
    std::vector<double> exact(rows.size() * static_cast<size_t>(p.headDim));
    cpu::parallelItems(static_cast<int64_t>(rows.size()), cpu::workerCount(0), cancel, [&](int64_t r, int) {
        const int64_t query = rows[static_cast<size_t>(r)];
        const int64_t seen = p.causal ? std::clamp<int64_t>(query + 1 + p.keyLen - p.queryLen, 0, p.keyLen) : p.keyLen;
        std::vector<double> weight(static_cast<size_t>(seen));
        double most = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t j = 0; j < seen; ++j) {
            double score = 0;
            for (int64_t c = 0; c < p.headDim; ++c)
                score += static_cast<double>(p.q[query * p.headDim + c]) * static_cast<double>(p.k[j * p.headDim + c]);
            most = std::max(most, weight[static_cast<size_t>(j)] = score * static_cast<double>(p.scale));
        }
        for (double& w : weight)
            sum += w = std::exp(w - most);
        double* o = exact.data() + r * p.headDim;
        for (int64_t j = 0; j < seen; ++j)
            for (int64_t c = 0; c < p.headDim; ++c)
                o[c] += weight[static_cast<size_t>(j)] / sum * static_cast<double>(head.v[j * p.headDim + c]);
    });
    return exact;
}

Verdict judge(const HalfSteps& steps, const OverflowHead& head, const std::vector<int64_t>& rows,
              const std::vector<double>& exact, const std::atomic<bool>* cancel) {
    const auto dim = static_cast<size_t>(head.problem.headDim);
    std::vector<double> errors(rows.size()), norms(rows.size());
    const int workers = cpu::workerCount(0);
    std::vector<Verdict> parts(static_cast<size_t>(workers), empty());
    cpu::parallelItems(static_cast<int64_t>(rows.size()), workers, cancel, [&](int64_t item, int worker) {
        const auto r = static_cast<size_t>(item);
        const HalfSteps::Row row = steps.row(rows[r]);
        count(parts[static_cast<size_t>(worker)], steps, row, rows[r]);
        for (size_t c = 0; c < dim; ++c) {
            const double is = exact[r * dim + c], difference = static_cast<double>(row.output[c]) - is;
            errors[r] += difference * difference;
            norms[r] += is * is;
        }
    });
    Verdict all = empty();
    for (const Verdict& part : parts)
        merge(all, part);
    all.rows = static_cast<int64_t>(rows.size());
    double error = 0, norm = 0;
    for (size_t r = 0; r < rows.size(); ++r)
        if (std::isfinite(errors[r])) {
            error += errors[r];
            norm += norms[r];
        }
    if (norm > 0)
        all.error = std::sqrt(error / norm);
    return all;
}

} // namespace warplight::labs::precision
