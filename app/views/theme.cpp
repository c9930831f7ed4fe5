// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/theme.h"

#include "core/lab/number_text.h"

#include <QApplication>
#include <QFontDatabase>
#include <QHash>
#include <QPalette>
#include <QStyleFactory>
#include <QWidget>
#include <algorithm>

#include <array>
#include <cmath>
#include <utility>

/// The icons stand in a library: a linker would leave them out. Must stand outside any namespace.
static void initialiseResources() { Q_INIT_RESOURCE(warplight); }

namespace warplight::app {
namespace {

const Theme* inForce = nullptr;
double scale = 1.0;
constexpr double basePixels = 13;

/// Nine stops of viridis (van der Walt & Smith 2015), linear between them.
constexpr std::array<std::array<int, 3>, 9> viridisStops{{{68, 1, 84},
                                                          {71, 44, 122},
                                                          {59, 81, 139},
                                                          {44, 113, 142},
                                                          {33, 144, 141},
                                                          {39, 173, 129},
                                                          {92, 200, 99},
                                                          {170, 220, 50},
                                                          {253, 231, 37}}};

QColor mix(const QColor& a, const QColor& b, double share) {
    return QColor::fromRgbF(static_cast<float>(a.redF() + (b.redF() - a.redF()) * share),
                            static_cast<float>(a.greenF() + (b.greenF() - a.greenF()) * share),
                            static_cast<float>(a.blueF() + (b.blueF() - a.blueF()) * share));
}

QString styleSheet(const Theme& t) {
    return QString(R"(
        QWidget { color: %ink; background: transparent; }
        QMainWindow, QDialog, QScrollArea > QWidget > QWidget#page { background: %ground; }
        QToolTip { color: %ink; background: %panel; border: 1px solid %line; padding: 4px; }
        QFrame#panel { background: %panel; border: 1px solid %line; border-radius: 10px; }
        QFrame#side, QFrame#bar { background: %panel; border: 0px; }
        QPushButton, QToolButton#bar, QComboBox, QLineEdit { background: %panel; border: 1px solid %line; border-radius: 6px; padding: 5px 10px; }
        QPushButton:hover, QToolButton:hover, QComboBox:hover { border-color: %muted; }
        QPushButton:focus, QLineEdit:focus, QComboBox:focus, QToolButton:focus { border: 1px solid %accent; }
        QPushButton:disabled { color: %muted; }
        QPushButton#primary { background: %accent; color: %accentInk; border: 0px; font-weight: 600; }
        QPushButton#primary:disabled { background: %line; color: %muted; }
        QToolButton#quiet { border: 0px; border-radius: 4px; color: %muted; padding: 2px 4px; margin: 0px; }
        QToolButton#quiet:hover, QToolButton#quiet:focus { background: %ground; color: %ink; }
        QLabel#muted { color: %muted; }
        QLabel#error { color: %danger; }
        QLabel#badge { color: %muted; border: 1px solid %line; border-radius: 4px; padding: 0px 5px; }
        QLabel#banner { background: %panel; border: 1px solid %warning; border-radius: 6px; padding: 8px 12px; }
        QComboBox::drop-down { border: 0px; width: 22px; }
        QComboBox::down-arrow { image: url(:/icons/chevron.svg); width: 12px; height: 12px; }
        QListWidget, QTreeWidget { border: 1px solid transparent; outline: 0px; }
        QListWidget::item { padding: 6px 10px; border-radius: 6px; }
        QTreeWidget::item { padding: 6px 6px; border-radius: 6px; }
        QListWidget::item:selected { background: %ground; color: %ink; border-left: 3px solid %accent; }
        QTreeWidget::item:selected { background: transparent; color: %ink; }
        QListWidget::item:selected:focus { color: %accent; }
        QTreeWidget::branch { background: transparent; }
        QComboBox QAbstractItemView, QMenu { background: %panel; color: %ink; border: 1px solid %line; selection-background-color: %accent; selection-color: %accentInk; }
        QProgressBar { background: %line; border: 0px; border-radius: 3px; }
        QProgressBar::chunk { background: %accent; border-radius: 3px; }
        QScrollBar:vertical { width: 10px; background: transparent; }
        QScrollBar:horizontal { height: 10px; background: transparent; }
        QScrollBar::handle { background: %line; border-radius: 4px; min-height: 24px; min-width: 24px; }
        QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
        QAbstractScrollArea::corner { background: transparent; border: 0px; }
        QTableView { background: %panel; gridline-color: %line; border: 0px; selection-background-color: %accent; selection-color: %accentInk; }
        QHeaderView::section { background: %panel; color: %muted; border: 0px; border-bottom: 1px solid %line; padding: 4px 5px; }
        QTableView::item { padding: 0px 2px; border: 0px; }
        QTableCornerButton::section { background: %panel; border: 0px; }
        QTextBrowser { background: transparent; border: 0px; }
        QTextBrowser#muted { color: %muted; }
        QSlider::groove:horizontal { height: 4px; background: %line; border-radius: 2px; }
        QSlider::sub-page:horizontal { background: %accent; border-radius: 2px; }
        QSlider::handle:horizontal { width: 12px; margin: -5px 0px; background: %panel; border: 2px solid %accent; border-radius: 7px; }
        QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid %muted; border-radius: 3px; background: %panel; }
        QCheckBox::indicator:checked { background: %accent; border-color: %accent; image: url(:/icons/check-%mode.svg); }
        QCheckBox:focus { color: %accent; })")
        .replace("%mode", t.dark ? "dark" : "light")
        .replace("%accentInk", t.accentInk.name())
        .replace("%accent", t.accent.name())
        .replace("%ink", t.ink.name())
        .replace("%ground", t.ground.name())
        .replace("%panel", t.panel.name())
        .replace("%line", t.line.name())
        .replace("%muted", t.muted.name())
        .replace("%danger", t.danger.name())
        .replace("%warning", t.warning.name());
}

/// Okabe & Ito's colours and six more; black and yellow are left out: they vanish on one ground each.
constexpr std::array<const char*, 13> okabeIto{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
                                               "#56B4E9", "#8B6FB8", "#7A7A7A", "#8A8D0F", "#A6761D",
                                               "#A04668", "#4A4A9C", "#6FA82E"};

constexpr uint unknownSlots = 6; // keys that nobody has given a slot share the first

/// What the labs have said of their keys.
QHash<QString, QColor>& keptColours() {
    static QHash<QString, QColor> known;
    return known;
}

} // namespace

