// SPDX-License-Identifier: GPL-3.0-or-later
// Every GPU kernel of attention against double precision, on the virtual GPU with every check on.
#include "each_target.h"
#include "gpu/error.h"
#include "gpu/virtual/virtual_device.h"
#include "tests/gpu/attention_table.h"

#include <memory>
#include <string>

using namespace warplight;

class AttentionKernelsTest : public QObject {
    Q_OBJECT
    std::unique_ptr<gpu::Device> device;
    std::unique_ptr<gpu::KernelLibrary> library;

  private slots:
    void initTestCase_data() { test::addTargets(test::Load::Heavy); }
    void cleanupTestCase() { vgpu::useTarget(""); }

    void init() {
        test::useTargetOfRow();
        library.reset();
        device = vgpu::makeVirtualDevice();
        library = std::make_unique<gpu::KernelLibrary>(*device);
    }

    void equalsDoublePrecision_data() { test::addAttentionRows(gpu::attentionRungs()); }
    void equalsDoublePrecision() { test::checkAttentionRow(*device, *library); }

    void cublasIsNotOffered() {
        for (const gpu::AttentionRungInfo& rung : gpu::attentionRungs(*device))
            QVERIFY(rung.id != gpu::AttentionRung::Cublas);
        const float x = 1;
        try {
            gpu::attentionForward(*library, gpu::attentionRungByName("cublas"), {1, 1, 1, 1, 1, 1, 1, false}, &x, &x,
                                  &x);
            QFAIL("it ran");
        } catch (const InputError& error) {
            QCOMPARE(std::string(error.what()),
                     "attention: cublas runs on an NVIDIA GPU beside which cuBLAS is found, not on Virtual GPU");
        }
    }
};

QTEST_GUILESS_MAIN(AttentionKernelsTest)
#include "attention_kernels_test.moc"
