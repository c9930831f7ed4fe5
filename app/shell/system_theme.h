// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusVariant>
#include <QObject>

namespace warplight::app {

/// Whether the desktop prefers dark, and whether it wants no motion: asks the desktop portal (color-scheme and
/// reduced-motion of org.freedesktop.appearance, GNOME's enable-animations) without waiting, and tells when it changes.
/// Silent where no portal answers.
class SystemTheme : public QObject {
    Q_OBJECT
  public:
    explicit SystemTheme(const QDBusConnection& bus = QDBusConnection::sessionBus(), QObject* parent = nullptr);

    void ask();       ///< answered by preferred()
    void askMotion(); ///< answered by motionPreferred()

  signals:
    void preferred(bool dark);
    void motionPreferred(bool moves);

  private slots:
    void signalCame(const QDBusMessage& message);

  private:
    void read(const QString& space, const QString& key);
    void settingChanged(const QString& space, const QString& key, const QDBusVariant& value);

    QDBusConnection bus;
};

} // namespace warplight::app