const Theme& Theme::lightTheme() {
    static const Theme theme{false,
                             QColor("#f6f7f9"),
                             QColor("#ffffff"),
                             QColor("#e3e6eb"),
                             QColor("#1c2430"),
                             QColor("#667085"),
                             QColor("#0b63ce"),
                             QColor("#ffffff"),
                             QColor("#b42318"),
                             QColor("#067647"),
                             QColor("#b54708")};
    return theme;
}

const Theme& Theme::darkTheme() {
    static const Theme theme{true,
                             QColor("#12161c"),
                             QColor("#1a2029"),
                             QColor("#2a323e"),
                             QColor("#e7ecf3"),
                             QColor("#93a0b4"),
                             QColor("#5aa2ff"),
                             QColor("#0b1220"),
                             QColor("#ff8a7a"),
                             QColor("#4cc38a"),
                             QColor("#f5b041")};
    return theme;
}

const Theme& Theme::current() { return inForce ? *inForce : lightTheme(); }

void Theme::setCurrent(const Theme& theme) {
    initialiseResources();
    inForce = theme.dark ? &darkTheme() : &lightTheme();
    QApplication::setStyle(QStyleFactory::create("Fusion"));
    QPalette palette;
    palette.setColor(QPalette::Window, theme.ground);
    palette.setColor(QPalette::Base, theme.panel);
    palette.setColor(QPalette::AlternateBase, theme.ground);
    palette.setColor(QPalette::Button, theme.panel);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::ToolTipText})
        palette.setColor(role, theme.ink);
    palette.setColor(QPalette::PlaceholderText, theme.muted);
    palette.setColor(QPalette::Highlight, theme.accent);
    palette.setColor(QPalette::HighlightedText, theme.accentInk);
    palette.setColor(QPalette::Link, theme.accent);
    QApplication::setPalette(palette);
    QApplication::setFont(textFont());
    qApp->setStyleSheet(styleSheet(theme));
    for (QWidget* widget : QApplication::allWidgets())
        widget->update();
}

