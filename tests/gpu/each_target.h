// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/virtual/target.h"

#include <QTest>
#include <string>

/// For tests of what is compiled for several instruction sets: a test runs for each one that this machine has, so that
/// none hides what another shows. To be called from initTestCase_data() and init().
namespace warplight::test {

enum class Load { Light, Heavy };

/// Under sanitizers, many times slower, a heavy test runs for the best instruction set alone.
inline void addTargets(Load load = Load::Light) {
    QTest::addColumn<QString>("target");
    for (const std::string& target : vgpu::supportedTargets()) {
        QTest::newRow(target.c_str()) << QString::fromStdString(target);
#ifdef __SANITIZE_ADDRESS__
        if (load == Load::Heavy)
            return;
#endif
    }
    static_cast<void>(load);
}

inline void useTargetOfRow() {
    QFETCH_GLOBAL(QString, target);
    vgpu::useTarget(target.toStdString());
}

} // namespace warplight::test
