// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/virtual_device.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace warplight::test {

/// The virtual GPU, and how much of its memory was taken at most.
class MeteredDevice : public gpu::Device {
  public:
    std::string name() const override { return inner->name(); }
    uint64_t allocate(int64_t bytes, const std::string& name) override {
        const uint64_t at = inner->allocate(bytes, name);
        sizes[at] = bytes;
        most = std::max(most, now += bytes);
        return at;
    }
    void release(uint64_t address) override {
        now -= sizes[address];
        inner->release(address);
    }
    std::vector<std::string> held() const override { return inner->held(); }
    void upload(uint64_t to, const void* from, int64_t bytes) override { inner->upload(to, from, bytes); }
    void download(void* to, uint64_t from, int64_t bytes) override { inner->download(to, from, bytes); }
    std::unique_ptr<gpu::Module> load(const std::string& ptx, const std::string& file,
                                      const std::atomic<bool>* cancel) override {
        return inner->load(ptx, file, cancel);
    }

    int64_t most = 0;

  private:
    std::unique_ptr<gpu::Device> inner = vgpu::makeVirtualDevice();
    std::map<uint64_t, int64_t> sizes;
    int64_t now = 0;
};

} // namespace warplight::test
