// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::collectives {

/// Elements [begin, end) of the vector that every rank holds.
struct Range {
    int64_t begin = 0, end = 0;
    int64_t size() const { return end - begin; }
    bool operator==(const Range&) const = default;
};

/// A rank's part of one step. Its sends carry what the vector held before the step; its receives are applied in the
/// order in which they are listed, so that sums do not depend on who is faster.
struct Step {
    struct Send {
        int32_t to = 0;
        Range range;
        bool operator==(const Send&) const = default;
    };
    struct Receive {
        int32_t from = 0;
        Range range;
        bool reduce = false; ///< combined with what is there; otherwise it takes its place
        bool operator==(const Receive&) const = default;
    };
    std::vector<Send> sends;       ///< at most one to a rank
    std::vector<Receive> receives; ///< at most one from a rank
    void clear() {
        sends.clear();
        receives.clear();
    }
    bool operator==(const Step&) const = default;
};

/// What a collective leaves where. Every rank starts with a vector of n elements.
enum class Collective {
    Allreduce,     ///< everybody holds the combined vector
    ReduceScatter, ///< rank r holds chunk r of the combined vector (of p chunks, the first n mod p one element longer)
    AllGather,     ///< rank r contributed chunk r, everybody holds all chunks
    Broadcast,     ///< everybody holds rank 0's vector
};

/// An algorithm for given ranks and elements: who sends what to whom in which step. It is data, not code that calls a
/// transport: the same steps run between threads, processes and GPUs, and on a simulated network of thousands of ranks.
/// Steps are counted for all ranks together, a rank may have nothing to do in one. Safe to use from several threads.
class Schedule {
  public:
    virtual ~Schedule() = default;
    int ranks() const { return rankCount; }
    int64_t elements() const { return elementCount; }
    Collective collective() const { return kind; }
    virtual int64_t steps() const = 0;
    /// What `rank` does in step `index`: `out` is cleared and filled. Costs no more than its sends and receives.
    virtual void step(int rank, int64_t index, Step& out) const = 0;
    /// "reduce-scatter", "all-gather", "reduce", "broadcast": what the ranks are about in step `index`; "reduce and
    /// broadcast" where early pieces go down a tree while later ones still come up.
    virtual std::string_view phase(int64_t index) const = 0;
    /// Borders of the pieces that messages are made of, ascending, from 0 to elements(): every range of every step
    /// begins and ends at one. One more than there are chunks; empty chunks are kept (three elements over four ranks).
    virtual std::vector<int64_t> chunkBorders() const = 0;

  protected:
    Schedule(int ranks, int64_t elements, Collective collective = Collective::Allreduce)
        : kind(collective), rankCount(ranks), elementCount(elements) {}

  private:
    Collective kind;
    int rankCount;
    int64_t elementCount;
};

/// Which chunk a rank starts with in a ring's allreduce. (On their own, reduce-scatter and all-gather go as Nccl's:
/// rank r has chunk r.)
enum class ChunkConvention {
    Baidu, ///< step i of the reduce-scatter: rank r sends chunk r - i, and owns chunk r + 1 in the end
    Nccl,  ///< rank r sends chunk r - 1 - i, and owns chunk r in the end
};

struct AlgorithmOptions {
    ChunkConvention convention = ChunkConvention::Nccl;
    int ranksPerNode = 4;   ///< hierarchical; the last node may have fewer
    int pipelineChunks = 8; ///< tree, double-tree, hierarchical: pieces that follow one another through a tree
};

/// One algorithm of the ladder, for describing it and offering it in a form.
struct Algorithm {
    std::string id;                      ///< "ring", "halving-doubling"
    std::string title;                   ///< "Ring"
    std::string sentence;                ///< how it goes, in one sentence
    std::vector<Collective> collectives; ///< that it can do on its own
};

/// naive, parameter-server, ring, recursive-doubling, halving-doubling, tree, double-tree, hierarchical.
const std::vector<Algorithm>& algorithms();

/// Any number of ranks from 1 to 1,048,576, any number of elements from 0 on. The pattern of messages depends on the
/// ranks alone: where there are fewer elements than chunks, messages without elements are sent too. In an allreduce
/// every element is combined once by somebody and then copied, or by partners in mirrored order: all ranks end
/// bit-identical (but for what a NaN carries). Throws InputError for an unknown algorithm, for one that cannot do the
/// collective, and for options below 1.
std::unique_ptr<Schedule> makeSchedule(std::string_view algorithm, Collective collective, int ranks, int64_t elements,
                                       const AlgorithmOptions& options = {});

/// Chunk `index` of `chunks` nearly equal ones: the first elements mod chunks have one element more.
Range chunkRange(int64_t elements, int64_t chunks, int64_t index);

} // namespace warplight::collectives
