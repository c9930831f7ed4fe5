// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/run.h"
#include "core/labs/precision/overflow_judge.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::labs::precision {

/// What a run of Overflow watches, and what answers for its map when it is over.
struct OverflowScene {
    std::vector<float> q, k, v;
    OverflowHead head; ///< points into them
    cpu::HalfRecipe recipe;
    std::unique_ptr<cpu::HalfSteps> steps; ///< of the recipe
    std::string kernel;                    ///< "half2, sums in f16"
};

/// "f16, sums in f16 on CUDA cores".
std::string inWords(const cpu::HalfRecipe& recipe);
/// "f16": a key of the formats' colours.
std::string formatOf(const cpu::HalfRecipe& recipe);

/// Shows |S| as a lazy map. A large one is empty until surveyScores has gone over all scores, which takes its time.
void putScores(lab::Run& run, const std::shared_ptr<const OverflowScene>& scene);
bool isLarge(const OverflowScene& scene);
/// What is seen from afar, band by band as it goes on; then the map answers for its tiles.
void surveyScores(lab::Run& run, const std::shared_ptr<const OverflowScene>& scene);

void putOverflowHeadlines(lab::Run& run, const OverflowScene& scene, const Verdict& verdict);
/// Scores by their power of two, with the limit.
void putExponents(lab::Run& run, const OverflowScene& scene, const Verdict& verdict);
/// What made numbers infinite or NaN first, by recipe.
class Deaths {
  public:
    explicit Deaths(const OverflowScene& scene) : scene(scene) {}
    void add(const std::string& recipe, const Verdict& verdict);
    void put(lab::Run& run) const;

  private:
    const OverflowScene& scene;
    lab::Table table;
    int64_t judged = 0;
};

/// A score's sum from product to product, and what became of its row.
void putHistory(lab::Run& run, const OverflowScene& scene, int64_t query, int64_t key);

} // namespace warplight::labs::precision
