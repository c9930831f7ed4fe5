// SPDX-License-Identifier: GPL-3.0-or-later
// What kind of work a kernel does, by the words in its name.
#include "core/profiles/kernel_names.h"
#include "core/profiles/name_parts.h"
#include "core/profiles/text.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace warplight::profiles {
namespace {

using Words = std::initializer_list<std::string_view>;

bool hasAny(std::string_view text, Words words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.find(word) != text.npos; });
}

/// Whether one of these stands between anything but letters and digits: "mm" in "triton_mm_0", not in "commit".
bool hasToken(std::string_view text, Words tokens) {
    return std::any_of(tokens.begin(), tokens.end(), [&](std::string_view token) {
        for (size_t at = text.find(token); at != text.npos; at = text.find(token, at + 1)) {
            const auto apart = [&](size_t i) { return i >= text.size() || text[i] == '_' || !isWord(text[i]); };
            if ((at == 0 || apart(at - 1)) && apart(at + token.size()))
                return true;
        }
        return false;
    });
}

std::string without(std::string text, std::string_view word) {
    for (size_t at = text.find(word); at != text.npos; at = text.find(word, at))
        text.erase(at, word.size());
    return text;
}

/// Kernels that Inductor generates are named after the operators around them, which other kernels do: what they are
/// stands in front, "tem" for a template of a product or of attention, "red" and "per" for reductions, "poi" for what
/// goes element by element (PyTorch, torch/_inductor/codegen/triton.py). In lower case.
bool isInductors(std::string_view base) { return base.starts_with("triton_") && base.find("_fused_") != base.npos; }

/// Whether the operators of "triton_poi_fused__to_copy_clone_3" only move or convert.
bool onlyMoves(std::string_view base) {
    const auto named = [](std::string_view text) { return text.find_first_not_of("_0123456789") != text.npos; };
    std::string operators(base.substr(base.find("_fused_") + 7));
    const bool any = named(operators);
    for (const std::string_view move : {"constant_pad_nd", "_unsafe_view", "as_strided", "transpose", "unsqueeze",
                                        "contiguous", "_to_copy", "permute", "squeeze", "reshape", "expand", "select",
                                        "slice", "stack", "clone", "split", "copy", "view", "cat"})
        operators = without(std::move(operators), move);
    return any && !named(operators);
}

KernelClass inductorClass(std::string_view base) {
    if (base.starts_with("triton_tem_"))
        return hasAny(base, {"attention"}) ? KernelClass::Attention : KernelClass::MatrixProduct;
    if (hasAny(base, {"softmax"}) && !base.starts_with("triton_poi_"))
        return KernelClass::Softmax;
    return onlyMoves(base) ? KernelClass::Copy : KernelClass::Other;
}

/// Whether a namespace around a kernel is one of expert parallelism, whose libraries (DeepEP and those that took its
/// names: UCCL, NIXL, Mooncake, Hybrid-EP) send tokens within or between nodes. In lower case; mangled, digits stand
/// between names.
bool isOfExperts(std::string_view own) {
    for (size_t at = 0; at < own.size();) {
        const size_t end = std::min(own.find_first_of(": 0123456789", at), own.size());
        const std::string_view part = own.substr(at, end - at);
        if (end < own.size() && own[end] != ' ' &&
            (part == "ep" || part.ends_with("_ep") || part == "internode" || part == "intranode" ||
             part == "internode_ll"))
            return true;
        at = end + 1;
    }
    return hasAny(own, {"deep_ep", "mori::moe"});
}

/// Communication between GPUs: the libraries' kernels and those that frameworks write themselves, fused ones too. `own`
/// is the kernel's own name in lower case; what its template arguments say is of no matter.
bool isCollective(std::string_view own, std::string_view base) {
    if (hasAny(own,
               {"nccl", "rccl", "oneccl", "hccl", "msccl", "nvshmem", "rocshmem", "userbuffers", "symmetric_memory"}))
        return true;
    if (isOfExperts(own)) // counting who sends what is work of one GPU
        return hasAny(base, {"dispatch", "combine", "notify"}) && !base.starts_with("get_");
    std::string letters(own);
    std::erase(letters, '_');
    for (const std::string_view local : {"warpallreduce", "blockallreduce", "warpreduce", "blockreduce"})
        letters = without(std::move(letters), local); // between threads
    return hasAny(letters, {"allreduce", "allgather", "reducescatter", "alltoall", "all2all", "crossdevicereduce",
                            "multimem", "quickreduce", "a2adispatch", "a2acombine"});
}

/// Kernels that only move keys and values into or out of their cache.
bool isCacheCopy(std::string_view own) {
    return hasAny(own, {"cache", "kv_buffer", "kvbuffer"}) &&
           hasAny(own, {"reshape_and", "concat_and", "copy", "append", "store", "gather", "write", "swap", "set_",
                        "insert", "reshape_cache"});
}

} // namespace

KernelClass classOf(std::string_view kernel) {
    const NameParts parts = partsOf(kernel.substr(0, 2000));
    const std::string base = lowerCase(parts.base);
    const std::string own = lowerCase(parts.path) + ' ' + lowerCase(parts.runs);
    const std::string all = lowerCase(kernel.substr(0, 2000));
    if (isInductors(base))
        return inductorClass(base);
    if (isCollective(own, base))
        return KernelClass::Collective;
    if (const auto our = ourKernel(kernel)) {
        if (our->family.starts_with("attention"))
            return KernelClass::Attention;
        if (our->family.starts_with("matmul"))
            return KernelClass::MatrixProduct;
        if (our->family == "softmax")
            return KernelClass::Softmax;
        return our->name == "stream_copy" ? KernelClass::Copy : KernelClass::Other;
    }
    if (isCacheCopy(own))
        return KernelClass::Copy;
    // FlashInfer is a library of all kinds of kernels.
    const std::string named = without(own, "flashinfer");
    if (hasAny(named, {"flash", "fmha", "attention", "attn", "sdpa", "_mha_", "prefillwith", "decodewith"}))
        return KernelClass::Attention;
    if (hasAny(own, {"softmax"}))
        return KernelClass::Softmax;
    if (hasAny(own, {"gemm", "gemv", "matmul", "cutlass", "nvjet", "splitk", "wgmma", "cublas", "xmma", "marlin",
                     "machete", "fused_moe_kernel"}) ||
        hasToken(base, {"cijk"}) || hasToken(base, {"mm", "bmm", "addmm", "baddbmm"}))
        return KernelClass::MatrixProduct; // Cijk_: Tensile, of rocBLAS and hipBLASLt
    if (hasAny(own, {"copy", "catarray", "_fill_"}) || hasAny(all, {"memcpy", "memset", "fillfunctor", "copy_kernel"}))
        return KernelClass::Copy;
    // A plain name says nothing; what it is a template of may.
    if (hasAny(all, {"fmha", "flash_attn", "flashattn", "attention"}))
        return KernelClass::Attention;
    return hasAny(all, {"gemm"}) ? KernelClass::MatrixProduct : KernelClass::Other;
}

std::string_view title(KernelClass kind) {
    switch (kind) {
    case KernelClass::Attention:
        return "attention";
    case KernelClass::MatrixProduct:
        return "matrix product";
    case KernelClass::Softmax:
        return "separate softmax";
    case KernelClass::Copy:
        return "copy";
    case KernelClass::Collective:
        return "collective";
    case KernelClass::Other:
        break;
    }
    return "elementwise and other";
}

} // namespace warplight::profiles
