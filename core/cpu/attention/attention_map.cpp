// SPDX-License-Identifier: GPL-3.0-or-later
// The attention map of one head by recomputation: scores in strips of six rows times 64 keys, never as a matrix.
#include "core/cpu/attention/attention_map.h"

#include "core/cpu/attention/kernels.h"
#include "core/cpu/attention/rungs.h"
#include "core/cpu/parallel.h"
#include "core/cpu/workspace.h"
#include "core/error.h"
#include "core/tensor/pieces.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

namespace warplight::cpu {
namespace {

constexpr float minusInfinity = -std::numeric_limits<float>::infinity();
constexpr int64_t bandCount =
    32; // row bands with a mass array each: a fixed number, so that sums do not depend on threads
constexpr double spanCut = 0.025; // of the mass, off each end

int64_t visible(const MapProblem& p, int64_t row) {
    return p.causal ? std::clamp<int64_t>(row + 1 + p.keyLen - p.queryLen, 0, p.keyLen) : p.keyLen;
}

/// Keys of a range packed for the score kernel, block by block.
struct PackedKeys {
    PackedKeys(const MapProblem& p, int64_t begin, int64_t end, int threads, const std::atomic<bool>* cancel)
        : headDim(p.headDim),
          begin(begin),
          end(end),
          blocks((end - begin + blockKeys - 1) / blockKeys),
          panels(workspace.take<float>(std::max<int64_t>(blocks, 1) * blockKeys * p.headDim)) {
        parallelItems(blocks, workerCount(threads), cancel, [&](int64_t block, int) {
            const int64_t first = begin + block * blockKeys;
            kernels().packKeys(p.k + first * headDim, std::min(blockKeys, end - first), headDim,
                               panels + block * blockKeys * headDim);
        });
    }
    const float* block(int64_t index) const { return panels + index * blockKeys * headDim; }

    Workspace workspace;
    int64_t headDim, begin, end, blocks;
    float* panels;
};

/// Up to six scaled query rows and the scores of one block.
class Strip {
  public:
    Strip(const MapProblem& p, int64_t row, int64_t rows)
        : p(p), row(row), rows(rows), query(static_cast<size_t>(rows * p.headDim)) {
        const float scale2 = static_cast<float>(static_cast<double>(p.scale) * log2e);
        for (size_t i = 0; i < query.size(); ++i)
            query[i] = p.q[row * p.headDim + static_cast<int64_t>(i)] * scale2;
    }

    /// Computes the block's scores with -inf behind the last visible key; false when no row of the strip sees any of
    /// it.
    bool compute(const PackedKeys& keys, int64_t block) {
        const int64_t first = keys.begin + block * blockKeys, end = std::min(first + blockKeys, keys.end);
        const int64_t most = std::min(visible(p, row + rows - 1), end) - first;
        if (most <= 0)
            return false;
        kernels().scores(query.data(), rows, p.headDim, keys.block(block), most, s.data(), blockKeys);
        for (int64_t r = 0; r < rows; ++r) {
            int64_t& here = seen[static_cast<size_t>(r)];
            here = std::clamp<int64_t>(std::min(visible(p, row + r), end) - first, 0, most);
            std::fill(s.begin() + r * blockKeys + here, s.begin() + (r + 1) * blockKeys, minusInfinity);
        }
        return true;
    }
    const float* scores(int64_t r) const { return s.data() + r * blockKeys; }

    /// Row r's weights of the block computed last, p [blockKeys], which are added to ofKey [blockKeys] as well: their
    /// sum, and the largest. In a row whose log-sum-exp is NaN all is NaN that the row sees, and what it does not see
    /// stays 0.
    float probabilities(int64_t r, float lse, float* probability, float* ofKey, float& largest) const {
        if (!std::isnan(lse))
            return kernels().probabilitiesBlock(scores(r), static_cast<float>(static_cast<double>(lse) * log2e),
                                                probability, ofKey, largest);
        const int64_t keys = seen[static_cast<size_t>(r)];
        std::fill_n(probability, blockKeys, 0.0f);
        std::fill_n(probability, keys, lse);
        std::fill_n(ofKey, keys, lse);
        return largest = keys > 0 ? lse : 0;
    }

