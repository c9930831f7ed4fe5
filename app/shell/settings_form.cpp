// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/settings_form.h"

#include "app/shell/dialogs.h"
#include "app/shell/text_editor.h"
#include "app/views/theme.h"
#include "core/error.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSlider>
#include <QVBoxLayout>
#include <cstdint>
#include <tuple>
#include <utility>
#include <variant>

#include <algorithm>
#include <cmath>
#include <memory>

namespace warplight::app {
namespace {

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

SettingsForm::SettingsForm(QWidget* parent) : QWidget(parent), layout(new QVBoxLayout(this)) {
    layout->setContentsMargins(0, 0, 0, 0);
}

void SettingsForm::setParameters(const std::vector<lab::Parameter>& parameters, const QString& ofPage) {
    page = ofPage;
    fill(parameters);
}

void SettingsForm::fill(const std::vector<lab::Parameter>& parameters) {
    delete body; // never from within one of its fields: they tell changed(), and the form follows later
    fields.clear();
    body = new QWidget(this);
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    layout->addWidget(body);
    for (const lab::Parameter& parameter : parameters)
        addField(parameter);
    showWhatMatters();
    auto* reset = new QPushButton(tr("Reset to defaults"), body);
    connect(reset, &QPushButton::clicked, this, [this] {
        for (Field& field : fields)
            field.write(field.parameter.defaultValue);
        showWhatMatters();
        emit changed();
    });
    column->addSpacing(8);
    column->addWidget(reset);
}

bool SettingsForm::adapt(const std::vector<lab::Parameter>& parameters, const std::map<std::string, lab::Value>& kept) {
    const auto alike = [](const lab::Parameter& a, const lab::Parameter& b) {
        return a.id == b.id && a.title == b.title && a.defaultValue == b.defaultValue &&
               std::equal(a.options.begin(), a.options.end(), b.options.begin(), b.options.end(),
                          [](const auto& x, const auto& y) { return x.id == y.id; });
    };
    if (std::equal(parameters.begin(), parameters.end(), fields.begin(), fields.end(),
                   [&](const lab::Parameter& p, const Field& f) { return alike(p, f.parameter); }))
        return false;
    std::map<std::string, lab::Value> defaults;
    QString focused; // the field that somebody is typing in keeps the focus
    for (const Field& field : fields) {
        defaults[field.parameter.id] = field.parameter.defaultValue;
        if (field.box->isAncestorOf(focusWidget()))
            focused = qt(field.parameter.id);
    }
    std::map<std::string, lab::Value> before = values();
    before.insert(kept.begin(), kept.end());
    const QSignalBlocker quiet(this);
    fill(parameters);
    for (Field& field : fields) {
        const auto known = defaults.find(field.parameter.id);
        const auto value = before.find(field.parameter.id);
        if (value != before.end() && value->second.index() == field.parameter.defaultValue.index() &&
            (known == defaults.end() || known->second == field.parameter.defaultValue))
            field.write(value->second);
        if (qt(field.parameter.id) == focused)
            for (QWidget* widget : field.box->findChildren<QWidget*>())
                if (widget->focusPolicy() & Qt::TabFocus) {
                    widget->setFocus();
                    break;
                }
    }
    showWhatMatters();
    if (editor)
        rebaseEditor();
    return true;
}

/// What the open window shows follows the form: another example has a text of its own. Edits stay with their field.
void SettingsForm::rebaseEditor() {
    const Field* field = find(editorId);
    if (!field && !editor->edited())
        for (const Field& other : fields)
            if (other.parameter.multiline)
                field = &other;
    if (!field)
        return;
    editorId = field->parameter.id;
    editor->rebase(qt(std::get<std::string>(field->read())), qt(std::get<std::string>(field->parameter.defaultValue)));
}

SettingsForm::Field* SettingsForm::find(const std::string& id) {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.parameter.id == id; });
    return found == fields.end() ? nullptr : &*found;
}

