// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <QPointer>
#include <QStringList>
#include <QWidget>

#include <functional>
#include <map>
#include <string>
#include <vector>

class QLabel;
class QLineEdit;
class QVBoxLayout;

namespace warplight::app {

class TextEditor;

/// A form made from an experiment's parameters. Values are checked by the vocabulary itself; what is wrong stands in
/// red under its field.
class SettingsForm : public QWidget {
    Q_OBJECT
  public:
    explicit SettingsForm(QWidget* parent = nullptr);

    /// The form of a page, every field with its default.
    void setParameters(const std::vector<lab::Parameter>& parameters, const QString& page = {});
    /// The same page's parameters as they are beside its settings. Values stay, but for those whose default has
    /// changed; `kept` has some for fields that are new. Returns whether it is another form now.
    bool adapt(const std::vector<lab::Parameter>& parameters, const std::map<std::string, lab::Value>& kept);
    /// Values that differ from the defaults or not: all that are right. Wrong fields are left out.
    std::map<std::string, lab::Value> values() const;
    /// Titles of the settings whose values here are others than those; a text of several lines ("Code") first.
    QStringList titlesOfOthers(const std::map<std::string, lab::Value>& than) const;
    /// The live settings, if no other has another value than there; empty: there are none, or some other has.
    std::map<std::string, lab::Value> liveBeside(const std::map<std::string, lab::Value>& there) const;
    void setDevice(const std::string& id); ///< what matters only on another device goes away
    /// A value that is none for this field (another type, out of range) leaves it as it is.
    void setValue(const std::string& id, const lab::Value& value);
    void setError(const QString& id, const QString& sentence); ///< an empty sentence clears it
    bool hasErrors() const;

  signals:
    void changed();
    /// A text was applied whose field has gone meanwhile: it belongs to that page.
    void textLeft(const QString& page, const std::string& id, const QString& text);

  private:
    struct Field {
        lab::Parameter parameter;
        std::function<lab::Value()> read; ///< throws InputError
        std::function<void(const lab::Value&)> write;
        QLabel* error;
        QWidget* box; ///< label, field and error together
    };
    // Fields are found by their ids: a form is rebuilt while a window is open that one of them has opened.
    Field* find(const std::string& id);
    void addField(const lab::Parameter& parameter);
    void fill(const std::vector<lab::Parameter>& parameters);
    QWidget* fileField(QLineEdit* edit, const lab::Parameter& parameter);
    QWidget* sliderField(QLineEdit* edit, const lab::Parameter& parameter);
    QWidget* textField(const lab::Parameter& parameter, Field& field);
    void editText(const std::string& id);
    void takeText(const QString& fromPage, const std::string& id, const QString& text);
    void rebaseEditor();
    void showWhatMatters();
    void fieldChanged(const std::string& id);

    std::string deviceId;
    QVBoxLayout* layout;
    QWidget* body = nullptr;
    QString page;
    QPointer<TextEditor> editor;
    std::string editorId; ///< whose text it edits
    std::vector<Field> fields;
};

} // namespace warplight::app