Theme::Drawing::Drawing(const Theme& theme)
    : themeBefore(std::exchange(inForce, theme.dark ? &darkTheme() : &lightTheme())),
      scaleBefore(std::exchange(scale, 1.0)) {}

Theme::Drawing::~Drawing() {
    inForce = themeBefore;
    scale = scaleBefore;
}

void Theme::keepColours(const std::map<std::string, int64_t>& ofKeys) {
    for (const auto& [key, slot] : ofKeys)
        if (slot >= 0 && slot < static_cast<int64_t>(okabeIto.size()))
            keptColours()[QString::fromStdString(key)] = QColor(okabeIto[static_cast<size_t>(slot)]);
}

bool Theme::keepsColour(const QString& colourKey) { return keptColours().contains(colourKey); }

QColor Theme::series(const QString& colourKey) const {
    const auto& known = keptColours();
    const auto found = known.find(colourKey);
    if (found != known.end())
        return dark ? found->lighter(125) : *found;
    if (colourKey == "roof" || colourKey == "peak" || colourKey.isEmpty())
        return muted;
    uint sum = 0; // qHash is seeded anew in each process; a colour must stay
    for (const QChar c : colourKey)
        sum = sum * 31 + c.unicode();
    return QColor(okabeIto[sum % unknownSlots]);
}

QColor Theme::viridis(double position) {
    const double at = std::clamp(position, 0.0, 1.0) * (viridisStops.size() - 1);
    const auto below = std::min(static_cast<size_t>(at), viridisStops.size() - 2);
    const auto stop = [](size_t i) { return QColor(viridisStops[i][0], viridisStops[i][1], viridisStops[i][2]); };
    return mix(stop(below), stop(below + 1), at - static_cast<double>(below));
}

QColor Theme::diverging(double position) const {
    return mix(panel, position < 0 ? QColor("#2166ac") : QColor("#b35806"), std::min(std::fabs(position), 1.0));
}

QColor Theme::nonFinite() const { return QColor("#d01c8b"); }

void loadFonts() {
    for (const char* font : {"Inter-Regular", "Inter-Medium", "Inter-SemiBold", "Inter-Bold", "JetBrainsMono-Regular",
                             "JetBrainsMono-Bold"})
        QFontDatabase::addApplicationFont(QString(":/fonts/") + font);
}

QFont textFont(double points, QFont::Weight weight) {
    QFont font("Inter");
    font.setStyleHint(QFont::SansSerif);
    font.setPixelSize(static_cast<int>(std::lround((points > 0 ? points : basePixels) * scale)));
    font.setWeight(weight);
    return font;
}

QFont monoFont(double points) {
    QFont font("JetBrains Mono");
    font.setStyleHint(QFont::Monospace);
    font.setPixelSize(static_cast<int>(std::lround((points > 0 ? points : basePixels - 1) * scale)));
    return font;
}

double uiScale() { return scale; }
void setUiScale(double factor) { scale = factor; }

QString badgeText(lab::Provenance provenance) { return QString::fromUtf8(lab::name(provenance)); }

QString numberText(double value, const QString& unit, const QString& format) {
    return QString::fromStdString(lab::numberText(value, unit.toStdString(), format.toStdString()));
}

} // namespace warplight::app