void SettingsForm::addField(const lab::Parameter& parameter) {
    const std::string id = parameter.id;
    auto* box = new QWidget(body);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 4, 0, 0);
    column->setSpacing(4);
    const QString tip =
        qt(parameter.doc) + (parameter.minimum && parameter.maximum
                                 ? tr("\nFrom %1 to %2.").arg(*parameter.minimum).arg(*parameter.maximum)
                                 : QString());
    Field field{parameter, {}, {}, nullptr, box};
    QWidget* first = nullptr;
    if (parameter.type != lab::Parameter::Type::Flag) {
        auto* label = new QLabel(
            qt(parameter.title) + (parameter.unit.empty() ? QString() : QString(" (%1)").arg(qt(parameter.unit))), box);
        label->setObjectName("muted");
        label->setToolTip(tip);
        column->addWidget(label);
    }
    if (parameter.type == lab::Parameter::Type::Flag) {
        auto* check = new QCheckBox(qt(parameter.title), box);
        connect(check, &QCheckBox::toggled, this, [this, id] { fieldChanged(id); });
        field.read = [check] { return lab::Value(check->isChecked()); };
        field.write = [check](const lab::Value& v) { check->setChecked(std::get<bool>(v)); };
        first = check;
    } else if (parameter.type == lab::Parameter::Type::Choice) {
        auto* combo = new QComboBox(box);
        combo->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed); // the form decides the width
        for (const auto& option : parameter.options)
            combo->addItem(qt(option.title.empty() ? option.id : option.title), qt(option.id));
        connect(combo, &QComboBox::currentIndexChanged, this, [this, id] { fieldChanged(id); });
        field.read = [combo] { return lab::Value(combo->currentData().toString().toStdString()); };
        field.write = [combo](const lab::Value& v) {
            combo->setCurrentIndex(combo->findData(qt(std::get<std::string>(v))));
        };
        first = combo;
    } else if (parameter.type == lab::Parameter::Type::Choices) {
        std::vector<QCheckBox*> boxes;
        for (const auto& option : parameter.options) {
            auto* check = new QCheckBox(qt(option.title), box);
            check->setToolTip(qt(option.doc));
            if (Theme::keepsColour(qt(option.id))) {
                QPixmap chip(10, 10);
                chip.fill(Theme::current().series(qt(option.id)));
                check->setIcon(chip);
            }
            connect(check, &QCheckBox::toggled, this, [this, id] { fieldChanged(id); });
            boxes.push_back(check);
            column->addWidget(check);
        }
        field.read = [boxes, options = parameter.options] {
            std::vector<std::string> chosen;
            for (size_t i = 0; i < boxes.size(); ++i)
                if (boxes[i]->isChecked())
                    chosen.push_back(options[i].id);
            return lab::Value(chosen);
        };
        field.write = [boxes, options = parameter.options](const lab::Value& v) {
            const auto& chosen = std::get<std::vector<std::string>>(v);
            for (size_t i = 0; i < boxes.size(); ++i)
                boxes[i]->setChecked(std::find(chosen.begin(), chosen.end(), options[i].id) != chosen.end());
        };
    } else if (parameter.multiline) {
        first = textField(parameter, field);
        first->setParent(box);
    } else { // numbers, sweeps, files and texts are written as on the command line
        auto* edit = new QLineEdit(box);
        edit->setFont(monoFont());
        connect(edit, &QLineEdit::textEdited, this, [this, id] { fieldChanged(id); });
        field.read = [edit, parameter] { return lab::parseValue(parameter, edit->text().toStdString()); };
        field.write = [edit, parameter](const lab::Value& v) { edit->setText(qt(lab::valueText(parameter, v))); };
        first = parameter.type == lab::Parameter::Type::File        ? fileField(edit, parameter)
                : parameter.sliderStep > 0 || parameter.powersOfTwo ? sliderField(edit, parameter)
                                                                    : edit;
    }
    if (first) {
        (first->focusProxy() ? first->focusProxy() : first)->setAccessibleName(qt(parameter.title));
        first->setToolTip(tip);
        column->addWidget(first);
    }
    field.error = new QLabel(box);
    field.error->setObjectName("error");
    field.error->setTextFormat(Qt::PlainText);
    field.error->setWordWrap(true);
    field.error->hide();
    column->addWidget(field.error);
    body->layout()->addWidget(box);
    fields.push_back(std::move(field));
    const QSignalBlocker quiet(this);
    fields.back().write(parameter.defaultValue);
}

