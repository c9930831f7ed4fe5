// SPDX-License-Identifier: GPL-3.0-or-later
// The program has one event loop, main's. Whatever runs another one waits in the middle of a function while the things
// that this function uses may be deleted beneath it.
#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>
#include <QTest>

class NoNestedLoopTest : public QObject {
    Q_OBJECT

  private slots:
    void nothingInTheProgramWaitsInAnEventLoop() {
        const QRegularExpression nested(
            R"((\bexec\s*\(|processEvents|QEventLoop\b|QMessageBox::(warning|information|question|critical|about)\b|)"
            R"(QFileDialog::(get|save)\w+|QInputDialog::get|QColorDialog::get|QFontDialog::get|QPrintDialog|)"
            R"(->setMenu\s*\())");
        int files = 0;
        QStringList found;
        QDirIterator all(APP_SOURCES, {"*.cpp", "*.h"}, QDir::Files, QDirIterator::Subdirectories);
        while (all.hasNext()) {
            QFile file(all.next());
            QVERIFY(file.open(QIODevice::ReadOnly));
            ++files;
            int number = 0;
            for (const QByteArray& line : file.readAll().split('\n')) {
                ++number;
                if (nested.match(QString::fromUtf8(line)).hasMatch() && !line.contains("return QApplication::exec();"))
                    found << QString("%1:%2: %3").arg(file.fileName()).arg(number).arg(line.trimmed().constData());
            }
        }
        QVERIFY(files > 40);
        QVERIFY2(found.isEmpty(), qPrintable(found.join('\n')));
    }
};

QTEST_GUILESS_MAIN(NoNestedLoopTest)
#include "no_nested_loop_test.moc"
