// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/check/plan.h"

#include <algorithm>
#include <map>

namespace warplight::check {
namespace {

using Settings = std::vector<std::string>;
using Sizes = std::map<std::string, std::vector<Settings>>; ///< runs by operator

const Sizes& raceSizes(bool small) {
    static const Sizes real{
        {"attention",
         {{"seqLen=256,512,1024,2048,4096,8192", "heads=16"},
          {"seqLen=512,2048,8192,16384", "heads=8", "headDim=128", "causal=true",
           "kernels=flash1,flash2,flash2-mma,mma-tf32,mma-e4m3"}}},
        {"attention-backward", {{"seqLen=256,512,1024,2048,4096", "heads=16"}}},
        {"block-sparse-attention", {{"seqLen=512,1024,4096,16384", "heads=8"}}},
        {"linear-attention", {{"seqLen=512,2048,8192,32768", "heads=8"}}},
        {"sparse-attention", {{"seqLen=512,1024,4096,16384", "heads=8"}}},
        {"low-rank-attention",
         {{"seqLen=512,2048,8192,32768", "heads=8"},
          {"seqLen=512,2048,8192,32768", "heads=8", "method=nystrom-iterated"}}},
        {"gau", {{"seqLenSwept=512,1024,2048,4096,8192"}, {"seqLenSwept=512,2048", "chunk=0", "variant=softmax"}}},
        {"ssd", {{"seqLenSwept=512,2048,8192,32768", "heads=24"}, {"seqLenSwept=2048,8192", "heads=24", "chunk=64"}}},
        {"ssd-backward", {{"seqLenSwept=512,2048,8192", "heads=24"}}},
        {"scan",
         {{"channels=1024", "lengths=1024,4096,16384,65536"}, {"channels=1", "lengths=65536,1048576,16777216"}}},
        {"complex-scan", {{"channels=1024", "lengths=1024,4096,16384"}, {"channels=1", "lengths=65536,1048576"}}},
        {"scan-backward", {{"channels=1024", "lengths=1024,4096,16384"}, {"channels=1", "lengths=65536,1048576"}}},
        {"selective-scan", {{"lenSwept=512,2048,8192,32768", "dim=1536"}, {"dimSwept=256,1024,4096", "against=dim"}}},
        {"selective-scan-backward", {{"lenSwept=512,2048,8192", "dim=1536"}}},
        {"s4", {{"seqLenSwept=256,1024,4096,16384", "channels=256"}}},
        {"hippo-memory",
         {{"seqLenSwept=256,1024,4096", "channels=1024"}, {"seqLenSwept=1024,16384", "channels=1024", "measure=fout"}}},
        {"lru", {{"seqLenSwept=512,2048,8192"}}},
        {"rwkv4", {{"seqLenSwept=512,2048,8192"}}},
        {"rwkv6", {{"seqLenSwept=512,2048,8192", "heads=32"}}},
        {"causal-conv", {{"lenSwept=1024,4096,16384,65536", "dim=1536"}}},
        {"softmax", {{"rows=4096", "columnsSwept=256,1024,4096,16384,65536"}}},
        {"matmul",
         {{"sizes=256,512,1024,2048,4096", "kernels=naive,tiled,half2,mma,mma-f16,mma-tf32,mma-e4m3,mma-e5m2"}}},
        {"cast", {{"counts=65536,1048576,16777216,67108864", "kernels=e5m2,e4m3,bf16,f16"}}},
        {"adamw", {{"counts=65536,1048576,16777216,67108864"}}}};
    static const Sizes quick{{"attention", {{"seqLen=64,128", "heads=1", "headDim=32"}}},
                             {"attention-backward", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"block-sparse-attention", {{"seqLen=128", "heads=1", "headDim=32"}}},
                             {"linear-attention", {{"seqLen=128", "heads=1", "headDim=32"}}},
                             {"sparse-attention", {{"seqLen=128", "heads=1", "headDim=32"}}},
                             {"low-rank-attention", {{"seqLen=128", "heads=1", "headDim=32", "rank=16"}}},
                             {"gau", {{"seqLenSwept=128", "dModel=32", "shared=16", "chunk=32"}}},
                             {"ssd", {{"seqLenSwept=128", "heads=2", "headDim=32", "stateDim=32", "chunk=64"}}},
                             {"ssd-backward", {{"seqLenSwept=128", "heads=2", "headDim=32", "stateDim=32"}}},
                             {"scan", {{"channels=2", "lengths=64,2500"}}},
                             {"complex-scan", {{"channels=2", "lengths=64,2500"}}},
                             {"scan-backward", {{"channels=2", "lengths=64,2500"}}},
                             {"selective-scan", {{"lenSwept=128,300", "dim=16"}}},
                             {"selective-scan-backward", {{"lenSwept=128,600", "dim=16"}}},
                             {"s4", {{"seqLenSwept=128", "channels=2", "state=16"}}},
                             {"hippo-memory", {{"seqLenSwept=128", "channels=2", "state=16"}}},
                             {"lru", {{"seqLenSwept=128", "channels=64"}}},
                             {"rwkv4", {{"seqLenSwept=128", "channels=64"}}},
                             {"rwkv6", {{"seqLenSwept=128", "heads=2", "keyDim=32", "valueDim=32"}}},
                             {"causal-conv", {{"lenSwept=128,300", "dim=16"}}},
                             {"softmax", {{"rows=16", "columnsSwept=64,256"}}},
                             {"matmul", {{"sizes=64,128"}}},
                             {"cast", {{"counts=4096,16384"}}},
                             {"adamw", {{"counts=4096,16384"}}}};
    return small ? quick : real;
}

const Sizes& trafficSizes(bool small) {
    static const Sizes real{{"attention", {{"seqLen=512,1024", "heads=2"}}},
                            {"attention-backward", {{"seqLen=512", "heads=2"}}},
                            {"block-sparse-attention", {{"seqLen=1024", "heads=2"}}},
                            {"linear-attention", {{"seqLen=1024", "heads=2"}}},
                            {"sparse-attention", {{"seqLen=1024", "heads=2"}}},
                            {"low-rank-attention", {{"seqLen=1024", "heads=2"}}},
                            {"gau", {{"seqLenSwept=512"}}},
                            {"ssd", {{"seqLenSwept=512"}}},
                            {"ssd-backward", {{"seqLenSwept=512"}}},
                            {"scan", {{"channels=16", "lengths=1024,16384"}}},
                            {"complex-scan", {{"channels=16", "lengths=1024,16384"}}},
                            {"scan-backward", {{"channels=16", "lengths=1024,16384"}}},
                            {"selective-scan", {{"lenSwept=256,2048", "dim=64"}}},
                            {"selective-scan-backward", {{"lenSwept=256,2048", "dim=64"}}},
                            {"s4", {{"seqLenSwept=1024", "channels=8"}}},
                            {"hippo-memory", {{"seqLenSwept=1024", "channels=8"}}},
                            {"lru", {{"seqLenSwept=512"}}},
                            {"rwkv4", {{"seqLenSwept=512"}}},
                            {"rwkv6", {{"seqLenSwept=512"}}},
                            {"causal-conv", {{"lenSwept=256,2048", "dim=64"}}},
                            {"softmax", {{"rows=1024", "columnsSwept=1024,8192"}}},
                            {"matmul", {{"sizes=256,512"}}}};
    static const Sizes quick{{"attention", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"attention-backward", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"block-sparse-attention", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"linear-attention", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"sparse-attention", {{"seqLen=64", "heads=1", "headDim=32"}}},
                             {"low-rank-attention", {{"seqLen=64", "heads=1", "headDim=32", "rank=16"}}},
                             {"gau", {{"seqLenSwept=64", "dModel=32", "shared=16", "chunk=32"}}},
                             {"ssd", {{"seqLenSwept=64", "heads=2", "headDim=32", "stateDim=32", "chunk=64"}}},
                             {"ssd-backward", {{"seqLenSwept=64", "heads=2", "headDim=32", "stateDim=32"}}},
                             {"scan", {{"channels=2", "lengths=2500"}}},
                             {"complex-scan", {{"channels=2", "lengths=2500"}}},
                             {"scan-backward", {{"channels=2", "lengths=2500"}}},
                             {"selective-scan", {{"lenSwept=64", "dim=8"}}},
                             {"selective-scan-backward", {{"lenSwept=64", "dim=8"}}},
                             {"s4", {{"seqLenSwept=64", "channels=2", "state=16"}}},
                             {"hippo-memory", {{"seqLenSwept=64", "channels=2", "state=16"}}},
                             {"lru", {{"seqLenSwept=64", "channels=64"}}},
                             {"rwkv4", {{"seqLenSwept=64", "channels=64"}}},
                             {"rwkv6", {{"seqLenSwept=64", "heads=2", "keyDim=32", "valueDim=32"}}},
                             {"causal-conv", {{"lenSwept=64", "dim=8"}}},
                             {"softmax", {{"rows=16", "columnsSwept=64"}}},
                             {"matmul", {{"sizes=64"}}}};
    return small ? quick : real;
}

/// Whether an operator's page runs on NVIDIA GPUs.
bool hasPage(const nlohmann::json& op, const std::string& page) {
    return std::any_of(op["pages"].begin(), op["pages"].end(), [&](const nlohmann::json& p) {
        const auto& devices = p["devices"];
        return p["id"] == op["id"].get<std::string>() + "." + page &&
               std::find(devices.begin(), devices.end(), "cuda") != devices.end();
    });
}

} // namespace

std::vector<PageRun> runsOf(const nlohmann::json& operators, const std::string& page, bool small) {
    const bool race = page == "race";
    const Sizes& sizes = race ? raceSizes(small) : trafficSizes(small);
    std::vector<PageRun> runs;
    for (const nlohmann::json& op : operators) {
        if (!hasPage(op, page))
            continue;
        const std::string id = op["id"];
        const auto known = sizes.find(id);
        for (const Settings& settings : known == sizes.end() ? std::vector<Settings>{{}} : known->second)
            runs.push_back({id + "." + page, settings, race ? 60.0 : 40.0});
    }
    return runs;
}

} // namespace warplight::check
