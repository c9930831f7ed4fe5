#pragma once

#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusVariant>
#include <QObject>

namespace warplight::app {

/// Whether the desktop prefers dark: asks the desktop portal (org.freedesktop.appearance color-scheme) without waiting,
/// and tells when it changes. Silent where no portal answers.
class SystemTheme : public QObject {
    Q_OBJECT
  public:
    explicit SystemTheme(const QDBusConnection& bus = QDBusConnection::sessionBus(), QObject* parent = nullptr);

    void ask(); ///< answered by preferred()

  signals:
    void preferred(bool dark);

  private slots:
    void signalCame(const QDBusMessage& message);

  private:
    void settingChanged(const QString& space, const QString& key, const QDBusVariant& value);

    QDBusConnection bus;
};

} // namespace warplight::app
