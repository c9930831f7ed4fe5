// SPDX-License-Identifier: GPL-3.0-or-later
// A desktop portal of our own on a bus of our own.
#include "app/shell/system_theme.h"

#include <QDBusAbstractAdaptor>
#include <QDBusMessage>
#include <QProcess>
#include <QSignalSpy>
#include <QTest>

using warplight::app::SystemTheme;

namespace {

class Portal : public QObject {
    Q_OBJECT
    Q_CLASSINFO("D-Bus Interface", "org.freedesktop.portal.Settings")
  public:
    uint scheme = 0;
  public slots:
    QDBusVariant Read(const QString& space, const QString& key) {
        return space == "org.freedesktop.appearance" && key == "color-scheme"
                   ? QDBusVariant(QVariant::fromValue(QDBusVariant(scheme)))
                   : QDBusVariant();
    }
  signals:
    void SettingChanged(const QString& space, const QString& key, const QDBusVariant& value);
};

} // namespace

class SystemThemeTest : public QObject {
    Q_OBJECT
    QProcess daemon;
    QString address;

  private slots:
    void initTestCase() {
        daemon.start("dbus-daemon", {"--session", "--nofork", "--print-address"});
        QVERIFY(daemon.waitForStarted() && daemon.waitForReadyRead());
        address = QString::fromUtf8(daemon.readLine()).trimmed();
    }
    void cleanupTestCase() {
        daemon.kill();
        daemon.waitForFinished();
    }

    void asksAndIsTold() {
        auto desktop = QDBusConnection::connectToBus(address, "desktop");
        Portal portal;
        QVERIFY(desktop.registerService("org.freedesktop.portal.Desktop"));
        QVERIFY(desktop.registerObject("/org/freedesktop/portal/desktop", &portal,
                                       QDBusConnection::ExportAllSlots | QDBusConnection::ExportAllSignals));
        SystemTheme theme(QDBusConnection::connectToBus(address, "program"));
        QSignalSpy preferred(&theme, &SystemTheme::preferred);
        portal.scheme = 1;
        theme.ask();
        QTRY_COMPARE(preferred.count(), 1);
        QCOMPARE(preferred[0][0].toBool(), true);
        emit portal.SettingChanged("org.freedesktop.appearance", "accent-color", QDBusVariant(7u));
        emit portal.SettingChanged("org.freedesktop.appearance", "color-scheme", QDBusVariant(2u));
        QTRY_COMPARE(preferred.count(), 2);
        QCOMPARE(preferred[1][0].toBool(), false);
        portal.scheme = 0; // no preference
        theme.ask();
        QTest::qWait(100);
        QCOMPARE(preferred.count(), 2);

        QSignalSpy motion(&theme, &SystemTheme::motionPreferred);
        theme.askMotion(); // this portal does not know
        emit portal.SettingChanged("org.freedesktop.appearance", "reduced-motion", QDBusVariant(1u));
        QTRY_COMPARE(motion.count(), 1);
        QCOMPARE(motion[0][0].toBool(), false);
        emit portal.SettingChanged("org.gnome.desktop.interface", "enable-animations", QDBusVariant(true));
        QTRY_COMPARE(motion.count(), 2);
        QCOMPARE(motion[1][0].toBool(), true);
        QCOMPARE(preferred.count(), 2);
    }

    void withoutAPortalNothingHappens() {
        SystemTheme theme(QDBusConnection::connectToBus(address, "lonely"));
        QSignalSpy preferred(&theme, &SystemTheme::preferred);
        theme.ask();
        QTest::qWait(200);
        QCOMPARE(preferred.count(), 0);
        SystemTheme nowhere(QDBusConnection::connectToBus("unix:path=/nowhere", "nowhere"));
        nowhere.ask();
    }
};

QTEST_GUILESS_MAIN(SystemThemeTest)
#include "system_theme_test.moc"