void SettingsForm::fieldChanged(const std::string& id) {
    const Field* field = find(id);
    if (!field)
        return;
    QString sentence;
    try {
        lab::checkValue(field->parameter, field->read());
    } catch (const InputError& error) {
        sentence = error.what();
    }
    setError(qt(id), sentence);
    showWhatMatters();
    emit changed();
}

/// A text field with a button that looks for a file.
QWidget* SettingsForm::fileField(QLineEdit* edit, const lab::Parameter& parameter) {
    auto* row = new QWidget(edit->parentWidget());
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(edit, 1);
    auto* browse = new QPushButton("…", row);
    browse->setFixedWidth(34);
    browse->setAccessibleName(tr("Choose a file for %1").arg(qt(parameter.title)));
    layout->addWidget(browse);
    row->setFocusProxy(edit);
    connect(browse, &QPushButton::clicked, this, [this, parameter] {
        askForFile(this, qt(parameter.title), qt(parameter.fileFilter),
                   [this, id = parameter.id, from = page](const QString& file) {
                       const Field* field = find(id);
                       if (!field || page != from)
                           return;
                       field->write(file.toStdString());
                       fieldChanged(id);
                   });
    });
    return row;
}

/// A text of several lines: a button that opens it in a window of its own, and whether it is another than at first.
QWidget* SettingsForm::textField(const lab::Parameter& parameter, Field& field) {
    auto* row = new QWidget;
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    auto* button = new QPushButton(tr("Edit…"), row);
    button->setAccessibleName(tr("Edit %1").arg(qt(parameter.title)));
    auto* state = new QLabel(row);
    state->setObjectName("muted");
    line->addWidget(button);
    line->addWidget(state, 1);
    row->setFocusProxy(button);
    connect(button, &QPushButton::clicked, this, [this, id = parameter.id] { editText(id); });
    const auto text = std::make_shared<std::string>();
    field.read = [text] { return lab::Value(*text); };
    field.write = [=, original = std::get<std::string>(parameter.defaultValue)](const lab::Value& value) {
        *text = std::get<std::string>(value);
        state->setText(*text == original ? tr("as it came") : tr("edited"));
    };
    return row;
}

void SettingsForm::editText(const std::string& id) {
    const Field* field = find(id);
    if (!field || (editor && editor->isVisible()))
        return;
    editor = new TextEditor(qt(field->parameter.title), qt(std::get<std::string>(field->read())),
                            qt(std::get<std::string>(field->parameter.defaultValue)), window());
    editorId = id;
    connect(editor, &QDialog::accepted, this, [this, from = page, editor = editor.data()] {
        if (editor->edited())
            takeText(from, editorId, editor->text());
    });
    editor->open();
}

void SettingsForm::takeText(const QString& fromPage, const std::string& id, const QString& text) {
    const Field* field = fromPage == page ? find(id) : nullptr;
    if (!field) {
        emit textLeft(fromPage, id, text);
        return;
    }
    field->write(text.toStdString());
    fieldChanged(id);
}