  private:
    const MapProblem& p;
    int64_t row, rows;
    std::vector<float> query;
    alignas(64) std::array<float, stripRows * blockKeys> s;
    std::array<int64_t, stripRows> seen{}; ///< keys of the block
};

/// The larger of two, or NaN if one is.
float largerOrNan(float a, float b) { return std::isnan(b) ? b : std::max(a, b); }

/// The key where the running sum of P over a row first reaches `share` of the whole.
int64_t quantileKey(const std::vector<float>& blockSums, double share,
                    const std::function<const float*(int64_t)>& block) {
    double sum = 0, total = 0;
    for (const float x : blockSums)
        total += static_cast<double>(x);
    const double wanted = share * total;
    for (size_t b = 0; b < blockSums.size(); ++b) {
        if (sum + static_cast<double>(blockSums[b]) < wanted) {
            sum += static_cast<double>(blockSums[b]);
            continue;
        }
        const float* p = block(static_cast<int64_t>(b));
        for (int64_t j = 0; j < blockKeys; ++j)
            if ((sum += static_cast<double>(p[j])) >= wanted)
                return static_cast<int64_t>(b) * blockKeys + j;
        return (static_cast<int64_t>(b) + 1) * blockKeys - 1;
    }
    return static_cast<int64_t>(blockSums.size()) * blockKeys - 1;
}

} // namespace

void mapStatistics(const MapProblem& p, std::span<float> lse, std::span<float> entropyBits, int threads,
                   const std::atomic<bool>* cancel, const std::function<void(int64_t)>& rowsDone) {
    const PackedKeys keys(p, 0, p.keyLen, threads, cancel);
    const int64_t lanes = kernels().lanes, strips = (p.queryLen + stripRows - 1) / stripRows;
    std::mutex mutex;
    int64_t done = 0;
    parallelItems(strips, workerCount(threads), cancel, [&](int64_t item, int) {
        const int64_t row = (strips - 1 - item) * stripRows,
                      rows = std::min(stripRows, p.queryLen - row); // heavy rows first
        Strip strip(p, row, rows);
        std::vector<float> sums(static_cast<size_t>(rows * lanes)), weighted(sums.size()),
            max(static_cast<size_t>(rows), minusInfinity);
        for (int64_t block = 0; block < keys.blocks && strip.compute(keys, block); ++block)
            for (int64_t r = 0; r < rows; ++r)
                kernels().statisticsBlock(strip.scores(r), max[static_cast<size_t>(r)],
                                          &sums[static_cast<size_t>(r * lanes)],
                                          &weighted[static_cast<size_t>(r * lanes)]);
        for (int64_t r = 0; r < rows; ++r) {
            double sum = 0, moment = 0;
            for (int64_t lane = 0; lane < lanes; ++lane) {
                sum += static_cast<double>(sums[static_cast<size_t>(r * lanes + lane)]);
                moment += static_cast<double>(weighted[static_cast<size_t>(r * lanes + lane)]);
            }
            const auto i = static_cast<size_t>(row + r);
            lse[i] =
                sum == 0
                    ? minusInfinity
                    : static_cast<float>((static_cast<double>(max[static_cast<size_t>(r)]) + std::log2(sum)) * ln2);
            const double bits = std::log2(sum) - moment / sum; // H = log2 Σ - Σ p (s - m) / Σ
            entropyBits[i] = sum == 0 || bits < 0 ? 0.0f : static_cast<float>(bits);
        }
        if (rowsDone) {
            const std::lock_guard lock(mutex);
            rowsDone(done += rows);
        }
    });
}

int64_t mapBytes(int64_t queryLen, int64_t keyLen, int64_t headDim, int64_t cell) {
    const int64_t rows = (queryLen + cell - 1) / cell, cols = (keyLen + cell - 1) / cell;
    const int64_t packed = (keyLen + blockKeys) * headDim * int64_t{sizeof(float)};
    const int64_t pooled = 2 * rows * cols * int64_t{sizeof(float)};
    const int64_t perKey = bandCount * int64_t{sizeof(double)} + int64_t{sizeof(float)};
    const int64_t perQuery = 3 * int64_t{sizeof(float)} + int64_t{sizeof(int64_t)};
    return packed + pooled + perKey * keyLen + perQuery * queryLen;
}

void mapSummary(const MapProblem& p, std::span<const float> lse, int64_t cell, int64_t sinkKeys, MapSummary& summary,
                int threads, const std::atomic<bool>* cancel, const std::function<void(int64_t)>& rowsDone) {
    if (cell < blockKeys || cell % blockKeys != 0)
        throw InputError("the summary's cells are " + std::to_string(cell) + " wide, expected a multiple of 64");
    const PackedKeys keys(p, 0, p.keyLen, threads, cancel);
    summary.cell = cell;
    summary.rows = (p.queryLen + cell - 1) / cell;
    summary.cols = (p.keyLen + cell - 1) / cell;
    for (auto* pooled : {&summary.maxPooled, &summary.meanPooled}) { // gigabytes of a million tokens
        pooled->clear();
        growTo(*pooled, static_cast<size_t>(summary.rows * summary.cols), cancel);
    }
    summary.sinkShare.assign(static_cast<size_t>(p.queryLen), 0.0f);
    summary.span95.assign(static_cast<size_t>(p.queryLen), 0);
    const int64_t bands = std::min(bandCount, summary.rows);
    std::vector<std::vector<double>> mass(static_cast<size_t>(bands));
    for (std::vector<double>& band : mass)
        growTo(band, static_cast<size_t>(p.keyLen), cancel);
    std::mutex mutex;

    const auto pooledRow = [&](int64_t pooled, std::vector<double>& bandMass) {
        const int64_t end = std::min((pooled + 1) * cell, p.queryLen);
        std::vector<double> blockMass(static_cast<size_t>(summary.cols));
        for (int64_t row = pooled * cell; row < end; row += stripRows) {
            checkCancelled(cancel);
            const int64_t rows = std::min(stripRows, end - row);
            Strip strip(p, row, rows);
            std::vector<std::vector<float>> blockSums(static_cast<size_t>(rows));
            for (auto& sums : blockSums)
                sums.reserve(static_cast<size_t>(keys.blocks));
            alignas(64) std::array<float, blockKeys> probabilities, ofKey;
            for (int64_t block = 0; block < keys.blocks && strip.compute(keys, block); ++block) {
                ofKey.fill(0);
                const int64_t column = block * blockKeys / cell, first = block * blockKeys;
                const int64_t here = std::min(blockKeys, p.keyLen - first);
                float& most = summary.maxPooled[static_cast<size_t>(pooled * summary.cols + column)];
                for (int64_t r = 0; r < rows; ++r) {
                    float largest = 0, sum = 0;
                    const float rowLse = lse[static_cast<size_t>(row + r)];
                    if (rowLse != minusInfinity) {
                        sum = strip.probabilities(r, rowLse, probabilities.data(), ofKey.data(), largest);
                        for (int64_t j = 0; j < std::min(here, sinkKeys - first); ++j)
                            summary.sinkShare[static_cast<size_t>(row + r)] += probabilities[static_cast<size_t>(j)];
                    }
                    most = largerOrNan(most, largest);
                    blockMass[static_cast<size_t>(column)] += static_cast<double>(sum);
                    blockSums[static_cast<size_t>(r)].push_back(sum);
                }
                for (int64_t j = 0; j < here; ++j) // of the strip's rows
                    bandMass[static_cast<size_t>(first + j)] += static_cast<double>(ofKey[static_cast<size_t>(j)]);
            }
            for (int64_t r = 0; r < rows; ++r) {
                const auto i = static_cast<size_t>(row + r);
                if (!std::isfinite(lse[i]))
                    continue;
                const auto block = [&](int64_t b) -> const float* { // computes the one block again
                    float ignored = 0;
                    strip.compute(keys, b);
                    strip.probabilities(r, lse[i], probabilities.data(), ofKey.data(), ignored);
                    return probabilities.data();
                };
                const int64_t low = quantileKey(blockSums[static_cast<size_t>(r)], spanCut, block);
                summary.span95[i] = quantileKey(blockSums[static_cast<size_t>(r)], 1 - spanCut, block) - low + 1;
            }
        }
        for (int64_t column = 0; column < summary.cols; ++column) {
            const double cells =
                static_cast<double>((end - pooled * cell) * (std::min((column + 1) * cell, p.keyLen) - column * cell));
            summary.meanPooled[static_cast<size_t>(pooled * summary.cols + column)] =
                static_cast<float>(blockMass[static_cast<size_t>(column)] / cells);
        }
        if (rowsDone) {
            const std::lock_guard lock(mutex);
            rowsDone(pooled);
        }
    };
    parallelItems(bands, workerCount(threads), cancel, [&](int64_t item, int) {
        const int64_t band = bands - 1 - item; // heavy bands first
        for (int64_t pooled = band * summary.rows / bands; pooled < (band + 1) * summary.rows / bands; ++pooled)
            pooledRow(pooled, mass[static_cast<size_t>(band)]);
    });
    summary.massPerKey.assign(static_cast<size_t>(p.keyLen), 0.0f);
    for (size_t key = 0; key < summary.massPerKey.size(); ++key) {
        double sum = 0;
        for (const auto& band : mass)
            sum += band[key];
        summary.massPerKey[key] = static_cast<float>(sum);
    }
}

void mapTile(const MapProblem& p, std::span<const float> lse, int64_t rowBegin, int64_t colBegin, int64_t rows,
             int64_t cols, int64_t cell, Pooling pooling, std::span<float> out, int threads,
             const std::atomic<bool>* cancel) {
    const PackedKeys keys(p, std::min(colBegin, p.keyLen), std::min(colBegin + cols * cell, p.keyLen), threads, cancel);
    parallelItems(rows, workerCount(threads), cancel, [&](int64_t outRow, int) {
        float* cells = out.data() + outRow * cols;
        std::fill_n(cells, cols, 0.0f);
        const int64_t first = rowBegin + outRow * cell, end = std::min(first + cell, p.queryLen);
        for (int64_t row = first; row < end; row += stripRows) {
            checkCancelled(cancel);
            const int64_t here = std::min(stripRows, end - row);
            Strip strip(p, row, here);
            alignas(64) std::array<float, blockKeys> probabilities, ofKey{};
            for (int64_t block = 0; block < keys.blocks && strip.compute(keys, block); ++block)
                for (int64_t r = 0; r < here; ++r) {
                    const float rowLse = lse[static_cast<size_t>(row + r)];
                    if (rowLse == minusInfinity)
                        continue;
                    float ignored = 0;
                    strip.probabilities(r, rowLse, probabilities.data(), ofKey.data(), ignored);
                    for (int64_t j = 0; j < std::min(blockKeys, keys.end - keys.begin - block * blockKeys); ++j) {
                        float& pooled = cells[(block * blockKeys + j) / cell];
                        const float value = probabilities[static_cast<size_t>(j)];
                        pooled = pooling == Pooling::Max ? largerOrNan(pooled, value) : pooled + value;
                    }
                }
        }
        for (int64_t c = 0; c < cols; ++c) {
            const int64_t keyBegin = colBegin + c * cell, keyEnd = std::min(keyBegin + cell, p.keyLen);
            const bool seen = first < end && keyBegin < keyEnd && visible(p, end - 1) > keyBegin;
            if (!seen)
                cells[c] = std::numeric_limits<float>::quiet_NaN();
            else if (pooling == Pooling::Mean)
                cells[c] /= static_cast<float>((end - first) * (keyEnd - keyBegin));
        }
    });
}

void mapRow(const MapProblem& p, float lse, int64_t row, std::span<float> out) {
    const int64_t seen = lse == minusInfinity ? 0 : visible(p, row);
    for (int64_t j = 0; j < p.keyLen; ++j) {
        double dot = 0;
        for (int64_t c = 0; j < seen && c < p.headDim; ++c)
            dot += static_cast<double>(p.q[row * p.headDim + c]) * static_cast<double>(p.k[j * p.headDim + c]);
        out[static_cast<size_t>(j)] =
            j < seen ? static_cast<float>(std::exp(dot * static_cast<double>(p.scale) - static_cast<double>(lse)))
                     : 0.0f;
    }
}

} // namespace warplight::cpu
