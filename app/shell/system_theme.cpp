#include "app/shell/system_theme.h"

#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>

namespace warplight::app {
namespace {

const QString service = "org.freedesktop.portal.Desktop", path = "/org/freedesktop/portal/desktop",
              interface = "org.freedesktop.portal.Settings", space = "org.freedesktop.appearance", key = "color-scheme";
constexpr uint preferDark = 1, preferLight = 2;

} // namespace

SystemTheme::SystemTheme(const QDBusConnection& connection, QObject* parent) : QObject(parent), bus(connection) {
    bus.connect(service, path, interface, "SettingChanged", this, SLOT(signalCame(QDBusMessage)));
}

void SystemTheme::ask() {
    QDBusMessage read = QDBusMessage::createMethodCall(service, path, interface, "Read");
    read << space << key;
    auto* answer = new QDBusPendingCallWatcher(bus.asyncCall(read), this);
    connect(answer, &QDBusPendingCallWatcher::finished, this, [this, answer] {
        const QDBusPendingReply<QDBusVariant> reply = *answer;
        if (reply.isValid())
            settingChanged(space, key, reply.value());
        answer->deleteLater();
    });
}

void SystemTheme::signalCame(const QDBusMessage& message) {
    const QVariantList arguments = message.arguments();
    if (arguments.size() == 3)
        settingChanged(arguments[0].toString(), arguments[1].toString(), arguments[2].value<QDBusVariant>());
}

void SystemTheme::settingChanged(const QString& changedSpace, const QString& changedKey, const QDBusVariant& value) {
    if (changedSpace != space || changedKey != key)
        return;
    QVariant scheme = value.variant();
    if (scheme.canConvert<QDBusVariant>()) // Read answers with a variant in a variant
        scheme = scheme.value<QDBusVariant>().variant();
    if (scheme.toUInt() == preferDark || scheme.toUInt() == preferLight)
        emit preferred(scheme.toUInt() == preferDark);
}

} // namespace warplight::app