/// A slider with the number beside it; each follows the other.
QWidget* SettingsForm::sliderField(QLineEdit* edit, const lab::Parameter& parameter) {
    auto* row = new QWidget(edit->parentWidget());
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    auto* slider = new QSlider(Qt::Horizontal, row);
    slider->setAccessibleName(tr("%1, slider").arg(qt(parameter.title)));
    line->addWidget(slider, 1);
    const int widest = QFontMetrics(monoFont()).horizontalAdvance(QString::number(*parameter.maximum, 'g', 12));
    edit->setFixedWidth(std::max(72, widest + 26)); // with its frame
    line->addWidget(edit);
    row->setFocusProxy(edit);
    const double least = *parameter.minimum;
    const auto valueAt = [least, parameter](int at) {
        return parameter.powersOfTwo ? std::exp2(std::ceil(std::log2(least)) + at) : least + at * parameter.sliderStep;
    };
    const auto placeOf = [least, parameter](double value) {
        return static_cast<int>(std::lround(parameter.powersOfTwo
                                                ? std::log2(std::max(value, least)) - std::ceil(std::log2(least))
                                                : (value - least) / parameter.sliderStep));
    };
    slider->setRange(0, placeOf(*parameter.maximum));
    connect(edit, &QLineEdit::textChanged, slider, [=](const QString& text) {
        bool number = false;
        const double value = text.toDouble(&number);
        const QSignalBlocker quiet(slider);
        if (number)
            slider->setValue(placeOf(value));
    });
    connect(slider, &QSlider::valueChanged, this, [=, this](int at) {
        edit->setText(QString::number(std::min(valueAt(at), *parameter.maximum), 'g', 12));
        emit edit->textEdited(edit->text());
    });
    return row;
}

void SettingsForm::setDevice(const std::string& id) {
    deviceId = id.substr(0, id.find(':')); // of several NVIDIA GPUs, what matters is that they are
    showWhatMatters();
}

/// Fields that do not matter for the other settings (Parameter::shownWhen) are away.
void SettingsForm::showWhatMatters() {
    std::map<std::string, std::string> texts;
    for (const Field& field : fields)
        try {
            texts[field.parameter.id] = lab::valueText(field.parameter, field.read());
        } catch (const InputError&) { // a wrong value decides nothing
        }
    texts["device"] = deviceId;
    for (const Field& field : fields)
        field.box->setVisible(field.parameter.mattersIn(texts));
}

std::map<std::string, lab::Value> SettingsForm::values() const {
    std::map<std::string, lab::Value> result;
    for (const Field& field : fields) {
        try {
            lab::Value value = field.read();
            lab::checkValue(field.parameter, value);
            result[field.parameter.id] = std::move(value);
        } catch (const InputError&) { // stands in red under the field
        }
    }
    return result;
}

void SettingsForm::setValue(const std::string& id, const lab::Value& value) {
    const Field* field = find(id);
    if (!field)
        return;
    try {
        const auto* whole = std::get_if<int64_t>(&value); // files and links write 1 for 1.0
        const lab::Value own =
            whole && field->parameter.type == lab::Parameter::Type::Real ? static_cast<double>(*whole) : value;
        lab::checkValue(field->parameter, own);
        field->write(own);
        setError(qt(id), {});
    } catch (const InputError&) {
        return;
    }
    showWhatMatters();
}

void SettingsForm::setError(const QString& id, const QString& sentence) {
    if (const Field* field = find(id.toStdString())) {
        field->error->setText(sentence);
        field->error->setVisible(!sentence.isEmpty());
    }
}

QStringList SettingsForm::titlesOfOthers(const std::map<std::string, lab::Value>& than) const {
    QStringList titles;
    const std::map<std::string, lab::Value> mine = values();
    for (const Field& field : fields) {
        const auto own = mine.find(field.parameter.id), other = than.find(field.parameter.id);
        if (own == mine.end() || other == than.end() || own->second == other->second)
            continue;
        titles.insert(field.parameter.multiline ? 0 : titles.size(), qt(field.parameter.title));
    }
    return titles;
}

std::map<std::string, lab::Value> SettingsForm::liveBeside(const std::map<std::string, lab::Value>& there) const {
    std::map<std::string, lab::Value> live;
    for (const auto& [id, value] : values()) {
        const auto field = std::find_if(fields.begin(), fields.end(),
                                        [&, &name = id](const Field& f) { return f.parameter.id == name; });
        const auto other = there.find(id);
        if (field->parameter.live)
            live[id] = value;
        else if (other == there.end() || other->second != value)
            return {};
    }
    return live;
}

bool SettingsForm::hasErrors() const {
    return std::any_of(fields.begin(), fields.end(), [](const Field& field) { return !field.error->isHidden(); });
}

} // namespace warplight::app
