// Where there is no MPI, one sentence says what to install.
#include "core/collectives/processes.h"
#include "core/error.h"

#include <QTest>

using namespace warplight;
using namespace warplight::collectives;

class MpiMissingTest : public QObject {
    Q_OBJECT

  private slots:
    void programBuiltWithoutMpiSaysSo() {
#ifndef WARPLIGHT_HAS_MPI
        QVERIFY(whyNoMpi().find("libopenmpi-dev") != std::string::npos);
#endif
        qputenv("WARPLIGHT_RANK", "/nonexistent/warplight-rank");
        const std::string why = whyNoMpi();
        QVERIFY2(why.find("libopenmpi-dev") != std::string::npos, why.c_str());
        QVERIFY_EXCEPTION_THROWN(ProcessRanks(2), InputError);
        qunsetenv("WARPLIGHT_RANK");
    }

    void machineWithoutMpirunSaysSo() {
        qputenv("WARPLIGHT_RANK", "/bin/true");
        const QByteArray path = qgetenv("PATH");
        qputenv("PATH", "/nonexistent:");
        const std::string why = whyNoMpi();
        std::string thrown;
        try {
            runOnProcesses({}, {{}, {}}, {});
        } catch (const InputError& error) {
            thrown = error.what();
        }
        qputenv("PATH", path);
        qunsetenv("WARPLIGHT_RANK");
        QCOMPARE(why, std::string("There is no mpirun on the PATH: install openmpi-bin."));
        QCOMPARE(thrown, why);
    }

#ifdef WARPLIGHT_HAS_MPI
    void nothingIsMissingWhereItWasBuilt() { QCOMPARE(whyNoMpi(), std::string()); }
#endif
};

QTEST_GUILESS_MAIN(MpiMissingTest)
#include "mpi_missing_test.moc"
