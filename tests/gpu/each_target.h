#pragma once

#include "gpu/virtual/target.h"

#include <QTest>
#include <string>

/// For tests of what is compiled for several instruction sets: a test runs for each one that this machine has, so that
/// none hides what another shows. To be called from initTestCase_data() and init().
namespace warplight::test {

inline void addTargets() {
    QTest::addColumn<QString>("target");
    for (const std::string& target : vgpu::supportedTargets())
        QTest::newRow(target.c_str()) << QString::fromStdString(target);
}

inline void useTargetOfRow() {
    QFETCH_GLOBAL(QString, target);
    vgpu::useTarget(target.toStdString());
}

} // namespace warplight::test
