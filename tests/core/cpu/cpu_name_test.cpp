// SPDX-License-Identifier: GPL-3.0-or-later
// Names as Linux says them in /proc/cpuinfo, and as their makers print them.
#include "core/cpu/cpu_name.h"

#include <QTest>

using namespace warplight;

class CpuNameTest : public QObject {
    Q_OBJECT

  private slots:
    void isWhatPeopleSay_data() {
        QTest::addColumn<QString>("plain");
        const auto row = [](const char* name, const char* plain) { QTest::newRow(name) << QString(plain); };
        row("Intel(R) Core(TM) i7-10700K CPU @ 3.80GHz", "Intel Core i7-10700K");
        row("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "Intel Core i7-1165G7");
        row("13th Gen Intel(R) Core(TM) i9-13900K", "Intel Core i9-13900K");
        row("Intel(R) Core(TM) Ultra 7 155H", "Intel Core Ultra 7 155H");
        row("Intel(R) Core(TM)2 Quad CPU    Q6600  @ 2.40GHz", "Intel Core 2 Quad Q6600");
        row("Intel(R) Xeon(R) CPU @ 2.00GHz", "Intel Xeon");
        row("Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "Intel Xeon E5-2690 v4");
        row("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "Intel Xeon Platinum 8375C");
        row("Intel Xeon Processor (Skylake, IBRS)", "Intel Xeon Processor (Skylake, IBRS)");
        row("Genuine Intel(R) CPU 0000 @ 2.60GHz", "Intel 0000");
        row("AMD Ryzen 9 5950X 16-Core Processor            ", "AMD Ryzen 9 5950X");
        row("AMD Ryzen 5 5600G with Radeon Graphics", "AMD Ryzen 5 5600G");
        row("AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics", "AMD Ryzen 7 PRO 7840U");
        row("AMD Ryzen Threadripper PRO 5995WX 64-Cores", "AMD Ryzen Threadripper PRO 5995WX");
        row("AMD FX(tm)-8350 Eight-Core Processor", "AMD FX-8350");
        row("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763");
        row("AMD EPYC-Milan Processor", "AMD EPYC-Milan");
        row("AMD EPYC", "AMD EPYC");
        row("QEMU Virtual CPU version 2.5+", "QEMU Virtual version 2.5+");
        row("CPU @ 2.00GHz", "CPU");
        row("unknown CPU", "unknown");
        row("", "");
    }
    void isWhatPeopleSay() {
        QFETCH(QString, plain);
        QCOMPARE(QString::fromStdString(cpu::plainCpuName(QTest::currentDataTag())), plain);
    }
};

QTEST_GUILESS_MAIN(CpuNameTest)
#include "cpu_name_test.moc"
