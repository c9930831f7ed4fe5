// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/system_theme.h"

#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>

namespace warplight::app {
namespace {

const QString service = "org.freedesktop.portal.Desktop", path = "/org/freedesktop/portal/desktop",
              interface = "org.freedesktop.portal.Settings", space = "org.freedesktop.appearance", key = "color-scheme",
              motionKey = "reduced-motion", gnomeSpace = "org.gnome.desktop.interface", gnomeKey = "enable-animations";
constexpr uint preferDark = 1, preferLight = 2, preferNoMotion = 1;

} // namespace

SystemTheme::SystemTheme(const QDBusConnection& connection, QObject* parent) : QObject(parent), bus(connection) {
    bus.connect(service, path, interface, "SettingChanged", this, SLOT(signalCame(QDBusMessage)));
}

void SystemTheme::ask() { read(space, key); }

void SystemTheme::askMotion() {
    read(space, motionKey);
    read(gnomeSpace, gnomeKey);
}

void SystemTheme::read(const QString& askedSpace, const QString& askedKey) {
    QDBusMessage call = QDBusMessage::createMethodCall(service, path, interface, "Read");
    call << askedSpace << askedKey;
    auto* answer = new QDBusPendingCallWatcher(bus.asyncCall(call), this);
    connect(answer, &QDBusPendingCallWatcher::finished, this, [this, answer, askedSpace, askedKey] {
        const QDBusPendingReply<QDBusVariant> reply = *answer;
        if (reply.isValid())
            settingChanged(askedSpace, askedKey, reply.value());
        answer->deleteLater();
    });
}

void SystemTheme::signalCame(const QDBusMessage& message) {
    const QVariantList arguments = message.arguments();
    if (arguments.size() == 3)
        settingChanged(arguments[0].toString(), arguments[1].toString(), arguments[2].value<QDBusVariant>());
}

void SystemTheme::settingChanged(const QString& changedSpace, const QString& changedKey, const QDBusVariant& value) {
    QVariant held = value.variant();
    if (held.canConvert<QDBusVariant>()) // Read answers with a variant in a variant
        held = held.value<QDBusVariant>().variant();
    if (changedSpace == space && changedKey == motionKey && held.isValid())
        emit motionPreferred(held.toUInt() != preferNoMotion);
    if (changedSpace == gnomeSpace && changedKey == gnomeKey && held.isValid())
        emit motionPreferred(held.toBool());
    if (changedSpace == space && changedKey == key && (held.toUInt() == preferDark || held.toUInt() == preferLight))
        emit preferred(held.toUInt() == preferDark);
}

} // namespace warplight::app
