// SPDX-License-Identifier: GPL-3.0-or-later
// The bytes that the kernels of low-rank attention ask memory for.
#include "gpu/ops/attention_traffic.h"
#include "gpu/ops/kernel_problem.h"
#include "gpu/ops/low_rank.h"
#include "gpu/ops/low_rank_launch.h"

#include <cstdint>

namespace warplight::gpu {
namespace {

constexpr double f32 = 4;
double real(int64_t x) { return static_cast<double>(x); }
double tiles(int64_t length, int64_t size) { return real(ceilDiv(length, size)); }

class Formula {
  public:
    explicit Formula(const LowRankShape& shape) : s(shape), a(shape.attention), d(a.headDim), r(shape.rank) {}

    TensorTraffic all() {
        if (s.method == LowRankMethod::Linformer) {
            projected("E", "K", "Kr");
            projected("F", "V", "Vr");
        } else if (s.method == LowRankMethod::Pooling) {
            means("K", "Kr", a.keyLen, keyHeads(s), 1);
            means("V", "Vr", a.keyLen, keyHeads(s), 1);
        } else
            nystrom();
        for (auto [tensor, bytes] : algorithmicTraffic(AttentionRung::Flash2, toFew(s), number::Format::F32)) {
            Traffic& to = t[tensor == "K" ? "Kr" : tensor == "V" ? "Vr" : tensor];
            to.read += bytes.read, to.written += bytes.written;
        }
        return withoutEmpty(t);
    }

  private:
    void reads(const char* tensor, double numbers) { t[tensor].read += f32 * numbers; }
    void writes(const char* tensor, double numbers) { t[tensor].written += f32 * numbers; }

    /// An element of X serves the 64 columns of a tile, one of Y its 32 rows.
    void product(const char* x, const char* y, const char* c, int64_t heads, int64_t columns, int64_t inner,
                 int64_t splits) {
        reads(x, real(heads) * real(r) * real(inner) * tiles(columns, productColumns));
        reads(y, real(heads) * real(inner) * real(columns) * tiles(r, productRows));
        writes(c, real(heads) * real(r) * real(columns) * real(splits));
    }
    void projected(const char* matrix, const char* rows, const char* few) {
        const int64_t splits = splitsOf(a.keyLen, keysOfProduct);
        product(matrix, rows, splits > 1 ? "partK" : few, keyHeads(s), d, a.keyLen, splits);
        if (splits == 1)
            return;
        reads("partK", real(keyHeads(s)) * real(r) * real(d) * real(splits));
        writes(few, real(keyHeads(s)) * real(r) * real(d));
    }
    void means(const char* from, const char* few, int64_t count, int64_t heads, int64_t copies) {
        reads(from, real(heads) * real(count) * real(d));
        writes(few, real(heads) * real(copies) * real(r) * real(d));
    }
    void nystrom() {
        const double rows = real(queryHeads(s)) * real(r), splits = real(splitsOf(a.keyLen, keysOfFewQueries)),
                     square = rows * real(r);
        means("Q", "Qr", a.queryLen, queryHeads(s), 1);
        means("K", "Kr", a.keyLen, keyHeads(s), a.queryHeads / a.keyHeads);
        reads("Qr", splits * rows * real(d)); // few queries, keys split
        for (const char* keys : {"K", "V"})
            reads(keys, real(queryHeads(s)) * tiles(r, 32) * real(a.keyLen) * real(d));
        writes("partO", rows * splits * real(d));
        writes("m", rows * splits);
        writes("l", rows * splits);
        reads("m", 2 * rows * splits); // for the maximum and for the factors
        reads("l", rows * splits);
        reads("partO", rows * splits * real(d));
        writes("W", rows * real(d));
        reads("Qr", rows * real(d)); // A
        reads("Kr", 2 * tiles(r, 32) * rows * real(d));
        writes("A", square);
        reads("A", 3 * square); // its columns' sums, its rows', and the first Z
        writes("Z", square);
        for (int64_t i = 0; i < inverseIterations; ++i) {
            product("A", "Z", "AZ", queryHeads(s), r, r, 1);
            product("AZ", "AZ", "AZ", queryHeads(s), r, r, 1);
            product("AZ", "AZ", "AZ", queryHeads(s), r, r, 1);
            product("Z", "AZ", "Z", queryHeads(s), r, r, 1);
        }
        product("Z", "W", "Vr", queryHeads(s), d, r, 1);
    }

    const LowRankShape& s;
    const AttentionShape& a;
    const int64_t d, r;
    TensorTraffic t;
};

} // namespace

TensorTraffic compulsoryTraffic(const LowRankShape& s) {
    TensorTraffic t = compulsoryTraffic(s.attention, number::Format::F32);
    t.erase("lse");
    if (s.method == LowRankMethod::Linformer)
        t["E"] = t["F"] = {f32 * real(s.rank) * real(s.attention.keyLen), 0};
    return withoutEmpty(t);
}

TensorTraffic algorithmicTraffic(const LowRankShape& s) { return isEmpty(s) ? TensorTraffic{} : Formula(s).all(); }

} // namespace warplight::gpu
